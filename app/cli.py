"""The command line: scores files without a server, starts the server, checks a release.

A file or line that cannot be scored is one line on stderr and the rest is scored; the exit code is
then 1. Heavy modules are imported inside commands, so that `softsell --help` answers at once.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from app import __version__
from app.commands import db, keys
from app.commands.console import FAILED, read_settings, say, stop

if TYPE_CHECKING:
    from app.build import Service
    from app.core.conversation import Role
    from app.journal import Journal
    from app.outputs.result import About, Result
    from app.settings import Settings

cli = typer.Typer(
    help="Scores sales conversations: mis-selling risk with evidence, and empathy.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

cli.add_typer(db.commands)
cli.add_typer(keys.commands)

ModelDir = Annotated[
    Path | None, typer.Option(help="The release to use; the newest one in models/ if not given.", show_default=False)
]
Engine = Annotated[
    Literal["onnx", "torch", "stub"] | None,
    typer.Option(help="What computes scores; `stub` has no weights and known answers.", show_default=False),
]


def _service(settings: Settings) -> Service:
    from app.build import build
    from app.core.errors import SoftsellError

    try:
        return build(settings)
    except SoftsellError as error:
        raise stop(str(error)) from None
    except ImportError as error:
        raise stop(f"the engine needs the package {error.name}, which is not installed; use `--engine onnx`") from None


def _roles(given: list[str]) -> dict[str, Role]:
    from app.core.errors import InvalidConversation
    from app.transcripts.intake import parse_roles

    try:
        return parse_roles(given)
    except InvalidConversation as error:
        raise stop(f"--roles: {error}") from None


def _checked_format(name: str) -> str:
    from app.transcripts.registry import format_choices

    if name not in format_choices():
        raise stop(f"--format is one of {', '.join(format_choices())}")
    return name


@contextmanager
def _written(output: Path | None, about: About, *, as_json: bool, resume: bool) -> Iterator[Callable[[Result], None]]:
    """Writes scores into a file, which is there whole at the end or not at all, or on stdout."""
    from app.outputs.file import OutputFile, Unwritable
    from app.outputs.jsonl import JsonlWriter
    from app.outputs.terminal import TerminalWriter

    if output is None:
        # As bytes, since JSON is UTF-8 whatever the terminal is.
        writer = JsonlWriter(sys.stdout.buffer, about) if as_json else TerminalWriter(about)

        def show(result: Result) -> None:
            writer.write(result)
            # Whoever reads a pipe gets each score when it is there.
            sys.stdout.flush()

        yield show
        return
    try:
        with OutputFile(output, about, resumed=resume) as file:
            yield file.write
    except Unwritable as error:
        raise stop(f"{output}: {error}") from None


@contextmanager
def _journal(output: Path | None, run: dict[str, object]) -> Iterator[Journal | None]:
    """The journal of a run that can be resumed; it goes when the block ends well."""
    from app.journal import Journal, JournalUnusable, journal_path

    if output is None:
        yield None
        return
    try:
        journal = Journal(journal_path(output.resolve()), run)
        try:
            yield journal
        except BaseException:
            journal.close()
            raise
        journal.remove()
    except JournalUnusable as error:
        raise stop(f"{output}: {error}") from None


@cli.command()
def score(
    inputs: Annotated[
        list[str], typer.Argument(metavar="INPUT…", help="Files, folders and archives (zip, tar, gz); `-` is stdin.")
    ],
    roles: Annotated[
        list[str] | None,
        typer.Option(metavar="A=agent,B=customer", help="Who is who, by label, channel or domain; may be repeated."),
    ] = None,
    only: Annotated[
        str, typer.Option("--format", metavar="NAME", help="The format of all inputs; `auto` goes by their content.")
    ] = "auto",
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write to a file; its ending says how: .jsonl, .csv, .parquet, .vcon.json, .html.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object a conversation, as the API answers.")
    ] = False,
    no_turns: Annotated[bool, typer.Option("--no-turns", help="Leave the single turns out.")] = False,
    no_evidence: Annotated[bool, typer.Option("--no-evidence", help="Do not look for the words.")] = False,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Remember in a hidden file beside --output, and go on where a run was killed."),
    ] = False,
    redact: Annotated[
        bool, typer.Option("--redact", help="Mask names, numbers and addresses in what is written; scores stay.")
    ] = False,
    model_dir: ModelDir = None,
    engine: Engine = None,
) -> None:
    """Score the conversations in files, folders and archives, one report or JSON object each.

    Formats are told apart by what is in a file, not by its name. What cannot be scored is one line on
    stderr; the rest is scored, and the exit code is then 1.
    """
    from app.core.labels import LABEL_SET_VERSION
    from app.outputs.result import About, Result
    from app.progress import Bar
    from app.scoring import Item, items, scored
    from app.sources import places

    if as_json and output:
        raise stop("--json prints and --output writes; leave one out (--output scores.jsonl writes the same lines)")
    if resume and not output:
        raise stop("--resume remembers beside a file; name one with --output scores.jsonl")
    given, named = _roles(roles or []), _checked_format(only)
    settings = read_settings(model_dir=model_dir, engine=engine)
    service = _service(settings)
    about = About(service.model_version, LABEL_SET_VERSION, turns=not no_turns)
    failed = False
    run = {"model": service.model_version, "engine": settings.engine, "evidence": not no_evidence}
    with (
        _journal(output if resume else None, run) as journal,
        _written(output, about, as_json=as_json, resume=resume) as write,
    ):
        files = list(places(inputs, output.resolve() if output else None))
        with closing(Bar(len(files))) as bar:

            def counted() -> Iterator[Item]:
                for item, first in items(files, sys.stdin.buffer, given, named):
                    bar.expect(0 if first else 1)
                    yield item

            scores = scored(service, settings.workers, counted(), evidence=not no_evidence, journal=journal)
            with closing(scores) as results:
                for item, outcome in results:
                    with bar.aside():
                        if isinstance(outcome, Exception) or isinstance(item.outcome, Exception) or not item.taken:
                            failed = True
                            say(f"{item.where}: {outcome}")
                        else:
                            result = Result(item.source, item.outcome, outcome, item.taken)
                            write(result.masked() if redact else result)
    if failed:
        raise typer.Exit(FAILED)


@cli.command()
def serve(
    host: Annotated[str | None, typer.Option(help="The address to listen on.", show_default=False)] = None,
    port: Annotated[int | None, typer.Option(help="The port to listen on.", show_default=False)] = None,
    model_dir: ModelDir = None,
    engine: Engine = None,
    no_auth: Annotated[
        bool, typer.Option("--no-auth", help="Ask nobody for a key, wherever it listens; something else has to.")
    ] = False,
) -> None:
    """Start the HTTP service. Options win over SOFTSELL_ variables of the environment.

    On a loopback address, callers need no key; anywhere else they do, see `softsell keys`.
    """
    auth = "none" if no_auth else None
    settings = read_settings(host=host, port=port, model_dir=model_dir, engine=engine, auth=auth)
    from app.api.server import serve as serve_api
    from app.core.errors import SoftsellError

    # On stdout: the log on stderr is JSON alone.
    typer.echo(
        f"softsell {__version__} on http://{settings.host}:{settings.port}, engine {settings.engine}, "
        f"{'callers need a key' if settings.keys_required else 'callers need no key'}; Ctrl-C stops it"
    )
    try:
        serve_api(settings)
    except SoftsellError as error:
        raise stop(str(error)) from None


@cli.command()
def verify(
    directory: Annotated[
        Path | None, typer.Argument(help="A release; the newest one in models/ if not given.", show_default=False)
    ] = None,
) -> None:
    """Check every file of a release against its manifest: size and sha256, nothing missing or added."""
    from app.core.errors import InvalidRelease
    from app.model.release import newest_release, open_release
    from app.settings import MODELS

    try:
        release = open_release(directory or newest_release(MODELS))
    except InvalidRelease as error:
        raise stop(str(error)) from None
    for name, content in sorted(release.files.items()):
        typer.echo(f"{name:<20} {len(content):>12,} bytes  sha256 ok")
    typer.echo(f"release {release.version} in {release.directory} is what was sealed")


def _print_version(wanted: bool) -> None:
    if wanted:
        from app.core.labels import LABEL_SET_VERSION

        typer.echo(f"softsell {__version__}, label set {LABEL_SET_VERSION}")
        raise typer.Exit


@cli.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """What the command `softsell` runs."""
    cli(prog_name="softsell")
