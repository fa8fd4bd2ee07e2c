"""Zendesk tickets with their comments: an answer of the API, an exported ticket, or a page of tickets.

    {"ticket": {"id": 35, "requester_id": 8, "assignee_id": 2, "tags": []},
     "comments": [{"id": 1, "type": "Comment", "author_id": 8, "public": true, "via": {"channel": "web"},
                   "body": "…", "html_body": "<div>…</div>", "plain_body": "…", "created_at": "2009-07-20T22:55:29Z"}],
     "users": [{"id": 8, "name": "…", "role": "end-user"}]}

Comments with `public` false are notes of the staff and left out, as is a `VoiceComment`, the record of a
call. An author's role is that of the side-loaded `users` (`end-user`, `agent`, `admin`; for requests a flag
`agent`); without them only the requester and the assignee are known, the rest are of no known side.
A comment made by a rule is the system's, that of author -1 too. `plain_body` is
preferred to `html_body`, and that to `body`, which may hold Markdown. Comments may come the newest
first, so that they are sorted; times count from the first that is kept.
Source: https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_comments/.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import unescape
from typing import Any

from app.core.conversation import Channel, Conversation, Role
from app.transcripts.reader import Entry, JsonReader, LeftOut, each
from app.transcripts.shared.fields import label, labels, objects, stated, words
from app.transcripts.shared.html import plain
from app.transcripts.shared.spoken import Spoken, from_origin, in_order
from app.transcripts.shared.times import point_ms
from app.transcripts.tree import Node

_ROLES = {"end-user": Role.CUSTOMER, "agent": Role.AGENT, "admin": Role.AGENT, "system": Role.SYSTEM}

_People = dict[str, tuple[Role, str | None]]
"""Role and name of each known person, by id."""


def _is_comment(value: Any) -> bool:
    if not isinstance(value, dict) or "public" not in value or "author_id" not in value:
        return False
    return "body" in value or "html_body" in value or "plain_body" in value


def _has_comments(value: Any) -> bool:
    listed = value.get("comments") if isinstance(value, dict) else None
    return isinstance(listed, list) and any(_is_comment(item) for item in listed[:5])


def _tickets(root: Node) -> list[Node]:
    """What holds comments: this, its ticket, each of its tickets; or this where it is a list of comments."""
    value = root.value
    if isinstance(value, list):
        return [root] if value and _is_comment(value[0]) else []
    if not isinstance(value, dict) or _has_comments(value):
        return [root] if _has_comments(value) else []
    if _has_comments(value.get("ticket")):
        return [root["ticket"]]
    listed = value.get("tickets")
    return list(root["tickets"]) if isinstance(listed, list) and any(map(_has_comments, listed[:5])) else []


def _people(root: Node, ticket: Node) -> _People:
    found: _People = {"-1": (Role.SYSTEM, "system")}
    for holder in (root, ticket):
        for side, role in (("requester", Role.CUSTOMER), ("assignee", Role.AGENT)):
            if id_ := label(holder, f"{side}_id") or label(holder, side, "id"):
                found[id_] = (role, label(holder, side, "name"))
    for user in objects(root, "users") + objects(ticket, "users"):
        role = _ROLES.get(label(user, "role") or "", Role.UNKNOWN)
        if role is Role.UNKNOWN and isinstance(is_agent := user["agent"].value, bool):
            role = Role.AGENT if is_agent else Role.CUSTOMER
        if id_ := label(user, "id"):
            known = found.get(id_, (Role.UNKNOWN, None))
            found[id_] = (known[0] if role is Role.UNKNOWN else role, label(user, "name") or known[1])
    return found


def _text(comment: Node) -> str:
    if text := words(comment, "plain_body"):
        return unescape(text).strip()
    return plain(words(comment, "html_body") or "") or words(comment, "body") or ""


def _comment(comment: Node, people: _People) -> Spoken | LeftOut:
    if comment["public"].value is False:
        return LeftOut(comment.pointer, "a private note")
    if comment["type"].value == "VoiceComment":
        return LeftOut(comment.pointer, "the record of a call")
    text = _text(comment)
    if not text.strip():
        return LeftOut(comment.pointer, "no words")
    author = label(comment, "author_id")
    role, name = people.get(author or "", (Role.UNKNOWN, None))
    if label(comment, "via", "channel") in ("rule", "system"):
        role = Role.SYSTEM
    time = point_ms(comment["created_at"])
    return Spoken(role, text, time, None, name or author, comment.pointer, label(comment, "id"))


def _entry(root: Node, holder: Node) -> Entry:
    ticket = holder
    if isinstance(holder.value, dict) and isinstance(holder["ticket"].value, dict):
        ticket = holder["ticket"]
    people = _people(root, ticket)
    comments = list(holder) if isinstance(holder.value, list) else holder["comments"].items()
    found = [_comment(comment, people) for comment in comments]
    conversation = Conversation(
        in_order(from_origin(item for item in found if isinstance(item, Spoken))),
        id=label(ticket, "id"),
        channel=Channel.CHAT,
        metadata=stated(agent=label(ticket, "assignee_id"), via=label(ticket, "via", "channel")),
        source_categories=labels(ticket, "tags"),
    )
    return Entry(conversation, left_out=tuple(item for item in found if isinstance(item, LeftOut)))


def _read(root: Node) -> Iterator[Entry]:
    yield from each(_tickets(root), lambda node: _entry(root, node))


READER = JsonReader("zendesk_ticket", "Zendesk tickets", lambda value: bool(_tickets(Node(value))), _read)
