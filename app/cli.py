"""The command line: scores files without a server, starts the server, checks a release.

A file or line that cannot be scored is one line on stderr and the rest is scored; the exit code is
then 1. Heavy modules are imported inside commands, so that `softsell --help` answers at once.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from app import __version__

if TYPE_CHECKING:
    from app.build import Service
    from app.core.conversation import Conversation
    from app.core.scores import ConversationScore
    from app.settings import Settings

STDIN = "-"
_FAILED = 1
# Conversations begun but not yet printed, for each worker: bounds memory, and outlasts one long call.
_AHEAD = 4

cli = typer.Typer(
    help="Scores sales conversations: mis-selling risk with evidence, and empathy.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

ModelDir = Annotated[
    Path | None, typer.Option(help="The release to use; the newest one in models/ if not given.", show_default=False)
]
Engine = Annotated[
    Literal["onnx", "torch", "stub"] | None,
    typer.Option(help="What computes scores; `stub` has no weights and known answers.", show_default=False),
]


@dataclass(frozen=True, slots=True)
class _Item:
    """A conversation to score, or the error in its place. `where` names file and line."""

    where: str
    outcome: Conversation | Exception


def _say(message: str) -> None:
    from app.report import visible

    typer.echo(visible(message), err=True)


def _stop(message: str) -> typer.Exit:
    _say(f"softsell: {message}")
    return typer.Exit(_FAILED)


def _settings(**given: Any) -> Settings:
    """The environment's settings; options that were given win."""
    from pydantic import ValidationError

    from app.settings import Settings

    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = "__".join(str(part) for part in first["loc"]).upper()
        raise _stop(f"SOFTSELL_{name} (or its option): {first['msg']}") from None


def _service(settings: Settings) -> Service:
    from app.build import build
    from app.core.errors import SoftsellError

    try:
        return build(settings)
    except SoftsellError as error:
        raise _stop(str(error)) from None
    except ImportError as error:
        raise _stop(f"the engine needs the package {error.name}, which is not installed; use `--engine onnx`") from None


def _items(file: str) -> list[_Item]:
    """What a file holds. A conversation without id takes the file's name, and its line if it has one."""
    from app.core.conversation import Conversation
    from app.core.errors import UnreadableTranscript
    from app.transcripts.document import Document
    from app.transcripts.registry import read
    from app.transcripts.roles import assign

    try:
        document = Document.of(sys.stdin.buffer.read()) if file == STDIN else Document.open(Path(file))
    except OSError as error:
        return [_Item(file, UnreadableTranscript(f"cannot be read ({error.strerror}); give the path of a file"))]
    name = "stdin" if file == STDIN else Path(file).name
    items: list[_Item] = []
    for entry in read(document):
        outcome = entry.outcome
        if isinstance(outcome, Conversation):
            outcome, _ = assign(outcome, {})
            where = file if entry.line is None else f"{file}: line {entry.line}"
            if outcome.id is None:
                outcome = replace(outcome, id=name if entry.line is None else f"{name}:{entry.line}")
            items.append(_Item(where, outcome))
        else:
            items.append(_Item(file, outcome))
    return items


def _scored(
    service: Service, workers: int, items: Iterable[_Item], *, evidence: bool
) -> Generator[tuple[_Item, ConversationScore | Exception], None, None]:
    """Each item with its score or its error, in order, `workers` at a time; `items` is read a little ahead."""
    from app.core.errors import SoftsellError

    def one(item: _Item) -> ConversationScore | Exception:
        if isinstance(item.outcome, Exception):
            return item.outcome
        try:
            return service.scorer.score(item.outcome, evidence=evidence)
        except SoftsellError as error:
            return error

    pool = ThreadPoolExecutor(workers)
    begun: deque[tuple[_Item, Future[ConversationScore | Exception]]] = deque()
    try:
        for item in items:
            begun.append((item, pool.submit(one, item)))
            while begun and (len(begun) >= _AHEAD * workers or begun[0][1].done()):
                first, outcome = begun.popleft()
                yield first, outcome.result()
        for first, outcome in begun:
            yield first, outcome.result()
    finally:
        # Whoever closes this early, by Ctrl-C or a closed pipe, does not wait for what is still queued.
        pool.shutdown(cancel_futures=True)


class _Output:
    """Where scores go: one JSON object a line, or reports for people."""

    def __init__(self, service: Service, *, as_json: bool, turns: bool) -> None:
        from rich.console import Console

        from app.report import Report

        if hasattr(sys.stdout, "reconfigure"):
            # A terminal of another encoding, or half of an emoji in a transcript, must not end the run.
            sys.stdout.reconfigure(errors="replace")
        self._service = service
        self._turns = turns
        self._report = None if as_json else Report(Console(), service.model_version, turns=turns)

    def write(self, where: str, conversation: Conversation, score: ConversationScore) -> None:
        """Write one conversation's score."""
        if self._report:
            self._report.print(where, conversation, score)
        else:
            from app.api.schemas import score_answer
            from app.core.labels import LABEL_SET_VERSION

            answer = score_answer(
                conversation,
                score,
                model_version=self._service.model_version,
                label_set_version=LABEL_SET_VERSION,
                turns=self._turns,
            )
            # As bytes, since JSON is UTF-8 whatever the terminal is.
            typer.echo(answer.model_dump_json().encode())


@cli.command()
def score(
    files: Annotated[list[str], typer.Argument(metavar="FILE…", help="Transcripts to score; `-` is stdin.")],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object a conversation, as the API answers.")
    ] = False,
    no_turns: Annotated[bool, typer.Option("--no-turns", help="Leave the single turns out.")] = False,
    no_evidence: Annotated[bool, typer.Option("--no-evidence", help="Do not look for the words.")] = False,
    model_dir: ModelDir = None,
    engine: Engine = None,
) -> None:
    """Score the conversations in some files, one report or JSON object each.

    Formats are told apart by what is in a file: softsell's JSON, one such object a line, or plain
    text with `Agent:` and `Customer:`.
    """
    from app.progress import Bar

    settings = _settings(model_dir=model_dir, engine=engine)
    service = _service(settings)
    output = _Output(service, as_json=as_json, turns=not no_turns)
    failed = False
    with closing(Bar(len(files))) as bar:

        def items() -> Iterator[_Item]:
            for file in files:
                found = _items(file)
                bar.expect(len(found) - 1)
                yield from found

        with closing(_scored(service, settings.workers, items(), evidence=not no_evidence)) as results:
            for item, outcome in results:
                with bar.aside():
                    if isinstance(outcome, Exception) or isinstance(item.outcome, Exception):
                        failed = True
                        _say(f"{item.where}: {outcome}")
                    else:
                        output.write(item.where, item.outcome, outcome)
    if failed:
        raise typer.Exit(_FAILED)


@cli.command()
def serve(
    host: Annotated[str | None, typer.Option(help="The address to listen on.", show_default=False)] = None,
    port: Annotated[int | None, typer.Option(help="The port to listen on.", show_default=False)] = None,
    model_dir: ModelDir = None,
    engine: Engine = None,
) -> None:
    """Start the HTTP service. Options win over SOFTSELL_ variables of the environment."""
    settings = _settings(host=host, port=port, model_dir=model_dir, engine=engine)
    from app.api.server import serve as serve_api
    from app.core.errors import SoftsellError

    # On stdout: the log on stderr is JSON alone.
    typer.echo(
        f"softsell {__version__} on http://{settings.host}:{settings.port}, engine {settings.engine}; Ctrl-C stops it"
    )
    try:
        serve_api(settings)
    except SoftsellError as error:
        raise _stop(str(error)) from None


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
        raise _stop(str(error)) from None
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
