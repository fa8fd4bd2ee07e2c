"""README.md shows what the shipped model really answers. `python -m tests.test_readme` writes it anew.

Another processor may round differently, so numbers may differ by `TOLERANCE`; words may not differ.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from app.api.app import create_app
from app.cli import cli
from app.model.release import newest_release, open_release
from app.settings import MODELS, Settings

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "README.md"
TOLERANCE = 0.011
FIGURES = (
    "any mis-selling: AUC",
    "any mis-selling: average precision",
    "mis_selling: macro average precision",
    "mis_selling: macro F1",
    "practice: macro F1",
    "signals: macro F1",
    "emotional_reaction: quadratic kappa",
    "interpretation: quadratic kappa",
    "exploration: quadratic kappa",
    "evidence, any category: character F1",
    "contrast pairs: unfair scores higher",
    "conversation risk: AUC",
    "conversation risk: ECE",
)
FLOOR = "TF-IDF + logistic regression"
_NUMBER = re.compile(r"\d+\.\d+(?:e-\d+)?")


def answer() -> str:
    """What the curl command prints, with real scores."""
    body = (ROOT / "examples" / "short_call.json").read_bytes()
    with TestClient(create_app(Settings())) as client:
        for _ in range(200):
            if client.get("/readyz").status_code == 200:
                break
        response = client.post("/v1/score", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 200, response.text
    return "```json\n" + json.dumps(response.json(), indent=4, ensure_ascii=True) + "\n```"


def report() -> str:
    """What `softsell score` prints when piped."""
    before = Path.cwd()
    os.chdir(ROOT)
    try:
        result = CliRunner().invoke(cli, ["score", "examples/phone_upgrade.txt"])
    finally:
        os.chdir(before)
    assert result.exit_code == 0
    return "```\n" + result.stdout.strip("\n") + "\n```"


def results() -> str:
    """The headline figures from the release's own numbers."""
    release = open_release(newest_release(MODELS))
    evaluation = release.evaluation

    def cell(figure: dict[str, float | None] | None) -> str:
        if figure is None or figure["value"] is None:
            return "n/a"
        return f"{figure['value']:.2f} [{figure['low']:.2f}, {figure['high']:.2f}]"

    slices = {
        name: held["any mis-selling: average precision"]
        for name, held in evaluation["slices"].items()
        if held["any mis-selling: average precision"] is not None
    }
    worst = min(slices, key=lambda name: slices[name])
    splits, measured = evaluation["splits"], evaluation["measured"]
    rows = [(name, *(cell(evaluation["test"][model].get(name)) for model in ("softsell", FLOOR))) for name in FIGURES]
    lines = [
        f"{release.version} on {splits['test']} conversations that it never saw, most of them of sectors "
        f"({', '.join(splits['unseen_sectors'])}) or an author that it never saw; 95 % bootstrap intervals. "
        f"Worst slice: average precision {slices[worst]:.2f} for any mis-selling where {worst}.",
        "",
        f"| figure | softsell | {FLOOR} |",
        "|---|---|---|",
        *(f"| {name} | {model} | {floor} |" for name, model, floor in rows),
        "",
        f"`make evaluate`, {measured['date']}, {measured['machine']}.",
    ]
    return "\n".join(lines)


BLOCKS = {"answer": answer, "report": report, "results": results}


def block(page: str, name: str) -> str:
    """What stands between the marks of a block."""
    match = re.search(rf"<!-- {name} -->\n(.*?)\n?<!-- end -->", page, re.DOTALL)
    assert match is not None, f"README.md has no block {name}"
    return match.group(1)


@pytest.mark.parametrize("name", BLOCKS)
def test_the_readme_shows_what_is_printed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in [variable for variable in os.environ if variable.startswith("SOFTSELL_")]:
        monkeypatch.delenv(variable)
    shown, printed = block(PAGE.read_text(encoding="utf-8"), name), BLOCKS[name]()
    # A bar's length follows a number that may round either way.
    shown, printed = (re.sub(r" +█+", "", text) for text in (shown, printed))
    assert _NUMBER.sub("#", shown) == _NUMBER.sub("#", printed), "run `python -m tests.test_readme`, read what changed"
    for ours, theirs in zip(_NUMBER.findall(shown), _NUMBER.findall(printed), strict=True):
        assert float(ours) == pytest.approx(float(theirs), abs=TOLERANCE)


def test_every_example_scores() -> None:
    files = sorted(str(path) for path in (ROOT / "examples").iterdir())
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
    text = PAGE.read_text(encoding="utf-8")
    for name, made in BLOCKS.items():
        text = text.replace(
            f"<!-- {name} -->\n{block(text, name)}{chr(10) if block(text, name) else ''}<!-- end -->",
            f"<!-- {name} -->\n{made()}\n<!-- end -->",
        )
    PAGE.write_text(text, encoding="utf-8")
