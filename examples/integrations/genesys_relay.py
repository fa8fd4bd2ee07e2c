"""Scores live Genesys Cloud calls from notifications of the topic `v2.conversations.{id}.transcription`.

    python genesys_relay.py <conversation id> …

Settings: SOFTSELL_URL, GENESYS_REGION (`mypurecloud.com`), GENESYS_TOKEN (OAuth, with conversation:transcription:view).
The WebSocket needs `pip install websockets`; all else is the standard library.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable
from typing import Any

from calls import CallFailed, ask, score, summary

log = logging.getLogger("relay")
_MOST_MESSAGES = 2_000
_MOST_CALLS = 500


class Calls:
    """The messages of each call so far. A call is scored whole each time: what was scored keeps its score."""

    def __init__(self, show: Callable[[str, dict[str, Any]], None], roles: str = "internal=agent") -> None:
        self._messages: dict[str, list[dict[str, Any]]] = {}
        self._show = show
        self._roles = roles

    def take(self, message: dict[str, Any]) -> None:
        """One message of the WebSocket, or the `detail` of one from Amazon EventBridge."""
        body = message.get("eventBody") or {}
        call = body.get("conversationId")
        if not call or not str(message.get("topicName", "")).endswith(".transcription"):
            return
        # The call that was heard of last stands last; the first is forgotten when there are too many.
        kept = self._messages.pop(call, [])
        self._messages[call] = kept
        if len(self._messages) > _MOST_CALLS:
            del self._messages[next(iter(self._messages))]
        if body.get("transcripts"):
            kept.append(message)
            del kept[:-_MOST_MESSAGES]
            self._score(call, kept)

    def _score(self, call: str, kept: list[dict[str, Any]]) -> None:
        try:
            answer = score(json.dumps(kept).encode(), roles=self._roles)
        except CallFailed as error:
            # The next message brings the whole call again.
            log.warning("call %s: %s", call, error)
            return
        self._show(call, summary(answer))


def channel(conversations: list[str]) -> str:
    """The address of a new notification channel that is subscribed to these conversations."""
    api = os.environ.get("GENESYS_API", f"https://api.{os.environ.get('GENESYS_REGION', 'mypurecloud.com')}")
    headers = {"Authorization": f"Bearer {os.environ['GENESYS_TOKEN']}", "Content-Type": "application/json"}
    made = ask("POST", f"{api}/api/v2/notifications/channels", b"{}", headers)
    topics = [{"id": f"v2.conversations.{conversation}.transcription"} for conversation in conversations]
    url = f"{api}/api/v2/notifications/channels/{made['id']}/subscriptions"
    ask("POST", url, json.dumps(topics).encode(), headers)
    return str(made["connectUri"])


def main() -> None:
    """Print a line a score."""
    from websockets.sync.client import connect

    calls = Calls(lambda call, scored: print(call, json.dumps(scored), flush=True))
    with connect(channel(sys.argv[1:])) as socket:
        for message in socket:
            calls.take(json.loads(message))


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    main()
