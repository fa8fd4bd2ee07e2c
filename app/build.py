"""Joins settings, release, scorer and store; the only file that sees both engine and model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from app.core.calibration import Calibration
from app.core.classifier import Classifier
from app.engine.cache import PrefixCache
from app.engine.limits import Limits
from app.engine.scorer import Scorer
from app.model.release import Release, newest_release, open_release
from app.settings import MODELS, Settings
from app.store.batches import Batches
from app.store.conversations import Conversations
from app.store.database import Database
from app.store.keys import Keys

STUB_VERSION = "stub"


@dataclass(frozen=True, slots=True)
class Service:
    """A scorer, and what is known of the model behind it."""

    scorer: Scorer
    limits: Limits
    model_version: str
    manifest: Mapping[str, Any]
    evaluation: Mapping[str, Any]
    thresholds: Mapping[str, float]
    bands: Mapping[str, float]


def _bands(calibration: Calibration) -> dict[str, float]:
    return {"medium_from": calibration.medium_from, "high_from": calibration.high_from}


def classifier_of(release: Release, engine: str, threads: int = 1) -> Classifier:
    """The classifier of an opened release, by `Settings.engine`."""
    if engine == "torch":
        # Imported only where asked for: the serving path installs without torch.
        from app.model.torch import TorchClassifier

        return TorchClassifier.of(release)
    from app.model.onnx import OnnxClassifier

    return OnnxClassifier(release, threads)


def build(settings: Settings) -> Service:
    """Open the release and make the scorer.

    Raises:
        InvalidRelease: if there is no release, or it is not what was sealed.
    """
    cache = PrefixCache(settings.limits.max_cache_bytes)
    if settings.engine == "stub":
        from app.model.stub import StubClassifier, stub_calibration

        calibration = stub_calibration()
        scorer = Scorer(StubClassifier(), calibration, settings.limits, cache)
        manifest = {"version": STUB_VERSION}
        return Service(scorer, settings.limits, STUB_VERSION, manifest, {}, calibration.thresholds, _bands(calibration))
    release = open_release(settings.model_dir or newest_release(MODELS))
    calibration = release.calibration
    scorer = Scorer(classifier_of(release, settings.engine, settings.workers), calibration, settings.limits, cache)
    return Service(
        scorer,
        settings.limits,
        release.version,
        release.manifest,
        release.evaluation,
        calibration.thresholds,
        _bands(calibration),
    )


def conversations_of(settings: Settings) -> Conversations:
    """The stored conversations and their database, which is opened at the first use.

    Raises:
        StoreUnavailable: if the database's URL is of no known kind.
    """
    return Conversations(
        Database(settings.store_url),
        timedelta(days=settings.retention_days),
        timedelta(days=settings.backup_retention_days),
    )


def keys_of(settings: Settings) -> Keys:
    """The keys of callers and their database, which is opened at the first use.

    Raises:
        StoreUnavailable: if the database's URL is of no known kind.
    """
    return Keys(Database(settings.store_url))


def batches_of(settings: Settings, database: Database) -> Batches:
    """The stored batches."""
    window, retention = timedelta(hours=settings.batch_window_hours), timedelta(days=settings.retention_days)
    return Batches(database, window, retention)
