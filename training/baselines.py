"""What the model is held against: the majority, a phrase list, and TF-IDF with logistic regression.

Each gives the same kind of predictions as the model, so that one evaluation serves all of them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from app.core.calibration import log_odds
from app.core.classifier import ANY_MIS_SELLING, TURN_OUTPUTS
from app.core.conversation import Role
from app.core.labels import MATERIAL_SEVERITY, MIS_SELLING, names
from training.calibrate import best_threshold, fit_platt
from training.corpus import LabelledConversation
from training.evaluate import CONVERSATION_EMPATHY, CONVERSATION_RISK, Predictions
from training.examples import IGNORED, piece_target

# Written down before any result was seen, from the definitions of the labels.
PHRASES = {
    "exaggeration": r"guarantee|zero risk|risk.free|always|never|everyone|best (price|deal)|100 ?(%|percent)",
    "omission": r"don'?t worry|small print|standard (terms|wording)|just (a )?formality|details later",
    "pricing_trickery": r"\bfree\b|only \W?\d+|was \W?\d+|just \W?\d+|discount|no extra",
    "bait_and_switch": r"no longer available|sold out|instead|upgrade|similar|newer (one|model|line)",
    "pressure": r"today only|only today|last (one|chance|few)|hurry|expires|before (midnight|tonight)|right now|must",
    "unauthorised": r"already|gone ahead|popped|set (it|you) up|signed you|processed|added",
    "unsuitable": r"everyone (takes|needs)|don'?t need to|perfect for you|trust me|ideal for",
    "disclosure": r"\bfee\b|after (the )?(first|twelve|12)|cancel|cooling|not (covered|included)|excludes?|per month",
    "consent_check": r"is that (ok|okay|a yes|alright)|do you agree|happy (for|to)|shall i|does that make sense",
    "respects_refusal": r"no (problem|pressure|rush)|take your time|think (it|about)|that'?s fine|understood",
    "dismissive": r"sure,? sure|anyway|as i said|like i said|whatever|calm down|not my problem",
    "need": r"\bneed\b|want|looking for|would like|hoping",
    "reluctance": r"not sure|think about|don'?t want|no thanks|not interested|maybe later",
    "confusion": r"don'?t (understand|follow|get)|confus|what do you mean|i thought",
    "vulnerability": r"hospital|passed away|died|lost my job|debt|disab|ill\b|pension|can'?t afford|widow",
    "dissatisfaction": r"ridiculous|disappoint|complain|angry|unacceptable|fed up|nobody told|joke",
    "emotional_reaction": r"sorry to hear|that must|congratulations|oh no|poor",
    "interpretation": r"i understand|you'?re saying|so you|sounds like",
    "exploration": r"how (are|is|do)|what (are|is|would)|tell me|anything else",
}


def _turns(conversations: Sequence[LabelledConversation]) -> list[tuple[Role, str, str]]:
    """(role, text, text of the turn before) of every turn."""
    found = []
    for conversation in conversations:
        before = ""
        for turn in conversation.turns:
            found.append((turn.role, turn.text, before))
            before = turn.text
    return found


def _empty(conversations: Sequence[LabelledConversation], value: float = 0.0) -> Predictions:
    count = sum(len(conversation.turns) for conversation in conversations)
    return Predictions(
        turns=np.full((count, len(TURN_OUTPUTS)), value),
        conversations=np.full((len(conversations), 2), value),
        thresholds=dict.fromkeys(TURN_OUTPUTS, 0.5),
        evidence=None,
    )


def _targets(conversations: Sequence[LabelledConversation]) -> NDArray[np.float32]:
    return np.array([piece_target(t, frozenset(), frozenset()) for c in conversations for t in c.turns])


def majority(train: Sequence[LabelledConversation], test: Sequence[LabelledConversation]) -> Predictions:
    """The share of each output in the training split, whatever the words."""
    predictions = _empty(test)
    targets = _targets(train)
    for column in range(len(TURN_OUTPUTS)):
        known = targets[:, column] != IGNORED
        predictions.turns[:, column] = targets[known, column].mean()
    predictions.conversations[:, CONVERSATION_RISK] = np.mean([c.severity >= MATERIAL_SEVERITY for c in train])
    predictions.conversations[:, CONVERSATION_EMPATHY] = np.mean([c.empathy for c in train])
    return predictions


def phrases(test: Sequence[LabelledConversation]) -> Predictions:
    """`PHRASES`: a turn shows a label when a phrase occurs."""
    predictions = _empty(test)
    patterns = {name: re.compile(pattern, re.IGNORECASE) for name, pattern in PHRASES.items()}
    mis_selling = [TURN_OUTPUTS.index(name) for name in names(MIS_SELLING)]
    row = 0
    for index, conversation in enumerate(test):
        first = row
        for turn in conversation.turns:
            for column, output in enumerate(TURN_OUTPUTS):
                # A stock phrase is the first level; the second takes more than a phrase.
                name = output.removesuffix("_1")
                if name in patterns:
                    predictions.turns[row, column] = float(bool(patterns[name].search(turn.text)))
            any_column = TURN_OUTPUTS.index(ANY_MIS_SELLING)
            predictions.turns[row, any_column] = predictions.turns[row, mis_selling].mean()
            row += 1
        agents = [i for i, turn in enumerate(conversation.turns, first) if turn.role is Role.AGENT]
        shown = predictions.turns[agents][:, mis_selling].max(0).mean() if agents else 0.0
        predictions.conversations[index] = (shown, 2.0)
    return predictions


class TfIdf:
    """Words and pairs of words of the turn, and of the turn before it, in logistic regressions."""

    def __init__(self, train: Sequence[LabelledConversation]) -> None:
        turns = _turns(train)
        targets = _targets(train)
        self._own = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
        self._before = TfidfVectorizer(min_df=3, sublinear_tf=True)
        features = self._features(turns, fit=True)
        self._models: list[LogisticRegression | float] = []
        for column in range(len(TURN_OUTPUTS)):
            known = np.flatnonzero(targets[:, column] != IGNORED)
            self._models.append(_fitted(features[known], targets[known, column]))
        self._whole = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
        whole = self._whole.fit_transform([_agent_text(c) for c in train])
        self._material = _fitted(whole, np.array([float(c.severity >= MATERIAL_SEVERITY) for c in train]))
        self._empathy = LogisticRegression(C=5, max_iter=300).fit(whole, [c.empathy for c in train])

    def _features(self, turns: Sequence[tuple[Role, str, str]], fit: bool = False) -> Any:
        from scipy.sparse import hstack

        own, before = [turn[1] for turn in turns], [turn[2] for turn in turns]
        if fit:
            return hstack([self._own.fit_transform(own), 0.5 * self._before.fit_transform(before)]).tocsr()
        return hstack([self._own.transform(own), 0.5 * self._before.transform(before)]).tocsr()

    def predict(self, calibration: Sequence[LabelledConversation], test: Sequence[LabelledConversation]) -> Predictions:
        """Predictions for `test`, scaled and with thresholds from `calibration`, as the model's are."""
        held, predictions = self._raw(calibration), self._raw(test)
        targets = _targets(calibration)
        for column, output in enumerate(TURN_OUTPUTS):
            known = targets[:, column] != IGNORED
            scale = fit_platt(_log_odds(held.turns[known, column]), targets[known, column])
            scaled = np.array([scale(value) for value in _log_odds(held.turns[known, column])])
            predictions.thresholds[output] = best_threshold(scaled, targets[known, column].astype(float))
            predictions.turns[:, column] = [scale(value) for value in _log_odds(predictions.turns[:, column])]
        material = [float(c.severity >= MATERIAL_SEVERITY) for c in calibration]
        scale = fit_platt(_log_odds(held.conversations[:, CONVERSATION_RISK]), material)
        risks = _log_odds(predictions.conversations[:, CONVERSATION_RISK])
        predictions.conversations[:, CONVERSATION_RISK] = [scale(value) for value in risks]
        return predictions

    def _raw(self, conversations: Sequence[LabelledConversation]) -> Predictions:
        predictions = _empty(conversations)
        features = self._features(_turns(conversations))
        for column, model in enumerate(self._models):
            predictions.turns[:, column] = _probability(model, features)
        whole = self._whole.transform([_agent_text(c) for c in conversations])
        predictions.conversations[:, CONVERSATION_RISK] = _probability(self._material, whole)
        levels = self._empathy.predict_proba(whole) @ self._empathy.classes_
        predictions.conversations[:, CONVERSATION_EMPATHY] = levels
        return predictions


def _log_odds(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array([log_odds(float(value)) for value in probabilities])


def _agent_text(conversation: LabelledConversation) -> str:
    return "\n".join(turn.text for turn in conversation.turns if turn.role is Role.AGENT)


def _fitted(features: Any, labels: NDArray[np.floating]) -> LogisticRegression | float:
    if len(set(labels.tolist())) < 2:
        return float(labels[0])
    return LogisticRegression(C=5, max_iter=300).fit(features, labels)


def _probability(model: LogisticRegression | float, features: Any) -> NDArray[np.float64]:
    if isinstance(model, float):
        return np.full(features.shape[0], model)
    return np.asarray(model.predict_proba(features)[:, 1], np.float64)
