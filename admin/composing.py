"""A broadcast as its author has typed it so far: what is wrong is said at its field, and nothing typed is lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from admin import audience_rows
from admin.audience_rows import Row
from admin.views.context import Console, Room
from errors import AssistantError, Misunderstood
from models import Broadcast, Role, Topic
from services.scope import Scope
from services.sending import audience, broadcast_text, broadcasts
from services.sending.audience import Audience
from services.sending.broadcasts import Text
from services.sending.forecast import Forecast

#: More than this of a field is not kept: nobody types it, and it comes back with every answer.
KEPT = 2000
WRITTEN = "written"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Draft:
    """What stands in the form."""

    title: str = ""
    words: str = ""
    topic: Topic = Topic.STATUTORY
    rows: list[Row] = field(default_factory=lambda: [Row()])
    #: The expression as somebody wrote it; None while it is made of rows.
    written: str | None = None
    list_name: str = ""
    corrects: Broadcast | None = None


@dataclass(frozen=True, slots=True)
class Sight:
    """Whom a draft would reach, or the sentence that says why that cannot be told."""

    expression: str
    seen: Forecast | None
    says: str = ""


def read(form: MultiDict[str, str], corrects: Broadcast | None) -> Draft:
    topic = next((topic for topic in Topic if topic == form.get("topic")), Topic.STATUTORY)
    written = form.get("written", "").strip()[:KEPT] if form.get("way") == WRITTEN else None
    return Draft(
        form.get("title", "")[:KEPT], form.get("words", "")[:KEPT], topic, audience_rows.read(form), written,
        form.get("list_name", "").strip()[:100], corrects,
    )  # fmt: skip


def of(row: Broadcast, corrects: Broadcast | None) -> Draft:
    """A draft to be written anew from one that was."""
    return Draft(row.title, row.words, row.topic, written=row.audience, corrects=corrects)


def county_of(scope: Scope) -> int | None:
    """The county that bounds what they write: the city office writes to everybody (F032)."""
    return None if scope.holds(Role.OFFICE) else min(scope.county_ids)


def changed(session: Session, draft: Draft, act: str) -> Draft:
    """The form after one of its buttons: a row more, a row less, rows into words, words into rows."""
    rows = draft.rows
    if act == "add" and len(rows) < audience_rows.MOST_ROWS:
        return replace(draft, rows=[*rows, Row()])
    if act.startswith("drop:"):
        left = [row for number, row in enumerate(rows) if str(number) != act[5:]]
        return replace(draft, rows=left or [Row()])
    if act == WRITTEN:
        return replace(draft, written=sight_words(session, draft))
    return replace(draft, written=None) if act == "rows" else draft


def sight_words(session: Session, draft: Draft) -> str:
    """The expression, or as much of it as the rows can be read for."""
    try:
        return _expression(session, draft)
    except Misunderstood:
        return ""


def _expression(session: Session, draft: Draft) -> str:
    return draft.written if draft.written is not None else audience_rows.expression(session, draft.rows)


def meant(session: Session, draft: Draft, scope: Scope) -> Audience:
    """To whom it goes. Raises Misunderstood."""
    if draft.corrects is not None:
        return broadcasts.audience_of(draft.corrects)
    said = broadcast_text.visible(_expression(session, draft))
    return Audience(said, county_of(scope))


def sight(session: Session, draft: Draft, scope: Scope, at: datetime, console: Console) -> Sight:
    """Whom it would reach now."""
    corrects = draft.corrects.id if draft.corrects is not None else None
    try:
        to = meant(session, draft, scope)
        seen = broadcasts.look(session, to, draft.topic, at, console.means, corrects=corrects)
    except Misunderstood as error:
        return Sight(sight_words(session, draft), None, str(error))
    return Sight(to.expression, seen)


def room(draft: Draft, console: Console) -> Room:
    """How long the title may be."""
    mark = len(broadcasts.CORRECTED) if draft.corrects is not None else 0
    return console.wording.room(broadcasts.LONGEST_TITLE - mark)


def write(
    session: Session, draft: Draft, scope: Scope, at: datetime, console: Console
) -> tuple[Broadcast | None, dict[str, str]]:
    """The broadcast written down, or what is wrong with which field."""
    wrong: dict[str, str] = {}
    space = room(draft, console)
    title = _checked(wrong, "title", lambda: broadcast_text.title(draft.title, space.place, space.characters))
    words = _checked(wrong, "words", lambda: broadcast_text.body(draft.words))
    to = _checked(wrong, "audience", lambda: meant(session, draft, scope))
    if wrong or title is None or words is None or to is None:
        # Where the words are wrong as well, the audience is still read to its end.
        if "audience" not in wrong:
            says = sight(session, draft, scope, at, console).says
            wrong |= {"audience": says} if says else {}
        return None, wrong
    text = Text(title, words, draft.topic)
    corrects = draft.corrects.id if draft.corrects is not None else None
    return _checked(
        wrong, "audience",
        lambda: broadcasts.draft(session, to, text, at, console.means, by=scope.person_id, corrects=corrects),
    ), wrong  # fmt: skip


def _checked(wrong: dict[str, str], name: str, ask: Callable[[], T]) -> T | None:
    """What `ask` gives; what it refuses is noted at the field."""
    try:
        return ask()
    except AssistantError as error:
        wrong[name] = str(error)
        return None


def keep_list(session: Session, draft: Draft, at: datetime, *, by: int) -> str:
    """The audience under a name, for another time. Returns the name. Raises Misunderstood."""
    return audience.save(session, draft.list_name, _expression(session, draft), at, by=by).name
