"""The sets of the outside world are read as they are laid out, and measured as one would by hand."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="the training extra is not installed")

from sklearn.metrics import cohen_kappa_score, f1_score, roc_auc_score
from typer.testing import CliRunner

from app.build import Service, build
from app.core.conversation import Role
from app.settings import Settings
from training import cli
from training.outside import figures, measure, report
from training.outside.figures import auc, kappa, macro_f1, share
from training.outside.sets import OutsideSet, Talk

SETS = {held.name: held for held in measure.SETS}
A, C = Role.AGENT, Role.CUSTOMER


@pytest.fixture(scope="module", autouse=True)
def _few_resamples() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figures, "RESAMPLES", 100)
        yield


@pytest.fixture(scope="module")
def service() -> Service:
    return build(Settings(engine="stub"))


def rows(path: Path, header: str, *lines: Sequence[Any], delimiter: str = ",") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "wt", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(header.split(","))
        writer.writerows(lines)


def document(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = json.dumps(value).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


def lay_out(directory: Path) -> None:
    """A few rows of each set, in its own columns and our own words."""
    rows(
        directory / "calls" / "messages.dev.csv.gz",
        "conversation_id,timestamp,message,author",
        ("k1", "t", "Hello, [PERSON_NAME] here.", "Agent"),
        ("k1", "t", "no", "Customer"),
        ("k1", "t", "Hurry, it is guaranteed.", "Agent"),
        ("k2", "t", "Your zip code, please?", "Agent"),
        ("k2", "t", " ", "Customer"),
    )
    document(
        directory / "service" / "dev_dialogues_001.json.gz",
        [
            {
                "dialogue_id": "1_0",
                "services": ["Taxis_1"],
                "turns": [
                    {"speaker": "USER", "utterance": "A taxi to the pier.", "frames": []},
                    {"speaker": "SYSTEM", "utterance": "For when shall I book it?", "frames": []},
                ],
            }
        ],
    )
    document(
        directory / "casino_valid.json",
        [
            {
                "dialogue_id": 5,
                "chat_logs": [
                    {"text": "I need all the water", "task_data": {}, "id": "one"},
                    {"text": "Sorry to hear that", "task_data": {}, "id": "two"},
                    {"text": "Submit-Deal", "task_data": {}, "id": "one"},
                ],
                "annotations": [["I need all the water", "self-need"], ["Sorry to hear that", "showing-empathy,other"]],
            },
            {"dialogue_id": 6, "chat_logs": [{"text": "Hi", "task_data": {}, "id": "one"}], "annotations": []},
        ],
    )
    rows(
        directory / "p4g_resisting_final_annotations.shared.csv",
        "B2,B4,Turn,Unit,er_label_1,ee_label_1,Our Label",
        ("d1", "0", "0", "Hello.", "greeting", "", ""),
        ("d1", "0", "0", "Hurry, children go hungry.", "emotion-appeal", "", ""),
        ("d1", "1", "0", "No, not me.", "", "disagree-donation", "direct-rejection"),
        ("d1", "0", "1", "What do you do on Sundays?", "personal-related-inquiry", "", ""),
        ("d1", "1", "1", "I walk.", "", "other", "not-a-strategy"),
    )
    rows(
        directory / "craigslist_resisting_final_annotations.shared.csv",
        "Index,User,Text,Resistance Labels",
        ("b1", "1", "It is a fine lamp.", ""),
        ("b1", "0", "How old is it?", "Information Inquiry-Contesting"),
        ("b1", "0", "no, too dear", "Hesitance-Hesitance"),
    )
    for mechanism, levels in (("emotional-reactions", "12"), ("interpretations", "00"), ("explorations", "01")):
        rows(
            directory / "peers" / f"{mechanism}-reddit.dev.csv",
            "sp_id,rp_id,seeker_post,response_post,level,rationales",
            ("s1", "r1", "My cat ran off.", "So sorry for that.", levels[0], ""),
            ("s2", "r2", "I lost my job.", "What was it? Sorry.", levels[1], ""),
        )
    header = (
        "mi_quality,transcript_id,utterance_id,interlocutor,utterance_text,annotator_id,reflection_exists,"
        "reflection_subtype,question_exists,question_subtype,client_talk_type"
    )
    rows(
        directory / "AnnoMI-full.half_a.csv",
        header,
        ("high", "1", "1", "client", "No, I like my pipe.", "2", "n/a", "n/a", "n/a", "n/a", "sustain"),
        ("high", "1", "0", "therapist", "What do you think of it?", "2", "False", "n/a", "True", "open", "n/a"),
        ("high", "1", "0", "therapist", "What do you think of it?", "3", "True", "simple", "True", "closed", "n/a"),
        ("high", "1", "0", "therapist", "What do you think of it?", "4", "False", "n/a", "False", "n/a", "n/a"),
        ("low", "2", "0", "therapist", "Whatever. Stop it.", "2", "False", "n/a", "False", "n/a", "n/a"),
        ("low", "2", "1", "therapist", "You feel it is late.", "2", "True", "complex", "False", "n/a", "n/a"),
    )
    emotions = directory / "emotions"
    emotions.mkdir()
    (emotions / "labels.txt").write_text("anger\ncaring\nconfusion\nneutral\n", encoding="utf-8")
    (emotions / "dev.tsv").write_text(
        'Sorry, "my dear\t1\ta\nHow did it come?\t2,0\tb\nA bus\u2028passed.\t3\tc\n', "utf-8"
    )
    rows(
        directory / "D2.shared.csv",
        "scam_id,description,scam_type,date_reported,PTs,dup_group",
        (1, "Hurry, your parcel waits.", "Phishing", "", "{'Urgency and Scarcity ': 'Hurry'}", "g1"),
        (2, "You won a yacht.", "Phishing", "", "{'Phantom Riches': 'a yacht'}", "g2"),
        (3, "A torn letter.", "Phishing", "", "{'Phantom", "g3"),
    )
    said = "Person1: Hurry or\nelse.\n Person2: Fine."
    document(
        directory / "MentalManip_con_train.json",
        [
            {"id": "f1", "dialogue": said, "manipulative": "1", "technique": "Intimidation,Denial"},
            {
                "id": "f2",
                "dialogue": "Person1: Some more tea?\nPerson2: Yes, thank you.",
                "manipulative": "0",
                "technique": "nan",
            },
        ],
    )
    rows(
        directory / "shops" / "dataset.tsv",
        "page_id,text,label,Pattern Category",
        ("7", "Hurry, two left", "1", "Urgency"),
        ("7", "A free gift", "1", "Sneaking"),
        ("8", "Contact us here", "0", "Not Dark Pattern"),
        delimiter="\t",
    )


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("sets")
    lay_out(made)
    return made


@pytest.fixture(scope="module")
def results(directory: Path, service: Service) -> dict[str, Any]:
    return measure.measure(directory, service, quiet=True)


def read(held: OutsideSet, directory: Path) -> list[Talk]:
    return held.read(held.found(directory))


def said(talk: Talk) -> list[tuple[Role, str]]:
    return [(turn.role, turn.text) for turn in talk.conversation.turns]


def test_every_set_is_found_and_measured(results: dict[str, Any]) -> None:
    assert set(results["sets"]) == set(SETS)
    for name, found in results["sets"].items():
        assert found["scored agent turns"] > 0, name
        assert any(figure["rows"] for figure in found["figures"].values()), name
        assert set(SETS[name].targets) <= set(found["figures"])


def test_calls_and_dialogues_keep_who_spoke_and_leave_blanks_out(directory: Path) -> None:
    first, second = read(SETS["car-insurance calls"], directory)
    assert said(first) == [(A, "Hello, [PERSON_NAME] here."), (C, "no"), (A, "Hurry, it is guaranteed.")]
    assert [turn.role for turn in second.conversation.turns] == [A]
    (dialogue,) = read(SETS["schema-guided dialogues"], directory)
    assert [turn.role for turn in dialogue.conversation.turns] == [C, A]


def test_alarms_are_counted_by_turn_and_by_call(results: dict[str, Any]) -> None:
    held = results["sets"]["car-insurance calls"]["figures"]
    flagged = held["agent turns over a threshold, any category"]
    assert (flagged["hits"], flagged["rows"]) == (1, 3)
    assert flagged["value"] == pytest.approx(1 / 3, abs=1e-4)
    assert held["agent turns over the threshold of pressure"]["hits"] == 1
    assert held["agent turns over the threshold of omission"]["hits"] == 0
    assert held["conversations in band high"]["value"] == 0.5
    assert results["sets"]["schema-guided dialogues"]["figures"]["conversations in band high"]["hits"] == 0


def test_peers_are_scored_from_both_sides_and_buttons_are_left_out(directory: Path) -> None:
    one, two = read(SETS["campsite negotiations"], directory)
    assert one.unit == two.unit == "5"
    assert [turn.role for turn in one.conversation.turns] == [A, C]
    assert [turn.role for turn in two.conversation.turns] == [C, A]
    assert one.marks == (frozenset({"self-need"}), frozenset({"showing-empathy", "other"}))


def test_sentences_of_a_turn_are_joined_with_their_labels(directory: Path, results: dict[str, Any]) -> None:
    (talk,) = read(SETS["charity persuasion"], directory)
    assert said(talk)[0] == (A, "Hello. Hurry, children go hungry.")
    assert talk.marks[0] == {"greeting", "emotion-appeal"}
    held = results["sets"]["charity persuasion"]["figures"]
    assert held["turns over the threshold of pressure, of those with emotion-appeal"]["value"] == 1
    assert held["exploration, AUC of inquiries"]["value"] == 1
    assert held["reluctance, AUC of resistance"]["value"] == 1


def test_a_buyers_question_is_no_resistance(results: dict[str, Any]) -> None:
    figure = results["sets"]["second-hand bargains"]["figures"]["reluctance, AUC of resistance"]
    assert (figure["value"], figure["hits"], figure["rows"]) == (1, 1, 2)


def test_levels_of_peers_are_compared_by_mechanism(results: dict[str, Any]) -> None:
    held = results["sets"]["peer support"]["figures"]
    assert held["exploration: AUC of level 1 or more"]["value"] == 1
    assert held["exploration: quadratic kappa"]["value"] == 1
    # The stub knows no level 2: one of two is right, the other is one level off.
    assert held["emotional_reaction: macro F1"]["value"] == pytest.approx((0 + 2 / 3 + 0) / 3, abs=1e-4)


def test_mechanisms_of_other_pairs_are_refused(tmp_path: Path) -> None:
    for name in ("emotional-reactions", "interpretations", "explorations"):
        header = "sp_id,rp_id,seeker_post,response_post,level,rationales"
        rows(tmp_path / f"{name}-reddit.dev.csv", header, ("s1", name, "a", "b", "0", ""))
    with pytest.raises(ValueError, match="the same pairs"):
        read(SETS["peer support"], tmp_path)
    (tmp_path / "explorations-reddit.dev.csv").unlink()
    with pytest.raises(ValueError, match="not one file for each"):
        read(SETS["peer support"], tmp_path)


def test_an_utterance_has_what_half_of_its_annotators_saw(directory: Path, results: dict[str, Any]) -> None:
    talk, _ = read(SETS["motivational interviewing"], directory)
    assert [turn.role for turn in talk.conversation.turns] == [A, C]
    assert talk.marks == (frozenset({"high", "question"}), frozenset({"high", "sustain"}))
    held = results["sets"]["motivational interviewing"]["figures"]
    # Of the two turns of low quality one brushes off; the other ties with that of high quality.
    assert held["dismissive, AUC of turns of low quality"]["value"] == 0.75
    assert held["exploration, AUC of question"]["value"] == 1


def test_comments_are_read_without_quoting(directory: Path, results: dict[str, Any]) -> None:
    talks = read(SETS["comments"], directory)
    assert [said(talk)[0][1] for talk in talks[::2]] == ['Sorry, "my dear', "How did it come?", "A bus\u2028passed."]
    assert talks[2].marks[0] == {"confusion", "anger"}
    held = results["sets"]["comments"]["figures"]
    assert held["emotional_reaction, AUC of caring"]["value"] == 1
    assert held["confusion, AUC of confusion"]["value"] == 1


def test_scams_whose_techniques_cannot_be_read_count_for_alarms_only(results: dict[str, Any]) -> None:
    held = results["sets"]["scam messages"]["figures"]
    assert held["pressure, AUC of Urgency and Scarcity"]["rows"] == 2
    assert held["pressure, AUC of Urgency and Scarcity"]["value"] == 1
    assert held["agent turns over a threshold, any category"]["rows"] == 3


def test_a_film_counts_once_by_its_higher_side(directory: Path, results: dict[str, Any]) -> None:
    talks = read(SETS["manipulation in films"], directory)
    assert said(talks[0]) == [(A, "Hurry or else."), (C, "Fine.")]
    assert talks[0].whole == {"manipulative", "Intimidation", "Denial"}
    assert talks[2].whole == frozenset()
    found = results["sets"]["manipulation in films"]
    figure = found["figures"]["risk, AUC of manipulative"]
    assert (figure["value"], figure["rows"], figure["hits"]) == (1, 2, 1)
    # One word is too little to score, from either side.
    assert (found["agents without a score"], found["customers without a score"]) == (1, 1)


def test_dark_texts_stand_against_ordinary_ones(results: dict[str, Any]) -> None:
    held = results["sets"]["dark patterns of shops"]["figures"]
    assert held["risk, AUC of dark"]["value"] == 1
    assert held["pressure, AUC of Scarcity, Urgency above ordinary"]["rows"] == 2
    assert held["ordinary texts: agent turns over a threshold, any category"]["rows"] == 1


def test_figures_are_those_of_the_textbook() -> None:
    rng = np.random.default_rng(7)
    true, predicted = rng.integers(0, 3, 300), rng.integers(0, 3, 300)
    scores = np.round(rng.random(300) + 0.2 * (true > 0), 1)
    units = [str(n // 3) for n in range(300)]
    ranked = auc(units, (true > 0).tolist(), scores.tolist())
    assert ranked["value"] == pytest.approx(roc_auc_score(true > 0, scores), abs=1e-4)
    assert ranked["low"] < ranked["value"] < ranked["high"]
    expected = cohen_kappa_score(true, predicted, weights="quadratic")
    assert kappa(units, true.tolist(), predicted.tolist())["value"] == pytest.approx(expected, abs=1e-4)
    expected = f1_score(true, predicted, average="macro")
    assert macro_f1(units, true.tolist(), predicted.tolist())["value"] == pytest.approx(expected, abs=1e-4)


def test_where_nothing_is_hit_the_bound_is_not_nothing() -> None:
    none = share([str(n) for n in range(40)], [False] * 40)
    assert (none["value"], none["low"]) == (0, 0)
    assert none["high"] == pytest.approx(0.088, abs=1e-3)
    everything = share([str(n) for n in range(40)], [True] * 40)
    assert everything["low"] == pytest.approx(0.912, abs=1e-3)
    assert share([], [])["value"] is None
    assert auc(["a", "b"], [True, True], [0.1, 0.2])["value"] is None


def test_turns_of_one_unit_are_drawn_together() -> None:
    hits = [n < 50 for n in range(100)]
    apart = share([str(n) for n in range(100)], hits)
    together = share([str(n // 25) for n in range(100)], hits)
    assert together["high"] - together["low"] > 2 * (apart["high"] - apart["low"])


def test_a_sample_is_of_units_and_the_same_each_time(directory: Path) -> None:
    talks = read(SETS["comments"], directory)
    drawn = measure.sampled(talks, 2)
    assert drawn == measure.sampled(talks, 2)
    assert len(drawn) == 4
    assert measure.sampled(talks, 3) == measure.sampled(talks, None) == talks


def test_the_report_says_what_was_expected_and_what_happened(results: dict[str, Any]) -> None:
    text = report.render(results, measure.SETS)
    for held in measure.SETS:
        assert f"## {held.title}\n" in text
        assert held.transfers in text
        assert held.differs in text
    assert "Targets missed: agent turns over a threshold, any category" in text
    assert "All targets were met." in text
    without = {**results, "sets": {}}
    assert report.render(without, measure.SETS).count("Not measured: its files were not there.") == len(SETS)


def test_no_word_of_a_set_is_in_numbers_or_report(results: dict[str, Any]) -> None:
    text = json.dumps(results) + report.render(results, measure.SETS)
    for word in ("PERSON_NAME", "yacht", "lamp", "Sundays", "hungry", "parcel", "pier"):
        assert word not in text


def test_flagged_turns_are_listed_for_a_reader_outside_the_repository(
    directory: Path, service: Service, tmp_path: Path
) -> None:
    listing = tmp_path / "flags.csv"
    measure.measure(directory, service, listing, quiet=True)
    with listing.open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    assert [(row["conversation"], row["turn"], row["category"]) for row in found] == [
        ("k1", "2", "exaggeration"),
        ("k1", "2", "pressure"),
    ]
    assert {row["text"] for row in found} == {"Hurry, it is guaranteed."}
    assert float(found[0]["probability"]) > 0.9
    with pytest.raises(ValueError, match="outside the repository"):
        measure.measure(directory, service, measure.REPOSITORY / "flags.csv", quiet=True)


def test_a_folder_without_sets_is_refused(tmp_path: Path, service: Service) -> None:
    with pytest.raises(ValueError, match="no file of a known set"):
        measure.measure(tmp_path, service, quiet=True)


def test_a_sample_on_the_command_line_writes_no_report(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOFTSELL_ENGINE", "stub")
    monkeypatch.setattr(measure, "RESULTS", tmp_path / "outside.json")
    monkeypatch.setattr(measure, "REPORT", tmp_path / "OUTSIDE.md")
    arguments = ["outside", "--datasets", str(directory)]
    sampled = CliRunner().invoke(cli.app, [*arguments, "--sample", "1"], catch_exceptions=False)
    assert "risk, AUC of dark" in sampled.output
    assert list(tmp_path.iterdir()) == []
    CliRunner().invoke(cli.app, arguments, catch_exceptions=False)
    written = json.loads((tmp_path / "outside.json").read_text("utf-8"))
    assert (tmp_path / "OUTSIDE.md").read_text("utf-8") == report.render(written, measure.SETS)


@pytest.mark.skipif(not measure.RESULTS.exists(), reason="no release was measured on the outside world yet")
def test_the_committed_report_is_what_its_numbers_say() -> None:
    written = json.loads(measure.RESULTS.read_text("utf-8"))
    assert measure.REPORT.read_text("utf-8") == report.render(written, measure.SETS)
