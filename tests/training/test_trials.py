"""All trials with the stub: they run, come out the same, count what they took, and name what failed."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from app.core.classifier import Memory, Output, Window
from app.core.conversation import Role
from app.engine.limits import Limits
from app.model.stub import StubClassifier
from app.settings import Settings
from training import trials, trials_report
from training.corpus import LabelledConversation, parse_turn
from training.hard_cases import conversation_of, harmless, stretched
from training.rescoring import Bench, Remembering, bench_of, flagged, until

# By the stub's known words the first and third of these turns mis-sell, and "free" does so wrongly.
LINES = (
    "A: Hello Helen, [you are guaranteed a profit]{exaggeration} on it.",
    "C: [I need to ask my son first]{need}, it's about my savings.",
    "A: [You had better hurry, it closes at noon]{pressure}.",
    "C: [No, not today]{reluctance}.",
    "A: The visit is free of charge, take your time.",
)
FAIR = (
    "A: Morning, how can we help you with this?",
    "C: I would like the cheaper plan, please.",
    "A: Certainly, done.",
)


def conversations() -> list[LabelledConversation]:
    found = []
    for number in range(12):
        fair = number % 3 == 0
        turns = tuple(parse_turn(line) for line in (FAIR if fair else LINES))
        shell = conversation_of(f"x-{number}", [])
        region = ("UK", "Kenya")[number % 2]
        found.append(LabelledConversation(shell.id, "energy", region, shell.channel, 0 if fair else 2, 1, turns))
    return found


@pytest.fixture(scope="module")
def bench() -> Bench:
    return bench_of(Settings(engine="stub"), quiet=True)


@pytest.fixture(scope="module")
def results(bench: Bench) -> dict[str, Any]:
    return trials.measure(bench, conversations(), trials.Sizes.small(6))


def without_time(results: dict[str, Any]) -> dict[str, Any]:
    found = copy.deepcopy(results)
    del found["measured"]["seconds"]
    return found


def test_the_same_seed_gives_the_same_figures(bench: Bench, results: dict[str, Any]) -> None:
    assert without_time(trials.measure(bench, conversations(), trials.Sizes.small(6))) == without_time(results)


def test_every_trial_counts_what_it_took(results: dict[str, Any]) -> None:
    assert results["test"]["conversations"] == 12
    assert {row["conversations"] for row in results["disguises"].values()} == {6}
    assert {row["flagged turns"] for row in results["disguises"].values()} == {18}
    assert {row["conversations"] for row in results["noise"].values()} == {6}
    assert sum(row["conversations"] for row in results["fairness"]["groups"]["names of agents"].values()) == 12
    assert results["fairness"]["groups"]["regions"]["UK"]["conversations"] == 6
    assert results["faithfulness"]["turns"] == 6


def test_what_folding_undoes_stays_flagged_and_what_the_stub_cannot_read_is_named(results: dict[str, Any]) -> None:
    rows = results["disguises"]
    assert rows["zero-width characters"]["still flagged"] == 1
    assert rows["zero-width characters"]["mean change"] == 0
    assert rows["typos: letters doubled"]["still flagged"] < 0.85
    missed = trials_report.failures(results)
    assert any(line.startswith("typos: letters doubled: ") for line in missed)
    assert not any(line.startswith("zero-width") for line in missed)


def test_names_do_not_move_the_stub(results: dict[str, Any]) -> None:
    target = results["fairness"]["targets"]["names: mean change"]
    assert target["value"] == 0
    assert target["met"] is True


def test_evidence_is_all_the_stub_goes_by(results: dict[str, Any]) -> None:
    held = results["faithfulness"]
    assert held["without evidence"]["no longer flagged"] == 1
    assert held["evidence only"]["mean fall of risk"] == pytest.approx(0, abs=1e-5)


def test_a_hidden_turn_is_found_by_the_stub_wherever_it_stands(results: dict[str, Any]) -> None:
    held = results["hard cases"]
    assert held["risky turns"] == 5
    assert all(row["still flagged"] in (1, None) for row in held["cases"])
    nothing = [row for row in held["cases"] if row["case"].endswith("nothing hidden")]
    assert [row["harmless flagged"] for row in nothing] == [0]


def test_files_are_written_and_rendered_from_json_alone(results: dict[str, Any], tmp_path: Path) -> None:
    trials.write(results, tmp_path)
    stored = json.loads((tmp_path / "trials.json").read_text())
    assert (tmp_path / "TRIALS.md").read_text() == trials_report.render(stored)
    for name in (trials_report.RELIABILITY, trials_report.RISK_COVERAGE):
        assert (tmp_path / name).read_text().startswith("<svg ")
        assert name in trials_report.render(stored)


def test_tables_are_worst_first(results: dict[str, Any]) -> None:
    page = trials_report.render(results)
    section = page.split("## Disguised words")[1].split("## Recognition noise")[0]
    shares = [float(line.split("|")[5]) for line in section.splitlines() if line.count("|") == 10 and "0." in line]
    assert shares == sorted(shares)
    assert len(shares) > 5


def test_a_window_is_computed_once() -> None:
    class Counting(StubClassifier):
        asked = 0

        def forward(self, window: Window, memory: Memory | None = None) -> Output:
            self.asked += 1
            return super().forward(window, memory)

    counting = Counting()
    remembering = Remembering(counting, most=1)
    first, second = Window((0, 1), (0, 0)), Window((0, 2), (0, 0))
    answers = [remembering.forward(window) for window in (first, first, second, second)]
    assert counting.asked == 3
    assert answers[0] is answers[1]


def test_a_beginning_scores_as_it_does_within_the_whole(bench: Bench) -> None:
    whole = conversations()[1]
    scores = bench.scores([whole, until(whole, 2)], "x")
    assert scores[0].turns[:3] == scores[1].turns
    assert flagged(scores[1]) == [0, 2]


def test_harmless_words_are_of_fair_conversations_and_stay_within_limits() -> None:
    filler = harmless(conversations())
    assert {text for _, text in filler} == {line[3:] for line in FAIR}
    turns = stretched(filler, 3000, Limits().max_conversation_characters)
    assert 3000 <= sum(len(text.split()) for _, text in turns) < 3100
    assert {role for role, _ in turns} == {Role.AGENT, Role.CUSTOMER}
    assert sum(len(text) for _, text in stretched(filler, 3000, 2000)) <= 2000
