"""GET /v1/labels: what softsell scores, by which definitions; the same for every caller."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field

from app.core.conversation import Role
from app.core.labels import (
    DISMISSIVE,
    EMPATHY_DIMENSIONS,
    LABEL_SET_VERSION,
    MIS_SELLING,
    PRACTICE,
    SEVERITY_LEVELS,
    SIGNALS,
    Group,
    Label,
)


class LabelAnswer(BaseModel):
    """A yes-or-no label of a turn."""

    name: str = Field(description="As in scores and evidence.")
    role: Role = Field(description="Whose turns can show it.")
    definition: str = Field(description="What shows the label.")
    excludes: str = Field(description="What looks like it and is not; may be empty.")
    rules: list[str] = Field(description="Laws and guidance the definition comes from; no finding of a breach.")


class LabelGroup(BaseModel):
    """Labels that speak of one thing."""

    name: str = Field(description="As in scores: mis_selling, practice, empathy or signals.")
    labels: list[LabelAnswer] = Field(description="In the order of scores.")


class EmpathyLevel(BaseModel):
    """One level of a dimension."""

    level: int = Field(description="From 0 upwards.")
    definition: str = Field(description="What it takes.")


class EmpathyDimension(BaseModel):
    """An ordinal dimension of empathy."""

    name: str = Field(description="As in scores.")
    levels: list[EmpathyLevel] = Field(description="From none to strong.")


class SeverityLevel(BaseModel):
    """How bad a conversation is as a whole; risk is the probability of level 2 or 3."""

    level: int = Field(description="From 0 upwards.")
    definition: str = Field(description="What it takes.")


class LabelsAnswer(BaseModel):
    """What softsell scores, by which definitions."""

    label_set_version: str = Field(description="Moves with any change of a name or a definition.")
    groups: list[LabelGroup] = Field(description="Yes-or-no labels.")
    empathy_dimensions: list[EmpathyDimension] = Field(description="Ordinal dimensions of agent turns.")
    severity_levels: list[SeverityLevel] = Field(description="Of a whole conversation, from fair to severe.")


_GROUPS = {
    Group.MIS_SELLING: MIS_SELLING,
    Group.PRACTICE: PRACTICE,
    Group.EMPATHY: (DISMISSIVE,),
    Group.SIGNALS: SIGNALS,
}


def _label(label: Label) -> LabelAnswer:
    return LabelAnswer(
        name=label.name,
        role=label.role,
        definition=label.definition,
        excludes=label.excludes,
        rules=list(label.rules),
    )


def label_set() -> LabelsAnswer:
    """The label set in its wire form."""
    return LabelsAnswer(
        label_set_version=LABEL_SET_VERSION,
        groups=[
            LabelGroup(name=group, labels=[_label(label) for label in labels]) for group, labels in _GROUPS.items()
        ],
        empathy_dimensions=[
            EmpathyDimension(
                name=dimension.name,
                levels=[EmpathyLevel(level=level, definition=text) for level, text in enumerate(dimension.levels)],
            )
            for dimension in EMPATHY_DIMENSIONS
        ],
        severity_levels=[SeverityLevel(level=level, definition=text) for level, text in enumerate(SEVERITY_LEVELS)],
    )


def router() -> APIRouter:
    """The routes of this noun."""
    routes = APIRouter(tags=["labels"])
    answer = label_set()

    @routes.get("/v1/labels", operation_id="labels", summary="The label set")
    async def labels() -> LabelsAnswer:
        """Every label with its definition and the rules it comes from."""
        return answer

    return routes
