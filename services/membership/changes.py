"""Acts on the roll that can be undone exactly: each row's values before and after are kept, and put back (F025–F031)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, joinedload

from clock import beijing_date
from errors import NotFound, RuleBroken
from models import Affiliation, Base, Change, ChangeKind, Labelled, Person, Post, dialect_of, spelling
from models.base import Instant, vault_of
from models.people import tail_index
from services import audit
from services.membership import given_back

LATER = "之后又有改动，不能直接撤销；请先撤销后来的那一次，或按现在的情况另作改动。"
TOO_OLD = "这次改动前后的值保存期已满，不能再撤销；要改回去，请按现在的情况另作改动。"
#: Rows that live on by themselves: their term ends, their owner unbinds or erases them. What is not as we left it stays
#: as it is then.
FLEETING = frozenset({"account_sessions", "broadcasts", "followers", "opt_outs", "outbox"})
SHOWN = 12

Key = Mapping[str, Any]
Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """What happened to one row; nothing `before` for a new one, nothing `after` for one that was taken out."""

    table: str
    key: dict[str, Any]
    before: dict[str, Any] | None
    after: dict[str, Any] | None


@dataclass(slots=True)
class Book:
    """Writes rows and remembers how. What was pending in the session is written first, so that the order is kept."""

    session: Session
    steps: list[Step] = field(default_factory=list)

    def insert(self, model: type[Base], values: Values) -> int:
        """A new row with a number of its own, which is returned."""
        row = model(**values)
        self.session.add(row)
        self.session.flush()
        number: int = row.id  # type: ignore[attr-defined]
        self.steps.append(Step(model.__tablename__, {"id": number}, None, _plain(values)))
        return number

    def put(self, model: type[Base], values: Values) -> None:
        """A new row whose key is among its values."""
        table = model.__table__
        self.session.execute(sa.insert(table).values(dict(values)))
        key = {column.name: values[column.name] for column in table.primary_key}
        self.steps.append(Step(table.name, _plain(key), None, _plain(values)))

    def change(self, table: sa.Table, key: Key, values: Values) -> None:
        """Other values for one row; what is the same already is left out."""
        now = _read(self.session, table, key)
        if now is None:
            raise NotFound("没有这条记录，可能刚被别人改动；请刷新后再看。")
        before = _plain({name: now[name] for name in values})
        after = _plain(values)
        differs = [name for name in after if after[name] != before[name]]
        if not differs:
            return
        _write(self.session, table, key, {name: values[name] for name in differs})
        step = Step(table.name, _plain(key), {n: before[n] for n in differs}, {n: after[n] for n in differs})
        self.steps.append(step)

    def remove(self, table: sa.Table, key: Key) -> None:
        """Take a row out; the whole of it is kept."""
        now = _read(self.session, table, key)
        if now is not None:
            self.session.execute(sa.delete(table).where(*_is(table, key)))
            self.steps.append(Step(table.name, _plain(key), _plain(now), None))

    def close(
        self, kind: ChangeKind, person_id: int, says: str, at: datetime, *, by: int | None, reason: str = ""
    ) -> Change:
        """Keep what was done, and let the session see it."""
        kept = [[step.table, step.key, step.before, step.after] for step in self.steps]
        change = Change(
            kind=kind, person_id=person_id, at=at, by_person_id=by, says=says, reason=reason[:128],
            kept=json.dumps(kept, ensure_ascii=False),
        )  # fmt: skip
        self.session.flush()
        self.session.expire_all()
        self.session.add(change)
        self.session.flush()
        return change


def lock(session: Session, *person_ids: int) -> None:
    """Let others who change these people wait until this transaction ends; on SQLite there is one writer anyway."""
    question = sa.select(Person.id).where(Person.id.in_(person_ids)).order_by(Person.id)
    session.execute(question if dialect_of(session) == "sqlite" else question.with_for_update())


def steps_of(change: Change) -> list[Step]:
    return [Step(*each) for each in json.loads(change.kept)]


def of_person(session: Session, person_id: int) -> list[Change]:
    """The last changes of somebody, the newest first."""
    rows = sa.select(Change).options(joinedload(Change.by)).where(Change.person_id == person_id)
    return list(session.scalars(rows.order_by(Change.id.desc()).limit(SHOWN)))


def get(session: Session, change_id: int, *which: sa.ColumnElement[bool]) -> Change:
    """One change with its person, if it is one of these. Raises NotFound."""
    question = sa.select(Change).options(joinedload(Change.person)).where(Change.id == change_id, *which)
    change = session.scalar(question)
    if change is None:
        raise NotFound("没有这次改动，或它不归您撤销。")
    return change


def undo(session: Session, change: Change, at: datetime, *, by: int | None) -> None:
    """Put every row back as it was. Raises RuleBroken when it was undone before, its rows are no longer kept, one is
    another by now, or a post of a branch would go back to somebody who may not have it."""
    if change.erased_at is not None:
        raise RuleBroken(TOO_OLD)
    lock(session, change.person_id)
    said = f"person:{change.person_id}", f"{change.kind.label}：{change.says}"
    try:
        # Refused, it leaves nothing behind, whatever the caller goes on with.
        with session.begin_nested():
            _take(session, change, at, by=by)
            steps = steps_of(change)
            for step in reversed(steps):
                _back(session, step)
            session.expire_all()
            joined, posts = _rows(steps, Affiliation), _rows(steps, Post)
            given_back.refuse_ended_branches(session, joined, posts)
            given_back.refuse_second_secretary(session, posts)
            # Two entries that were one become what they were, with whatever posts each had.
            if change.kind is not ChangeKind.MERGED:
                given_back.refuse_strangers(session, _opened(steps), beijing_date(at), LATER)
    except IntegrityError:
        raise RuleBroken(LATER) from None
    session.expire_all()
    audit.note(session, at, by, "people.undo", *said)


def _take(session: Session, change: Change, at: datetime, *, by: int | None) -> None:
    taken = session.execute(
        sa.update(Change).where(Change.id == change.id, Change.undone_at.is_(None)).values(undone_at=at, undone_by=by)
    )
    if taken.rowcount != 1:  # type: ignore[attr-defined]
        raise RuleBroken("这次改动已经撤销过了。")


def _rows(steps: list[Step], model: type[Base]) -> list[int]:
    """The rows of one table that an act touched."""
    return [step.key["id"] for step in steps if step.table == model.__tablename__]


def _opened(steps: list[Step]) -> list[int]:
    """Posts that the act had ended or taken out, and that go on again."""
    ended = [each for each in steps if each.table == Post.__tablename__ and "until_on" in (each.before or {})]
    return [each.key["id"] for each in ended if each.before and each.before["until_on"] is None]


def _back(session: Session, step: Step) -> None:
    table = Base.metadata.tables[step.table]
    # A change of the key itself: the row is found by what it is called now.
    key = _typed(table, step.key | {name: value for name, value in (step.after or {}).items() if name in step.key})
    now = _read(session, table, key)
    if step.after is None:
        if now is None:
            session.execute(sa.insert(table).values(_typed(table, step.before or {})))
        elif step.table not in FLEETING:
            raise RuleBroken(LATER)
        return
    if now is None or _plain({name: now[name] for name in step.after}) != step.after:
        if step.table in FLEETING:
            return
        raise RuleBroken(LATER)
    if step.before is None:
        session.execute(sa.delete(table).where(*_is(table, key)))
    else:
        _write(session, table, key, _typed(table, step.before))


def _is(table: sa.Table, key: Key) -> list[sa.ColumnElement[bool]]:
    return [table.c[name] == value for name, value in key.items()]


def _read(session: Session, table: sa.Table, key: Key) -> dict[str, Any] | None:
    session.flush()
    question = sa.select(table).where(*_is(table, key))
    if dialect_of(session) != "sqlite":
        question = question.with_for_update()
    row = session.execute(question).mappings().first()
    return None if row is None else dict(row)


def _write(session: Session, table: sa.Table, key: Key, values: Values) -> None:
    if table is Person.__table__:
        values = {**values, **_found_by(session, values)}
    session.execute(sa.update(table).where(*_is(table, key)).values(dict(values)))


def _found_by(session: Session, values: Values) -> dict[str, Any]:
    """What follows from a name and a number (models/people.py), for a change that goes past the row itself."""
    found: dict[str, Any] = {}
    if "name" in values:
        found |= {"search_key": spelling.key(values["name"]), "sound": spelling.sound(values["name"])}
    if "phone" in values:
        phone, dialect = values["phone"], session.get_bind().dialect
        index = vault_of(dialect).index(phone) if phone else None
        found |= {"phone_index": index, "phone_tail": tail_index(dialect, phone)}
    return found


def _plain(values: Values) -> dict[str, Any]:
    return {name: _said(value) for name, value in values.items()}


def _said(value: Any) -> Any:
    if isinstance(value, Labelled):
        return value.value
    return value.isoformat() if isinstance(value, date) else value


def _typed(table: sa.Table, values: Values) -> dict[str, Any]:
    """Values as they were before they were written down as JSON."""
    return {name: _meant(table.c[name].type, value) for name, value in values.items()}


def _meant(kind: sa.types.TypeEngine[Any], value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if isinstance(kind, Instant):
        return datetime.fromisoformat(value)
    return date.fromisoformat(value) if isinstance(kind, sa.Date) else value
