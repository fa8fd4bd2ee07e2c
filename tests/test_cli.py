"""The command line as a person and a script meet it, over the stub engine."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.testclient import TestClient
from typer.testing import Result

from app import __version__
from app.api.app import create_app
from app.api.schemas import ScoreAnswer
from app.build import build
from app.core.conversation import Role
from app.model.release import FILES, MANIFEST
from app.scoring import Item, scored
from app.settings import Settings
from tests.commands import ROOT, run, start

pytestmark = pytest.mark.usefixtures("stub_engine")
CANARY = "zebrafish"


def answers(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_report_says_risk_band_and_marks_the_words(call: str) -> None:
    result = run("score", call)
    lines = result.stdout.splitlines()
    assert result.exit_code == 0
    assert lines[0] == f"{call}   3 turns"
    assert lines[1] == "Mis-selling risk 0.98  HIGH  act: have it reviewed before the sale stands"
    assert "  pressure             0.98 ████████████████████" in lines
    assert "  omission             0.02" in lines
    assert "Empathy 0.35 of 1" in lines
    assert "  exploration          0.26 █████" in lines
    assert lines[lines.index("Fair practice") + 1] == "  disclosure           0.02"
    assert lines[lines.index("Customer signals") + 1] == "  need                 0.98 ████████████████████"
    assert "  1 agent    0.02  Good morning, what can I do for you?" in lines
    assert "  2 customer       I [need]{need 0.98} cover for my mum." in lines
    assert (
        "  3 agent    0.98  Approval is [guaranteed]{exaggeration 0.98}. [Hurry]{pressure 0.98}, it ends today!"
        in lines
    )
    assert "model stub" in lines
    assert result.stderr == ""


def test_a_fair_call_is_low() -> None:
    result = run("score", "-", stdin="Agent: Hello, good morning.\nCustomer: Hi.")
    assert "Mis-selling risk 0.02  LOW  leave it, unless something else calls for a look" in result.stdout


def test_options_leave_parts_out(call: str) -> None:
    assert "Good morning" not in run("score", "--no-turns", call).stdout
    bare = run("score", "--no-evidence", call).stdout
    assert "Approval is guaranteed. Hurry, it ends today!" in bare


def test_what_was_not_scored_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.scoring.guess", lambda _: {})
    result = run("score", "-", stdin="Dana Roy: Hello.\nKim Poe: Hi.\nDana Roy: Well.\nKim Poe: Bye.")
    assert result.exit_code == 0
    assert "Mis-selling risk not scored" in result.stdout
    assert 'Roles unknown: say who is the agent with --roles ("Dana Roy", "Kim Poe")' in result.stdout
    assert "roles_unknown: no turn has the role 'agent'; say which speaker is the agent" in result.stdout


def test_nothing_in_a_transcript_steers_the_terminal() -> None:
    result = run("score", "-", stdin="Agent: \x1b[2J\x1b]0;x\x07 free \u202egnirts\x9b31m\nCustomer: hi")
    for character in "\x1b\x07\u202e\x9b":
        assert character not in result.stdout
    assert "[free]{pricing_trickery 0.98} \ufffdgnirts" in result.stdout


def test_rich_markup_in_a_transcript_is_text() -> None:
    assert (
        "[bold]hi[/bold] [/nonsense] :smile:"
        in run("score", "-", stdin="Agent: [bold]hi[/bold] [/nonsense] :smile:").stdout
    )


def test_json_has_the_shape_of_the_api(call: str) -> None:
    (answer,) = answers(run("score", "--json", call))
    assert ScoreAnswer.model_validate(answer).model_dump(mode="json") == answer
    assert answer["conversation_id"] == "call.txt"
    assert answer["mis_selling"]["band"] == "high"
    assert [turn["id"] for turn in answer["turns"]] == ["0", "1", "2"]
    assert [span["text"] for span in answer["turns"][2]["evidence"]] == ["guaranteed", "Hurry"]


def test_json_is_what_the_api_answers() -> None:
    turns = [{"role": "agent", "text": "Approval is guaranteed."}, {"role": "customer", "text": "No."}]
    body = {"conversation": {"id": "c-1", "turns": turns}}
    with TestClient(create_app(Settings(engine="stub"))) as client:
        ends = time.monotonic() + 10
        while client.get("/readyz").status_code != 200 and time.monotonic() < ends:
            time.sleep(0.05)
        answered = client.post("/v1/score", json=body)
    assert answered.status_code == 200
    assert run("score", "--json", "-", stdin=json.dumps(body)).stdout_bytes == answered.content + b"\n"


def test_roles_are_given() -> None:
    said = "Dana Roy: Approval is guaranteed.\nKim Poe: Hi.\nDana Roy: Well.\nKim Poe: Bye."
    result = run("score", "--roles", "Dana Roy=agent", "--roles", "Kim Poe=customer", "-", stdin=said)
    assert "Mis-selling risk 0.98" in result.stdout
    assert "Roles" not in result.stdout
    assert run("score", "--roles", "Dana", "-", stdin=said).stderr.startswith("softsell: --roles: roles are pairs such")


def test_a_guess_is_told_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    guessed = {"S1": (Role.AGENT, 0.931), "S2": (Role.CUSTOMER, 0.931)}
    monkeypatch.setattr("app.scoring.guess", lambda _: guessed)
    result = run("score", "-", stdin="S1: Hello.\nS2: Hi.\nS1: Well.\nS2: Bye.")
    assert result.stdout.splitlines()[1] == (
        'Roles guessed: "S1" is the agent (0.93 sure), "S2" is the customer (0.93 sure)'
    )
    (answer,) = answers(run("score", "--json", "-", stdin="S1: Hello.\nS2: Hi.\nS1: Well.\nS2: Bye."))
    assert [speaker["basis"] for speaker in answer["source"]["speakers"]] == ["guess", "guess"]


def test_a_format_is_named(call: str) -> None:
    assert run("score", "--format", "plain_text", call).exit_code == 0
    assert run("score", "--format", "webvtt", call).exit_code == 1
    result = run("score", "--format", "nonsense", call)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("softsell: --format is one of auto, ")
    assert "plain_text" in result.stderr


def test_folders_archives_and_stdin_are_scored_together(tmp_path: Path, call: str) -> None:
    calls = tmp_path / "calls"
    (calls / "deep").mkdir(parents=True)
    Path(call).rename(calls / "deep" / "call.txt")
    (calls / "bad.txt").write_bytes(b"\xff" + CANARY.encode())
    with zipfile.ZipFile(tmp_path / "more.zip", "w") as archive:
        archive.writestr("a\x1b[2J.txt", "Agent: Hello.")
        archive.writestr("day.jsonl", '{"turns": [{"role": "agent", "text": "Hello."}]}\n{"turns": 1}\n')
    result = run("score", "--json", str(calls), str(tmp_path / "more.zip"), "-", stdin="Agent: Hi.")
    assert result.exit_code == 1
    assert [answer["conversation_id"] for answer in answers(result)] == [
        "call.txt",
        "a\ufffd[2J.txt",
        "day.jsonl:1",
        "stdin",
    ]
    bad, line = result.stderr.splitlines()
    assert bad.startswith(f"{calls}/bad.txt: line 1: the document is not UTF-8")
    assert line == f"{tmp_path}/more.zip!day.jsonl: line 2: `turns` must be a list"
    assert CANARY not in result.output


def test_output_is_a_file_and_prints_nothing(tmp_path: Path, call: str) -> None:
    path = tmp_path / "scores.jsonl"
    result = run("score", call, str(tmp_path / "none"), "--output", str(path))
    assert (result.exit_code, result.stdout) == (1, "")
    assert path.read_bytes() == run("score", "--json", call).stdout_bytes
    assert sorted(item.name for item in tmp_path.iterdir()) == ["call.txt", "scores.jsonl"]


def test_what_was_written_into_a_folder_is_not_read_again(tmp_path: Path, call: str) -> None:
    for _ in range(2):
        result = run("score", str(tmp_path), "--output", str(tmp_path / "scores.jsonl"))
        assert (result.exit_code, result.output) == (0, "")


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("scores.pdf", "the ending says the form; it is one of .jsonl, .csv"),
        ("none/scores.csv", "cannot be written (No such file or directory); give another path"),
        ("folder.csv", "is a folder; give the path of a file"),
    ],
)
def test_an_output_that_cannot_be_written_is_told_before_anything_is_scored(
    tmp_path: Path, call: str, monkeypatch: pytest.MonkeyPatch, name: str, error: str
) -> None:
    monkeypatch.setattr("app.scoring.scored", lambda *_, **__: pytest.fail("scored"))
    (tmp_path / "folder.csv").mkdir()
    result = run("score", call, "--output", str(tmp_path / name))
    assert result.exit_code == 1
    assert result.stderr.startswith(f"softsell: {tmp_path / name}: {error}")
    assert len(result.stderr.splitlines()) == 1


def test_a_run_prints_or_writes(tmp_path: Path, call: str) -> None:
    result = run("score", "--json", call, "--output", str(tmp_path / "a.jsonl"))
    assert (result.exit_code, result.stdout) == (1, "")
    assert "leave one out" in result.stderr


def test_json_options(call: str) -> None:
    (answer,) = answers(run("score", "--json", "--no-turns", call))
    assert answer["turns"] == []
    (answer,) = answers(run("score", "--json", "--no-evidence", call))
    assert [turn["evidence"] for turn in answer["turns"]] == [[], [], []]


def test_json_is_utf8_whatever_the_terminal_is(tmp_path: Path) -> None:
    path = tmp_path / "call.json"
    path.write_text('{"id": "n° 1 日本", "turns": [{"role": "agent", "text": "Hi"}]}', encoding="utf-8")
    with start(
        ["score", "--json", str(path)], stdout=subprocess.PIPE, env=os.environ | {"PYTHONIOENCODING": "ascii"}
    ) as p:
        out, _ = p.communicate(timeout=30)
    assert json.loads(out)["conversation_id"] == "n° 1 日本"


def test_a_report_survives_a_terminal_of_another_encoding() -> None:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with start(["score", "-"], env=os.environ | {"PYTHONIOENCODING": "ascii"}, **pipes) as p:
        out, err = p.communicate("Agent: It is guaranteed, 日本.".encode(), timeout=30)
    assert p.returncode == 0, err
    assert b"exaggeration         0.98 ####################" in out


def test_bad_files_and_lines_are_named_and_the_rest_is_scored(tmp_path: Path, call: str) -> None:
    lines = tmp_path / "day.jsonl"
    good = '{"turns": [{"role": "agent", "text": "Hello."}]}'
    named = '{"id": "mine", "turns": [{"role": "agent", "text": "Hello."}]}'
    blank = '{"turns": [{"role": "agent", "text": " "}]}'
    lines.write_text(f'{good}\n{{"turns": "{CANARY}"}}\n{named}\n{blank}\n', encoding="utf-8")
    missing, directory = str(tmp_path / "none.txt"), str(tmp_path / "empty")
    (tmp_path / "empty").mkdir()
    result = run("score", "--json", missing, str(lines), directory, call)
    assert result.exit_code == 1
    assert [answer["conversation_id"] for answer in answers(result)] == ["day.jsonl:1", "mine", "call.txt"]
    errors = result.stderr.splitlines()
    assert errors[0] == f"{missing}: cannot be read (No such file or directory); give the path of a file or a folder"
    assert errors[1] == f"{lines}: line 2: `turns` must be a list"
    assert errors[2] == f"{lines}: line 4: turn 0 has no visible character; leave empty turns out"
    assert errors[3] == f"{directory}: holds no file that is not hidden"
    assert len(errors) == 4
    assert CANARY not in result.output


def test_order_is_kept_with_several_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOFTSELL_WORKERS", "4")
    path = tmp_path / "many.jsonl"
    # The first are much longer than the last, so that they would come out later.
    turns = [[{"role": "agent", "text": "word " * 500}] * (20 if number < 4 else 1) for number in range(40)]
    path.write_text("\n".join(json.dumps({"id": str(n), "turns": t}) for n, t in enumerate(turns)), encoding="utf-8")
    assert [answer["conversation_id"] for answer in answers(run("score", "--json", str(path)))] == [
        str(n) for n in range(40)
    ]


def test_what_is_queued_is_dropped_when_nobody_reads_on() -> None:
    done: list[str] = []

    class SlowScorer:
        def score(self, conversation: str, *, evidence: bool) -> str:
            time.sleep(0.01)
            done.append(conversation)
            return conversation

    items = [Item(str(number), str(number)) for number in range(500)]  # type: ignore[arg-type]
    results = scored(SimpleNamespace(scorer=SlowScorer()), 2, items, evidence=True)  # type: ignore[arg-type]
    assert next(results)[1] == "0"
    results.close()
    assert len(done) < 100


def test_files_are_scored_side_by_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both = threading.Barrier(2, timeout=30)
    real = build(Settings(engine="stub"))

    class Meeting:
        def score(self, conversation: Any, *, evidence: bool) -> Any:
            both.wait()
            return real.scorer.score(conversation, evidence=evidence)

    meeting = SimpleNamespace(scorer=Meeting(), model_version=real.model_version)
    monkeypatch.setattr("app.cli._service", lambda _: meeting)
    monkeypatch.setenv("SOFTSELL_WORKERS", "2")
    files = [tmp_path / name for name in ("b.txt", "a.txt")]
    for path in files:
        path.write_text("Agent: Hello.", encoding="utf-8")
    result = run("score", "--json", *map(str, files))
    assert [answer["conversation_id"] for answer in answers(result)] == ["b.txt", "a.txt"]


def test_settings_that_are_wrong_say_which(monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    monkeypatch.setenv("SOFTSELL_WORKERS", "many")
    result = run("score", call)
    assert result.exit_code == 1
    assert result.stderr.startswith("softsell: SOFTSELL_WORKERS (or its option): ")
    assert len(result.stderr.splitlines()) == 1


def test_options_win_over_the_environment(call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOFTSELL_MODEL_DIR", str(tmp_path / "from-environment"))
    result = run("score", "--engine", "onnx", "--model-dir", str(tmp_path / "from-option"), call)
    assert result.exit_code == 1
    assert result.stderr == f"softsell: {tmp_path / 'from-option'} holds no readable release.json; is it a release?\n"


def test_version_and_help() -> None:
    assert run("--version").stdout.startswith(f"softsell {__version__}, label set ")
    assert all(command in run("--help").stdout for command in ("score", "serve", "verify"))


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys, app.cli; print(*(m for m in ('pydantic', 'fastapi', 'onnxruntime', 'numpy') if m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_serve_hands_the_settings_over(monkeypatch: pytest.MonkeyPatch) -> None:
    import app.api.server

    served: list[Any] = []
    monkeypatch.setattr(app.api.server, "serve", served.append)
    monkeypatch.setenv("SOFTSELL_PORT", "8100")
    monkeypatch.setenv("SOFTSELL_HOST", "127.0.0.2")
    result = run("serve", "--port", "8101")
    assert (served[0].host, served[0].port, served[0].engine) == ("127.0.0.2", 8101, "stub")
    assert "http://127.0.0.2:8101" in result.stdout


def seal(directory: Path) -> None:
    """A release whose files are sealed but hold no model."""
    from app.core.labels import LABEL_SET_VERSION
    from app.model.stub import stub_calibration

    contents = {name: name.encode() for name in FILES} | {
        "calibration.json": json.dumps(stub_calibration().as_dict()).encode(),
        "evaluation.json": b"{}",
    }
    for name, content in contents.items():
        (directory / name).write_bytes(content)
    stated = {name: {"bytes": len(c), "sha256": hashlib.sha256(c).hexdigest()} for name, c in contents.items()}
    manifest = {"format": 1, "version": "9.9.9", "label_set_version": LABEL_SET_VERSION, "files": stated}
    (directory / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")


def test_verify_lists_every_file(tmp_path: Path) -> None:
    seal(tmp_path)
    result = run("verify", str(tmp_path))
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines[:-1]] == sorted(FILES)
    assert all(line.endswith("bytes  sha256 ok") for line in lines[:-1])
    assert lines[-1] == f"release 9.9.9 in {tmp_path} is what was sealed"


@pytest.mark.parametrize("name", FILES)
def test_verify_names_the_file_that_changed(tmp_path: Path, name: str) -> None:
    seal(tmp_path)
    content = bytearray((tmp_path / name).read_bytes())
    content[-1] ^= 1
    (tmp_path / name).write_bytes(content)
    result = run("verify", str(tmp_path))
    assert result.exit_code == 1
    assert result.stderr.startswith(f"softsell: {name} has not the sha256")
    assert result.stdout == ""


def test_a_closed_pipe_ends_the_run_quietly(tmp_path: Path) -> None:
    path = tmp_path / "many.jsonl"
    path.write_text('{"turns": [{"role": "agent", "text": "Hello."}]}\n' * 2_000, encoding="utf-8")
    with start(["score", "--json", str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(timeout=30) == 1
        assert process.stderr.read() == b""


def test_redact_masks_what_is_written_and_keeps_scores(tmp_path: Path) -> None:
    call = tmp_path / "call.txt"
    call.write_text("Agent: It is guaranteed, Karen Holt. Ring 07700 900123.\nCustomer: I need it.\n")
    plain, masked = run("score", str(call), "--json"), run("score", str(call), "--json", "--redact")
    (before,), (after,) = answers(plain), answers(masked)
    assert after["mis_selling"] == before["mis_selling"]
    assert after["redaction"]["name"] == after["redaction"]["phone"] == 1
    report = run("score", str(call), "--redact").stdout
    assert "It is [guaranteed]{exaggeration 0.98}, [NAME]. Ring [PHONE]." in report
    assert "Karen" not in report + masked.stdout
