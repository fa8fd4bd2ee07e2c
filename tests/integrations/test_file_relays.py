"""The Lambda for Contact Lens, the relay of Genesys Cloud, the folder watcher, the Apex class, and their calls."""

from __future__ import annotations

import io
import json
import logging
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.integrations.house import House, Loaded
from tests.serving import ROOT

SAMPLES = ROOT / "tests" / "transcripts" / "samples"
KEY = "connect/firm/Analysis/Voice/2026/03/04/c-1_analysis_2026-03-04T10:00:00Z.json"


class Bucket:
    """As much of S3 as the Lambda asks."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        return {"Body": io.BytesIO(self.files[Key])}

    def put_object(self, Bucket: str, Key: str, Body: bytes, ContentType: str) -> None:  # noqa: N803
        self.files[Key] = Body


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Bucket:
    made = Bucket({KEY: (SAMPLES / "contact_lens" / "call.json").read_bytes()})
    monkeypatch.setitem(sys.modules, "boto3", SimpleNamespace(client=lambda _: made))
    return made


def by_eventbridge(key: str) -> dict[str, Any]:
    detail = {"bucket": {"name": "b"}, "object": {"key": key, "size": 5}}
    return {"detail-type": "Object Created", "source": "aws.s3", "detail": detail}


def by_notification(key: str) -> dict[str, Any]:
    coded = key.replace(":", "%3A")
    return {"Records": [{"eventSource": "aws:s3", "s3": {"bucket": {"name": "b"}, "object": {"key": coded}}}]}


@pytest.mark.parametrize("event", [by_eventbridge, by_notification])
def test_contact_lens(
    event: Any, house: House, example: Loaded, bucket: Bucket, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    (done,) = example("contact_lens_lambda").handler(event(KEY), None)
    (answer,) = house.scored
    assert answer["source"]["format"] == "contact_lens"
    # The file goes as it is.
    assert house.asked[0].body == bucket.files[KEY]
    assert json.loads(bucket.files["softsell/" + KEY.rpartition("/")[2]]) == answer
    assert done["band"] == answer["mis_selling"]["band"]
    said = [entry["Content"] for entry in json.loads(bucket.files[KEY])["Transcript"]]
    assert not [words for words in said if words.strip() and words in caplog.text]


@pytest.mark.parametrize("key", ["softsell/c-1.json", "connect/firm/Analysis/Voice/Redacted/c-1.wav"])
def test_contact_lens_passes_over_the_rest(key: str, house: House, example: Loaded, bucket: Bucket) -> None:
    assert example("contact_lens_lambda").handler(by_eventbridge(key), None) == []
    assert house.asked == []


def test_contact_lens_raises_what_lambda_is_to_try_again(house: House, example: Loaded, bucket: Bucket) -> None:
    house.refusals = [(503, {"Retry-After": "1"})] * 4
    lambda_ = example("contact_lens_lambda")
    with pytest.raises(lambda_.score.__globals__["CallFailed"], match="503"):
        lambda_.handler(by_eventbridge(KEY), None)
    assert list(bucket.files) == [KEY]


def genesys_messages() -> list[dict[str, Any]]:
    lines = (SAMPLES / "genesys_notification" / "stream.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_genesys(house: House, example: Loaded) -> None:
    shown: list[tuple[str, dict[str, Any]]] = []
    calls = example("genesys_relay").Calls(lambda call, scored: shown.append((call, scored)))
    for message in genesys_messages():
        calls.take(message)
    ids = [call[-1] for call, _ in shown]
    assert (ids.count("a"), ids.count("b")) == (6, 1)
    # The call grows, and what was said before comes again.
    grown = [len(answer["turns"]) for answer in house.scored if answer["conversation_id"].endswith("a")]
    assert grown == sorted(grown)
    last = house.scored[-1]
    assert {turn["role"] for turn in last["turns"]} == {"agent", "customer"}
    assert "transcript" not in json.dumps(shown)


def test_genesys_outlives_a_refusal(house: House, example: Loaded) -> None:
    house.refusals = [(422, {})]
    shown: list[str] = []
    calls = example("genesys_relay").Calls(lambda call, _: shown.append(call))
    for message in genesys_messages():
        calls.take(message)
    assert len(shown) == 6


def test_genesys_subscribes(house: House, example: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENESYS_API", house.url)
    monkeypatch.setenv("GENESYS_TOKEN", "t")
    house.answers["POST", "/api/v2/notifications/channels"] = {"id": "ch", "connectUri": "wss://streaming.example/ch"}
    house.answers["POST", "/api/v2/notifications/channels/ch/subscriptions"] = {"entities": []}
    assert example("genesys_relay").channel(["c-1"]) == "wss://streaming.example/ch"
    assert house.calls("POST")[1].json() == [{"id": "v2.conversations.c-1.transcription"}]


def test_the_folder_watcher(house: House, example: Loaded, tmp_path: Path) -> None:
    watcher = example("folder_watcher")
    (tmp_path / "zoom.vtt").write_bytes((SAMPLES / "webvtt" / "zoom.vtt").read_bytes())
    (tmp_path / "zoom.vtt.roles").write_text("Nora Field=agent\ntomas=customer\n", encoding="utf-8")
    (tmp_path / "bad.vtt").write_text("no transcript at all", encoding="utf-8")
    (tmp_path / "photo.png").write_bytes(b"x")
    sizes: dict[Path, int] = {}
    watcher.round_of(tmp_path, sizes)
    assert house.asked == []  # They may still be growing.
    watcher.round_of(tmp_path, sizes)
    (answer,) = house.scored
    assert answer["source"]["format"] == "webvtt"
    assert answer["turns"][0]["role"] == "agent"
    assert json.loads((tmp_path / "zoom.vtt.score.json").read_text(encoding="utf-8")) == answer
    assert json.loads((tmp_path / "bad.vtt.failed.json").read_text(encoding="utf-8")) == {"status": 422}
    before = len(house.asked)
    watcher.round_of(tmp_path, sizes)
    assert len(house.asked) == before


def test_the_folder_watcher_tries_again_what_did_not_come_through(
    house: House, example: Loaded, tmp_path: Path
) -> None:
    watcher = example("folder_watcher")
    (tmp_path / "a.txt").write_text("Agent: Hello.\nCustomer: Hello.\n", encoding="utf-8")
    house.refusals = [(503, {})] * 4
    sizes: dict[Path, int] = {}
    for _ in range(3):
        watcher.round_of(tmp_path, sizes)
    assert (tmp_path / "a.txt.score.json").exists()


def test_calls_wait_as_long_as_they_are_told(house: House, example: Loaded, good: Any) -> None:
    calls = example("calls")
    house.refusals = [(503, {"Retry-After": "7"}), (429, {"Retry-After": "9999"}), (504, {})]
    waited: list[float] = []
    calls.time.sleep = waited.append
    assert calls.score(json.dumps(good).encode())["model_version"] == "stub"
    assert waited == [7, calls.LONGEST_WAIT_S, 4]


def test_calls_do_not_repeat_what_was_refused_nor_what_was_said(house: House, example: Loaded) -> None:
    calls = example("calls")
    with pytest.raises(calls.CallFailed) as failed:
        calls.score(b'{"secret": "words of a customer"}', roles="Ann=agent")
    assert failed.value.status == 422
    assert len(house.asked) == 1
    assert not re.search("secret|words|Ann", str(failed.value))


def test_calls_follow_no_redirect(house: House, example: Loaded, good: Any) -> None:
    calls = example("calls")
    house.refusals = [(307, {"Location": house.url + "/elsewhere"})]
    with pytest.raises(calls.CallFailed, match="307"):
        calls.score(json.dumps(good).encode())
    assert len(house.asked) == 1


def test_the_apex_class_names_what_the_document_has() -> None:
    document = json.loads((ROOT / "openapi" / "openapi-3.0.json").read_text(encoding="utf-8"))
    schemas = document["components"]["schemas"]
    apex = (ROOT / "examples" / "integrations" / "salesforce" / "ScoreChat.cls").read_text(encoding="utf-8")
    assert "/v1/score" in document["paths"]
    for holder, part in (("answer", "ScoreAnswer"), ("misSelling", "MisSelling"), ("empathy", "Empathy")):
        asked = set(re.findall(rf"\b{holder}\.get\('(\w+)'\)", apex))
        assert asked
        assert asked <= set(schemas[part]["properties"])
    sent = set(re.findall(r"'(\w+)' =>", apex))
    assert sent <= {*schemas["ScoreRequest"]["properties"], *schemas["Options"]["properties"]}


def test_what_the_apex_class_sends_is_taken(house: House, example: Loaded) -> None:
    sent = {"transcript": "Agent: It is guaranteed.\nCustomer: No.", "options": {"turns": False}}
    answer = example("calls").score(json.dumps(sent).encode())
    assert answer["turns"] == []
    assert answer["mis_selling"]["band"]


def test_calls_bring_the_key_where_there_is_one(
    house: House, example: Loaded, good: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = example("calls")
    calls.score(json.dumps(good).encode())
    monkeypatch.setenv("SOFTSELL_KEY", "ssk_key")
    calls.score(json.dumps(good).encode())
    assert [
        {name.lower(): value for name, value in asked.headers.items()}.get("x-api-key") for asked in house.asked
    ] == [
        None,
        "ssk_key",
    ]
