"""Every number that bounds work, each with what happens beyond it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one server. Beyond a limit there is an answer, never a wait without end."""

    max_body_bytes: int = 1_048_576
    """A larger request body is answered with 413 before it is read to its end."""

    max_batch_bytes: int = 200 * 1_048_576
    """A larger body of a batch is answered with 413; each line of it is bounded by `max_body_bytes`."""

    max_batch_items: int = 50_000
    """A batch of more conversations is answered with 422."""

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
    """More conversations at once, waiting or running, are refused with 503 and `Retry-After`; so in each lane."""

    max_cache_bytes: int = 1_024 * 1_048_576
    """Beyond it the least recent conversations are forgotten, and read again when they go on; a live call
    takes some 6 MB while it is spoken."""

    max_webhooks: int = 20
    """A tenant that wants more of them is answered with 422."""

    deadline_s: float = 30.0
    """A conversation that is not scored by then is answered with 504, and its work is dropped."""

    body_timeout_s: float = 10.0
    """A request whose body has not come in by then is answered with 408; so is a batch that pauses for longer."""

    batch_body_timeout_s: float = 900.0
    """A batch that has not come in by then is answered with 408."""

    max_live_conversations: int = 1_000
    """A tenant that opens more of them takes the place of its own idle ones; if none is idle, it gets 503."""

    max_live_bytes: int = 256 * 1_048_576
    """Beyond it idle live conversations are forgotten, the longest idle first; if none is idle, turns are refused."""

    live_idle_s: float = 900.0
    """A live conversation without a turn for so long is forgotten; a further turn is answered with 410."""

    stream_idle_s: float = 60.0
    """A socket on which nothing comes in for so long, not even `keepalive`, is closed with 4002."""

    stream_grace_s: float = 60.0
    """How long a session waits for its client to come back, with all that it has not acknowledged."""

    max_unacknowledged_frames: int = 1_000
    """Beyond it a session scores nothing more, and its socket is closed with 4005, until frames are acknowledged."""

    max_unacknowledged_bytes: int = 4 * 1_048_576
    """The same in bytes; a session's result is kept whatever its size."""
