"""Between claiming and calling: which way each row goes, what that uses up, and the words it carries."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa
from services.ladder import Account, Footing, Way
from sqlalchemy.orm import Session

from models import Channel, Notice, SendState, Topic
from scheduler import letters
from scheduler.letters import Letter, Text
from scheduler.parcels import Parcel
from services import consents, fates, ladder, preferences, quotas, reach
from services.fates import Again, Claimed, Fate
from services.reach import Window

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

    def plan(self, session: Session, rows: Sequence[Claimed], at: datetime, holder: str) -> list[Parcel]:
        """Decide each row's way and note it. What has none is settled at once; what must wait is put back."""
        parcels = self._plan(session, rows, at)
        parcels += self._fill_lists(session, parcels, at, holder)
        parcels = self._without_lonely(session, parcels, at)
        fates.take_channels(session, [(p.id, p.channel, p.rung, p.batch) for p in parcels])
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
        template = self._accounts[parcel.text.app].template(parcel.channel, parcel.text.kind)
        return template.id if template else ""

    def give_back(self, session: Session, parcels: Sequence[Parcel]) -> None:
        """These did not leave: their subscriptions are still there."""
        for parcel in parcels:
            if parcel.channel is Channel.SUBSCRIPTION:
                consents.give_back(session, parcel.openid, self.template_id(parcel))

    # --- which way ---------------------------------------------------------------------------------------

    def _plan(self, session: Session, rows: Sequence[Claimed], at: datetime) -> list[Parcel]:
        if not rows:
            return []
        texts = self._read(session, {row.notice_id for row in rows})
        unwanted = self._unwanted(session, rows)
        footings = self._footings(session, rows, texts, at)
        left = {app: self._left(session, app, at) for app in {texts[row.notice_id].app for row in rows}}
        parcels, settled, waiting = [], [], []
        for row in rows:
            text = texts[row.notice_id]
            if row.id in unwanted:
                settled.append(Fate(row.id, SendState.UNREACHABLE, unwanted[row.id]))
                continue
            way = self._way(row, text, footings[row.id], left[text.app], at)
            if way.channel is not None:
                parcels.append(_parcel(row, text, way))
            elif way.waits_until is not None:
                waiting.append(Again(row.id, way.waits_until, way.reason, row.attempts, way.rung))
            else:
                settled.append(Fate(row.id, SendState.UNREACHABLE, way.reason))
        problems = [(p, letter.problem) for p in parcels if (letter := self.letter(p, at)).problem]
        settled += [Fate(p.id, SendState.REFUSED, problem) for p, problem in problems]
        fates.settle(session, settled, at)
        fates.put_back(session, waiting)
        hopeless = {p.id for p, _ in problems}
        return [p for p in parcels if p.id not in hopeless]

    def _way(self, row: Claimed, text: Text, footing: Footing, left: dict[Channel, int | None], at: datetime) -> Way:
        if row.batch:
            return Way(Channel.MASS, row.rung)
        way = ladder.choose(
            self._accounts[text.app], text.kind, footing, at, rung=row.rung, left=left,
            midnight=quotas.begins_anew(at), not_after=row.not_after,
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

    def _unwanted(self, session: Session, rows: Sequence[Claimed]) -> dict[int, str]:
        """Rows whose people do not want such notices any more, with the reason."""
        found: dict[int, str] = {}
        by_topic: dict[Topic, list[Claimed]] = {}
        for row in rows:
            by_topic.setdefault(self._texts[row.notice_id].topic, []).append(row)
        for topic, those in by_topic.items():
            declined = preferences.declined(session, [row.recipient for row in those], topic)
            reason = preferences.DECLINED.format(topic=topic.label)
            found |= {row.id: reason for row in those if row.recipient in declined}
        return found

    def _footings(
        self, session: Session, rows: Sequence[Claimed], texts: Mapping[int, Text], at: datetime
    ) -> dict[int, Footing]:
        windows: Mapping[str, Window] = reach.windows(session, [row.openid for row in rows], at)
        allowed: dict[str, set[str]] = {}
        for text in texts.values():
            template = self._accounts[text.app].template(Channel.SUBSCRIPTION, text.kind)
            if template is not None and template.id not in allowed:
                allowed[template.id] = consents.holders(session, [row.openid for row in rows], template.id)
        footings = {}
        for row in rows:
            text = texts[row.notice_id]
            template = self._accounts[text.app].template(Channel.SUBSCRIPTION, text.kind)
            has_consent = template is not None and row.openid in allowed[template.id]
            footings[row.id] = Footing(windows.get(row.openid), has_consent)
        return footings

    def _left(self, session: Session, app: str, at: datetime) -> dict[Channel, int | None]:
        return {channel: quotas.left(session, app, channel, at, self._daily) for channel in Channel}

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

    def _fill_lists(self, session: Session, parcels: Sequence[Parcel], at: datetime, holder: str) -> list[Parcel]:
        """One mass call carries up to 10,000: take along all who would go the same way."""
        more: list[Parcel] = []
        for notice_id in {p.text.id for p in parcels if p.channel is Channel.MASS and p.batch is None}:
            room = MASS_MOST - sum(1 for p in parcels if p.text.id == notice_id)
            more += self._plan(session, fates.claim_of(session, notice_id, at, holder, room), at)
        return more

    def _without_lonely(self, session: Session, parcels: Sequence[Parcel], at: datetime) -> list[Parcel]:
        """Give each new list its clientmsgid; a list of one WeChat does not take."""
        fresh: dict[int, list[Parcel]] = {}
        for parcel in parcels:
            if parcel.channel is Channel.MASS and parcel.batch is None:
                fresh.setdefault(parcel.text.id, []).append(parcel)
        lonely = {p.id for those in fresh.values() if len(those) < MASS_FEWEST for p in those}
        fates.settle(session, [Fate(row_id, SendState.UNREACHABLE, ONLY_ONE) for row_id in lonely], at)
        batches = {p.id: _batch_id(those) for those in fresh.values() for p in those}
        return [_with_batch(p, batches.get(p.id, p.batch)) for p in parcels if p.id not in lonely]


def _batch_id(parcels: Sequence[Parcel]) -> str:
    """At most 64 bytes; another list is another message."""
    first = min(parcels, key=lambda parcel: parcel.id)
    return f"mass-{first.once_id}-{len(parcels)}"


def _with_batch(parcel: Parcel, batch: str | None) -> Parcel:
    return parcel if parcel.batch == batch else replace(parcel, batch=batch)


def _parcel(row: Claimed, text: Text, way: Way) -> Parcel:
    assert way.channel is not None
    return Parcel(
        row.id, row.openid, text, way.channel, way.rung, row.attempts, row.round, row.is_bulk, row.not_after,
        row.batch,
    )  # fmt: skip
