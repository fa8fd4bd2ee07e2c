"""What the examples share: calls with a timeout and retries, and the one call to softsell. Standard library only.

Nothing of a transcript is logged or put into an error: both name hosts, paths and statuses.
"""

from __future__ import annotations

import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import Any

TIMEOUT_S = 30.0
TRIES = 4
LONGEST_WAIT_S = 60.0
_TRY_AGAIN = {408, 429, 500, 502, 503, 504}


class CallFailed(Exception):
    """A call that was refused, or failed as often as it was tried; `status` is 0 if nothing came back."""

    def __init__(self, place: str, status: int) -> None:
        super().__init__(f"{place} answered {status}" if status else f"{place} did not answer")
        self.status = status


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would carry credentials and words to another host."""

    def redirect_request(self, *_: Any) -> None:
        """Follow none."""


_OPENER = urllib.request.build_opener(_NoRedirect)


def _wait_s(headers: Mapping[str, str] | None, attempt: int) -> float:
    """As long as `Retry-After` says, in seconds, or else 1, 2, 4."""
    said = (headers or {}).get("Retry-After", "")
    return min(float(said) if said.isdecimal() else 2.0**attempt, LONGEST_WAIT_S)


def ask(method: str, url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Any:
    """The JSON that a call answers with, or None. Raises `CallFailed`."""
    if not url.startswith(("https://", "http://")):
        raise ValueError("only http and https")
    parts = urllib.parse.urlsplit(url)
    place = f"{method} {parts.hostname}{parts.path}"
    for attempt in range(TRIES):
        request = urllib.request.Request(url, body, dict(headers or {}), method=method)  # noqa: S310
        status, sent_back = 0, None
        try:
            with _OPENER.open(request, timeout=TIMEOUT_S) as answer:
                content = answer.read()
                return json.loads(content) if content.strip() else None
        except urllib.error.HTTPError as error:
            with error:
                status, sent_back = error.code, error.headers
            if status not in _TRY_AGAIN:
                raise CallFailed(place, status) from None
        except OSError:
            # Not reached, or the time is up.
            pass
        if attempt + 1 < TRIES:
            time.sleep(_wait_s(sent_back, attempt))
    raise CallFailed(place, status)


def score(document: bytes, media_type: str = "application/json", *, roles: str = "") -> dict[str, Any]:
    """The score of a document as its system wrote it; `roles` as in `A=agent,B=customer`."""
    url = os.environ.get("SOFTSELL_URL", "http://127.0.0.1:8000") + "/v1/score"
    if roles:
        url += "?" + urllib.parse.urlencode({"roles": roles})
    headers = {"Content-Type": media_type}
    # Not needed where softsell listens on the same machine alone.
    if key := os.environ.get("SOFTSELL_KEY"):
        headers["X-API-Key"] = key
    answer: dict[str, Any] = ask("POST", url, document, headers)
    return answer


def summary(answer: Mapping[str, Any]) -> dict[str, Any]:
    """What may be shown or logged anywhere: numbers and codes, no words of the conversation."""
    risk = answer["mis_selling"] or {}
    categories = risk.get("categories", {})
    return {
        "risk": risk.get("risk"),
        "band": risk.get("band"),
        "category": max(categories, key=categories.get) if categories else None,
        "empathy": (answer["empathy"] or {}).get("score"),
        "model_version": answer["model_version"],
        "abstained": [item["code"] for item in answer["abstained"]],
    }
