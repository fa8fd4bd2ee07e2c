"""Behaviour suites: short conversations written as templates, and what must hold of their scores.

After CheckList (Ribeiro, Wu, Guestrin, Singh, ACL 2020). `tests/behaviour/*.toml` holds one theme a
file and one function (a named capability) a table; `tests/behaviour/README.md` describes the format.
Expansion is drawn from a fixed seed, so the cases are the same everywhere. Never used for training
or calibration.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from app.core.conversation import Conversation, Role, Turn

SUITES = Path(__file__).resolve().parent.parent / "tests" / "behaviour"
SEED = 20261122
CASES = 56
# Pools that every function may draw from, and calls that several functions share.
COMMON = "common.toml"
_MOST_DRAWS = 400
_ROLES = {"A": Role.AGENT, "C": Role.CUSTOMER}
_LINE = re.compile(r"([-+]?)(!?)([AC]): (\S.*)$")
_FILLER = re.compile(r"\{([^{}]+)\}")
_CHANGED = re.compile(r"<([^<>|]*)\|([^<>|]*)>")
_SENTENCE_START = re.compile(r"(^|[.?!] )([a-z])")
_FILLED_PAUSES = ("um", "you know", "er", "uh")


class Kind(StrEnum):
    """Minimum functionality, invariance, or direction of a change."""

    MFT = "MFT"
    INV = "INV"
    DIR = "DIR"


@dataclass(frozen=True, slots=True)
class Version:
    """A conversation as (role, text) turns, and which of them is judged."""

    turns: tuple[tuple[str, str], ...]
    judged: int

    def conversation(self) -> Conversation:
        """As a caller would send it."""
        return Conversation(tuple(Turn(str(i), Role(role), text) for i, (role, text) in enumerate(self.turns)))


@dataclass(frozen=True, slots=True)
class Case:
    """One version for `MFT`; the plain and the changed one for `INV` and `DIR`."""

    id: str
    versions: tuple[Version, ...]


@dataclass(frozen=True, slots=True)
class Function:
    """A named capability: what must hold, and its cases."""

    name: str
    theme: str
    kind: Kind
    about: str
    expect: tuple[str, ...]
    templates: int
    cases: tuple[Case, ...]


class _Draw:
    """Fillers of one case: a row's columns, pools by name, and choices such as `{yes/aye}`."""

    def __init__(self, rng: random.Random, row: Mapping[str, str], pools: Mapping[str, Sequence[str]]) -> None:
        self._rng = rng
        self._row = row
        self._pools = pools
        self._drawn: dict[str, str] = {}

    def fill(self, text: str) -> str:
        """The text with every filler in its place; fillers may hold fillers."""
        while _FILLER.search(text):
            text = _FILLER.sub(lambda match: self._filler(match[1]), text)
        return text

    def again(self, names: Sequence[str]) -> None:
        """Draw other values for some pools."""
        for name in names:
            if name in self._drawn:
                others = [value for value in self._pools[name] if value != self._drawn[name]]
                self._drawn[name] = self._rng.choice(others)

    def _filler(self, name: str) -> str:
        if name in self._row:
            return self._row[name]
        if name not in self._drawn:
            values = name.split("/") if "/" in name else self._pools[name]
            self._drawn[name] = self._rng.choice(values)
        return self._drawn[name]


def _rows(table: str) -> list[dict[str, str]]:
    lines = [[cell.strip() for cell in line.split(" | ")] for line in table.strip().splitlines() if line.strip()]
    if not lines:
        return [{}]
    return [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]


def _tidy(text: str) -> str:
    return _SENTENCE_START.sub(lambda match: match[1] + match[2].upper(), " ".join(text.split()))


def _version(text: str, changed: bool) -> Version:
    """One side of a filled template: lines with `-` are of the plain one alone, with `+` of the changed one."""
    turns: list[tuple[str, str]] = []
    judged = None
    for line in text.strip().splitlines():
        match = _LINE.match(line.strip())
        if not match:
            raise ValueError(f"not a turn: {line!r}")
        side, mark, role, words = match.groups()
        if side == ("-" if changed else "+"):
            continue
        if mark:
            judged = len(turns)
        turns.append((_ROLES[role].value, _tidy(_CHANGED.sub(r"\2" if changed else r"\1", words))))
    return Version(tuple(turns), len(turns) - 1 if judged is None else judged)


def _mechanical(version: Version, change: str, rng: random.Random) -> Version:
    """A change of every turn's letters or of what stands around its words."""

    def rewritten(text: str) -> str:
        if change == "lower case":
            return text.lower()
        if change == "no final punctuation":
            return text.rstrip(".!?")
        words = text.split(" ")
        for position in sorted(rng.sample(range(1, len(words)), min(2, len(words) - 1)), reverse=True):
            words.insert(position, rng.choice(_FILLED_PAUSES))
        return " ".join(words)

    return Version(tuple((role, rewritten(text)) for role, text in version.turns), version.judged)


def _around(version: Version, lines: str, greeted: bool) -> Version:
    """With turns, or a greeting of each side, before the first ones."""
    added = _version(lines, changed=False)
    if not greeted:
        return Version(added.turns + version.turns, version.judged + len(added.turns))
    words = dict(added.turns)
    turns = [(role, f"{words.pop(role)} {text}" if role in words else text) for role, text in version.turns]
    return Version(tuple(turns), version.judged)


def _case(id_: str, kind: Kind, template: str, table: Mapping[str, Any], draw: _Draw, rng: random.Random) -> Case:
    if kind is Kind.MFT:
        return Case(id_, (_version(draw.fill(template), changed=False),))
    change = table.get("change")
    plain_text = draw.fill(template)
    plain = _version(plain_text, changed=False)
    if change == "redraw":
        draw.again(table["redraw"])
        changed = _version(draw.fill(template), changed=True)
    elif change in ("before", "greeting"):
        changed = _around(plain, draw.fill(table["added"]), change == "greeting")
    elif change:
        changed = _mechanical(plain, change, rng)
    else:
        changed = _version(plain_text, changed=True)
    return Case(id_, (plain, changed))


def _function(theme: str, name: str, table: Mapping[str, Any], pools: Mapping[str, Sequence[str]]) -> Function:
    kind = Kind(table["kind"])
    templates = [block for block in re.split(r"\n\s*\n", table["templates"].strip()) if block.strip()]
    rows = _rows(table.get("rows", ""))
    cases: dict[tuple[Version, ...], Case] = {}
    for number in range(_MOST_DRAWS):
        for index, template in enumerate(templates):
            if len(cases) == CASES:
                break
            rng = random.Random(f"{SEED}/{theme}/{name}/{index}/{number}")
            draw = _Draw(rng, rows[(number + index) % len(rows)], pools)
            case = _case(f"{name}/{len(cases) + 1:02d}", kind, template, table, draw, rng)
            if len(set(case.versions)) == len(case.versions):
                cases.setdefault(case.versions, case)
    return Function(name, theme, kind, table["about"], tuple(table["expect"]), len(templates), tuple(cases.values()))


def load(directory: Path = SUITES) -> list[Function]:
    """Every function of every suite, expanded.

    Raises:
        ValueError: if a suite is not well-formed; the message names the function.
    """
    common = tomllib.loads((directory / COMMON).read_text(encoding="utf-8"))
    functions = []
    for path in sorted(directory.glob("*.toml")):
        if path.name == COMMON:
            continue
        for name, table in tomllib.loads(path.read_text(encoding="utf-8")).items():
            whole = common[table["shared"]] | table if "shared" in table else table
            try:
                functions.append(_function(path.stem, name, whole, common["pools"]))
            except (KeyError, ValueError) as error:
                raise ValueError(f"{path.name}, {name}: {error}") from error
    return functions


def digest(functions: Sequence[Function]) -> str:
    """SHA-256 over every case and what must hold of it: changes with any word of them."""
    return hashlib.sha256(json.dumps([asdict(function) for function in functions]).encode()).hexdigest()
