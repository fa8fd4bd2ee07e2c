"""Who a speaker is, by the name a transcript gives.

A table of well-known names and nothing beyond it: a speaker that is not on it keeps the role
`unknown`, since a wrong guess would hold one side's words against the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Set

from app.core.conversation import Role

_AGENT = (
    "account executive, account manager, adviser, advisor, agent, associate, broker, call center agent, "
    "call centre agent, closer, consultant, csr, customer care, customer service, customer service agent, "
    "customer service rep, customer service representative, customer support, employee, human agent, live agent, "
    "operator, rep, representative, sales, sales adviser, sales advisor, sales agent, sales assistant, "
    "sales associate, sales consultant, sales rep, sales representative, salesman, salesperson, saleswoman, seller, "
    "service agent, support, support agent, telemarketer"
)
_CUSTOMER = (
    "buyer, caller, client, consumer, cust, customer, end user, guest, homeowner, policyholder, "
    "prospect, prospective customer, shopper, user, visitor"
)
_BOT = (
    "ai agent, ai assistant, automated agent, bot, chat bot, chatbot, ivr, virtual agent, virtual assistant, voicebot"
)
_SYSTEM = "system, system message"
# Speakers of whom the name does not tell the side, and who may be of neither.
_THIRD_PARTIES = "interpreter, manager, supervisor, team leader, translator"
_ANYBODY = "channel, participant, speaker, unknown"

_ROLES: dict[str, Role] = {
    name: role
    for names, role in (
        (_AGENT, Role.AGENT),
        (_CUSTOMER, Role.CUSTOMER),
        (_BOT, Role.BOT),
        (_SYSTEM, Role.SYSTEM),
        (_THIRD_PARTIES, Role.UNKNOWN),
        (_ANYBODY, Role.UNKNOWN),
    )
    for name in names.split(", ")
}
# Whoever made the transcript; their role is the one that the other speakers leave.
_SELF = frozenset({"me", "you"})
_LETTERS = {"A": Role.AGENT, "C": Role.CUSTOMER}


def _plain(name: str) -> str:
    """Lower case, single spaces, without the number of `Agent 2` and the name of `Agent (Jo)`."""
    return " ".join(name.partition(" (")[0].casefold().replace("_", " ").rstrip(" #.0123456789").split())


def is_well_known(name: str) -> bool:
    """Whether a name is on the table, for either side or as somebody else; letters are not."""
    plain = _plain(name)
    return plain in _ROLES or plain in _SELF


def is_third_party(name: str) -> bool:
    """Whether a name is of somebody who need be on neither side, so that it is never the one left over."""
    return _plain(name) in _THIRD_PARTIES.split(", ")


def are_agent_and_customer(letters: Set[str]) -> bool:
    """Whether the single letters that speak in a conversation are `A` for agent and `C` for customer.

    Beside any other letter they are not: neither `Q` and `A` nor `A` and `B` are taken for the two.
    """
    return letters == _LETTERS.keys()


def roles_of(speakers: Iterable[str]) -> dict[str, Role]:
    """The role of each of all the speakers of one conversation.

    `Me` or `You` is the agent beside a customer, and the customer beside an agent.
    """
    names = set(speakers)
    roles = {name: _ROLES.get(_plain(name), Role.UNKNOWN) for name in names}
    if are_agent_and_customer({name for name in names if len(name) == 1}):
        roles |= _LETTERS
    selves = {name for name in names if _plain(name) in _SELF}
    sides = set(roles.values()) & {Role.AGENT, Role.CUSTOMER}
    if len(selves) == 1 and len(sides) == 1:
        roles |= dict.fromkeys(selves, Role.CUSTOMER if sides == {Role.AGENT} else Role.AGENT)
    return roles
