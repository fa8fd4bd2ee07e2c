"""The label set is the one that LABELS define: seven categories, three practices, five signals."""

from app.core.calibration import Calibration
from app.core.classifier import TURN_OUTPUTS
from app.core.conversation import Role
from app.core.labels import EVIDENCE_LABELS, MIS_SELLING, PRACTICE, SIGNALS, TURN_LABELS, names
from app.model.stub import KNOWN_WORDS, stub_calibration


def test_counts() -> None:
    assert (len(MIS_SELLING), len(PRACTICE), len(SIGNALS)) == (7, 3, 5)
    assert len(set(names(TURN_LABELS))) == 16


def test_signals_are_of_customers_and_everything_else_of_agents() -> None:
    assert {label.role for label in SIGNALS} == {Role.CUSTOMER}
    assert {label.role for label in TURN_LABELS if label not in SIGNALS} == {Role.AGENT}


def test_every_label_is_defined() -> None:
    assert all(len(label.definition) > 20 for label in TURN_LABELS)
    assert all(label.rules for label in MIS_SELLING)


def test_outputs_cover_labels_any_and_two_steps_of_three_dimensions() -> None:
    assert len(TURN_OUTPUTS) == 16 + 1 + 6
    assert set(names(EVIDENCE_LABELS)) < set(TURN_OUTPUTS)


def test_the_stub_knows_a_word_for_every_label() -> None:
    assert set(names(TURN_LABELS)) <= set(KNOWN_WORDS.values())


def test_calibration_survives_its_stored_form() -> None:
    calibration = stub_calibration()
    assert Calibration.from_dict(calibration.as_dict()) == calibration
