"""Scores Zendesk tickets that a trigger names, and adds an internal note and a tag.

The trigger's webhook sends {"ticket_id": "{{ticket.id}}"}. Settings: SOFTSELL_URL; PUBLIC_URL, the origin that Zendesk
calls; ZENDESK_URL, such as https://firm.zendesk.com; ZENDESK_USER and ZENDESK_TOKEN, an API token;
ZENDESK_SIGNING_SECRET, of the webhook; PORT (8080). Let the trigger pass over tickets tagged `softsell_scored`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import os
from datetime import UTC, datetime
from typing import Any

from calls import ask, score, summary
from webhooks import Incoming, Relay, same

log = logging.getLogger("relay")
_OLDEST_S = 300


def genuine(incoming: Incoming) -> bool:
    """Whether `X-Zendesk-Webhook-Signature` is right, and its time not five minutes off."""
    said = incoming.headers.get("X-Zendesk-Webhook-Signature-Timestamp", "")
    try:
        sent = datetime.fromisoformat(said)
    except ValueError:
        return False
    sent = sent if sent.tzinfo else sent.replace(tzinfo=UTC)
    if abs((datetime.now(UTC) - sent).total_seconds()) > _OLDEST_S:
        return False
    secret = os.environ["ZENDESK_SIGNING_SECRET"].encode()
    digest = hmac.new(secret, said.encode() + incoming.body, hashlib.sha256).digest()
    return same(base64.b64encode(digest).decode(), incoming.headers.get("X-Zendesk-Webhook-Signature"))


def _ask(method: str, url: str, body: Any = None) -> Any:
    secret = f"{os.environ['ZENDESK_USER']}/token:{os.environ['ZENDESK_TOKEN']}"
    headers = {
        "Authorization": "Basic " + base64.b64encode(secret.encode()).decode(),
        "Content-Type": "application/json",
    }
    return ask(method, url, None if body is None else json.dumps(body).encode(), headers)


def ticket(number: int) -> dict[str, Any]:
    """A ticket's comments with their authors; softsell leaves private ones out by itself."""
    api = os.environ["ZENDESK_URL"]
    found: dict[str, Any] = {"ticket": {"id": number}, "comments": [], "users": []}
    url: str | None = f"{api}/api/v2/tickets/{number}/comments.json?include=users"
    while url and url.startswith(api):
        page = _ask("GET", url)
        found["comments"] += page["comments"]
        found["users"] += page.get("users", [])
        url = page.get("next_page")
    return found


def work(incoming: Incoming) -> None:
    """Score the ticket that the event names."""
    number = int(json.loads(incoming.body)["ticket_id"])
    found = summary(score(json.dumps(ticket(number)).encode()))
    tags = ["softsell_scored"]
    note = f"softsell {found['model_version']}: not scored ({', '.join(found['abstained'])})."
    if found["band"]:
        tags.append(f"softsell_{found['band']}")
        note = (
            f"softsell {found['model_version']}: mis-selling risk {found['risk']:.2f} ({found['band']}), "
            f"most likely {found['category']}; empathy {found['empathy']:.2f}. "
            "A reason to read the ticket, not a finding."
        )
    place = f"{os.environ['ZENDESK_URL']}/api/v2/tickets/{number}"
    # The tags first: with them the note does not start the trigger again. An update with `tags` would drop others.
    _ask("PUT", f"{place}/tags.json", {"tags": tags})
    _ask("PUT", f"{place}.json", {"ticket": {"comment": {"body": note, "public": False}}})
    log.info("ticket %d: %s", number, json.dumps(found))


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    Relay(int(os.environ.get("PORT", "8080")), os.environ["PUBLIC_URL"], genuine, work).serve_forever()
