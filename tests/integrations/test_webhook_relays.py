"""The relays of Twilio, HubSpot and Zendesk: signatures right and wrong, and what is asked and written."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.integrations.house import PUBLIC_URL, House, Loaded

SID = "GT" + "0a" * 16
SECRET = "a-secret"  # noqa: S105
WORDS = "guaranteed"
Deliver = Callable[..., int]


def signed(kind: str, content: bytes) -> str:
    return base64.b64encode(hmac.new(SECRET.encode(), content, kind).digest()).decode()


# Twilio


@pytest.fixture
def twilio(house: House, example: Loaded, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", SECRET)
    monkeypatch.setenv("TWILIO_ACCOUNT_SID", "AC1")
    monkeypatch.setenv("TWILIO_API", house.url)
    house.answers["GET", f"/v2/Transcripts/{SID}"] = {"sid": SID, "channel": {"participants": None}}

    def sentence(index: int, channel: int, text: str) -> dict[str, Any]:
        place = {"media_channel": channel, "sentence_index": index, "start_time": float(index), "end_time": index + 0.5}
        return {**place, "transcript": text, "sid": f"GX{index}", "confidence": 0.9, "words": []}

    pages = f"/v2/Transcripts/{SID}/Sentences?PageSize=1000"
    following = f"{house.url}{pages}&Page=1"
    house.answers["GET", pages] = {
        "sentences": [sentence(0, 1, f"The plan is {WORDS} to double.")],
        "meta": {"key": "sentences", "next_page_url": following},
    }
    house.answers["GET", f"{pages}&Page=1"] = {
        "sentences": [sentence(1, 2, "I would like to think.")],
        "meta": {"key": "sentences", "next_page_url": None},
    }
    return example("twilio_relay")


def twilio_event() -> bytes:
    return json.dumps({"transcript_sid": SID, "event_type": "voice_intelligence_transcript_available"}).encode()


def test_twilio_json(twilio: Any, house: House, deliver: Deliver, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    body = twilio_event()
    path = f"/twilio?bodySHA256={hashlib.sha256(body).hexdigest()}"
    headers = {"Content-Type": "application/json", "X-Twilio-Signature": signed("sha1", (PUBLIC_URL + path).encode())}
    assert deliver(twilio, path, body, headers) == 204
    (answer,) = house.scored
    assert [turn["role"] for turn in answer["turns"]] == ["agent", "customer"]
    assert house.calls("GET")[0].headers["Authorization"].startswith("Basic ")
    assert '"band"' in caplog.text
    assert WORDS not in caplog.text


def test_twilio_form(twilio: Any, house: House, deliver: Deliver) -> None:
    body = f"transcript_sid={SID}&event_type=voice_intelligence_transcript_available".encode()
    fields = f"event_typevoice_intelligence_transcript_availabletranscript_sid{SID}"
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Twilio-Signature": signed("sha1", f"{PUBLIC_URL}/twilio{fields}".encode()),
    }
    assert deliver(twilio, "/twilio", body, headers) == 204
    assert len(house.scored) == 1


@pytest.mark.parametrize("wrong", ["signature", "body", "none", "no hash"])
def test_twilio_refused(twilio: Any, house: House, deliver: Deliver, wrong: str) -> None:
    body = twilio_event()
    path = "/twilio" if wrong == "no hash" else f"/twilio?bodySHA256={hashlib.sha256(body).hexdigest()}"
    right = signed("sha1", (PUBLIC_URL + path).encode())
    headers = {"Content-Type": "application/json", "X-Twilio-Signature": right}
    if wrong == "signature":
        headers["X-Twilio-Signature"] = signed("sha1", b"https://elsewhere.example.com" + path.encode())
    elif wrong == "none":
        del headers["X-Twilio-Signature"]
    elif wrong == "body":
        body += b" "
    assert deliver(twilio, path, body, headers) == 403
    assert house.asked == []


# HubSpot


@pytest.fixture
def hubspot(house: House, example: Loaded, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("HUBSPOT_CLIENT_SECRET", SECRET)
    monkeypatch.setenv("HUBSPOT_TOKEN", "t")
    monkeypatch.setenv("HUBSPOT_API", house.url)
    threads = "/conversations/v3/conversations/threads/77"

    def message(id_: str, actor: str, direction: str, text: str | None, type_: str = "MESSAGE") -> dict[str, Any]:
        made = {"id": id_, "type": type_, "createdAt": f"2026-03-04T10:00:0{id_}Z", "direction": direction}
        return {**made, "text": text, "senders": [{"actorId": actor}]}

    house.answers["GET", threads] = {"id": "77", "associatedContactId": "501"}
    house.answers["GET", f"{threads}/messages?limit=100"] = {
        "results": [
            message("3", "A-9", "OUTGOING", f"It is {WORDS}, sign today."),
            message("2", "V-1", "INCOMING", "What does it cost?"),
            message("4", "A-9", "OUTGOING", "A note between us", "COMMENT"),
        ],
        "paging": {"next": {"after": "x=="}},
    }
    house.answers["GET", f"{threads}/messages?limit=100&after=x%3D%3D"] = {
        "results": [message("1", "B-2", "OUTGOING", "Hello, I am a bot.")]
    }
    house.answers["PATCH", "/crm/v3/objects/contacts/501"] = {"id": "501"}
    return example("hubspot_relay")


def hubspot_sent(at_ms: float, value: str = "CLOSED") -> tuple[bytes, dict[str, str]]:
    event = {"subscriptionType": "conversation.propertyChange", "propertyName": "status", "propertyValue": value}
    body = json.dumps(
        [{"subscriptionType": "conversation.creation", "objectId": 5}, {**event, "objectId": 77}]
    ).encode()
    said = str(int(at_ms))
    content = f"POST{PUBLIC_URL}/hubspot".encode() + body + said.encode()
    return body, {"X-HubSpot-Signature-v3": signed("sha256", content), "X-HubSpot-Request-Timestamp": said}


def test_hubspot(hubspot: Any, house: House, deliver: Deliver) -> None:
    body, headers = hubspot_sent(time.time() * 1000)
    assert deliver(hubspot, "/hubspot", body, headers) == 204
    (answer,) = house.scored
    assert answer["conversation_id"] == "77"
    assert [(turn["id"], turn["role"]) for turn in answer["turns"]] == [("1", "bot"), ("2", "customer"), ("3", "agent")]
    (written,) = house.calls("PATCH")
    found = {"softsell_risk": answer["mis_selling"]["risk"], "softsell_band": answer["mis_selling"]["band"]}
    assert written.json() == {"properties": found}
    assert written.headers["Authorization"] == "Bearer t"


def test_hubspot_passes_over_open_threads(hubspot: Any, house: House, deliver: Deliver) -> None:
    body, headers = hubspot_sent(time.time() * 1000, "OPEN")
    assert deliver(hubspot, "/hubspot", body, headers) == 204
    assert house.asked == []


@pytest.mark.parametrize("wrong", ["old", "body", "none", "no time"])
def test_hubspot_refused(hubspot: Any, house: House, deliver: Deliver, wrong: str) -> None:
    body, headers = hubspot_sent(time.time() * 1000 - (301_000 if wrong == "old" else 0))
    if wrong == "body":
        body = body.replace(b"77", b"78")
    elif wrong == "none":
        del headers["X-HubSpot-Signature-v3"]
    elif wrong == "no time":
        del headers["X-HubSpot-Request-Timestamp"]
    assert deliver(hubspot, "/hubspot", body, headers) == 403
    assert house.asked == []


# Zendesk


@pytest.fixture
def zendesk(house: House, example: Loaded, monkeypatch: pytest.MonkeyPatch) -> Any:
    for name in ("USER", "TOKEN"):
        monkeypatch.setenv(f"ZENDESK_{name}", "x")
    monkeypatch.setenv("ZENDESK_SIGNING_SECRET", SECRET)
    monkeypatch.setenv("ZENDESK_URL", house.url)

    def comment(id_: int, author: int, text: str, public: bool = True) -> dict[str, Any]:
        made = {
            "id": id_,
            "type": "Comment",
            "author_id": author,
            "public": public,
            "created_at": f"2026-03-04T10:0{id_}:00Z",
        }
        return {**made, "body": text, "plain_body": text, "via": {"channel": "web"}}

    first = "/api/v2/tickets/35/comments.json?include=users"
    house.answers["GET", first] = {
        "comments": [comment(1, 8, "I want to cancel."), comment(2, 2, "Mind the tone", public=False)],
        "users": [{"id": 8, "name": "Ann", "role": "end-user"}, {"id": 2, "name": "Bo", "role": "agent"}],
        "next_page": f"{house.url}{first}&page=2",
    }
    house.answers["GET", f"{first}&page=2"] = {
        "comments": [comment(3, 2, f"The new plan is {WORDS} to be better.")],
        "users": [],
        "next_page": None,
    }
    house.answers["PUT", "/api/v2/tickets/35.json"] = {"ticket": {}}
    house.answers["PUT", "/api/v2/tickets/35/tags.json"] = {"tags": []}
    return example("zendesk_relay")


def zendesk_sent(at: datetime) -> tuple[bytes, dict[str, str]]:
    body, said = b'{"ticket_id": "35"}', at.strftime("%Y-%m-%dT%H:%M:%SZ")
    signature = signed("sha256", said.encode() + body)
    return body, {"X-Zendesk-Webhook-Signature": signature, "X-Zendesk-Webhook-Signature-Timestamp": said}


def test_zendesk(zendesk: Any, house: House, deliver: Deliver) -> None:
    body, headers = zendesk_sent(datetime.now(UTC))
    assert deliver(zendesk, "/zendesk", body, headers) == 204
    (answer,) = house.scored
    assert [turn["role"] for turn in answer["turns"]] == ["customer", "agent"]
    tagged, written = house.calls("PUT")
    assert tagged.json() == {"tags": ["softsell_scored", f"softsell_{answer['mis_selling']['band']}"]}
    ticket = written.json()["ticket"]
    assert ticket["comment"]["public"] is False
    assert "tags" not in ticket
    assert f"({answer['mis_selling']['band']})" in ticket["comment"]["body"]
    # The note says numbers, and repeats nobody.
    assert WORDS not in ticket["comment"]["body"]


@pytest.mark.parametrize("wrong", ["old", "body", "none", "no time"])
def test_zendesk_refused(zendesk: Any, house: House, deliver: Deliver, wrong: str) -> None:
    body, headers = zendesk_sent(datetime.now(UTC) - timedelta(seconds=320 if wrong == "old" else 0))
    if wrong == "body":
        body = body.replace(b"35", b"36")
    elif wrong == "none":
        del headers["X-Zendesk-Webhook-Signature"]
    elif wrong == "no time":
        headers["X-Zendesk-Webhook-Signature-Timestamp"] = "soon"
    assert deliver(zendesk, "/zendesk", body, headers) == 403
    assert house.asked == []


def test_a_failure_is_logged_by_its_kind_only(
    zendesk: Any, house: House, deliver: Deliver, caplog: pytest.LogCaptureFixture
) -> None:
    house.answers.clear()
    body, headers = zendesk_sent(datetime.now(UTC))
    assert deliver(zendesk, "/zendesk", body, headers) == 204
    assert "CallFailed" in caplog.text
    assert "35" not in caplog.text.replace("relay", "")
