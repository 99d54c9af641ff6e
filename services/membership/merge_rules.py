"""What becomes of each table that names a person when two entries are made one (F031).

`RULES` has a line for each foreign key to people; a test finds the keys in the tables themselves, so that a new one
without a line fails. The audit is not among them: it is never rewritten and goes on naming the number it named.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from models import AccountSession, Base, ClaimState, NotSame, OptOut, Presence, SendState
from services.membership.changes import Book
from services.sending.outbox import Recipient

Row = dict[str, Any]
#: Of two entries for one gathering the better known stays.
KNOWN = (Presence.PRESENT, Presence.LEAVE, Presence.LEAVE_ASKED)
ONCE = "合并重复人员：同一通知只发一次"


@dataclass(frozen=True, slots=True)
class Two:
    """Who stays and who goes, and the book in which it is written."""

    book: Book
    keep: int
    gone: int
    at: datetime

    def rows(self, table: sa.Table, column: str, called: int | str) -> list[Row]:
        question = sa.select(table).where(table.c[column] == called).order_by(*table.primary_key.columns)
        return [dict(row) for row in self.book.session.execute(question).mappings()]


Rule = Callable[[Two, sa.Table, str], None]


def _key(table: sa.Table, row: Row) -> Row:
    return {column.name: row[column.name] for column in table.primary_key}


def _moves(two: Two, table: sa.Table, column: str) -> None:
    """Whatever names the one names the other."""
    for row in two.rows(table, column, two.gone):
        two.book.change(table, _key(table, row), {column: two.keep})


def _stays(_two: Two, _table: sa.Table, _column: str) -> None:
    """It is about the entry, not about the person."""


# --- what is dated -------------------------------------------------------------------------------------------


def _touch(one: Row, other: Row) -> bool:
    """Whether two spans have a day in common, or begin on the same one."""
    begins: list[date] = [row["since_on"] for row in (one, other)]
    ends: list[date] = [row["until_on"] or date.max for row in (one, other)]
    return begins[0] == begins[1] or (begins[0] < ends[1] and begins[1] < ends[0])


def _spans(
    two: Two, table: sa.Table, alike: Sequence[str], settle: Callable[[Row, list[Row], list[Row]], Row]
) -> None:
    """Rows of one kind that overlap become one row, from the first day to the last; the others move as they are.

    `settle` says what else the row that stays is given, from those joined to it and those beside it.
    """
    mine = two.rows(table, "person_id", two.keep)
    for row in two.rows(table, "person_id", two.gone):
        same = [each for each in mine if all(each[name] == row[name] for name in alike) and _touch(each, row)]
        beside = [each for each in mine if each not in same]
        if not same:
            stays, values = row, {"person_id": two.keep} | settle(row, [], beside)
        else:
            stays, joined = same[0], [row, *same[1:]]
            for each in joined:
                two.book.remove(table, _key(table, each))
            ends = [each["until_on"] for each in (stays, *joined)]
            span = {
                "since_on": min(each["since_on"] for each in (stays, *joined)),
                "until_on": None if None in ends else max(end for end in ends if end),
            }
            values = span | settle({**stays, **span}, joined, beside)
        two.book.change(table, _key(table, stays), values)
        mine = [*beside, {**stays, **values}]


def _affiliations(two: Two, table: sa.Table, _column: str) -> None:
    """One main branch stays, the survivor's; the other's goes on as a further branch."""

    def settle(row: Row, joined: list[Row], beside: list[Row]) -> Row:
        is_taken = any(each["is_main"] and each["until_on"] is None for each in beside)
        is_main = any(each["is_main"] for each in (row, *joined))
        return {"is_main": is_main and not (row["until_on"] is None and is_taken)}

    _spans(two, table, ("branch_id",), settle)


def _posts(two: Two, table: sa.Table, _column: str) -> None:
    """The same post held by both is one, with the later end of its term."""

    def settle(row: Row, joined: list[Row], _beside: list[Row]) -> Row:
        terms = [each["term_ends_on"] for each in (row, *joined) if each["term_ends_on"]]
        return {"term_ends_on": max(terms, default=None)} if joined else {}

    _spans(two, table, ("role", "branch_id", "station_id", "county_id", "duty"), settle)


def _flows(two: Two, table: sa.Table, _column: str) -> None:
    _spans(two, table, ("branch_id", "direction"), lambda _row, _joined, _beside: {})


# --- what may be there once ----------------------------------------------------------------------------------


def _attendances(two: Two, table: sa.Table, _column: str) -> None:
    """Both at one gathering: one row stays, with the better knowledge, because one person was there once."""
    mine = {row["gathering_id"]: row for row in two.rows(table, "person_id", two.keep)}
    for row in two.rows(table, "person_id", two.gone):
        same = mine.get(row["gathering_id"])
        if same is None:
            two.book.change(table, _key(table, row), {"person_id": two.keep})
            continue
        two.book.remove(table, _key(table, row))
        if KNOWN.index(row["presence"]) < KNOWN.index(same["presence"]):
            better = {name: value for name, value in row.items() if name not in {"gathering_id", "person_id"}}
            two.book.change(table, _key(table, same), better)


def _outgoing(two: Two, table: sa.Table, _column: str) -> None:
    """Every message stays on the record of its person; what both were still to get goes once."""
    keep, gone = Recipient(two.keep, None).key, Recipient(two.gone, None).key
    mine = {row["campaign"]: row for row in two.rows(table, "person_id", two.keep) if row["recipient"] == keep}
    for row in two.rows(table, "person_id", two.gone):
        same = mine.get(row["campaign"])
        values: Row = {"person_id": two.keep}
        if same is None and row["recipient"] == gone:
            values["recipient"] = keep
        elif same is not None and row["state"] is SendState.WAITING and same["state"] is not SendState.UNREACHABLE:
            values |= {"state": SendState.CANCELLED, "settled_at": two.at, "reason": ONCE}
        two.book.change(table, _key(table, row), values)


def _accounts(two: Two, table: sa.Table, column: str) -> None:
    """One way into the console for one person: the other account is closed, and whoever is in it is out."""
    if not two.rows(table, column, two.keep):
        _moves(two, table, column)
        return
    for row in two.rows(table, column, two.gone):
        if row["closed_at"] is None:
            two.book.change(table, _key(table, row), {"closed_at": two.at})
        sessions = AccountSession.__table__
        for each in two.rows(sessions, "account_id", row["id"]):
            if each["ended_at"] is None:
                two.book.change(sessions, _key(sessions, each), {"ended_at": two.at})


def _claims(two: Two, table: sa.Table, column: str) -> None:
    """Two claims of one account that wait become one."""
    waiting = {r["openid"] for r in two.rows(table, column, two.keep) if r["state"] is ClaimState.WAITING}
    for row in two.rows(table, column, two.gone):
        lapses = row["state"] is ClaimState.WAITING and row["openid"] in waiting
        values = {"state": ClaimState.LAPSED, "decided_at": two.at} if lapses else {}
        two.book.change(table, _key(table, row), {column: two.keep, **values})


def _not_same(two: Two, table: sa.Table, _column: str) -> None:
    """Whoever is not the one is not the other either. Does both columns."""
    for row in [*two.rows(table, "low_id", two.gone), *two.rows(table, "high_id", two.gone)]:
        other = row["high_id"] if row["low_id"] == two.gone else row["low_id"]
        low, high = sorted((two.keep, other))
        if low != high and two.book.session.get(NotSame, (low, high)) is None:
            two.book.put(NotSame, {**row, "low_id": low, "high_id": high})


def _declined(two: Two) -> None:
    """Whoever said no under one entry has said it (services/sending/preferences.py)."""
    table, keep = OptOut.__table__, Recipient(two.keep, None).key
    said = {row["topic"] for row in two.rows(table, "recipient", keep)}
    for row in two.rows(table, "recipient", Recipient(two.gone, None).key):
        if row["topic"] in said:
            two.book.remove(table, _key(table, row))
        else:
            two.book.change(table, _key(table, row), {"recipient": keep})


def _party_groups(two: Two, table: sa.Table, _column: str) -> None:
    """One Party group in a branch: the survivor's, where both have one."""
    mine = {row["branch_id"] for row in two.rows(table, "person_id", two.keep)}
    for row in two.rows(table, "person_id", two.gone):
        if row["branch_id"] in mine:
            two.book.remove(table, _key(table, row))
        else:
            two.book.change(table, _key(table, row), {"person_id": two.keep})


def _voters(two: Two, table: sa.Table, _column: str) -> None:
    """Once on a list of voters: the survivor's entry. The counts of what is recorded are the paper's and stay."""
    mine = {row["election_id"] for row in two.rows(table, "person_id", two.keep)}
    for row in two.rows(table, "person_id", two.gone):
        if row["election_id"] in mine:
            two.book.remove(table, _key(table, row))
        else:
            two.book.change(table, _key(table, row), {"person_id": two.keep})


RULES: dict[str, Rule] = {
    "accounts.person_id": _accounts,
    "affiliations.person_id": _affiliations,
    "attendances.by_person_id": _moves,
    "attendances.person_id": _attendances,
    "audiences.saved_by": _moves,
    "binding_claims.decided_by": _moves,
    "binding_claims.person_id": _claims,
    "branch_changes.by_person_id": _moves,
    "brand_stories.written_by": _moves,
    "broadcasts.author_id": _moves,
    "broadcasts.decided_by": _moves,
    "case_steps.by_person_id": _moves,
    "changes.by_person_id": _moves,
    "changes.person_id": _moves,
    "changes.undone_by": _moves,
    "consultations.lawyer_id": _moves,
    "election_candidates.person_id": _moves,
    "election_voters.person_id": _voters,
    "elections.recorded_by": _moves,
    "elections.set_aside_by": _moves,
    "elections.written_by": _moves,
    "flows.person_id": _flows,
    "followers.person_id": _moves,
    "gatherings.moved_by": _moves,
    "imports.applied_by": _moves,
    "imports.by_person_id": _moves,
    "invites.person_id": _moves,
    "merged_people.into_id": _moves,
    "merged_people.person_id": _stays,
    "not_same.high_id": _stays,
    "not_same.low_id": _not_same,
    "not_same.said_by": _moves,
    "outbox.person_id": _outgoing,
    "party_group_members.person_id": _party_groups,
    "pictures.made_by": _moves,
    "posts.person_id": _posts,
}


def follow(two: Two) -> None:
    """Carry out every rule."""
    for name, rule in RULES.items():
        table, _, column = name.partition(".")
        rule(two, Base.metadata.tables[table], column)
    _declined(two)
