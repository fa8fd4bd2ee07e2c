"""The behaviour suites are well-formed, many, varied, the same at each expansion, and not of the corpus."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace

import pytest

from app.build import build
from app.core.conversation import Channel, Role
from app.core.labels import MIS_SELLING, names
from app.core.turn_scores import TurnScore
from app.settings import Settings
from training import behaviour, corpus, splits, suites
from training.corpus import LabelledConversation, LabelledTurn
from training.suites import Case, Function, Kind, Version

# A sequence of words that this many conversations of the corpus hold is a stock phrase.
STOCK = 5
MOST_SHARED = 0.02


@pytest.fixture(scope="module")
def functions() -> list[Function]:
    return suites.load()


def test_there_are_many_functions_of_each_kind_with_many_cases(functions: list[Function]) -> None:
    assert len(functions) >= 36
    assert len({function.name for function in functions}) == len(functions)
    kinds = Counter(function.kind for function in functions)
    assert min(kinds[kind] for kind in Kind) >= 8
    for function in functions:
        assert function.templates >= 8, function.name
        assert len({case.versions for case in function.cases}) >= 50, function.name


def test_functions_cover_every_category(functions: list[Function]) -> None:
    asked = {part for function in functions for expected in function.expect for part in expected.split(" or ")}
    assert set(names(MIS_SELLING)) <= asked


def test_cases_are_well_formed(functions: list[Function]) -> None:
    cases = [(function, case) for function in functions for case in function.cases]
    assert len({case.id for _, case in cases}) == len(cases)
    for function, case in cases:
        assert len(case.versions) == (1 if function.kind is Kind.MFT else 2), case.id
        for version in case.versions:
            assert 0 <= version.judged < len(version.turns), case.id
            texts = " ".join(text for _, text in version.turns)
            assert not re.search(r"[{}<>|\[\]]| [.,?!]|[.,?!]{2}|  ", texts), (case.id, texts)
        assert len({version.turns[version.judged][0] for version in case.versions}) == 1, case.id


def test_fillers_change_the_judged_words(functions: list[Function]) -> None:
    for function in functions:
        turns = [set(re.findall(r"\w+", " ".join(text for _, text in c.versions[0].turns))) for c in function.cases]
        overlaps = [len(a & b) / len(a | b) for i, a in enumerate(turns) for b in turns[:i]]
        assert sum(overlaps) / len(overlaps) < 0.4, function.name


def test_expansion_is_deterministic(functions: list[Function]) -> None:
    again = suites.load()
    assert again == functions
    assert suites.digest(again) == suites.digest(functions)


def test_expectations_are_known(functions: list[Function]) -> None:
    service = build(Settings(engine="stub"))
    few = [replace(function, cases=function.cases[:8]) for function in functions]
    results = behaviour.measure(few, service, quiet=True)
    with pytest.raises(ValueError, match="nobody knows"):
        behaviour.holds("splendid", [TurnScore(0, Role.AGENT)], service.thresholds)
    for name, found in results["functions"].items():
        assert found["failures"] <= found["cases"] - found["abstained"], name


def _judged(version: Version) -> LabelledConversation:
    role, text = version.turns[version.judged]
    turn = LabelledTurn(Role(role), text, frozenset(), ())
    return LabelledConversation("behaviour-1", "none", "none", Channel.VOICE, 0, 0, (turn,))


def test_hardly_a_case_shares_words_with_the_corpus(functions: list[Function]) -> None:
    held = Counter(shingle for conversation in corpus.load() for shingle in splits.shingles(conversation))
    cases = [case for function in functions for case in function.cases]
    shared = {
        case.id: found
        for case in cases
        if (found := [s for v in case.versions for s in splits.shingles(_judged(v)) if 0 < held[s] < STOCK])
    }
    assert len(shared) <= MOST_SHARED * len(cases), json.dumps({i: " ".join(s[0]) for i, s in shared.items()}, indent=0)


def test_the_results_on_file_are_of_these_suites(functions: list[Function]) -> None:
    results = json.loads(behaviour.RESULTS.read_text(encoding="utf-8"))
    assert results["suites"] == suites.digest(functions), "run `softsell-train behaviour`"
    assert results["functions"].keys() == {function.name for function in functions}
    assert behaviour.render(results) == behaviour.REPORT.read_text(encoding="utf-8")


def test_failures_are_counted_by_function() -> None:
    plain = Version(
        (
            ("customer", "Is it safe, would you say, for somebody like me?"),
            ("agent", "It is guaranteed, in every way that I can think of."),
        ),
        1,
    )
    changed = Version(
        (
            ("customer", "Is it safe, would you say, for somebody like me?"),
            ("agent", "It is not, in any way that I can think of."),
        ),
        1,
    )
    functions = [
        Function("shown", "t", Kind.MFT, "", ("exaggeration",), 1, (Case("shown/1", (plain,)),)),
        Function("fair", "t", Kind.MFT, "", ("fair",), 1, (Case("fair/1", (plain,)), Case("fair/2", (changed,)))),
        Function("steady", "t", Kind.INV, "", ("stable",), 1, (Case("steady/1", (plain, changed)),)),
        Function("down", "t", Kind.DIR, "", ("lower exaggeration",), 1, (Case("down/1", (plain, changed)),)),
    ]
    results = behaviour.measure(functions, build(Settings(engine="stub")), quiet=True)
    failing = {name: found["failing"] for name, found in results["functions"].items()}
    assert failing == {"shown": [], "fair": ["fair/1"], "steady": ["steady/1"], "down": []}
    assert results["functions"]["down"]["mean move"] > 0.9
    assert results["kinds"]["MFT"] == {"functions": 2, "mean failure rate": 0.25}
    assert behaviour.table(results).splitlines()[2].startswith("| steady | t | INV | 1 | 0 | 1 | 1.000 |")
    assert "shown" in behaviour.render(results)
