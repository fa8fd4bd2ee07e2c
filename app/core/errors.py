"""The error tree of softsell.

Each error has a stable `code` that callers may branch on, and a message that says what to do next.
No message carries words of a transcript: errors travel into logs and into other people's trackers.
None knows an HTTP status; `app.api.problems` holds the one table from error to status.

    SoftsellError
    ├── InvalidConversation     the conversation breaks a rule of its shape
    │   └── LimitExceeded       … or a limit of size
    ├── UnreadableTranscript    a file is of no known format, or broken
    ├── InvalidRelease          a model release is damaged, incomplete or not of this software
    ├── ModelFailed             the forward pass raised or gave numbers that are not finite
    ├── StoreUnavailable        what is stored cannot be read or written at present
    ├── Overloaded              the queue is full
    └── DeadlineExceeded        the work was not done in time
"""

from __future__ import annotations


class SoftsellError(Exception):
    """Base of all errors that softsell raises on purpose."""

    code = "softsell_error"


class InvalidConversation(SoftsellError):
    """The conversation breaks a rule of its shape; `turn` is the index of the turn that does, if one does."""

    code = "invalid_conversation"

    def __init__(self, message: str, turn: int | None = None) -> None:
        super().__init__(message)
        self.turn = turn


class LimitExceeded(InvalidConversation):
    """The conversation is larger than a limit; the message names the limit."""

    code = "limit_exceeded"


class UnreadableTranscript(SoftsellError):
    """A document is of no known transcript format, or is broken; the message says where."""

    code = "unreadable_transcript"


class InvalidRelease(SoftsellError):
    """A model release is damaged, incomplete, or made for another version of softsell."""

    code = "invalid_release"


class ModelFailed(SoftsellError):
    """The forward pass raised, or gave numbers that are not finite."""

    code = "model_failed"


class StoreUnavailable(SoftsellError):
    """The database is full, locked, read-only, damaged or gone: `reason` is a stable word for which."""

    code = "store_unavailable"

    def __init__(self, message: str, reason: str = "misconfigured") -> None:
        super().__init__(message)
        self.reason = reason


class Overloaded(SoftsellError):
    """The queue is full; try again after `retry_after_s` seconds."""

    code = "overloaded"

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class DeadlineExceeded(SoftsellError):
    """The work was not finished before its deadline."""

    code = "deadline_exceeded"
