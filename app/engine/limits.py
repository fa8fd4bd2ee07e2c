"""Every number that bounds work, each with what happens beyond it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one server. Beyond a limit there is an answer, never a wait without end."""

    max_body_bytes: int = 1_048_576
    """A larger request body is answered with 413 before it is read to its end."""

    max_turns: int = 2_000
    """A conversation of more turns is answered with 422; a three-hour call has about this many."""

    max_turn_characters: int = 20_000
    """A longer turn is answered with 422; an hour of speech without a pause has about twice as many."""

    max_conversation_characters: int = 300_000
    """More text in all its turns is answered with 422; it bounds the time of one request."""

    max_id_characters: int = 200
    """Longer ids, names of speakers and values of metadata are answered with 422."""

    max_metadata_entries: int = 50
    """More entries are answered with 422."""

    max_waiting: int = 64
    """More conversations at once, waiting or running, are refused with 503 and `Retry-After`."""

    deadline_s: float = 30.0
    """A conversation that is not scored by then is answered with 504, and its work is dropped."""

    body_timeout_s: float = 10.0
    """A request whose body has not come in by then is answered with 408."""
