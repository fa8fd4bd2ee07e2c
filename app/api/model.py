"""GET /v1/model: which model answers, its thresholds, and what was measured of it."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from app.api import problems
from app.api.runtime import Runtime
from app.api.schemas import Probability
from app.core.labels import LABEL_SET_VERSION


class Threshold(BaseModel):
    """From which probability on a turn counts as showing a label."""

    label: str = Field(description="A label of /v1/labels.")
    probability: Probability = Field(description="At or above it, the turn shows the label.")


class Bands(BaseModel):
    """From which risk on a conversation is in a band."""

    medium_from: Probability = Field(description="Below it, the band is low.")
    high_from: Probability = Field(description="At or above it, the band is high.")


class ModelAnswer(BaseModel):
    """The model that answers, and what was measured of it."""

    model_version: str = Field(description="The version of the release.")
    label_set_version: str = Field(description="The version of the definitions at /v1/labels.")
    engine: str = Field(description="onnx, torch, or stub, which has no weights and known answers.")
    thresholds: list[Threshold] = Field(description="One for each label.")
    bands: Bands = Field(description="Of a conversation's risk.")
    evaluation: dict[str, Any] = Field(description="The numbers of the model's card; empty for the stub.")
    manifest: dict[str, Any] = Field(description="How the release was made: files with sha256, data, configuration.")


def router(runtime: Runtime) -> APIRouter:
    """The routes of this noun."""
    routes = APIRouter(tags=["model"])

    @routes.get("/v1/model", operation_id="model", summary="The model", responses=problems.declared(503))
    async def model() -> ModelAnswer:
        """The version that answers, its thresholds and bands, and the numbers of its card."""
        service = runtime.service
        return ModelAnswer(
            model_version=service.model_version,
            label_set_version=LABEL_SET_VERSION,
            engine=runtime.settings.engine,
            thresholds=[Threshold(label=name, probability=value) for name, value in service.thresholds.items()],
            bands=Bands(**service.bands),
            evaluation=dict(service.evaluation),
            manifest=dict(service.manifest),
        )

    return routes
