"""Scores calls when Twilio has their transcript: a webhook of Conversational (Voice) Intelligence.

Settings: SOFTSELL_URL; PUBLIC_URL, the origin that Twilio calls, such as https://relay.example.com; TWILIO_ACCOUNT_SID
and TWILIO_AUTH_TOKEN; TWILIO_ROLES (`1=agent,2=customer`), for transcripts that name no participants; PORT (8080).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import os
import re
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

from calls import ask, score, summary
from webhooks import Incoming, Relay, same

log = logging.getLogger("relay")


def genuine(incoming: Incoming) -> bool:
    """Whether `X-Twilio-Signature` is right: HMAC-SHA1 of the URL and, of a form, its sorted fields.

    The signature of a JSON body covers the body by way of `bodySHA256` in the URL.
    """
    signed = incoming.url
    if incoming.headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded"):
        fields = parse_qsl(incoming.body.decode("utf-8", "replace"), keep_blank_values=True)
        signed += "".join(name + value for name, value in sorted(fields))
    else:
        said = parse_qs(urlsplit(incoming.url).query).get("bodySHA256", [""])[0]
        if not same(hashlib.sha256(incoming.body).hexdigest(), said.lower()):
            return False
    digest = hmac.new(os.environ["TWILIO_AUTH_TOKEN"].encode(), signed.encode(), hashlib.sha1).digest()
    return same(base64.b64encode(digest).decode(), incoming.headers.get("X-Twilio-Signature"))


def _event(incoming: Incoming) -> dict[str, Any]:
    if incoming.headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded"):
        return dict(parse_qsl(incoming.body.decode()))
    event: dict[str, Any] = json.loads(incoming.body)
    return event


def transcript(sid: str) -> dict[str, Any]:
    """All sentences of a transcript, beside who was on which channel."""
    api = os.environ.get("TWILIO_API", "https://intelligence.twilio.com")
    secret = f"{os.environ['TWILIO_ACCOUNT_SID']}:{os.environ['TWILIO_AUTH_TOKEN']}"
    headers = {"Authorization": "Basic " + base64.b64encode(secret.encode()).decode()}
    channel = ask("GET", f"{api}/v2/Transcripts/{sid}", headers=headers)["channel"]
    sentences: list[Any] = []
    url: str | None = f"{api}/v2/Transcripts/{sid}/Sentences?PageSize=1000"
    while url and url.startswith(api):
        page = ask("GET", url, headers=headers)
        sentences += page["sentences"]
        url = page["meta"].get("next_page_url")
    return {"channel": channel, "sentences": sentences}


def work(incoming: Incoming) -> dict[str, Any] | None:
    """Fetch and score what the event tells of. Put the result where your people look; here it is logged."""
    event = _event(incoming)
    sid = str(event.get("transcript_sid", ""))
    if event.get("event_type") != "voice_intelligence_transcript_available" or not re.fullmatch(r"GT\w{32}", sid):
        return None
    document = json.dumps(transcript(sid)).encode()
    found = summary(score(document, roles=os.environ.get("TWILIO_ROLES", "1=agent,2=customer")))
    log.info("%s %s", sid, json.dumps(found))
    return found


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    Relay(int(os.environ.get("PORT", "8080")), os.environ["PUBLIC_URL"], genuine, work).serve_forever()
