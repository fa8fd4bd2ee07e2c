"""Whether the model works, as its last forward passes tell."""

from __future__ import annotations

from dataclasses import dataclass

FAILURES_UNTIL_UNHEALTHY = 3


@dataclass(frozen=True, slots=True)
class Health:
    """What the last forwards say of the model.

    `last_success_s` is the age in seconds of the last forward that succeeded; infinite before one.
    `stuck_workers` counts threads inside one window for longer than a whole conversation may take.
    """

    failures_in_row: int
    last_success_s: float
    stuck_workers: int
    workers: int

    @property
    def stuck(self) -> bool:
        """Whether no worker is left that could do anything; only a restart helps."""
        return self.stuck_workers >= self.workers

    @property
    def healthy(self) -> bool:
        """Whether a request can be expected to succeed."""
        return self.failures_in_row < FAILURES_UNTIL_UNHEALTHY and not self.stuck
