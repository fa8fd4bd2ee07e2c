"""The command line of training: `softsell-train all` rebuilds the release from the committed corpus."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from subprocess import CalledProcessError
from typing import Annotated, Any

import typer

from app.core.errors import SoftsellError
from app.core.labels import TURN_LABELS, names
from app.model.release import newest_release, open_release
from app.settings import MODELS

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)
VERSION = "0.1.0"


@app.command("corpus-check")
def corpus_check() -> None:
    """Validate every file of the corpus and count what it holds."""
    from training import corpus

    try:
        conversations = corpus.load()
    except corpus.CorpusError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    turns = [turn for conversation in conversations for turn in conversation.turns]
    labels = Counter(label for turn in turns for label in turn.labels)
    openings = Counter(" ".join(turn.text.lower().split()[:4]) for turn in turns)
    typer.echo(f"{len(conversations)} conversations, {len(turns)} turns, no faults")
    for field in ("severity", "empathy", "channel", "region", "sector"):
        counts = Counter(str(getattr(conversation, field)) for conversation in conversations)
        typer.echo(f"{field}: " + ", ".join(f"{value} {count}" for value, count in sorted(counts.items())))
    typer.echo("labels: " + ", ".join(f"{name} {labels[name]}" for name in names(TURN_LABELS)))
    typer.echo("most repeated openings: " + ", ".join(f"{o!r} x{n}" for o, n in openings.most_common(5)))


@app.command()
def split() -> None:
    """Divide the corpus into train, calibration and test, and write splits.json."""
    from training import corpus, splits

    parts = splits.write(corpus.load())
    typer.echo(", ".join(f"{name} {len(ids)}" for name, ids in parts.items()))


@app.command("all")
def all_() -> None:
    """Train, calibrate, export, seal and evaluate; goes on from the newest checkpoint in build/."""
    from training import chain, corpus, recipe, splits

    full = recipe.FULL
    release = chain.run(splits.read(corpus.load()), full, f"{full.name}-{VERSION}", MODELS)
    typer.echo(f"sealed {release}")


@app.command()
def evaluate(
    directory: Annotated[Path | None, typer.Argument(help="A release; the newest if not given.")] = None,
) -> None:
    """Measure a sealed release again, and write its evaluation and card anew."""
    from training import corpus, measure, splits

    release = directory or newest_release(MODELS)
    evaluation = measure.measure(release, splits.read(corpus.load()))
    _seal_again(release, evaluation)
    typer.echo(json.dumps(evaluation["test"], indent=1))


def _seal_again(release: Path, evaluation: Mapping[str, Any]) -> None:
    from training import card, seal

    manifest = open_release(release).manifest
    version, recipe, data = manifest["version"], manifest["recipe"], manifest["data"]
    text = card.render(version, recipe, data, evaluation)
    seal.seal(release, version, recipe, data, evaluation, text, manifest["commit"])


@app.command()
def agreement() -> None:
    """How far a second annotator, who saw no labels, agrees with the corpus."""
    from training.agreement import measured

    for name, value in measured().items():
        typer.echo(f"{name}: {value:.3g}" if value == int(value) else f"{name}: {value:.3f}")


@app.command("card")
def card_() -> None:
    """Render the card of the newest release again from its numbers on file."""
    release = newest_release(MODELS)
    _seal_again(release, open_release(release).evaluation)


def main() -> None:
    """Entry point of `softsell-train`: an error that says what to do is one line, not a traceback."""
    try:
        app()
    except (ValueError, OSError, RuntimeError, CalledProcessError, SoftsellError) as error:
        typer.echo(f"softsell-train: {error}", err=True)
        raise SystemExit(1) from None
