"""What is found in a turn, and what is left alone."""

from __future__ import annotations

import pytest

from app.core.conversation import Conversation, Role, Turn
from app.privacy.masks import redacted
from app.privacy.numbers import luhn


def masked(*texts: str) -> str:
    """The last of some turns, masked."""
    roles = (Role.AGENT, Role.CUSTOMER)
    turns = tuple(Turn(str(index), roles[index % 2], text) for index, text in enumerate(texts))
    return redacted(Conversation(turns)).conversation.turns[-1].text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Call me on 07700 900123.", "Call me on [PHONE]."),
        ("My mobile is double four seven one, nine double oh, one two three.", "My mobile is [PHONE]."),
        ("you can ring me on oh seven seven double oh nine triple oh one", "you can ring me on [PHONE]"),
        ("It is +254 712 345 678, any time.", "It is [PHONE], any time."),
        ("The card is 4111 1111 1111 1111.", "The card is [CARD]."),
        ("4111-1111-1111-1112", "[CARD]"),
        ("Card ending 2207?", "Card ending [CARD]?"),
        ("Write to j.smith@example.co.uk, please.", "Write to [EMAIL], please."),
        ("it's john dot smith at gmail dot com", "it's [EMAIL]"),
        ("Send it to m, tutt at cornmail dot co dot uk.", "Send it to [EMAIL]."),
        ("I live at 14 Elm Road, Leeds LS6 3HN.", "I live at [ADDRESS]."),
        ("the engineer comes to flat 3, fourteen elm road", "the engineer comes to [ADDRESS]"),
        ("my postcode is l s six three h n", "my postcode is [ADDRESS]"),
        ("Policy number POL-448091.", "Policy number [NUMBER]."),
        ("It is GB29 NWBK 6016 1331 9268 19.", "It is [NUMBER]."),
        ("My account number is 20773412.", "My account number is [NUMBER]."),
        ("I was born on the fourteenth of March nineteen sixty two.", "I was born on [DATE_OF_BIRTH]."),
        ("DOB 14/03/1962", "DOB [DATE_OF_BIRTH]"),
        ("Hi, this is Sarah from the bank.", "Hi, this is [NAME] from the bank."),
        ("this is merrilee with main street honors", "this is [NAME] with main street honors"),
        ("Good morning, Mrs Hall.", "Good morning, Mrs [NAME]."),
        ("I spoke to Siobh\u00e1n O'Brien last week.", "I spoke to [NAME] last week."),
        ("It's spelled P R U I T T.", "It's spelled [NAME]."),
        ("Reach \uff30riya on \uff10\uff17\uff17\uff10\uff10 900123.", "Reach [NAME] on [PHONE]."),
    ],
)
def test_an_identifier_is_masked(text: str, shown: str) -> None:
    assert masked(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "It's $1,299.99 a month, or 12,50,000 rupees in all.",
        "That is forty-nine ninety a month for twenty four months.",
        "Two lakh eighty thousand, at 6.09 percent, for seven years.",
        "I can book Tuesday the 14th of March at 10:30, or 2 pm on Friday.",
        "The plan is 40 mbps for 499, with 200 GB and 12 months of TV.",
        "You get 4 x 250 ml, for R1 299 a month.",
        "Three phones, one router, and the first two months are free.",
        "last year i gave one nine nine nine",
        "I may sign in June, if I will have the cash.",
        "The warranty runs until 3 March 2027.",
        "Netflix, the Gold plan and Fibre 100 are in it.",
        "My name is [NAME] and my card is ****, <PHONE_NUMBER>.",
    ],
)
def test_what_a_reviewer_needs_stays(text: str) -> None:
    assert masked(text) == text


@pytest.mark.parametrize(
    ("question", "answer", "shown"),
    [
        ("And your date of birth?", "oh four, nineteen, fifty-three", "[DATE_OF_BIRTH]"),
        ("Can I take your account number?", "Yes. Four four seven one nine.", "Yes. [NUMBER]."),
        ("And the last four of the card?", "four two two one", "[CARD]"),
        ("What's the postcode?", "2010", "[ADDRESS]"),
        ("Could I take your full name?", "Zorvantha Quillby.", "[NAME] [NAME]."),
    ],
)
def test_a_bare_answer_is_known_by_its_question(question: str, answer: str, shown: str) -> None:
    assert masked(question, answer) == shown
    assert masked("Nice day, is it not?", "It is.", "Good.", "Yes.", "Fine.", answer) != shown


def test_a_name_given_once_is_masked_everywhere() -> None:
    turns = ("my name is zorvantha", "Right.", "Thanks, that is all.", "well zorvantha's bill is wrong")
    assert masked(*turns) == "well [NAME]'s bill is wrong"
    assert masked(*turns[1:]) == turns[-1]


def test_a_name_that_is_a_word_too_is_masked_as_a_name_alone() -> None:
    assert masked("My name is Grace.", "Is that Grace? We give ten days of grace.") == (
        "Is that [NAME]? We give ten days of grace."
    )


def test_luhn() -> None:
    assert luhn("4111111111111111")
    assert not luhn("4111111111111112")
