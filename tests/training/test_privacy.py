"""The measurement of masking: what is seeded, how it is counted, and the page."""

from __future__ import annotations

from typing import Any

import pytest

from app.privacy.numbers import luhn
from app.settings import Settings
from training import corpus, identifiers, privacy, privacy_report, splits
from training.corpus import LabelledConversation
from training.rescoring import bench_of


@pytest.fixture(scope="module")
def few() -> list[LabelledConversation]:
    return splits.read(corpus.load())["calibration"][:12]


def test_seeds_stand_where_they_are_said_to(few: list[LabelledConversation]) -> None:
    for conversation in few:
        changed, items = privacy.seeded(conversation, identifiers.MEASURED)
        assert {item.sort for item in items} == {*identifiers.MAKERS, privacy.AGAIN}
        assert (changed, items) == privacy.seeded(conversation, identifiers.MEASURED)
        held = {item.sort: changed.turns[item.turn].text[item.start : item.end] for item in items}
        assert held["given name"] == held[privacy.AGAIN] != ""
        assert all(any(character.isalnum() for character in value) for value in held.values())


def test_measured_sentences_are_no_development_sentences() -> None:
    sets = [
        {(template.ask, template.say) for templates in kind.values() for template in templates}
        for kind in (identifiers.DEVELOPMENT, identifiers.MEASURED)
    ]
    assert not sets[0] & sets[1]
    assert identifiers.DEVELOPMENT.keys() == identifiers.MEASURED.keys() == identifiers.MAKERS.keys()


def test_a_completed_card_number_passes_its_check() -> None:
    assert identifiers.luhn_complete("411111111111111") == "4111111111111111"
    assert luhn(identifiers.luhn_complete("37828224631000"))


def test_all_is_counted_and_written(few: list[LabelledConversation], tmp_path: Any) -> None:
    results = privacy.measure(bench_of(Settings(engine="stub"), quiet=True), few)
    assert results["recall"]["card"]["all"]["seeded"] == len(few)
    assert results["recall"]["card"]["all"]["recall"] >= 0.9
    assert results["worst"]["recall"] == min(row["all"]["recall"] for row in results["recall"].values())
    assert results["kept"]["words"] > sum(results["kept"]["masked words"].values()) > 0
    privacy_report.write(results, tmp_path)
    page = (tmp_path / "PRIVACY.md").read_text(encoding="utf-8")
    assert f"Worst: **{results['worst']['sort']}" in page
    assert "conversations whose band changed" in page


def test_the_committed_page_is_that_of_its_figures() -> None:
    import json

    results = json.loads((privacy_report.FOLDER / "privacy.json").read_text(encoding="utf-8"))
    assert privacy_report.render(results) == (privacy_report.FOLDER / "PRIVACY.md").read_text(encoding="utf-8")
