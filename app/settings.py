"""What an operator may set, by environment variable (12-factor): `SOFTSELL_` and the name in capitals.

Read once by whoever starts a process and handed on; nothing else reads the environment. Limits are
set with a double underscore: `SOFTSELL_LIMITS__DEADLINE_S=10`.
"""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Literal

from platformdirs import user_data_path
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.engine.limits import Limits

MODELS = Path(__file__).resolve().parent.parent / "models"


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


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
    auth: Literal["auto", "keys", "none"] = Field(
        "auto",
        description="Whether callers need a key. `auto`: not on a loopback address, and everywhere else; behind a "
        "proxy on the same machine, set `keys`.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="How much to log.")
    data_dir: Path = Field(
        default_factory=lambda: user_data_path("softsell"),
        description="Where the store's file is made, when something has to be stored.",
    )
    database_url: str | None = Field(
        None,
        pattern=r"^(sqlite:///|postgresql://|postgresql\+psycopg://)",
        repr=False,
        description="The store: sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME; softsell.db in data_dir if "
        "not set.",
    )
    retention_days: int = Field(
        30, ge=1, le=36_500, description="Days that a stored conversation is kept, from when it was stored."
    )
    backup_retention_days: int = Field(
        30, ge=0, le=36_500, description="Days that you keep a backup: what is erased may be in one until then."
    )
    batch_window_hours: int = Field(
        24, ge=1, le=8_760, description="Hours that a batch may take; what is not scored by then is not scored."
    )
    allowed_origins: tuple[str, ...] = Field(
        (),
        description="Origins whose pages may open a socket, as a JSON list; those of the same host always may.",
    )
    webhook_key: SecretStr | None = Field(
        None,
        min_length=32,
        description="What keeps webhooks' secrets; webhook.key in data_dir if not set. Set the same on all servers "
        "that share a database.",
    )
    allowed_webhook_hosts: frozenset[str] = Field(
        frozenset(),
        description='HOST:PORT of webhooks inside your network, as `["crm.intranet:8080"]`: there, private addresses, '
        "any port and plain http are allowed.",
    )
    limits: Limits = Field(default_factory=Limits, description="Bounds of work; see app/engine/limits.py.")

    @property
    def keys_required(self) -> bool:
        """Whether callers need a key."""
        return self.auth == "keys" or (self.auth == "auto" and not _is_loopback(self.host))

    @property
    def store_url(self) -> str:
        """The URL of the database."""
        return self.database_url or f"sqlite:///{self.data_dir / 'softsell.db'}"
