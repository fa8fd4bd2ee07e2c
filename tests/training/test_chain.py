"""The whole chain on a small part of the corpus: train, calibrate, export, seal, evaluate, card."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="training needs torch")

from app.model.release import CARD_FILE, FILES, newest_release, open_release  # noqa: E402
from app.settings import MODELS  # noqa: E402
from training import card, chain, corpus, evaluate, recipe, splits  # noqa: E402

DATA = {"corpus_sha256": "some"}


@pytest.fixture(scope="module")
def parts() -> dict[str, list[corpus.LabelledConversation]]:
    full = splits.read(corpus.load())
    return {"train": full["train"][:60], "calibration": full["calibration"][:30], "test": full["test"][:40]}


def test_the_chain_makes_a_release_that_opens_and_its_own_card(
    parts: dict[str, list[corpus.LabelledConversation]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluate, "RESAMPLES", 5)
    made = chain.run(parts, recipe.TINY, "softsell-tiny-0.0.1", tmp_path / "models", tmp_path / "build", quiet=True)
    release = open_release(made)
    model = release.evaluation["test"][card.MODEL]
    assert 0 <= model["any mis-selling: AUC"]["value"] <= 1
    assert model["any mis-selling: AUC"]["low"] <= model["any mis-selling: AUC"]["high"]
    assert release.files["README.md"].decode() == card.render(
        release.version, release.manifest["recipe"], release.manifest["data"], release.evaluation
    )
    monkeypatch.setattr(chain, "measure", lambda *_: release.evaluation)
    again = open_release(
        chain.re_export(made, "softsell-tiny-0.0.2", parts, tmp_path / "models", tmp_path / "build", quiet=True)
    )
    assert again.version == "softsell-tiny-0.0.2"
    # The graph of the same weights is the same to the byte, too.
    assert {name for name in FILES if again.files[name] != release.files[name]} == {CARD_FILE}
    with pytest.raises(ValueError, match="another VERSION"):
        chain.re_export(made, release.version, parts, tmp_path / "models", tmp_path / "build", quiet=True)


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not(
    parts: dict[str, list[corpus.LabelledConversation]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from app.model.release import TOKENIZER_FILE
    from app.model.tokenizer import TurnTokenizer
    from training.train import train

    tokenizer = TurnTokenizer((newest_release(MODELS) / TOKENIZER_FILE).read_bytes())
    few, two = parts["train"][:8], replace(recipe.TINY, epochs=2)
    whole = train(few, None, tokenizer, two, tmp_path / "whole", DATA, quiet=True)

    class Stopped(Exception):
        pass

    calls = 0
    save = torch.save

    def save_and_stop(state: object, path: Path) -> None:
        nonlocal calls
        save(state, path)
        calls += 1
        if calls == 1:
            Path(path).replace(tmp_path / "halves" / "newest.pt")
            raise Stopped

    monkeypatch.setattr(torch, "save", save_and_stop)
    with pytest.raises(Stopped):
        train(few, None, tokenizer, two, tmp_path / "halves", DATA, quiet=True)
    monkeypatch.undo()
    resumed = train(few, None, tokenizer, two, tmp_path / "halves", DATA, quiet=True)
    for name, weight in whole.state_dict().items():
        assert torch.equal(weight, resumed.state_dict()[name]), name
    with pytest.raises(ValueError, match="another recipe or corpus"):
        train(few, None, tokenizer, two, tmp_path / "halves", {"corpus_sha256": "another"}, quiet=True)
