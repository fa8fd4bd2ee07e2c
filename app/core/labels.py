"""The label set as data: what softsell scores, by which definition, and which rules ask for it.

This is the only place where a label is defined; what else spells out a name is tested against it. The
network's outputs follow the order
of `TURN_LABELS` and `EVIDENCE_LABELS`; `LABEL_SET_VERSION` moves with any change of name, order or
definition, and a release made for another version is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from app.core.conversation import Role

LABEL_SET_VERSION = "1.0.0"


class Group(StrEnum):
    """What a label speaks of."""

    MIS_SELLING = "mis_selling"
    PRACTICE = "practice"
    EMPATHY = "empathy"
    SIGNALS = "signals"


@dataclass(frozen=True, slots=True)
class Label:
    """A yes-or-no label of a turn.

    `rules` names laws, rules and guidance that ask for, or forbid, what the label describes. They
    tell where the definition comes from; a label is not a finding that a rule was broken.
    """

    name: str
    group: Group
    role: Role
    definition: str
    excludes: str = ""
    rules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Dimension:
    """An ordinal dimension of empathy with three levels, after EPITOME (Sharma et al., EMNLP 2020)."""

    name: str
    levels: tuple[str, str, str]


MIS_SELLING = (
    Label(
        "exaggeration",
        Group.MIS_SELLING,
        Role.AGENT,
        "The product in a brighter light than the facts: invented or inflated features, results, endorsements "
        "or certainty.",
        "A true guarantee stated with its terms; enthusiasm that claims no fact; comparison with figures given.",
        ("FCA COBS 4.2.1R", "16 CFR 310.3(a)(2)", "Directive 2005/29/EC art. 6"),
    ),
    Label(
        "omission",
        Group.MIS_SELLING,
        Role.AGENT,
        "Material knowledge kept from the customer or played down: risk, fees, exclusions, lock-in, known faults; "
        "dodging a direct question.",
        'Leaving out what no reasonable buyer needs; "I don\'t know, let me check".',
        ("FCA PRIN 2A.5", "16 CFR 310.3(a)(1)", "Directive 2005/29/EC art. 7"),
    ),
    Label(
        "pricing_trickery",
        Group.MIS_SELLING,
        Role.AGENT,
        'The price made to look other than it is: a teaser shown as the price, drip or hidden fees, an invented "was" '
        'price, "free" with strings, different prices by how naive the buyer is.',
        "A real discount with its end date and the price after it.",
        ("FCA PRIN 2A.4", "16 CFR 464", "Directive 2005/29/EC annex I no. 20"),
    ),
    Label(
        "bait_and_switch",
        Group.MIS_SELLING,
        Role.AGENT,
        "The promised or advertised product is replaced by a worse or dearer one after the customer came for the "
        "first.",
        "Offering a real alternative while the first stays available, and saying so.",
        ("16 CFR 238", "Directive 2005/29/EC annex I nos. 5 and 6"),
    ),
    Label(
        "pressure",
        Group.MIS_SELLING,
        Role.AGENT,
        "Hard sell: false urgency or scarcity, fear, guilt, shame, wearing down after a refusal, blocking time to "
        "think or to consult someone.",
        "A true deadline stated once with room to decide; asking for the sale once; one honest follow-up question "
        "after an objection.",
        ("16 CFR 310.4(a)(1)", "Directive 2005/29/EC arts. 8 and 9, annex I no. 7"),
    ),
    Label(
        "unauthorised",
        Group.MIS_SELLING,
        Role.AGENT,
        "Selling against the will or without the knowledge of the customer: silence taken as consent, add-ons put in "
        "unasked, sign-up disguised as a check, ignoring a plain no or a cancellation, payment details under a "
        "pretext.",
        "Reading terms and getting an explicit yes.",
        ("16 CFR 310.4(a)(7)", "Directive 2011/83/EU arts. 22 and 27"),
    ),
    Label(
        "unsuitable",
        Group.MIS_SELLING,
        Role.AGENT,
        "Pushing what does not fit the needs, means or understanding that the customer has shown; exploiting "
        "vulnerability; skipping any look at needs before recommending something that can hurt.",
        "Recommending against one's own interest; saying \"this isn't right for you\".",
        ("FCA COBS 9.2.1R", "FCA FG21/1", "Directive 2005/29/EC art. 5(3)"),
    ),
)

PRACTICE = (
    Label(
        "disclosure",
        Group.PRACTICE,
        Role.AGENT,
        "A risk, cost, exclusion, lock-in, cooling-off right or limit of the product said plainly, without being "
        "dragged out.",
        "A bare price.",
        ("FCA PRIN 2A.5", "16 CFR 310.3(a)(1)"),
    ),
    Label(
        "consent_check",
        Group.PRACTICE,
        Role.AGENT,
        "Checks understanding, or asks for an explicit, informed yes before anything binding.",
        "Asking for a yes that rests on a term misstated or hidden in the same breath.",
        ("16 CFR 310.4(a)(7)", "Directive 2011/83/EU art. 22"),
    ),
    Label(
        "respects_refusal",
        Group.PRACTICE,
        Role.AGENT,
        'Takes a no or "let me think" as such; offers time, a way out, or to consult somebody.',
        "Turning a keen buyer down as ineligible.",
        ("Directive 2005/29/EC art. 9",),
    ),
)

DISMISSIVE = Label(
    "dismissive",
    Group.EMPATHY,
    Role.AGENT,
    "Brushes off, interrupts, blames, mocks or talks over what the customer said. It can stand beside politeness.",
)

SIGNALS = (
    Label("need", Group.SIGNALS, Role.CUSTOMER, "States a need, goal, problem or wish, met or unmet."),
    Label("reluctance", Group.SIGNALS, Role.CUSTOMER, "Objects, hesitates, postpones or refuses."),
    Label("confusion", Group.SIGNALS, Role.CUSTOMER, "Does not understand, or has understood wrongly."),
    Label(
        "vulnerability",
        Group.SIGNALS,
        Role.CUSTOMER,
        "Health, bereavement, age-related difficulty, money trouble, low confidence with language, numbers or "
        "technology, a recent life shock.",
        rules=("FCA FG21/1",),
    ),
    Label(
        "dissatisfaction",
        Group.SIGNALS,
        Role.CUSTOMER,
        "Complains, is angry or disappointed, feels cheated or unheard.",
    ),
)

EMPATHY_DIMENSIONS = (
    Dimension(
        "emotional_reaction",
        (
            "none",
            'a stock phrase: "sorry to hear that"',
            "warmth or concern that names what this customer feels or went through",
        ),
    ),
    Dimension(
        "interpretation",
        ("none", 'says "I understand"', "restates the customer's own situation, need or constraint in words"),
    ),
    Dimension(
        "exploration",
        (
            "none, or only sales qualification",
            "a generic question",
            "a question about this customer's situation, feeling or need that follows from what they said",
        ),
    ),
)

SEVERITY_LEVELS = (
    "fair",
    "a lapse worth coaching; nobody misled on anything that matters",
    "material: a reasonable customer would likely be misled or pushed",
    "severe: harm or fraud",
)

# From this level on a QA reviewer fails the conversation; mis-selling risk is the probability of it.
MATERIAL_SEVERITY = 2

# The order of the network's outputs; see `app.core.classifier`.
TURN_LABELS: tuple[Label, ...] = (*MIS_SELLING, *PRACTICE, DISMISSIVE, *SIGNALS)
EVIDENCE_LABELS: tuple[Label, ...] = (*MIS_SELLING, *PRACTICE, *SIGNALS)


def names(labels: tuple[Label, ...]) -> tuple[str, ...]:
    """The names of some labels, in their order."""
    return tuple(label.name for label in labels)
