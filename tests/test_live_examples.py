"""examples/live and docs/live.md against a served stub: all turns, alerts and the result, and over a cut connection."""

from __future__ import annotations

import json
import os
import re
import runpy
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from app.api.live.frames import CLOSE_REASONS, SERVER_FRAMES, CloseCode, client_frames, type_of
from app.api.live.schemas import AlertPolicyBody, TriggerBody
from app.build import keys_of
from app.core.alerts import AlertState
from app.core.conversation import Role, Turn
from app.engine.limits import Limits
from app.settings import Settings
from app.store.keys import KeyLimits, Scope
from tests.serving import ROOT, Served, open_client

PLAY = ROOT / "examples" / "live" / "play.py"
PAGE = ROOT / "examples" / "live" / "index.html"
DOCUMENT = json.loads((ROOT / "openapi" / "asyncapi.json").read_text(encoding="utf-8"))
DOCS = (ROOT / "docs" / "live.md").read_text(encoding="utf-8")
CALL = [
    ("Agent", "What do you need today? This one is guaranteed."),
    ("Customer", "I need to think about it for a little while, no."),
    ("Agent", "Hurry, it is free for all of the first year."),
    ("Customer", "How? I am angry \U0001f621 that you would not let me think."),
    ("Agent", "I understand, it costs ten pounds. Do you agree?"),
]
NODE = shutil.which("node")
# What the page does without the page: it tells on stdout what it hears.
DRIVER = """
const [transcript, url] = process.argv.slice(2);
const turns = readTranscript(require("fs").readFileSync(transcript, "utf8"));
const tell = (type, value) => {
  console.log(JSON.stringify([type, value]));
  if (type === "stopped") setTimeout(() => process.exit(0), 100);
};
new Play({turns, url, speed: 1000, ringsEarly: false, ticket: async () => null, tell}).start();
"""


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    server = Served()
    server.wait_ready()
    yield server
    server.process.kill()
    server.ended(within_s=30)


class CutsOnce:
    """A proxy that cuts its first connection after so many bytes of answers, and lets the others be."""

    def __init__(self, port: int, after_bytes: int) -> None:
        self._to = ("127.0.0.1", port)
        self.then_to = port
        self._left: int | None = after_bytes
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.connections = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            server = socket.create_connection(self._to)
            for source, target, is_answer in ((client, server, False), (server, client, True)):
                threading.Thread(target=self._pump, args=(source, target, is_answer), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, is_answer: bool) -> None:
        try:
            while part := source.recv(1024):
                if is_answer and self._left is not None:
                    self._left -= len(part)
                    if self._left <= 0:
                        self._left, self._to = None, ("127.0.0.1", self.then_to)
                        break
                target.sendall(part)
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def close(self) -> None:
        self._listening.close()


@pytest.fixture
def cutting(served: Served) -> Iterator[CutsOnce]:
    proxy = CutsOnce(served.port, after_bytes=6_000)
    yield proxy
    proxy.close()


@pytest.fixture
def transcript(tmp_path: Path) -> Path:
    path = tmp_path / "call.txt"
    lines = [f"[00:{7 * index:02}] {speaker}: {text}\n" for index, (speaker, text) in enumerate(CALL)]
    path.write_text("".join(lines), encoding="utf-8")
    return path


def url(port: int) -> str:
    return f"ws://127.0.0.1:{port}/v1/stream"


def play(transcript: Path, port: int, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(PLAY), str(transcript), "--url", url(port), "--speed", "1000", *more],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
        encoding="utf-8",
        capture_output=True,
        timeout=120,
        check=False,
    )


def check_played(run: subprocess.CompletedProcess[str]) -> None:
    """Each turn once and in order, what the stub's words set off, and the result."""
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    told, _, whole = run.stdout.partition("\nThe whole call, ")
    assert [line.split(" | ")[1][5:] for line in told.splitlines() if " | " in line] == [
        f"{speaker.lower():<8} {text}" for speaker, text in CALL
    ]
    alerts = re.findall(r"! (\w+): (\w+) at turn (\w+)  (.*)", told)
    assert alerts == [
        ("raised", "exaggeration", "0", "guaranteed"),
        ("raised", "pricing_trickery", "2", "free"),
        ("raised", "pressure", "2", "Hurry"),
    ]
    assert whole.startswith(f"{len(CALL)} turns, by stub\nmis-selling risk       {'█' * 20} 0.98 high\n")
    assert "alerts: exaggeration at turn 0 (raised)" in whole


def test_a_transcript_is_played(served: Served, transcript: Path) -> None:
    run = play(transcript, served.port)
    check_played(run)
    assert "lost" not in run.stdout


def test_alerts_are_told_as_they_change(capsys: pytest.CaptureFixture[str]) -> None:
    example = runpy.run_path(str(PLAY))
    screen = example["Screen"]([])
    span = {"text": "so\x1b[2J\nsure"}
    # What comes again, in a session that had to begin anew, is told once.
    for state in ("raised", "raised", "withdrawn", "raised", "quiet"):
        alert = {"category": "pressure", "turn_id": "3", "state": state, "evidence": [span] * (state == "raised")}
        screen.alert({"alert": alert})
    assert [line.strip() for line in capsys.readouterr().out.splitlines()] == [
        "! raised: pressure at turn 3  so\ufffd[2J sure",
        "! withdrawn: pressure at turn 3",
        "! raised: pressure at turn 3  so\ufffd[2J sure",
        "! quiet: pressure at turn 3",
    ]


def test_recognitions_come_in_the_time_of_speech() -> None:
    recognitions = runpy.run_path(str(PLAY))["recognitions"]
    words = "one two three four five six"
    turns = (
        Turn("0", Role.AGENT, words, start_ms=1000, end_ms=4000),
        Turn("1", Role.CUSTOMER, words),
        Turn("2", Role.AGENT, words, start_ms=20_000),
        Turn("3", Role.AGENT, "late", start_ms=21_000),
    )
    told = [
        (round(at_s, 3), frame["id"], frame["revision"], frame["is_final"], len(frame["text"].split()))
        for at_s, frame in recognitions(turns)
    ]
    assert told == [
        (3.0, "0", 0, False, 4),
        (4.0, "0", 1, True, 6),
        # Where no time is known, after the turn before, at 150 words a minute.
        (5.6, "1", 0, False, 4),
        (6.4, "1", 1, True, 6),
        # Not beyond the next turn's beginning.
        (20.667, "2", 0, False, 4),
        (21.0, "2", 1, True, 6),
        (21.4, "3", 0, True, 1),
    ]


def test_a_cut_connection_is_survived(cutting: CutsOnce, transcript: Path) -> None:
    run = play(transcript, cutting.port)
    assert cutting.connections == 2
    assert run.stdout.count("~ connection lost") == 1
    check_played(run)


def test_a_session_that_is_gone_is_begun_anew(
    serve: Callable[..., Served], cutting: CutsOnce, transcript: Path
) -> None:
    """As after a restart: behind the cut is a server that knows neither the session nor its turns."""
    other = serve()
    other.wait_ready()
    cutting.then_to = other.port
    run = play(transcript, cutting.port)
    assert cutting.connections == 3
    check_played(run)


def test_what_cannot_be_played_says_so(transcript: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        free = taken.getsockname()[1]
    nobody = play(transcript, free)
    assert (nobody.returncode, "make serve" in nobody.stderr) == (1, True)
    empty = tmp_path / "empty.txt"
    empty.write_text("")
    unreadable = play(empty, free)
    assert unreadable.returncode == 1
    assert "Traceback" not in unreadable.stderr != ""


def test_a_key_is_sent_where_one_is_needed(serve: Callable[..., Served], transcript: Path, tmp_path: Path) -> None:
    keys = keys_of(Settings(engine="stub", data_dir=tmp_path))
    secret = keys.create("test", "acme", (Scope.SCORE,), KeyLimits()).secret
    keys.database.close()
    server = serve(SOFTSELL_AUTH="keys", SOFTSELL_DATA_DIR=str(tmp_path))
    server.wait_ready()
    refused = play(transcript, server.port)
    assert (refused.returncode, "send a key" in refused.stderr) == (1, True)
    check_played(play(transcript, server.port, "--key", secret))


class Page(HTMLParser):
    """What a page consists of; HTML's void elements have no end."""

    VOID = frozenset({"meta", "link", "input", "path", "polyline", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: dict[str, str] = {}
        self.ids: list[str] = []
        self.feed(PAGE.read_text(encoding="utf-8"))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.attributes.append((tag, given))
        if given.get("id"):
            self.ids.append(str(given["id"]))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] == ["script"]:
            self.scripts[str(self.attributes[-1][1]["id"])] = data


@pytest.fixture(scope="module")
def page() -> Page:
    return Page()


def frame_types(direction: str) -> set[str]:
    names = [name.partition("_") for name in DOCUMENT["components"]["messages"]]
    return {kind for way, _, kind in names if way == direction}


def test_the_page_is_one_file_that_loads_nothing(page: Page) -> None:
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    assert list(page.scripts) == ["client", "page"]
    text = PAGE.read_text(encoding="utf-8").replace("ws://127.0.0.1:8000/v1/stream", "")
    assert not re.search(r"https?:|//\w+\.|@import|url\(|\bimport\b", text)
    for tag, given in page.attributes:
        assert "src" not in given
        assert not any(name.startswith("on") for name in given)
        assert tag != "link" or given["href"] == "data:,"
    policy = next(g["content"] or "" for _, g in page.attributes if g.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none';")
    used = set(re.findall(r'at\("(\w+)"\)', page.scripts["page"]))
    assert used <= set(page.ids)


def test_the_page_speaks_in_the_frames_of_the_document(page: Page) -> None:
    client = page.scripts["client"]
    assert set(re.findall(r'\btype: "(\w+)"', client)) == frame_types("client")
    assert set(re.findall(r'case "(\w+)":', client)) == frame_types("server")
    played = PLAY.read_text(encoding="utf-8")
    assert set(re.findall(r'"?type"?[:=] ?"(\w+)"', played)) == frame_types("client")
    assert codes_given_up(PAGE) == codes_given_up(PLAY) < set(CloseCode)


def codes_given_up(client: Path) -> set[int]:
    """After which close codes an example does not come back."""
    found = re.search(r"GIVEN_UP = (?:new Set\(\[|\{)([\d, ]+)", client.read_text(encoding="utf-8"))
    assert found is not None
    return {int(code) for code in found[1].split(",")}


@pytest.fixture
def node(page: Page, tmp_path: Path) -> Any:
    if NODE is None:
        pytest.skip("Node.js is not on PATH")

    def run(*arguments: str, script: str) -> list[Any]:
        path = tmp_path / "page.cjs"
        path.write_text(script, encoding="utf-8")
        command = [NODE, *arguments[:1], str(path), *arguments[1:]]
        done = subprocess.run(command, encoding="utf-8", capture_output=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    return run


def test_the_pages_scripts_are_sound(page: Page, node: Any) -> None:
    for script in page.scripts.values():
        node("--check", script=script)


def test_the_pages_client_plays_over_a_cut_connection(
    page: Page, node: Any, cutting: CutsOnce, transcript: Path
) -> None:
    known = subprocess.run([NODE, "--experimental-websocket", "-e", "WebSocket"], capture_output=True, check=False)
    if known.returncode:
        pytest.skip("this Node.js has no WebSocket")
    script = page.scripts["client"] + DRIVER
    told = node("--experimental-websocket", str(transcript), url(cutting.port), script=script)
    assert cutting.connections == 2
    final = [value["turn"]["id"] for kind, value in told if kind == "score" and value["turn"]["is_final"]]
    assert list(dict.fromkeys(final)) == [str(index) for index in range(len(CALL))]
    assert [kind for kind, _ in told if kind in ("lost", "error", "stopped")] == ["lost", "stopped"]
    seqs = [value["seq"] for kind, value in told if kind in ("score", "alert", "final")]
    assert seqs == list(range(1, len(seqs) + 1))
    assert [value["alert"]["category"] for kind, value in told if kind == "alert"] == [
        "exaggeration",
        "pricing_trickery",
        "pressure",
    ]
    end = next(value for kind, value in told if kind == "final")
    assert (end["result"]["usage"]["turns"], end["result"]["mis_selling"]["band"]) == (len(CALL), "high")


def test_the_docs_name_every_frame_code_and_state() -> None:
    rows = dict(re.findall(r"^\| (\d{4}) \| (.*?) \|", DOCS, re.MULTILINE))
    assert rows == {str(code.value): reason for code, reason in CLOSE_REASONS.items()}
    frames, _, rest = DOCS.partition("## After a lost connection")
    kinds = {*client_frames(Limits()), *(type_of(frame) for frame in SERVER_FRAMES)}
    assert kinds == set(re.findall(r"^\| `(\w+)` \|", frames, re.MULTILINE))
    fields = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", rest, re.MULTILINE))
    assert fields == {name: field.description for name, field in TriggerBody.model_fields.items()}
    for name in (*AlertState, *AlertPolicyBody.model_fields):
        assert f"`{name}`" in DOCS
    given_up = re.search(r"does not help after ([\d, and\n]+)\.", DOCS)
    assert given_up is not None
    assert {int(code) for code in re.findall(r"\d{4}", given_up[1])} == codes_given_up(PLAY)


def says(answered: Any, told: Any) -> bool:
    """Whether an answer has what the page shows of it; `…` stands for anything."""
    if isinstance(told, dict):
        return all(says(answered[name], value) for name, value in told.items())
    return bool(told in ("…", answered))


def test_the_docs_session_is_what_happens(client: TestClient) -> None:
    lines = re.findall(r"^([→←]) (\{.*\})$", DOCS, re.MULTILINE)
    assert len(lines) == 12
    with client.websocket_connect("/v1/stream") as stream:
        for way, text in lines:
            frame = json.loads(text)
            if way == "→":
                stream.send_json(frame)
            else:
                assert says(stream.receive_json(), frame), text
        with pytest.raises(WebSocketDisconnect) as end:
            stream.receive_json()
    assert end.value.code == CloseCode.DONE


def test_the_docs_policy_and_origins_are_taken() -> None:
    allowed = [tuple(json.loads(found)) for found in re.findall(r"`?(\[\"[^`'\n]*://[^`'\n]*\])[`']", DOCS)]
    assert len(allowed) == 2
    policy = json.loads(re.search(r"^```json\n(.*?)```", DOCS, re.MULTILINE | re.DOTALL)[1])  # type: ignore[index]
    for origins in allowed:
        with open_client(Settings(engine="stub", allowed_origins=origins)) as client:
            for origin in origins:
                with client.websocket_connect("/v1/stream", headers={"Origin": origin}) as stream:
                    stream.send_json({"type": "open", "seq": 1, **policy})
                    assert stream.receive_json()["type"] == "opened"
