"""What a batch looks like on the wire, and how it is made from the stored one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, Field

from app.api.schemas import Probability
from app.store.batches import FINAL
from app.store.tables import Batch

_State = Literal["validating", "in_progress", "finalizing", "completed", "failed", "cancelling", "cancelled", "expired"]


class RequestCounts(BaseModel):
    """Conversations of a batch."""

    total: int = Field(description="As many as were received; more while it is validating.")
    completed: int = Field(description="Scored.")
    failed: int = Field(description="Not scored, for a reason in the errors.")
    cancelled: int = Field(description="Not scored, since the batch was cancelled or expired.")


class BatchOptions(BaseModel):
    """What a batch was sent with; see `Options`."""

    evidence: bool = Field(description="Whether the words that show each label are named.")
    turns: bool = Field(description="Whether each turn's score is given.")
    redact: bool = Field(description="Whether who is spoken of is masked.")
    store: bool = Field(description="Whether each answer is stored.")
    store_text: bool = Field(description="Whether what was said is stored as well.")


class BatchAnswer(BaseModel):
    """A batch, and how far it is."""

    id: str = Field(description="Of the batch.")
    object: Literal["batch"] = Field(description="Always `batch`.")
    status: _State = Field(
        description="validating: it is being received; in_progress; finalizing: its files are being made; completed; "
        "failed: no line of it could be read; cancelling; cancelled; expired: it was not done in time."
    )
    created_at: datetime = Field(description="When it began to come in.")
    started_at: datetime | None = Field(description="When it was there.")
    finished_at: datetime | None = Field(description="When it became final.")
    expires_at: datetime | None = Field(description="What is not scored by then is not scored any more.")
    deleted_at: datetime | None = Field(description="When it is deleted with its results.")
    options: BatchOptions = Field(description="What holds for each conversation that does not say otherwise.")
    request_counts: RequestCounts = Field(description="How many.")
    progress: Probability = Field(description="The part that is done, 0 to 1.")
    conversations_per_s: float | None = Field(description="Since it started; null before the first one is done.")
    seconds_left: float | None = Field(description="At this pace; null if it is not known.")
    error: str | None = Field(description="A stable code, where the batch as a whole went wrong.")


class BatchList(BaseModel):
    """Some of a tenant's batches."""

    batches: list[BatchAnswer] = Field(description="The newest first.")
    next_cursor: str | None = Field(description="Send it as `cursor` for those that follow; null if there are none.")


def batch_answer(batch: Batch) -> BatchAnswer:
    """The wire form of a batch."""
    ended = batch.done + batch.failed + batch.cancelled
    elapsed_s = (
        ((batch.finished_at or datetime.now(UTC)) - batch.started_at).total_seconds() if batch.started_at else 0.0
    )
    pace = batch.done / elapsed_s if batch.done and elapsed_s > 0 else None
    over = batch.status in FINAL
    return BatchAnswer(
        id=batch.id,
        object="batch",
        status=batch.status,  # type: ignore[arg-type]
        created_at=batch.created_at,
        started_at=batch.started_at,
        finished_at=batch.finished_at,
        expires_at=batch.expires_at,
        deleted_at=batch.kept_until,
        options=BatchOptions.model_validate(batch.options),
        request_counts=RequestCounts(
            total=batch.total, completed=batch.done, failed=batch.failed, cancelled=batch.cancelled
        ),
        progress=1.0 if over else ended / batch.total if batch.total and batch.started_at else 0.0,
        conversations_per_s=None if pace is None else round(pace, 3),
        seconds_left=0.0 if over else None if pace is None else round((batch.total - ended) / pace, 1),
        error=batch.error,
    )
