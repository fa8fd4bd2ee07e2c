"""What live conversations look like on the wire, at both of their doors: turns and policies in, scores and alerts out.

Bounds come from the server's own `Limits`, as in `app.api.requests`.
"""

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import BaseModel, Field, StrictBool, StrictFloat, StrictInt, StrictStr, create_model

from app.api.requests import Strict, turn_body
from app.api.schemas import (
    Abstained,
    Empathy,
    EvidenceSpan,
    MisSelling,
    Practice,
    ScoreAnswer,
    Signals,
    TurnAnswer,
    Usage,
    score_answer,
    turn_answer,
)
from app.build import Service
from app.core.alerts import (
    ALERT_LABELS,
    LONGEST_WINDOW_TURNS,
    USUAL_WINDOW_TURNS,
    Alert,
    AlertPolicy,
    AlertState,
    Change,
    Trigger,
    usual_policy,
    usual_trigger,
)
from app.core.conversation import Conversation, Turn
from app.core.labels import LABEL_SET_VERSION
from app.engine.limits import Limits
from app.engine.live import LiveConversation

_LARGEST_REVISION = 2**31 - 1
_DIGITS = 6

_Level = Annotated[StrictFloat, Field(gt=0, le=1)]


class TriggerBody(Strict):
    """When a category rings, and when it is quiet again; what is left out is the release's."""

    on: _Level | None = Field(
        None, description="From which probability on a turn shows the category; the release's threshold if left out."
    )
    off: _Level | None = Field(
        None,
        description="It is quiet again when no turn of the window reaches this; never above `on`, and half of it if "
        "left out.",
    )
    min_turns: Annotated[StrictInt, Field(ge=1, le=LONGEST_WINDOW_TURNS)] = Field(
        1, description="How many turns of the window have to show it; at most all of them."
    )
    min_total: Annotated[StrictFloat, Field(ge=0, le=LONGEST_WINDOW_TURNS)] | None = Field(
        None,
        description="What the probabilities of the turns that show it have to add up to; if left out, where the "
        "release's band `high` begins, or `on` if that is more.",
    )
    window_turns: Annotated[StrictInt, Field(ge=1, le=LONGEST_WINDOW_TURNS)] = Field(
        USUAL_WINDOW_TURNS, description="How many of the last turns, of whatever role, are looked at."
    )

    def trigger(self, threshold: float, high_from: float) -> Trigger:
        """The trigger for a category of this threshold."""
        on = threshold if self.on is None else self.on
        usual = usual_trigger(on, high_from)
        return Trigger(
            on,
            usual.off if self.off is None else min(self.off, on),
            min(self.min_turns, self.window_turns),
            usual.min_total if self.min_total is None else self.min_total,
            self.window_turns,
        )


def _alert_categories() -> Any:
    fields: dict[str, Any] = {
        name: (TriggerBody | None, Field(None, description=f"When `{name}` rings; null for never."))
        for name in ALERT_LABELS
    }
    told = (
        "The categories that may ring, each with its trigger, `{}` for the release's; one that is left out never rings."
    )
    return create_model("AlertCategories", __base__=Strict, __doc__=told, **fields)


AlertCategories = _alert_categories()


class AlertPolicyBody(Strict):
    """When to be told that something goes wrong."""

    categories: AlertCategories | None = Field(  # type: ignore[valid-type]
        None, description="Which categories ring, and when; if null, each mis-selling category as the release says."
    )
    partial: StrictBool = Field(False, description="Whether turns that are not final ring, too.")

    def policy(self, service: Service) -> AlertPolicy:
        """The policy, with what it leaves out taken from the release."""
        high_from = service.bands["high_from"]
        if self.categories is None:
            return AlertPolicy(usual_policy(service.thresholds, high_from).triggers, self.partial)
        asked = {name: getattr(self.categories, name) for name in ALERT_LABELS}
        return AlertPolicy(
            {name: body.trigger(service.thresholds[name], high_from) for name, body in asked.items() if body},
            self.partial,
        )


def policy_of(asked: AlertPolicyBody | None, service: Service) -> AlertPolicy:
    """The policy that was asked for, or the release's."""
    return (asked or AlertPolicyBody.model_validate({})).policy(service)


def live_turn(limits: Limits) -> type[Strict]:
    """The model of a turn that may be revised, with the bounds of a server; it has a method `turn`."""
    id_ = Annotated[StrictStr, Field(min_length=1, max_length=limits.max_id_characters)]

    class LiveTurnBody(turn_body(limits)):  # type: ignore[misc]
        """One utterance or message, or a recognition of it that may still change."""

        id: id_ = Field(description="Your id of the turn: the same one for each revision of it.")
        revision: Annotated[StrictInt, Field(ge=0, le=_LARGEST_REVISION)] | None = Field(
            None,
            description="Which recognition of the turn this is, counting up: a lower or equal one than the known one "
            "is ignored. If left out, whatever says something else than before is the next.",
        )
        is_final: StrictBool = Field(True, description="False for a recognition that may still change.")

        def turn(self) -> Turn:
            """The turn as the core has it."""
            return Turn(self.id, self.role, self.text, self.start_ms, self.end_ms, self.speaker, self.is_final)

    return LiveTurnBody


class LiveTurnAnswer(TurnAnswer):
    """The score of a turn of a live conversation; the same as in a score of the whole."""

    revision: int = Field(description="Which recognition was scored.")
    is_final: bool = Field(description="As sent.")


class Running(BaseModel):
    """The conversation so far; the same as in a score of all its turns."""

    mis_selling: MisSelling | None = Field(description="Null where the agent cannot be judged; see abstained.")
    empathy: Empathy | None = Field(description="Null where the agent cannot be judged; see abstained.")
    practice: Practice | None = Field(description="Null where the agent cannot be judged; see abstained.")
    signals: Signals | None = Field(description="Null where the customer cannot be judged; see abstained.")
    abstained: list[Abstained] = Field(description="What is null here, and why.")
    usage: Usage = Field(description="Turns and tokens so far.")


class AlertAnswer(BaseModel):
    """A category that rang, and what became of it."""

    category: str = Field(description="A label of /v1/labels.")
    state: AlertState = Field(
        description="raised: it rang; quiet: its turns are long past; withdrawn: a revision took away what it rang on. "
        "Category and turn_id name an alert: it is the same one in each state."
    )
    turn_id: str = Field(description="The turn at which it rang.")
    start_ms: int | None = Field(description="When that turn began; null if it was not said.")
    end_ms: int | None = Field(description="When that turn ended; null if it was not said.")
    total: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(
        description="What the probabilities of the turns that showed it added up to."
    )
    turns: list[str] = Field(description="The ids of the turns that showed it, the oldest first.")
    evidence: list[EvidenceSpan] = Field(
        description="The words of the turn at which it rang; empty if it is withdrawn, or no word stands out."
    )


def turn_answers(live: LiveConversation, indices: Iterable[int]) -> list[LiveTurnAnswer]:
    """The wire form of some of a live conversation's scored turns."""
    assert live.score is not None  # noqa: S101 - settled before it is told
    found: list[LiveTurnAnswer] = []
    for index in indices:
        turn, revision = live.turn(index)
        answer = turn_answer(turn.id, turn.text, live.score.turns[index])
        found.append(LiveTurnAnswer(**dict(answer), revision=revision, is_final=turn.is_final))
    return found


def whole_answer(live: LiveConversation, model_version: str, *, turns: bool) -> ScoreAnswer:
    """The wire form of the whole conversation, as `POST /v1/score` has it."""
    assert live.score is not None  # noqa: S101 - settled before it is told
    conversation = Conversation(live.turns, live.id, live.channel)
    return score_answer(
        conversation, live.score, model_version=model_version, label_set_version=LABEL_SET_VERSION, turns=turns
    )


def running(live: LiveConversation) -> Running:
    """The wire form of the conversation so far."""
    whole = dict(whole_answer(live, "", turns=False))
    return Running(**{name: whole[name] for name in Running.model_fields})


def alert_answer(live: LiveConversation, state: AlertState, alert: Alert) -> AlertAnswer:
    """The wire form of an alert."""
    turn, _ = live.turn(alert.turn)
    shown: list[EvidenceSpan] = []
    if state is not AlertState.WITHDRAWN:
        (answer,) = turn_answers(live, [alert.turn])
        shown = [span for span in answer.evidence if span.label == alert.category]
    return AlertAnswer(
        category=alert.category,
        state=state,
        turn_id=turn.id,
        start_ms=turn.start_ms,
        end_ms=turn.end_ms,
        total=round(alert.total, _DIGITS),
        turns=[live.turn(index)[0].id for index in alert.turns],
        evidence=shown,
    )


def alert_answers(live: LiveConversation, changes: Iterable[Change]) -> list[AlertAnswer]:
    """The wire form of what changed."""
    return [alert_answer(live, change.state, change.alert) for change in changes]


def standing_answers(live: LiveConversation) -> list[AlertAnswer]:
    """The wire form of all alerts that were not withdrawn, in the order in which they rang."""
    ringing = {(alert.category, alert.turn) for alert in live.ringing}
    return [
        alert_answer(live, AlertState.RAISED if (alert.category, alert.turn) in ringing else AlertState.QUIET, alert)
        for alert in live.alerts
    ]
