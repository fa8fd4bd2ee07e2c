"""The page of tables: medians over the rounds with their spread, and everything that was not a score by its name."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from benchmarks.calls import LOADS
from benchmarks.lengths import GROWING_TURNS
from benchmarks.method import METHOD
from benchmarks.overload import TIMEOUT_S, TIMES_CAPACITY
from benchmarks.results import Cell, Results
from benchmarks.sockets import EVERY_S, SOCKETS
from benchmarks.subjects import FLOOR, SUBJECTS
from benchmarks.tables import NONE, OK, failures, marked, median, number, quantile_text, spread, table

BASE = "naive"
_KINDS = (
    ("whole", "scored whole"),
    ("live", "its newest turn, with all before it"),
    ("appended", "its newest turn alone, where the server remembers the rest"),
)
# To a server that remembers nothing, what a live turn is.
_AS_LIVE = ("appended", "context")


class Page:
    """The tables of one file of results."""

    def __init__(self, results: Results) -> None:
        self._results = results
        self._failed: list[str] = []

    def _cells(self, *names: str) -> list[Cell]:
        cells = self._results.rounds(*names)
        if found := failures(cells):
            told = ", ".join(f"{count} x {status}" for status, count in sorted(found.items()))
            sent = sum(sum(cell.get("statuses", {}).values()) for cell in cells)
            line = f"{' / '.join(names)}: {told} of {sent:,} answers"
            if line not in self._failed:
                self._failed.append(line)
        return cells

    def _speeds(self, name: str, load: str, clients: int) -> list[Cell]:
        """Rounds of one cell. Who remembers nothing has one kind of live turn: with its context."""
        if load in _AS_LIVE and load not in SUBJECTS[name].loads:
            load = "live"
        if name == FLOOR:
            held = [int(key.split("/")[3]) for key, _ in self._results if key.startswith(f"throughput/{FLOOR}/{load}/")]
            clients = min(clients, max(held, default=clients))
        return self._cells("throughput", name, load, str(clients))

    def _clients(self, load: str) -> list[int]:
        """The numbers of clients that servers were asked by."""
        found = {
            int(parts[3])
            for parts in (key.split("/") for key, _ in self._results)
            if parts[0] == "throughput" and parts[2] == load and parts[1] != FLOOR
        }
        return sorted(found) or [1]

    def _measured(self, *part: str) -> list[str]:
        """Subjects with anything to say, in their usual order."""
        place = len(part)
        found = {
            parts[1]
            for parts in (key.split("/") for key, _ in self._results)
            if parts[0] == part[0] and (place == 1 or parts[2] == part[1])
        }
        return [name for name in SUBJECTS if name in found]

    def about(self) -> list[str]:
        """Machine, versions, and what was sent."""
        about = self._results.about
        if not about:
            return []
        machine = about["machine"]
        when = sorted(cell["when"] for _, cell in self._results)
        lines = [
            f"- Machine: {machine['processor']}, {machine['cores']} cores, {machine['memory_gb']} GB, "
            f"{', '.join(machine['instructions']) or 'no vector instructions'}; {machine['system']}, "
            f"Python {machine['python']}.",
            f"- softsell at commit {about['commit']}, release {about['release']}.",
        ]
        if when:
            lines.append(f"- Measured from {when[0][:16]} to {when[-1][:16]} UTC.")
        for name, versions in sorted(about["versions"].items()):
            lines.append(f"- Environment {name}: {', '.join(f'{key} {value}' for key, value in versions.items())}.")
        lines.append(
            f"- Sent: {about['calls']} calls of the test split, {about['turns_a_call']} turns each on average."
        )
        return [*lines, ""]

    def peak(self) -> list[str]:
        """What the cores can do."""
        cells = self._results.rounds("peak")
        if not cells:
            return []
        rows = [(kind, spread(cells, f"{kind}/one"), spread(cells, f"{kind}/all")) for kind in ("fp32", "int8")]
        text = "GFLOP/s of matrix products of this encoder's sizes, in ONNX Runtime, the fastest size of three."
        return ["## What the cores can do", "", text, "", *table(("kind", "one thread", "all cores"), rows)]

    def throughput(self) -> list[str]:
        """Turns a second and latency, a table each a load, and what they cost."""
        lines: list[str] = []
        for load, title in LOADS.items():
            clients = self._clients(load)
            names = self._measured("throughput", load)
            if not names:
                continue
            if load in _AS_LIVE:
                names = [name for name in SUBJECTS if name in names or name in self._measured("throughput", "live")]
            lines += [f"### {title[0].upper()}{title[1:]} (`{load}`)", "", *self._speed(load, names, clients)]
            lines += self._latency(load, names, clients)
        if not self._measured("throughput"):
            return []
        return ["## Turns a second, and how long a caller waits", "", *lines, *self._costs()]

    def _speed(self, load: str, names: Sequence[str], clients: Sequence[int]) -> list[str]:
        a_call = (self._results.about or {}).get("turns_a_call")
        rows = []
        for name in names:
            row = [SUBJECTS[name].title]
            for count in clients:
                cells = self._speeds(name, load, count)
                row.append(marked(spread(cells, "turns_per_s"), cells) if cells else NONE)
            best = self._best(name, load, clients)
            base = self._best(BASE, load, clients)
            row.append(f"{best / base:.1f}" if best and base else NONE)
            if load == "calls":
                row.append(f"{best / a_call:.1f}" if best and a_call else NONE)
            rows.append(row)
        head = ["turns/s", *(f"{count} clients" if count > 1 else "1 client" for count in clients), "times naive"]
        return table([*head, "calls/s"] if load == "calls" else head, rows)

    def _best(self, name: str, load: str, clients: Sequence[int]) -> float | None:
        found = [median(self._speeds(name, load, count), "turns_per_s") for count in clients]
        return max((value for value in found if value), default=None)

    def _latency(self, load: str, names: Sequence[str], clients: Sequence[int]) -> list[str]:
        rows = []
        for name in names:
            row = [SUBJECTS[name].title]
            for count in clients:
                cells = self._speeds(name, load, count)
                values = [median(cells, quantile) for quantile in ("p50_ms", "p95_ms", "p99_ms")]
                row.append(" / ".join(quantile_text(value) for value in values))
            rows.append(row)
        unit = "ms a call" if load == "calls" else "ms a turn"
        return table([f"{unit}, p50 / p95 / p99", *(f"{count}" for count in clients)], rows)

    def _costs(self) -> list[str]:
        peaks = self._results.rounds("peak")
        rows = []
        for name in self._measured("throughput"):
            starts = self._results.rounds("throughput", name, "start")
            every = [
                cell
                for key, cell in self._results
                if key.startswith(f"throughput/{name}/") and cell.get("turns_per_s") is not None
            ]
            clients = self._clients("calls")
            per_load = {count: self._speeds(name, "calls", count) for count in clients}
            best = max(
                (cells for cells in per_load.values() if cells), key=lambda c: median(c, "gflops") or 0, default=[]
            )
            gflops = median(best, "gflops")
            shares = [
                f"{gflops / reached:.0%}" if gflops and (reached := median(peaks, f"{kind}/all")) else NONE
                for kind in ("fp32", "int8")
            ]
            memory = max((float(cell["memory_mb"]) for cell in every if "memory_mb" in cell), default=None)
            starting = next((cell["failed"] for cell in starts if "failed" in cell), None)
            rows.append(
                [
                    SUBJECTS[name].title,
                    spread(best, "cpu_s_per_million_turns"),
                    quantile_text(memory),
                    f"did not start: {starting}" if starting and not every else spread(starts, "start_s"),
                    quantile_text(gflops),
                    *shares,
                    self._largest(every, "generator_share"),
                    self._largest(every, "others_share"),
                ]
            )
        head = ["whole calls", "CPU s / million turns", "most memory, MB (PSS)", "s to the first answer", "GFLOP/s"]
        head += ["of fp32 peak", "of int8 peak", "load generator, most", "others, most"]
        return ["### What it takes", "", *table(head, rows)]

    @staticmethod
    def _largest(cells: Sequence[Cell], name: str) -> str:
        values = [float(cell[name]) for cell in cells if cell.get(name) is not None]
        return f"{max(values):.1%}" if values else NONE

    def lengths(self) -> list[str]:
        """Cost against length."""
        names = self._measured("lengths")
        if not names:
            return []
        keys = [key.split("/") for key, _ in self._results if key.startswith("lengths/")]
        turns = sorted({int(key[3]) for key in keys if key[2] == "whole"})
        lines = ["## Cost against the length of the conversation", "", "![Cost against length](lengths.svg)", ""]
        for kind, text in _KINDS:
            rows = []
            for name in names:
                row = [SUBJECTS[name].title]
                for count in turns:
                    cells = self._cells("lengths", name, kind, str(count))
                    in_ms = [{"ms": cell["median_s"] * 1e3} for cell in cells if cell["median_s"] is not None]
                    row.append(marked(spread(in_ms, "ms"), cells) if cells else NONE)
                rows.append(row)
            if any(cell != NONE for row in rows for cell in row[1:]):
                lines += table([f"ms, {text}", *(f"{count:,} turns" for count in turns)], rows)
        return [*lines, *self._growing(names)]

    def _growing(self, names: Sequence[str]) -> list[str]:
        rows = []
        for name in names:
            cells = self._cells("lengths", name, "growing", str(GROWING_TURNS))
            if cells:
                ratios = [
                    {"ratio": cell["median_s"] / cell["whole_s"]}
                    for cell in cells
                    if cell["median_s"] is not None and cell["whole_s"] is not None
                ]
                values = [spread(cells, "whole_s"), spread(cells, "median_s"), spread(ratios, "ratio")]
                rows.append([SUBJECTS[name].title, *values[:2], marked(values[2], cells)])
        head = [f"{GROWING_TURNS} turns", "s whole, once", f"s after each turn, {GROWING_TURNS} times", "ratio"]
        return table(head, rows) if rows else []

    def overload(self) -> list[str]:
        """At several times of capacity."""
        rows = []
        for name in self._measured("overload"):
            for cell in self._results.rounds("overload", name):
                if "failed" in cell:
                    rows.append([SUBJECTS[name].title, cell["failed"], *[NONE] * 8])
                    continue
                refused, statuses = cell["refusals"], cell["statuses"]
                other = {key: count for key, count in statuses.items() if key not in (OK, "429", "503")}
                recovery = cell["recovery_s"]
                rows.append(
                    [
                        SUBJECTS[name].title,
                        number(cell["capacity_per_s"]),
                        number(cell["sent_per_s"]),
                        f"{number(cell['goodput_per_s'])} ({cell['goodput_of_capacity']:.0%})",
                        f"{quantile_text(cell['p50_ms'])} / {quantile_text(cell['p99_ms'])}",
                        f"{refused['count']:,}, {cell['refusals_without_retry_after']:,} without Retry-After",
                        f"{quantile_text(refused['p50_ms'])} / {quantile_text(refused['p99_ms'])}",
                        ", ".join(f"{count:,} x {key}" for key, count in sorted(other.items())) or "none",
                        ("never in a minute" if recovery is None else f"{recovery:.2g}"),
                        self._largest([cell], "generator_share"),
                    ]
                )
        if not rows:
            return []
        head = ["single turns with context", "capacity/s", "sent/s", "scored/s in time", "ms p50 / p99 of scores"]
        head += ["refused (429, 503)", "ms p50 / p99 of refusals", "other answers", "s to recover", "load generator"]
        text = (
            f"{TIMES_CAPACITY:g} times of what 8 clients get, at a fixed rate; a client waits {TIMEOUT_S:g} s at most. "
            "Recovered is who answers ten in a row in at most twice the time that 95 % took before."
        )
        return ["## Overload", "", text, "", *table(head, rows)]

    def sockets(self) -> list[str]:
        """Live calls at their own pace."""
        rows = []
        for name in self._measured("sockets"):
            for cell in self._results.rounds("sockets", name):
                times = " / ".join(quantile_text(cell[name]) for name in ("p50_ms", "p95_ms", "p99_ms"))
                wrong = ", ".join(f"{count:,} x {code}" for code, count in sorted(cell["errors"].items()))
                row = [SUBJECTS[name].title, cell["by"], f"{cell['sent']:,}", marked(times, [cell])]
                row += [f"{cell['lost']:,}", f"{cell['out_of_order']:,}", wrong or "none", f"{cell['cpu_share']:.0%}"]
                rows.append([*row, number(cell["memory_mb"]), self._largest([cell], "generator_share")])
        if not rows:
            return []
        head = ["live calls", "by", "turns", "ms to the score, p50 / p95 / p99", "lost", "out of order", "errors"]
        head += ["of the cores", "MB (PSS)", "load generator"]
        text = f"{SOCKETS} calls at once with a turn every {EVERY_S:g} s each."
        return ["## Live calls", "", text, "", *table(head, rows)]

    def failed(self) -> list[str]:
        """Everything that was not a score."""
        if not self._failed:
            return []
        return ["## Answers that were no scores (**!**)", "", *(f"- {line}" for line in sorted(self._failed)), ""]


def render(results: Results) -> str:
    """The page, as Markdown."""
    page = Page(results)
    parts: list[Callable[[], list[str]]] = [
        page.about, page.throughput, page.lengths, page.sockets, page.overload, page.peak, page.failed,
    ]  # fmt: skip
    lines = ["# softsell beside other servers of the same encoder", ""]
    lines += ["Written by `make bench`; raw numbers are in `results.json`.", ""]
    for part in parts:
        lines += part()
        if part == page.about and page._measured("throughput"):
            lines += ["![Turns a second](throughput.svg)", ""]
    return "\n".join(lines) + "\n" + METHOD
