"""Who is meant by a name that a secretary types: where several of a branch bear it, by the end of their number as well."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from models import Person
from models.people import TAIL

#: The last four digits of a telephone, or the number on the roll of somebody who has none.
_MARK = rf"[0-9]{{{TAIL}}}|[0-9]{{1,9}}号"
_SEPARATORS = re.compile(r"[\s,，、;；]+")


class Wanted(NamedTuple):
    """A name, and the mark behind it; empty where there is none."""

    name: str
    mark: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, self))


def first(text: str) -> tuple[Wanted, str]:
    """张伟 1234 点错了: who is meant, and what is said behind it."""
    name, _, rest = text.strip().partition(" ")
    mark, _, others = rest.strip().partition(" ")
    return (Wanted(name, mark), others.strip()) if re.fullmatch(_MARK, mark) else (Wanted(name), rest.strip())


def one(text: str) -> Wanted:
    """A text that is nothing but a name and perhaps a mark; a name may have spaces of its own."""
    name, _, mark = text.strip().rpartition(" ")
    return Wanted(name.strip(), mark) if name and re.fullmatch(_MARK, mark) else Wanted(text.strip())


def several(text: str) -> list[Wanted]:
    """Names, each perhaps with a mark behind it; whoever is named twice is meant once."""
    found: list[Wanted] = []
    for word in filter(None, _SEPARATORS.split(text)):
        if found and not found[-1].mark and re.fullmatch(_MARK, word):
            found[-1] = Wanted(found[-1].name, word)
        else:
            found.append(Wanted(word))
    return list(dict.fromkeys(found))


def among(people: Iterable[Person], wanted: Wanted) -> list[Person]:
    """Whoever of these may be meant, each once."""
    alike = {person.id: person for person in people if person.name == wanted.name}
    return [person for person in alike.values() if not wanted.mark or wanted.mark in _marks(person)]


def mark(person: Person, alike: Sequence[Person]) -> str:
    """What tells somebody from others of the name."""
    tail, by_number = (_marks(person)[0], f"{person.id}号")
    return by_number if any(tail in _marks(other) for other in alike if other.id != person.id) else tail


def _marks(person: Person) -> list[str]:
    number = f"{person.id}号"
    return [person.phone[-TAIL:], number] if person.phone else [number]
