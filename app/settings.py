"""What an operator may set, by environment variable (12-factor): `SOFTSELL_` and the name in capitals.

Read once by whoever starts a process and handed on; nothing else reads the environment. Limits are
set with a double underscore: `SOFTSELL_LIMITS__DEADLINE_S=10`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.engine.limits import Limits

MODELS = Path(__file__).resolve().parent.parent / "models"


class Settings(BaseSettings):
    """All settings, with their defaults."""

    model_config = SettingsConfigDict(env_prefix="SOFTSELL_", env_nested_delimiter="__", frozen=True, extra="ignore")

    model_dir: Path | None = Field(None, description="The release to serve; the newest one in models/ if not set.")
    engine: Literal["onnx", "torch", "stub"] = Field(
        "onnx", description="What computes scores. `stub` has no weights and known answers: for tests only."
    )
    workers: int = Field(2, ge=1, le=64, description="Conversations scored at the same time, one thread each.")
    host: str = Field("127.0.0.1", description="The address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="The port to listen on.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="How much to log.")
    limits: Limits = Field(default_factory=Limits, description="Bounds of work; see app/engine/limits.py.")
