"""Reads what was typed into a form: each value cleaned, each mistake a sentence beside its field."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from datetime import date
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from errors import Misunderstood
from models import County, Labelled
from services import audit
from services.membership import people
from services.scope import Scope

W = TypeVar("W", bound=Labelled)
#: What a form calls the city level.
CITY_LEVEL = "city"
#: Characters that show nothing: controls, zero-width, surrogates, what Unicode has not assigned.
UNSEEN = frozenset({"Cc", "Cf", "Cs", "Cn", "Co"})


def clean(said: str) -> str:
    """One line as people see it: what shows nothing is gone, spaces are single."""
    seen = "".join(" " if letter.isspace() else letter for letter in unicodedata.normalize("NFC", said))
    return " ".join("".join(letter for letter in seen if unicodedata.category(letter) not in UNSEEN).split())


def is_chinese(letter: str) -> bool:
    """Whether a letter is a Chinese one, the rarest included."""
    return unicodedata.name(letter, "").startswith("CJK ")


class Fields:
    """The fields of one form. `wrong` holds a sentence for each that cannot be taken as it is."""

    def __init__(self, said: Mapping[str, str]) -> None:
        self.said = said
        self.wrong: dict[str, str] = {}

    def line(self, name: str, what: str, longest: int, *, needed: bool = True) -> str:
        """One line of text."""
        value = clean(self.said.get(name, ""))
        if needed and not value:
            self.wrong[name] = f"请填写{what}。"
        elif len(value) > longest:
            self.wrong[name] = f"{what}最多 {longest} 个字，现在 {len(value)} 个。"
        return value

    def title(self, name: str, what: str, longest: int) -> str:
        """What something is called: words with Chinese in them, not a number, not a picture, not the signs of a page."""
        value = self.line(name, what, longest)
        if value and name not in self.wrong and (not any(map(is_chinese, value)) or set("<>{}") & set(value)):
            self.wrong[name] = f"{what}要用汉字写，例如全称。"
        return value

    def words(self, name: str, what: str, longest: int) -> str:
        """Text of several lines."""
        lines = [clean(line) for line in self.said.get(name, "").splitlines()]
        value = "\n".join(lines).strip()
        if not value:
            self.wrong[name] = f"请填写{what}。"
        elif len(value) > longest:
            self.wrong[name] = f"{what}最多 {longest} 个字，现在 {len(value)} 个。"
        return value

    def chosen(self, name: str, what: str, kind: type[W]) -> W | None:
        """One of the words of a list."""
        found = next((word for word in kind if word == self.said.get(name, "")), None)
        if found is None:
            self.wrong[name] = f"请选择{what}。"
        return found

    def day(self, name: str, what: str, *, latest: date) -> date:
        """A date that is not to come; where it cannot be read, the latest stands in beside the sentence."""
        try:
            value = date.fromisoformat(self.said.get(name, "").strip())
        except ValueError:
            self.wrong[name] = f"{what}没看懂，请写成 2026-11-27 这样。"
            return latest
        if not date(1921, 7, 1) <= value <= latest:
            self.wrong[name] = f"{what}应在 1921-07-01 和 {latest} 之间。"
        return value

    def place(self, session: Session, scope: Scope) -> int | None:
        """A county that is theirs to change, or None for the city level where that is."""
        said = self.said.get("county", "")
        if said == CITY_LEVEL and scope.keeps_city:
            return None
        number = int(said) if said.isascii() and said.isdecimal() and len(said) < 10 else 0
        found = session.scalar(sa.select(County.id).where(County.id == number, scope.kept_counties))
        if found is None:
            self.wrong["county"] = "请选择所在地。"
        return found

    def coming_day(self, name: str, what: str) -> date:
        """A date; where it cannot be read, the first of all stands in beside the sentence."""
        try:
            return date.fromisoformat(self.said.get(name, "").strip())
        except ValueError:
            self.wrong[name] = f"{what}没看懂，请写成 2026-11-27 这样。"
            return date.min

    def degrees(self, name: str, what: str) -> float:
        """A coordinate in degrees."""
        try:
            return float(unicodedata.normalize("NFKC", self.said.get(name, "")).strip())
        except ValueError:
            self.wrong[name] = f"{what}没看懂，请写成小数，例如 34.747。"
            return 0.0

    def count(self, name: str, what: str, most: int) -> int | None:
        """A whole number from nothing on, in whatever digits; None where nothing was typed, or nothing that counts."""
        plain = unicodedata.normalize("NFKC", clean(self.said.get(name, "")))
        if not plain:
            return None
        if not (plain.isascii() and plain.isdecimal()) or len(plain) > len(str(most)) or int(plain) > most:
            self.wrong[name] = f"{what}请写 0–{most} 的整数。"
            return None
        return int(plain)

    def mobile(self, name: str) -> str:
        """A Chinese mobile number in its eleven digits."""
        try:
            return people.read_phone(self.said.get(name, ""))
        except Misunderstood as error:
            self.wrong[name] = str(error)
            return ""

    def reason(self, name: str, what: str, example: str) -> str:
        """Why it is done, as the audit keeps it."""
        try:
            return audit.reason(clean(self.said.get(name, "")), what, example)
        except Misunderstood as error:
            self.wrong[name] = str(error)
            return ""
