"""Between claiming and calling: which way each row goes, what that uses up, and the words it carries."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from config import Template
from models import Channel, Notice, SendState, Topic
from scheduler import letters
from scheduler.letters import Letter, Text
from scheduler.parcels import Parcel
from services.sending import consents, fates, ladder, preferences, quotas, reach
from services.sending.fates import Again, Claim, Fate, Row
from services.sending.ladder import Account, Footing, Way
from services.sending.reach import Window

#: What is known of somebody of whom nothing is known.
NOTHING = Footing(None, has_consent=False)
#: Notices whose words are kept at hand; the rows of one go out one after another.
KEPT = 256
#: The most recipients of one mass message, and the fewest (§4.9, 40130).
MASS_MOST, MASS_FEWEST = 10_000, 2
ONLY_ONE = f"群发至少要两个人，只剩一个人没有别的途径；{ladder.BY_HAND}"


class Planner:
    """Plans the rows of one sender."""

    def __init__(self, accounts: Mapping[str, Account], daily: dict[Channel, int]) -> None:
        self._accounts, self._daily = accounts, daily
        self._texts: dict[int, Text] = {}
        self._letters: dict[tuple[int, Channel], Letter] = {}

    def plan(self, session: Session, rows: Sequence[Row], at: datetime, holder: str) -> list[Parcel]:
        """Decide each row's way and claim it. What has none is settled at once; what must wait is put off."""
        parcels = self._plan(session, rows, at)
        parcels += self._fill_lists(session, parcels, at)
        parcels = self._without_lonely(session, parcels, at)
        fates.claim(
            session, [Claim(p.id, p.channel, p.rung, p.batch, p.may_have_left_at) for p in parcels], at, holder
        )
        self._count(session, parcels, at)
        return parcels

    def letter(self, parcel: Parcel, at: datetime) -> Letter:
        """The words of a parcel's notice in its channel."""
        key = parcel.text.id, parcel.channel
        if key not in self._letters:
            if len(self._letters) >= KEPT:
                self._letters.clear()
            template = self._accounts[parcel.text.app].template(parcel.channel, parcel.text.kind)
            self._letters[key] = letters.write(parcel.text, parcel.channel, template, at)
        return self._letters[key]

    def template_id(self, parcel: Parcel) -> str:
        """The template that a parcel is written into; empty where there is none."""
        return _id(self._accounts[parcel.text.app].template(parcel.channel, parcel.text.kind))

    def give_back(self, session: Session, parcels: Sequence[Parcel]) -> None:
        """These did not leave: their subscriptions are still there."""
        for parcel in parcels:
            if parcel.channel is Channel.SUBSCRIPTION:
                consents.give_back(session, parcel.openid, self.template_id(parcel))

    # --- which way ---------------------------------------------------------------------------------------

    def _plan(self, session: Session, rows: Sequence[Row], at: datetime) -> list[Parcel]:
        if not rows:
            return []
        texts = self._read(session, {row.notice_id for row in rows})
        unwanted = self._unwanted(session, rows)
        footings = self._footings(session, rows, texts, at)
        apps = {texts[row.notice_id].app for row in rows}
        left = {app: quotas.left_today(session, app, at, self._daily) for app in apps}
        midnight = quotas.begins_anew(at)
        parcels, settled, waiting = [], [], []
        for row in rows:
            text = texts[row.notice_id]
            if row.may_have_left_at and row.may_have_left_at <= at - fates.DOUBLES_ARE_REMOVED_FOR:
                settled.append(Fate(row.id, SendState.UNKNOWN, fates.TOO_LONG_AGO))
                continue
            if row.id in unwanted:
                settled.append(Fate(row.id, SendState.UNREACHABLE, unwanted[row.id]))
                continue
            way = self._way(row, text, footings.get(row.id, NOTHING), left[text.app], at, midnight)
            if way.channel is not None:
                parcels.append(_parcel(row, text, way))
            elif way.waits_until is not None:
                unsure = row.may_have_left_at is not None
                waiting.append(
                    Again(row.id, way.waits_until, way.reason, row.attempts, way.rung, may_have_left=unsure)
                )
            else:
                settled.append(Fate(row.id, SendState.UNREACHABLE, way.reason))
        hopeless = {p.id: problem for p in parcels if (problem := self.letter(p, at).problem)}
        settled += [Fate(row_id, SendState.REFUSED, problem) for row_id, problem in hopeless.items()]
        fates.settle(session, settled, at, was=SendState.WAITING)
        fates.put_back(session, waiting, was=SendState.WAITING)
        return [p for p in parcels if p.id not in hopeless]

    def _way(
        self,
        row: Row,
        text: Text,
        footing: Footing,
        left: dict[Channel, int | None],
        at: datetime,
        midnight: datetime,
    ) -> Way:
        if row.batch:
            return Way(Channel.MASS, row.rung)
        way = ladder.choose(
            self._accounts[text.app], text.kind, footing, at, rung=row.rung, left=left,
            midnight=midnight, not_after=row.not_after,
        )  # fmt: skip
        rest = left.get(way.channel) if way.channel is not None else None
        if way.channel is not None and way.channel is not Channel.MASS and rest is not None:
            left[way.channel] = rest - 1
        return way

    def _read(self, session: Session, notice_ids: set[int]) -> dict[int, Text]:
        missing = notice_ids - self._texts.keys()
        if len(self._texts) > KEPT:
            self._texts.clear()
            missing = notice_ids
        for notice in session.scalars(sa.select(Notice).where(Notice.id.in_(missing))) if missing else ():
            self._texts[notice.id] = Text(
                notice.id, notice.kind, notice.app, notice.campaign, json.loads(notice.facts), notice.queued_at,
                notice.topic,
            )  # fmt: skip
        return {notice_id: self._texts[notice_id] for notice_id in notice_ids}

    def _unwanted(self, session: Session, rows: Sequence[Row]) -> dict[int, str]:
        """Rows whose people do not want such notices any more, with the reason."""
        found: dict[int, str] = {}
        by_topic: dict[Topic, list[Row]] = {}
        for row in rows:
            by_topic.setdefault(self._texts[row.notice_id].topic, []).append(row)
        for topic, those in by_topic.items():
            declined = preferences.declined(session, [row.recipient for row in those], topic)
            reason = preferences.DECLINED.format(topic=topic.label)
            found |= {row.id: reason for row in those if row.recipient in declined}
        return found

    def _footings(
        self, session: Session, rows: Sequence[Row], texts: Mapping[int, Text], at: datetime
    ) -> dict[int, Footing]:
        """What is known of the recipients; asked only for those whose ladder depends on it."""
        windows: Mapping[str, Window] = {}
        in_chat: list[str] = []
        by_template: dict[str, list[str]] = {}
        for row in rows:
            text = texts[row.notice_id]
            account = self._accounts[text.app]
            depends = ladder.depends_on(account, text.kind, row.rung)
            if Channel.CUSTOMER in depends:
                in_chat.append(row.openid)
            if Channel.SUBSCRIPTION in depends:
                by_template.setdefault(_id(account.template(Channel.SUBSCRIPTION, text.kind)), []).append(row.openid)
        if in_chat:
            windows = reach.windows(session, in_chat, at)
        allowed = {each: consents.holders(session, openids, each) for each, openids in by_template.items()}
        if not windows and not any(allowed.values()):
            return {}
        return {
            row.id: Footing(windows.get(row.openid), row.openid in allowed.get(self._subscription(row), ()))
            for row in rows
        }

    def _subscription(self, row: Row) -> str:
        text = self._texts[row.notice_id]
        return _id(self._accounts[text.app].template(Channel.SUBSCRIPTION, text.kind))

    def _count(self, session: Session, parcels: Sequence[Parcel], at: datetime) -> None:
        """Note what these calls use up."""
        for app in {parcel.text.app for parcel in parcels}:
            for channel in Channel:
                mine = [p for p in parcels if p.text.app == app and p.channel is channel]
                calls = len({p.batch for p in mine}) if channel is Channel.MASS else len(mine)
                if calls:
                    quotas.use(session, app, channel, at, calls)
        by_template: dict[str, list[str]] = {}
        for parcel in parcels:
            if parcel.channel is Channel.SUBSCRIPTION:
                by_template.setdefault(self.template_id(parcel), []).append(parcel.openid)
        for template_id, openids in by_template.items():
            consents.spend(session, openids, template_id)

    # --- mass messages -----------------------------------------------------------------------------------

    def _fill_lists(self, session: Session, parcels: Sequence[Parcel], at: datetime) -> list[Parcel]:
        """One mass call carries up to 10,000: take along all who would go the same way."""
        more: list[Parcel] = []
        for notice_id in {p.text.id for p in parcels if p.channel is Channel.MASS and p.batch is None}:
            room = MASS_MOST - sum(1 for p in parcels if p.text.id == notice_id)
            more += self._plan(session, fates.due_of(session, notice_id, at, room, {p.id for p in parcels}), at)
        return more

    def _without_lonely(self, session: Session, parcels: Sequence[Parcel], at: datetime) -> list[Parcel]:
        """Give each new list its clientmsgid; a list of one WeChat does not take."""
        fresh: dict[int, list[Parcel]] = {}
        for parcel in parcels:
            if parcel.channel is Channel.MASS and parcel.batch is None:
                fresh.setdefault(parcel.text.id, []).append(parcel)
        lonely = {p.id for those in fresh.values() if len(those) < MASS_FEWEST for p in those}
        fates.settle(
            session, [Fate(row_id, SendState.UNREACHABLE, ONLY_ONE) for row_id in lonely], at, was=SendState.WAITING
        )
        batches = {p.id: _batch_id(those) for those in fresh.values() for p in those}
        return [_with_batch(p, batches.get(p.id, p.batch)) for p in parcels if p.id not in lonely]


def _id(template: Template | None) -> str:
    return template.id if template else ""


def _batch_id(parcels: Sequence[Parcel]) -> str:
    """At most 64 bytes; another list is another message."""
    first = min(parcels, key=lambda parcel: parcel.id)
    return f"mass-{first.once_id}-{len(parcels)}"


def _with_batch(parcel: Parcel, batch: str | None) -> Parcel:
    return parcel if parcel.batch == batch else replace(parcel, batch=batch)


def _parcel(row: Row, text: Text, way: Way) -> Parcel:
    assert way.channel is not None
    return Parcel(
        row.id, row.openid, text, way.channel, way.rung, row.attempts, row.round, row.is_bulk, row.not_after,
        row.batch, row.may_have_left_at if way.channel is Channel.TEMPLATE else None,
    )  # fmt: skip
