"""Identifiers to put into conversations, and the sentences that hold them.

Two sets of sentences: on `DEVELOPMENT`, with names of its own, the rules of `app.privacy` were tried out while they
were written; `MEASURED` is what is published, and no rule was changed for it. Numbers and addresses are made alike.
All persons are invented; card numbers pass the Luhn check and belong to nobody that is known.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from app.privacy.kinds import Kind
from training.given_names import CULTURES


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_TEENS = _words("ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen")
_TENS = _words("twenty thirty forty fifty sixty seventy eighty ninety")
_MONTHS = _words("January February March April May June July August September October November December")
_ORDINALS = _words(
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth "
    "fourteenth fifteenth "
    "sixteenth seventeenth eighteenth nineteenth twentieth twenty-first twenty-second twenty-third twenty-fourth "
    "twenty-fifth twenty-sixth twenty-seventh twenty-eighth"
)
_FAMILY = _words(
    "Adebayo Ainsworth Balogun Banerjee Brannigan Castellanos Chaudhry Cholmondeley Dlamini Eriksen "
    "Fitzgerald Garcia "
    "Hewitt Iyer Jovanovic Kaur Khumalo Kowalczyk Lim Mbeki McAllister Mutua Nakamura Ng Nguyen Njoroge O'Donnell "
    "Okonkwo Patel Pretorius Ramaswamy Reyes Santos Singh Stavropoulos Tan Thistlewood Tuilagi Venter Whitcombe Zhang"
)
_DEVELOPMENT_NAMES = tuple(
    name.replace("_", " ")
    for name in _words(
        "Karen_Holt Amit_Deshpande Thandi_Nkosi Brian_Otieno Sinead_Walsh Marisol_Vega Kwame_Boateng Hone_Parata "
        "Wei_Ling_Tan Joseph_Mwangi Aisha_Bello Peter_Novak Bongani_Zulu Rhea_Manalastas Gus_Petrakis Priya_Nair"
    )
)


@dataclass(frozen=True, slots=True)
class Template:
    """A question, or none, and the turn that holds `{x}`."""

    ask: str
    say: str


def _digits(rng: random.Random, count: int) -> str:
    return "".join(rng.choice("0123456789") for _ in range(count))


def luhn_complete(stem: str) -> str:
    """The number with the check digit of ISO/IEC 7812-1 after it."""
    total = sum(sum(divmod(2 * int(digit), 10)) for digit in stem[-1::-2]) + sum(map(int, stem[-2::-2]))
    return stem + str(-total % 10)


def say_digits(digits: str, rng: random.Random) -> str:
    """Digits as people say them: `oh` for zero, `double` and `triple`, with or without commas."""
    said: list[str] = []
    zero = rng.choice(("oh", "zero"))
    index = 0
    while index < len(digits):
        word = zero if digits[index] == "0" else _DIGITS[int(digits[index])]
        run = 1
        while index + run < len(digits) and digits[index + run] == digits[index] and run < 3:
            run += 1
        if run > 1 and rng.random() < 0.6:
            said.append(("double ", "triple ")[run - 2] + word)
            index += run
        else:
            said.append(word)
            index += 1
    comma = rng.choice((0, 3, 4))
    return "".join(
        word + ("" if at == len(said) - 1 else ", " if comma and at % comma == comma - 1 else " ")
        for at, word in enumerate(said)
    )


def _phone_digits(rng: random.Random) -> tuple[str, str]:
    """A number as it is written in one of the corpus' regions, and its digits."""
    shape = rng.choice(
        (
            "07### ######",
            "+44 7### ######",
            "020 7### ####",
            "(5##) 555-01##",
            "5##-555-01##",
            "+1 6## 555 01##",
            "98### #####",
            "+91 98### #####",
            "082 ### ####",
            "+27 82 ### ####",
            "07## ######",
            "+254 7## ######",
            "0803 ### ####",
            "087 ### ####",
            "021 ### ####",
            "04## ### ###",
            "+61 4## ### ###",
            "9### ####",
            "+65 8### ####",
            "0917 ### ####",
            "+63 917 ### ####",
        )
    )
    written = "".join(rng.choice("23456789") if sign == "#" else sign for sign in shape)
    return written, "".join(filter(str.isdigit, written))


def _phone(rng: random.Random, spoken: bool) -> str:
    written, digits = _phone_digits(rng)
    return say_digits(digits, rng) if spoken else rng.choice((written, written, digits))


def _card(rng: random.Random, spoken: bool) -> str:
    stem = rng.choice(("4", "51", "53", "37")) + _digits(rng, 15)
    digits = luhn_complete(stem[:14] if stem[:2] == "37" else stem[:15])
    if spoken:
        return say_digits(digits, rng)
    groups = (
        [digits[:4], digits[4:10], digits[10:]] if len(digits) == 15 else [digits[i : i + 4] for i in (0, 4, 8, 12)]
    )
    return rng.choice((" ", "-", "")).join(groups)


def _full_name(rng: random.Random) -> str:
    return f"{rng.choice(CULTURES[rng.choice(sorted(CULTURES))])} {rng.choice(_FAMILY)}"


def _email(rng: random.Random, spoken: bool) -> str:
    first, last = _full_name(rng).lower().rsplit(" ", 1)
    first, last = first.split()[0].replace("'", ""), last.replace("'", "")
    host = rng.choice(
        ("gmail.com", "yahoo.co.uk", "outlook.com", "bigpond.net.au", "telkomsa.net", "rediffmail.com", "example.org")
    )
    number = rng.choice(("", "", str(rng.randrange(10, 99))))
    joint = rng.choice((".", "_", ""))
    if not spoken:
        return f"{first}{joint}{last}{number}@{host}"
    name = f"{first} {' dot ' if joint == '.' else ' underscore ' if joint == '_' else ' '} {last}"
    tail = f" {_TENS[int(number[0]) - 2] if number and number[0] > '1' else ''}" if number else ""
    return " ".join(f"{name} {tail} at {host.replace('.', ' dot ')}".split())


def _address(rng: random.Random, spoken: bool) -> str:
    house = rng.randrange(2, 199)
    street = rng.choice(
        (
            "Elm Road",
            "Harrow Lane",
            "Ngong Road",
            "Kloof Street",
            "Church Street",
            "Adeola Crescent",
            "Linden Avenue",
            "Marine Parade",
            "Rātā Street",
            "Shastri Nagar",
            "Hillcrest Drive",
            "Beech Close",
            "Orchard Court",
            "Maple Avenue",
            "Bishop Terrace",
        )
    )
    if spoken:
        number = _spoken_number(house)
        return rng.choice((f"{number} {street}", f"flat {_DIGITS[rng.randrange(1, 9)]}, {number} {street}"))
    code = rng.choice(
        (
            "LS6 3HN",
            "SW1A 2AA",
            "M5V 3L9",
            "D04 X2T8",
            "Boise, ID 83702",
            "NSW 2010",
            "Singapore 560123",
            "Pune 411004",
            "Cape Town 8001",
            "Nairobi 00100",
        )
    )
    return rng.choice(
        (f"{house} {street}", f"{house} {street}, {code}", f"Flat {rng.randrange(1, 40)}, {house} {street}, {code}")
    )


def _spoken_number(value: int) -> str:
    if value < 10:
        return _DIGITS[value]
    if value < 20:
        return _TEENS[value - 10]
    if value < 100:
        return _TENS[value // 10 - 2] + (f" {_DIGITS[value % 10]}" if value % 10 else "")
    return (
        f"one {_spoken_number(value % 100)}"
        if value % 100 >= 10
        else (f"one oh {_DIGITS[value % 10] if value % 10 else 'one'}")
    )


def _postcode(rng: random.Random, spoken: bool) -> str:
    if spoken:
        letters = "BDEGLMNPRSTW"
        return (
            f"{rng.choice(letters)} {rng.choice(letters)} {say_digits(_digits(rng, 2), rng)} "
            f"{rng.choice(letters)} {rng.choice(letters)}"
        )
    return rng.choice(
        (
            "LS6 3HN",
            "b15 2tt",
            "M5V 3L9",
            "D04 X2T8",
            "83702",
            "2010",
            "560123",
            "411004",
            "8001",
            "00100",
            "90210-1234",
        )
    )


def _account(rng: random.Random, spoken: bool) -> str:
    if spoken:
        return say_digits(_digits(rng, rng.choice((6, 7, 8, 10))), rng)
    return rng.choice(
        (
            _digits(rng, 8),
            _digits(rng, 10),
            f"{_digits(rng, 4)} {_digits(rng, 4)}",
            f"POL-{_digits(rng, 6)}",
            f"KT{_digits(rng, 7)}",
            f"{_digits(rng, 3)}-{_digits(rng, 2)}-{_digits(rng, 4)}",
            f"AB{_digits(rng, 6)}C",
            f"BNZPK{_digits(rng, 4)}L",
            f"GB29 NWBK {_digits(rng, 4)} {_digits(rng, 4)} {_digits(rng, 4)} {_digits(rng, 2)}",
            f"{_digits(rng, 4)} {_digits(rng, 4)} {_digits(rng, 4)}",
        )
    )


def _birth(rng: random.Random, spoken: bool) -> str:
    day, month, year = rng.randrange(1, 28), rng.randrange(12), rng.randrange(1931, 2004)
    if not spoken:
        return rng.choice(
            (
                f"{day:02}/{month + 1:02}/{year}",
                f"{day}.{month + 1}.{year}",
                f"{year}-{month + 1:02}-{day:02}",
                f"{day} {_MONTHS[month]} {year}",
                f"{_MONTHS[month]} {day}, {year}",
                f"{day:02}/{month + 1:02}/{year % 100:02}",
            )
        )
    short = year % 100
    ending = f"oh {_DIGITS[short]}" if short < 10 else _spoken_number(short)
    spoken_year = f"nineteen {ending}" if year < 2000 else "two thousand" + (f" and {_DIGITS[short]}" if short else "")
    return rng.choice(
        (
            f"the {_ORDINALS[day - 1]} of {_MONTHS[month]} {spoken_year}",
            f"{_MONTHS[month]} {_ORDINALS[day - 1]}, {spoken_year}",
            f"{_spoken_number(month + 1)}, {_spoken_number(day)}, {spoken_year}",
            f"{_ORDINALS[day - 1]} of the {_ORDINALS[month]} {ending}",
        )
    )


def _spelled(rng: random.Random, _spoken: bool) -> str:
    name = rng.choice(_FAMILY).replace("'", "").upper()
    return rng.choice((" ", "-", ", ")).join(name)


def _name(rng: random.Random, _spoken: bool) -> str:
    return _full_name(rng)


def _given(rng: random.Random, _spoken: bool) -> str:
    return rng.choice(CULTURES[rng.choice(sorted(CULTURES))])


def _family(rng: random.Random, _spoken: bool) -> str:
    return rng.choice(_FAMILY)


Maker = Callable[[random.Random, bool], str]
# What is seeded: the name of the row in the report, the kind that a mask should have, and who makes the value.
MAKERS: Mapping[str, tuple[Kind, Maker]] = {
    "full name": (Kind.NAME, _name),
    "given name": (Kind.NAME, _given),
    "family name": (Kind.NAME, _family),
    "name spelled out": (Kind.NAME, _spelled),
    "phone": (Kind.PHONE, _phone),
    "card": (Kind.CARD, _card),
    "e-mail": (Kind.EMAIL, _email),
    "address": (Kind.ADDRESS, _address),
    "postcode": (Kind.ADDRESS, _postcode),
    "account and other numbers": (Kind.NUMBER, _account),
    "date of birth": (Kind.DATE_OF_BIRTH, _birth),
}


def development_name(rng: random.Random) -> str:
    """A name of the development set, none of which is measured with."""
    return rng.choice(_DEVELOPMENT_NAMES)


def _templates(*rows: tuple[str, str]) -> tuple[Template, ...]:
    return tuple(Template(ask, say) for ask, say in rows)


DEVELOPMENT: Mapping[str, Sequence[Template]] = {
    "full name": _templates(
        ("", "My name is {x}."),
        ("Who am I speaking with?", "{x}."),
        ("", "Hi, this is {x} calling from the bank."),
        ("Can I have your full name?", "Yes, it's {x}."),
    ),
    "given name": _templates(
        ("", "Hi {x}, how are you today?"), ("", "Thanks, {x}, that helps."), ("", "I'm {x}, I called on Monday.")
    ),
    "family name": _templates(
        ("", "Good morning, Mrs {x}."), ("", "Am I speaking with Mr. {x}?"), ("And your surname?", "{x}")
    ),
    "name spelled out": _templates(("How do you spell that?", "{x}."), ("", "That's spelled {x}.")),
    "phone": _templates(
        ("What's the best number to reach you on?", "It's {x}."),
        ("", "You can call me on {x}."),
        ("", "My mobile is {x}, any time."),
    ),
    "card": _templates(
        ("Can I take the long number on the card?", "{x}"),
        ("", "The card number is {x}."),
        ("", "Put it on my Visa, {x}."),
    ),
    "e-mail": _templates(("And your email address?", "{x}"), ("", "Send it to {x} please."), ("", "My email is {x}.")),
    "address": _templates(
        ("What's the first line of your address?", "{x}."), ("", "I live at {x}."), ("", "We moved to {x} in May.")
    ),
    "postcode": _templates(("And the postcode?", "{x}"), ("", "My postcode is {x}.")),
    "account and other numbers": _templates(
        ("Account number, please?", "{x}."), ("", "The policy number is {x}."), ("", "My reference is {x}.")
    ),
    "date of birth": _templates(
        ("Date of birth?", "{x}."), ("", "I was born on {x}."), ("", "My date of birth is {x}.")
    ),
}
MEASURED: Mapping[str, Sequence[Template]] = {
    "full name": _templates(
        ("", "Good afternoon, you've come through to {x} in retentions."),
        ("", "The policy is in the name of {x}, that's my mother."),
        ("Whose name is the account in?", "That would be {x}."),
        ("", "Could you put me through to {x}, please?"),
        ("Sorry, I didn't catch your name.", "{x}, I rang earlier."),
        ("", "{x} here, returning your call."),
        ("", "I spoke to {x} last week and they promised me a refund."),
        ("", "The joint applicant is my husband, {x}."),
    ),
    "given name": _templates(
        ("", "Okay {x}, let me pull up your details."),
        ("", "I hear you, {x}."),
        ("", "My daughter {x} set this up for me."),
        ("", "So what do you reckon, {x}?"),
        ("", "Your adviser will be {x}, she's lovely."),
        ("And what do I call you?", "Just {x} is fine."),
    ),
    "family name": _templates(
        ("", "Is that Ms {x}? I have the quote for you."),
        ("", "Thank you for waiting, Mr {x}."),
        ("", "Dr {x} told me to ring you."),
        ("What's the last name on the booking?", "It's under {x}."),
        ("", "The {x} family, we've been with you for years."),
    ),
    "name spelled out": _templates(
        ("Could you spell the surname for me?", "Sure, it's {x}."),
        ("", "Last name is {x}, got that?"),
        ("", "No, with a different ending: {x}."),
    ),
    "phone": _templates(
        ("If we get cut off, what should I ring you back on?", "Use {x}."),
        ("", "Text the code over to {x} and I'll read it out."),
        ("", "I have {x} on file for you, is that still right?"),
        ("", "My son's number is {x}."),
        ("", "Landline's {x} but we never answer it."),
        ("And a contact for the engineer?", "Um, {x}."),
    ),
    "card": _templates(
        ("Whenever you're ready, the sixteen digits across the front.", "Okay, {x}."),
        ("", "I've got {x} here, it expires in March."),
        ("", "Charge it to {x} then."),
        ("Which card do you want to pay with?", "The Mastercard, {x}."),
        ("", "So I read that back to you: {x}."),
    ),
    "e-mail": _templates(
        ("Where should the documents go?", "{x} works best."),
        ("", "We have you down as {x}, correct?"),
        ("", "Just drop me a line on {x}."),
        ("", "It never came, I checked {x} twice."),
        ("Do you use email at all?", "Yes, {x}, but my niece reads it."),
    ),
    "address": _templates(
        ("And where is the property?", "It's {x}."),
        ("", "The engineer needs to come to {x}."),
        ("", "I've got you at {x}, is that right?"),
        ("Can you confirm the address we hold?", "Yes, {x}."),
        ("", "My mother's house, {x}, is the one with the leak."),
        ("", "Deliver it to {x} after six."),
    ),
    "postcode": _templates(
        ("Can I get your zip or postcode to check coverage?", "It's {x}."),
        ("", "We're in {x}, if that helps."),
        ("What postcode are you in?", "Um, {x}, I think."),
    ),
    "account and other numbers": _templates(
        ("Do you have your customer number to hand?", "Let me look. {x}."),
        ("", "It says {x} at the top of the letter, under reference."),
        ("", "Your claim has been logged, the number is {x}."),
        ("What's your national insurance or ID number?", "{x}."),
        ("", "Pay it into {x}, that's my current account."),
        ("", "Quote {x} if you ring again, that's your order number."),
    ),
    "date of birth": _templates(
        ("For security, when were you born?", "{x}."),
        ("", "I'm getting on, born {x}, so no more ladders."),
        ("", "And my wife's birthday is {x}, if you need it."),
        ("And your DOB for the application?", "Sure, {x}."),
        ("", "I have {x} as the date of birth for the second driver."),
    ),
}
# Said later in a conversation in which the same given name was announced before.
SAID_AGAIN = ("Well, {x} would know.", "that is what {x} said to me", "And then {x} can sign it.")
