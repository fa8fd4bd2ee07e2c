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
VERSION = "0.2.1"


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


@app.command("re-export")
def re_export_(
    directory: Annotated[Path | None, typer.Argument(help="A release; the newest if not given.")] = None,
) -> None:
    """Build the graph of a release's weights anew, seal that as a new release, and evaluate it."""
    from training import chain, corpus, recipe, splits

    source = directory or newest_release(MODELS)
    release = chain.re_export(source, f"{recipe.FULL.name}-{VERSION}", splits.read(corpus.load()), MODELS)
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
def plain(
    output: Annotated[Path, typer.Argument(help="Where to; one conversation a line.")],
) -> None:
    """Write the corpus without its labels, as JSON Lines that `softsell score` and batches read."""
    from training import corpus

    with output.open("w", encoding="utf-8") as file:
        for labelled in corpus.load():
            said = labelled.plain()
            turns = [{"id": turn.id, "role": turn.role, "text": turn.text} for turn in said.turns]
            file.write(json.dumps({"id": labelled.id, "channel": said.channel, "turns": turns}) + "\n")


@app.command()
def curve() -> None:
    """What each doubling of the corpus gains, by the TF-IDF floor."""
    from training import corpus, splits
    from training.curve import learning_curve

    for count, figures in learning_curve(splits.read(corpus.load())).items():
        typer.echo(f"{count:>6} conversations: " + ", ".join(f"{name} {value:.3f}" for name, value in figures.items()))


@app.command()
def agreement() -> None:
    """How far a second annotator, who saw no labels, agrees with the corpus."""
    from training.agreement import measured

    for name, value in measured().items():
        typer.echo(f"{name}: {value:.3g}" if value == int(value) else f"{name}: {value:.3f}")


@app.command()
def roles(
    fit: Annotated[bool, typer.Option("--fit", help="Fit it anew on the training split first.")] = False,
) -> None:
    """How often the guess of who is the agent is right on the test split, with roles hidden."""
    from training import corpus, splits
    from training import roles as guessing

    parts = splits.read(corpus.load())
    if fit:
        guessing.write(guessing.fit(parts["train"], parts["calibration"]))
    for name, value in guessing.measure(parts["test"]).items():
        typer.echo(f"{name}: {value:.4g}")


@app.command("card")
def card_() -> None:
    """Render the card of the newest release again from its numbers on file."""
    release = newest_release(MODELS)
    _seal_again(release, open_release(release).evaluation)


@app.command("behaviour")
def behaviour_(
    directory: Annotated[Path | None, typer.Argument(help="A release; the newest if not given.")] = None,
    cases: Annotated[int | None, typer.Option(min=1, help="Only so many a function; writes nothing.")] = None,
) -> None:
    """Score the behaviour suites, and write behaviour.json and BEHAVIOUR.md."""
    from dataclasses import replace

    from app.build import build
    from app.settings import Settings
    from training import behaviour, suites

    functions = suites.load()
    if cases is not None:
        functions = [replace(function, cases=function.cases[:cases]) for function in functions]
    service = build(Settings.model_validate({"model_dir": directory or newest_release(MODELS)}))
    results = behaviour.measure(functions, service)
    if cases is None:
        behaviour.write(results)
    typer.echo(behaviour.table(results))


@app.command("outside")
def outside_(
    datasets: Annotated[Path, typer.Option(exists=True, file_okay=False, help="Holds the sets; none comes with it.")],
    directory: Annotated[Path | None, typer.Argument(help="A release; the newest if not given.")] = None,
    flags: Annotated[Path | None, typer.Option(help="Write the flagged turns here (CSV), for a reader.")] = None,
    sample: Annotated[int | None, typer.Option(min=1, help="Only so many units a set; writes no report.")] = None,
) -> None:
    """Score public data that training never saw, and write outside.json and OUTSIDE.md."""
    from app.build import build
    from app.settings import Settings
    from training.outside import measure, report

    service = build(Settings.model_validate({"model_dir": directory or newest_release(MODELS)}))
    results = measure.measure(datasets, service, flags, sample)
    if sample is None:
        measure.write(results)
    typer.echo(report.table(results, measure.SETS))


@app.command("trials")
def trials_(
    directory: Annotated[Path | None, typer.Argument(help="A release; the newest if not given.")] = None,
    conversations: Annotated[int | None, typer.Option(min=1, help="Only so many a trial; writes nothing.")] = None,
) -> None:
    """Disguise, disturb and swap what is said; write trials.json and TRIALS.md."""
    from app.settings import Settings
    from training import corpus, splits, trials, trials_report
    from training.rescoring import bench_of, sample

    test = splits.read(corpus.load())["test"]
    bench = bench_of(Settings.model_validate({}), directory)
    if conversations is None:
        results = trials.measure(bench, test, trials.Sizes())
        trials.write(results)
    else:
        few = sample(test, conversations, "few")
        results = trials.measure(bench, few, trials.Sizes.small(conversations))
    typer.echo(trials_report.render(results))


@app.command("privacy")
def privacy_(
    directory: Annotated[Path | None, typer.Argument(help="A release; the newest if not given.")] = None,
    no_scores: Annotated[bool, typer.Option("--no-scores", help="Score nothing, and write nothing.")] = False,
) -> None:
    """How much of seeded identifiers is masked, and whether scores change by it; write privacy.json and PRIVACY.md."""
    from app.settings import Settings
    from training import corpus, privacy, privacy_report, splits
    from training.rescoring import bench_of

    test = splits.read(corpus.load())["test"]
    bench = None if no_scores else bench_of(Settings.model_validate({}), directory)
    results = privacy.measure(bench, test)
    if bench is not None:
        privacy_report.write(results)
    typer.echo(privacy_report.render(results))


def main() -> None:
    """Entry point of `softsell-train`: an error that says what to do is one line, not a traceback."""
    try:
        app()
    except (ValueError, OSError, RuntimeError, CalledProcessError, SoftsellError) as error:
        typer.echo(f"softsell-train: {error}", err=True)
        raise SystemExit(1) from None
