"""HTML bodies of messages as plain text. Never raises, and takes a time that grows with the body alone."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser

# A body beyond this is no message that somebody typed; only its tags are taken out.
_LONGEST = 1 << 18
_MARKUP = re.compile(r"<[a-zA-Z/!?]")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_DECLARATION = re.compile(r"<[!?][^<>]*>?")
_ANY_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")
_SPACES = re.compile(r"[ \t\r\n\f]+")
_BLOCK_NAMES = (
    "address article aside blockquote body br center dd details div dl dt fieldset figcaption figure footer form h1 "
    "h2 h3 h4 h5 h6 header hr html li main nav ol p pre section summary table tbody td tfoot th thead tr ul"
)
_BLOCKS = frozenset(_BLOCK_NAMES.split())
_UNSEEN = frozenset({"script", "style", "title", "template"})


class _Words(HTMLParser):
    """Collects what a reader of the page sees."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._unseen: str | None = None

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002 (the parser's signature)
        if tag in _UNSEEN and self._unseen is None:
            self._unseen = tag
        elif tag in _BLOCKS:
            self.parts.append("\n")

    def handle_startendtag(self, tag: str, attrs: object) -> None:  # noqa: ARG002
        if tag in _BLOCKS:
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag == self._unseen:
            self._unseen = None
        elif tag in _BLOCKS:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if self._unseen is None:
            self.parts.append(_SPACES.sub(" ", data))


def _parsed(body: str) -> str:
    # The parser looks for the end of each of these over all that follows, and may raise on what it finds.
    last = body.rfind("-->") + 3
    if last > 2:
        body = _COMMENT.sub(" ", body[:last]) + body[last:]
    body = _DECLARATION.sub(" ", body)
    # What opens after the last end of a tag is no tag; the parser would look for its end again and again.
    end = body.rfind(">") + 1
    words = _Words()
    words.feed(body[:end])
    words.close()
    if words._unseen is None:
        words.parts.append(_SPACES.sub(" ", unescape(body[end:])))
    return "".join(words.parts)


def plain(body: str) -> str:
    """The words of an HTML body: blocks on lines of their own, entities decoded, scripts and styles left out.

    A body without a tag is text already: its line breaks stay.
    """
    if not _MARKUP.search(body):
        return (unescape(body) if "&" in body else body).strip()
    if len(body) <= _LONGEST:
        try:
            text = _parsed(body)
        except (AssertionError, ValueError, RecursionError):
            text = unescape(_ANY_TAG.sub("\n", body))
    else:
        text = unescape(_ANY_TAG.sub("\n", body))
    return "\n".join(line for line in (line.strip(" \t") for line in text.split("\n")) if line).strip()
