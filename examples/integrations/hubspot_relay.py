"""Scores HubSpot chats when they are closed, and writes risk and band to the contact.

Settings: SOFTSELL_URL; PUBLIC_URL, the origin that HubSpot calls; HUBSPOT_CLIENT_SECRET, of the app; HUBSPOT_TOKEN,
with conversations.read and crm.objects.contacts.write; PORT (8080). The contact needs two properties of your
making: softsell_risk (number) and softsell_band (text).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import os
import time
from typing import Any
from urllib.parse import quote, unquote

from calls import ask, score, summary
from webhooks import Incoming, Relay, same

log = logging.getLogger("relay")
_OLDEST_MS = 300_000
_ROLES = {"A": "agent", "V": "customer", "B": "bot", "S": "system"}
_SIDES = {"INCOMING": "customer", "OUTGOING": "agent"}


def genuine(incoming: Incoming) -> bool:
    """Whether `X-HubSpot-Signature-v3` is right and not older than five minutes."""
    said = incoming.headers.get("X-HubSpot-Request-Timestamp", "")
    if not said.isdecimal() or abs(time.time() * 1000 - int(said)) > _OLDEST_MS:
        return False
    path, mark, query = incoming.url.partition("?")
    signed = f"{incoming.method}{unquote(path)}{mark}{query}".encode() + incoming.body + said.encode()
    digest = hmac.new(os.environ["HUBSPOT_CLIENT_SECRET"].encode(), signed, hashlib.sha256).digest()
    return same(base64.b64encode(digest).decode(), incoming.headers.get("X-HubSpot-Signature-v3"))


def _ask(method: str, path: str, body: Any = None) -> Any:
    api = os.environ.get("HUBSPOT_API", "https://api.hubapi.com")
    headers = {"Authorization": f"Bearer {os.environ['HUBSPOT_TOKEN']}", "Content-Type": "application/json"}
    return ask(method, api + path, None if body is None else json.dumps(body).encode(), headers)


def conversation(thread: str) -> dict[str, Any]:
    """A thread's messages as softsell's own kind of conversation; comments of the staff are left out."""
    messages: list[dict[str, Any]] = []
    after = ""
    while True:
        page = _ask("GET", f"/conversations/v3/conversations/threads/{thread}/messages?limit=100{after}")
        messages += page["results"]
        following = page.get("paging", {}).get("next", {}).get("after")
        if not following:
            break
        after = f"&after={quote(following, safe='')}"
    messages.sort(key=lambda message: message["createdAt"])
    turns = []
    for message in messages:
        if message.get("type") != "MESSAGE" or not (message.get("text") or "").strip():
            continue
        actor = (message.get("senders") or [{}])[0].get("actorId", "")
        role = _ROLES.get(actor.partition("-")[0]) or _SIDES.get(message.get("direction", ""), "unknown")
        turns.append({"id": message["id"], "role": role, "text": message["text"]})
    return {"conversation": {"id": thread, "channel": "chat", "turns": turns}}


def work(incoming: Incoming) -> None:
    """Score each thread that was closed; an event comes with others in a list."""
    for event in json.loads(incoming.body):
        closed = event.get("propertyName") == "status" and event.get("propertyValue") == "CLOSED"
        if event.get("subscriptionType") != "conversation.propertyChange" or not closed:
            continue
        thread = str(int(event["objectId"]))
        sent = conversation(thread)
        contact = _ask("GET", f"/conversations/v3/conversations/threads/{thread}").get("associatedContactId")
        if not contact or not sent["conversation"]["turns"]:
            continue
        found = summary(score(json.dumps(sent).encode()))
        properties = {"softsell_risk": found["risk"], "softsell_band": found["band"] or "not scored"}
        _ask("PATCH", f"/crm/v3/objects/contacts/{int(contact)}", {"properties": properties})
        log.info("thread %s: %s", thread, json.dumps(found))


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    Relay(int(os.environ.get("PORT", "8080")), os.environ["PUBLIC_URL"], genuine, work).serve_forever()
