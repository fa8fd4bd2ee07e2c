"""README.md and docs/examples.md show what the shipped model really answers.

`python -m tests.test_readme` writes them anew.

Another processor may round differently, so numbers may differ by `TOLERANCE`; words may not differ.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from app.api.app import create_app
from app.cli import cli
from app.model.release import newest_release, open_release
from app.settings import MODELS, Settings
from app.transcripts.registry import json_readers, readers
from training import card

ROOT = Path(__file__).resolve().parent.parent
PAGES = (ROOT / "README.md", ROOT / "docs" / "examples.md")
EXAMPLES = sorted((ROOT / "examples").glob("*.txt")) + sorted((ROOT / "examples").glob("*.json"))
TOLERANCE = 0.011
FIGURES = (
    "any mis-selling: AUC",
    "any mis-selling: average precision",
    "mis_selling: macro average precision",
    "mis_selling: macro F1",
    "practice: macro F1",
    "dismissive: macro average precision",
    "signals: macro F1",
    "emotional_reaction: quadratic kappa",
    "interpretation: quadratic kappa",
    "exploration: quadratic kappa",
    "evidence, any category: character F1",
    "evidence, same category: token F1",
    "contrast pairs: unfair scores higher",
    "conversation risk: AUC",
    "conversation risk: ECE",
)
_NUMBER = re.compile(r"\d+(?:\.\d+(?:e-\d+)?|e-\d+)")


def answer() -> str:
    """What the curl command prints, with real scores."""
    body = (ROOT / "examples" / "short_call.json").read_bytes()
    with TestClient(create_app(Settings())) as client:
        for _ in range(200):
            if client.get("/readyz").status_code == 200:
                break
            time.sleep(0.1)
        response = client.post("/v1/score", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 200, response.text
    return "```json\n" + json.dumps(response.json(), indent=4, ensure_ascii=True) + "\n```"


def report(name: str) -> str:
    """What `softsell score` prints of an example when piped."""
    before = Path.cwd()
    os.chdir(ROOT)
    try:
        result = CliRunner().invoke(cli, ["score", f"examples/{name}"])
    finally:
        os.chdir(before)
    assert result.exit_code == 0
    return "```\n" + result.stdout.strip("\n") + "\n```"


def formats() -> str:
    """All transcript formats, from the registry."""
    rows = [
        f"| {reader.title} | `{reader.name}` |"
        for reader in sorted((*readers(), *json_readers()), key=lambda r: r.title.casefold())
    ]
    return "\n".join(["| system or form | `--format` |", "|---|---|", *dict.fromkeys(rows)])


def results() -> str:
    """The headline figures from the release's own numbers."""
    release = open_release(newest_release(MODELS))
    evaluation = release.evaluation

    def cell(figure: dict[str, float | None] | None) -> str:
        if figure is None or figure["value"] is None:
            return "n/a"
        return f"{figure['value']:.2f} [{figure['low']:.2f}, {figure['high']:.2f}]"

    worst, lowest = card.worst_slice(evaluation, "any mis-selling: average precision")
    splits, measured = evaluation["splits"], evaluation["measured"]
    rows = [
        (name, *(cell(evaluation["test"][model].get(name)) for model in (card.MODEL, card.FLOOR))) for name in FIGURES
    ]
    lines = [
        f"{release.version} on {splits['test']} conversations that it never saw, most of them of a sector "
        f"({', '.join(splits['unseen_sectors'])}) or an author that it never saw; 95 % bootstrap intervals. "
        f"Worst slice: average precision {lowest:.2f} for any mis-selling where {worst}.",
        "",
        f"| figure | {card.MODEL} | {card.FLOOR} |",
        "|---|---|---|",
        *(f"| {name} | {own} | {other} |" for name, own, other in rows),
        "",
        f"`make evaluate`, {measured['date']}, {measured['machine']}.",
    ]
    return "\n".join(lines)


BLOCKS: dict[str, Callable[[], str]] = {
    "answer": answer,
    "results": results,
    "formats": formats,
    **{f"report {path.name}": partial(report, path.name) for path in EXAMPLES},
}
_BLOCK = re.compile(r"<!-- (?P<name>[^\n]+?) -->\n(?P<shown>.*?)\n?<!-- end -->", re.DOTALL)
SHOWN = [(path, match["name"], match["shown"]) for path in PAGES for match in _BLOCK.finditer(path.read_text())]


@pytest.mark.parametrize(("path", "name", "shown"), SHOWN, ids=[f"{path.name}-{name}" for path, name, _ in SHOWN])
def test_pages_show_what_is_printed(path: Path, name: str, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in [variable for variable in os.environ if variable.startswith("SOFTSELL_")]:
        monkeypatch.delenv(variable)
    # A bar's length follows a number that may round either way.
    shown, printed = (re.sub(r" +█+", "", text) for text in (shown, BLOCKS[name]()))
    assert _NUMBER.sub("#", shown) == _NUMBER.sub("#", printed), "run `python -m tests.test_readme`, read what changed"
    for ours, theirs in zip(_NUMBER.findall(shown), _NUMBER.findall(printed), strict=True):
        assert float(ours) == pytest.approx(float(theirs), abs=TOLERANCE)


def test_every_kind_of_block_is_shown() -> None:
    assert {name for _, name, _ in SHOWN} >= {
        "answer",
        "results",
        "formats",
        "report phone_upgrade.txt",
        "report boiler_cover.json",
    }


def test_every_example_scores() -> None:
    files = [str(path) for path in EXAMPLES]
    result = CliRunner().invoke(cli, ["score", "--json", *files])
    assert result.exit_code == 0
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(answers) == len(files)
    assert all(0 <= found["mis_selling"]["risk"] <= 1 for found in answers)


def test_fair_scores_below_unfair() -> None:
    risks = {}
    for name in ("gym_membership.txt", "phone_upgrade.txt", "boiler_cover.json"):
        result = CliRunner().invoke(cli, ["score", "--json", str(ROOT / "examples" / name)])
        risks[name] = json.loads(result.stdout)["mis_selling"]["risk"]
    assert risks["gym_membership.txt"] + 0.3 < min(risks["phone_upgrade.txt"], risks["boiler_cover.json"])


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(
            _BLOCK.sub(
                lambda match: f"<!-- {match['name']} -->\n{BLOCKS[match['name']]()}\n<!-- end -->", page.read_text()
            )
        )
