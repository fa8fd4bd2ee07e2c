"""Given names by culture, and how a name in a text is found and put in another's place.

A list of names says nothing of who bears one; each is only common where it stands. Two of women, two of men.
"""

from __future__ import annotations

import re

from app.core.conversation import Role
from training.corpus import LabelledConversation
from training.rescoring import with_texts

# The name that all others are compared with.
REFERENCE = "Alex"
CULTURES: dict[str, tuple[str, str, str, str]] = {
    "African American": ("Latisha", "Ebony", "DeShawn", "Tyrone"),
    "Arabic": ("Fatima", "Layla", "Mohammed", "Omar"),
    "Chinese": ("Xiu Ying", "Mei", "Wei", "Jun"),
    "Dutch": ("Sanne", "Anouk", "Daan", "Sjoerd"),
    "English": ("Emily", "Charlotte", "James", "Harry"),
    "Filipino": ("Maricel", "Jocelyn", "Jomar", "Rodel"),
    "French": ("Camille", "Am\u00e9lie", "Pierre", "Thibault"),
    "German": ("Anneliese", "Heike", "J\u00fcrgen", "Klaus"),
    "Greek": ("Eleni", "Katerina", "Giorgos", "Nikos"),
    "Hindu": ("Priya", "Lakshmi", "Rajesh", "Arjun"),
    "Irish": ("Siobh\u00e1n", "Aoife", "Ois\u00edn", "Padraig"),
    "Japanese": ("Yuki", "Sakura", "Hiroshi", "Kenji"),
    "Jewish": ("Rivka", "Miriam", "Moshe", "Shlomo"),
    "Kenyan": ("Wanjiru", "Akinyi", "Kamau", "Otieno"),
    "Latin American": ("Guadalupe", "Xiomara", "Jos\u00e9", "Jes\u00fas"),
    "Maori": ("Aroha", "Ngaire", "Tama", "Wiremu"),
    "Pakistani": ("Ayesha", "Zainab", "Bilal", "Usman"),
    "Polish": ("Agnieszka", "Ma\u0142gorzata", "Krzysztof", "Wojciech"),
    "Vietnamese": ("Nguyet", "Linh", "Duc", "Tuan"),
    "Yoruba": ("Folake", "Yewande", "Babatunde", "Oluwaseun"),
}
_COMMON = (
    "Aaron Adam Ahmed Aisha Alan Alice Amanda Amir Amy Andrea Andrew Angela Anita Ann Anna Anne Anthony Arthur "
    "Barbara Ben Beth Brian Carl Carlos Carol Caroline Catherine Charles Chloe Chris Christine Claire Colin Craig "
    "Daniel Dave David Debbie Deborah Derek Diane Diana Dominic Donna Doreen Dorothy Doug Edward Elaine Elena "
    "Elizabeth Ellen Emma Eric Esther Eva Evelyn Fiona Frances Francis Gareth Gary George Gerald Gemma Geoff "
    "Gordon Graham Greg Hannah Harold Helen Henry Howard Hugh Ian Imran Irene Isaac Isabel Ivan Jack Jackie Jacob "
    "Jade Jamie Jane Janet Jasmine Jason Jean Jeff Jennifer Jenny Jeremy Jess Jessica Jim Joan Joanne Joe John "
    "Jonathan Joseph Josh Joyce Juan Judith Judy Julia Julie Karen Kate Kathleen Kathy Keith Kelly Ken Kenneth "
    "Kevin Kim Kirsty Kyle Larry Laura Lauren Leah Lee Leon Leslie Lewis Liam Linda Lisa Liz Lorraine Louise Lucy "
    "Luke Lynn Maggie Malcolm Marcus Margaret Maria Marie Marion Mario Martha Martin Mary Matt Matthew Maureen "
    "Megan Melissa Michael Michelle Mike Mohamed Monica Nancy Naomi Natalie Nathan Neil Nicola Nicole Nigel Nina "
    "Noah Nora Norman Oliver Olivia Oscar Pamela Patricia Patrick Paul Paula Pauline Peter Phil Philip Rachel "
    "Ravi Raymond Rebecca Richard Robert Roger Ron Rosa Ross Roy Ruth Ryan Sally Sam Samantha Samuel Sandra Sara "
    "Sarah Scott Sean Shaun Sharon Sheila Shirley Simon Sofia Sonia Sophie Stephanie Stephen Steve Steven Stuart "
    "Sue Susan Suresh Sylvia Tanya Teresa Terry Thabo Thomas Tim Tina Toby Todd Tom Tony Tracy Trevor Valerie "
    "Vera Veronica Victor Victoria Vincent Walter Wayne Wendy William Yusuf Zoe"
)
_KNOWN = sorted({*_COMMON.split(), *(name for names in CULTURES.values() for name in names)}, key=len, reverse=True)
_GIVEN = "|".join(map(re.escape, _KNOWN))
_OWN = re.compile(rf"(\b(?:[Tt]his is|[Mm]y name is|[Mm]y name's|[Ii]t's|I'm|I am) )({_GIVEN})\b")
_OTHER = re.compile(rf"\b(?:{_GIVEN})\b|(?<=\bMrs )[A-Z][\w']+|(?<=\bMr )[A-Z][\w']+|(?<=\bMs )[A-Z][\w']+")
_OPENING = "Hi, this is {name}. "


def _swapped(text: str, name: str, own: bool) -> str:
    """The text with a person's own name, given after `this is` and the like, or with other names put anew."""
    if own:
        return _OWN.sub(lambda match: match[1] + name, text)
    held = [match.span(2) for match in _OWN.finditer(text)]

    def change(match: re.Match[str]) -> str:
        inside = any(start <= match.start() < end for start, end in held)
        return match[0] if inside else name

    return _OTHER.sub(change, text)


def named(conversation: LabelledConversation, role: Role, name: str) -> LabelledConversation:
    """The conversation with a speaker of this name, who opens with it.

    The speaker's own turns change where they say their name, the others' wherever they say one: nearly all names there
    are those of the person they talk to.
    """
    texts = [_swapped(turn.text, name, own=turn.role is role) for turn in conversation.turns]
    first = next((index for index, turn in enumerate(conversation.turns) if turn.role is role), None)
    if first is not None:
        texts[first] = _OPENING.format(name=name) + texts[first]
    return with_texts(conversation, texts)
