"""How the HTML report looks: by day, by night and on paper. Labels differ by underline, not by colour alone."""

STYLE = """
:root { color-scheme: light dark; --page: #fff; --ink: #1b1d21; --dim: #5a606b; --rule: #d5d9e0;
  --mis: #b3261e; --mis-back: #fde7e5; --fair: #1b6e3c; --fair-back: #e2f4e8; --said: #7a5200; --said-back: #fdf0d2;
  --warm: #0b6a80; }
@media (prefers-color-scheme: dark) {
  :root { --page: #15171b; --ink: #e6e8ec; --dim: #a0a7b4; --rule: #363b45;
    --mis: #ff8a80; --mis-back: #46201d; --fair: #7fd6a0; --fair-back: #16351f; --said: #f0c060; --said-back: #3b2d0d;
    --warm: #6cc7de; }
}
@media print {
  :root { color-scheme: light; --page: #fff; --ink: #000; --dim: #444; --rule: #bbb; --mis: #b3261e; --mis-back: #fff;
    --fair: #1b6e3c; --fair-back: #fff; --said: #7a5200; --said-back: #fff; --warm: #0b6a80; }
  tr, li, figure { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  a { color: inherit; text-decoration: none; }
}
body { background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; max-width: 62rem;
  margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.25rem; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h3 { font-size: 1rem; margin: 1rem 0 .25rem; }
section { border-top: 2px solid var(--rule); margin-top: 2rem; padding-top: 1rem; }
small, .dim { color: var(--dim); font-size: .85em; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { border-bottom: 1px solid var(--rule); padding: .3rem .6rem .3rem 0; text-align: left; vertical-align: top; }
td { overflow-wrap: anywhere; }
a { color: inherit; }
.band { border: 1px solid; border-radius: .3rem; padding: 0 .4rem; white-space: nowrap; }
.high { color: var(--mis); border-width: 3px; font-weight: bold; }
.medium { color: var(--said); border-style: dashed; }
.low { color: var(--fair); }
.note { border-left: 4px solid var(--said); padding-left: .6rem; }
ol { list-style: none; padding: 0; }
li { border-bottom: 1px solid var(--rule); padding: .4rem 0; }
li p { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; unicode-bidi: plaintext; }
mark { color: inherit; padding: 0 .1em; text-decoration-line: underline; text-decoration-thickness: 2px;
  text-underline-offset: .15em; }
mark.mis { background: var(--mis-back); text-decoration-color: var(--mis); }
mark.fair { background: var(--fair-back); text-decoration-color: var(--fair); text-decoration-style: dotted; }
mark.said { background: var(--said-back); text-decoration-color: var(--said); text-decoration-style: dashed; }
figure { margin: .5rem 0; }
svg { width: 100%; height: auto; }
svg text { fill: var(--dim); font-size: 11px; }
svg .grid { stroke: var(--rule); }
svg polyline { fill: none; stroke-width: 2; }
svg polyline.risk { stroke: var(--mis); } svg circle { fill: var(--mis); }
svg polyline.empathy { stroke: var(--warm); stroke-dasharray: 6 4; } svg rect { fill: var(--warm); }
"""
