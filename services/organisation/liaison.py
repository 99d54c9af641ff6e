"""Keeping townships, villages and liaison points: added, ended, taken up again; what was added by mistake goes (F023)."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from clock import beijing_date
from errors import Misunderstood, RuleBroken
from models import County, LiaisonPoint, Township, Village
from services import audit
from services.fields import Fields, clean, is_chinese

LONGEST_NAME, LONGEST_CONTACT, MOST_AT_ONCE = 32, 64, 100
#: So long an ending may still turn out to be a mistake, and be undone with its number.
PHONE_DAYS = 90
#: What may stand in a name beside letters.
_MARKS = frozenset(" ·•・‧-—.'’（）()、")


def names(said: str, what: str) -> list[str]:
    """Names that were typed one a line, each once. Raises Misunderstood."""
    found = list(dict.fromkeys(filter(None, (clean(line) for line in said.splitlines()))))
    if not found:
        raise Misunderstood(f"请填写{what}，一行一个。")
    if len(found) > MOST_AT_ONCE:
        raise Misunderstood(f"一次最多 {MOST_AT_ONCE} 行，现在 {len(found)} 行。")
    long = next((name for name in found if len(name) > LONGEST_NAME), None)
    if long is not None:
        raise Misunderstood(f"“{long[:LONGEST_NAME]}…”太长，最多 {LONGEST_NAME} 个字。")
    odd = next((name for name in found if not _is_called(name)), None)
    if odd is not None:
        raise Misunderstood(f"“{odd}”不像{what}：要用汉字写，不用表情和符号。")
    return found


def _is_called(name: str) -> bool:
    """Whether a place may be called so: letters, digits, a few marks, and a Chinese letter among them."""
    plain = all(each in _MARKS or unicodedata.category(each)[0] in "LMN" for each in name)
    return plain and any(map(is_chinese, name))


def add_townships(session: Session, county: County, wanted: list[str], at: datetime, *, by: int) -> int:
    """Those that are not there yet; gives how many."""
    known = session.scalars(sa.select(Township.name).where(Township.county_id == county.id))
    new = _unknown(wanted, known)
    session.add_all(Township(county_id=county.id, name=name) for name in new)
    return _added(session, new, f"county:{county.id}", "乡镇（街道）", at, by)


def add_villages(session: Session, township: Township, wanted: list[str], at: datetime, *, by: int) -> int:
    """Those that are not there yet; gives how many."""
    known = session.scalars(sa.select(Village.name).where(Village.township_id == township.id))
    new = _unknown(wanted, known)
    session.add_all(Village(township_id=township.id, name=name) for name in new)
    return _added(session, new, f"township:{township.id}", "村（社区）", at, by)


def _unknown(wanted: list[str], known: Iterable[str]) -> list[str]:
    there = set(known)
    return [name for name in wanted if name not in there]


def _added(session: Session, new: list[str], subject: str, what: str, at: datetime, by: int) -> int:
    session.flush()
    if new:
        audit.note(session, at, by, "village.add", subject, f"{what}：{'、'.join(new)}")
    return len(new)


def remove_village(session: Session, village: Village, at: datetime, *, by: int) -> None:
    """Take back a village that was typed by mistake. Raises RuleBroken where there has been a point."""
    if session.scalar(sa.select(LiaisonPoint.id).where(LiaisonPoint.village_id == village.id).limit(1)):
        raise RuleBroken(f"“{village.name}”设过联络点，不能删除；撤点请用“结束”。")
    session.delete(village)
    audit.note(session, at, by, "village.remove", f"township:{village.township_id}", village.name)


def remove_township(session: Session, township: Township, at: datetime, *, by: int) -> None:
    """Take back a township that was typed by mistake. Raises RuleBroken where it has villages."""
    if session.scalar(sa.select(Village.id).where(Village.township_id == township.id).limit(1)):
        raise RuleBroken(f"“{township.name}”下面还有村（社区），不能删除。")
    session.delete(township)
    audit.note(session, at, by, "village.remove", f"county:{township.county_id}", township.name)


# --- points --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Details:
    """Who is asked for at a point, and since when it is there."""

    contact: str
    phone: str
    since_on: date


def read(said: Mapping[str, str], today: date) -> tuple[Details, Fields]:
    """A form; `wrong` of the fields is empty where it can be taken."""
    form = Fields(said)
    contact = form.line("contact", "联系人", LONGEST_CONTACT)
    if contact and not all(each in _MARKS or unicodedata.category(each)[0] in "LM" for each in contact):
        form.wrong.setdefault("contact", "联系人的姓名只用文字和间隔号“·”，不用数字、符号和表情。")
    phone = form.mobile("phone")
    return Details(contact, phone, form.day("since_on", "设立日期", latest=today)), form


def open_point(session: Session, village: Village, to: Details, at: datetime, *, by: int) -> LiaisonPoint:
    """Raises RuleBroken where the village has a point already, or had one on that day."""
    last = session.scalar(sa.select(sa.func.max(LiaisonPoint.until_on)).where(LiaisonPoint.village_id == village.id))
    if last is not None and to.since_on < last:
        raise RuleBroken(f"上一个联络点到 {last} 才结束，设立日期不能比它早。")
    point = LiaisonPoint(village_id=village.id, contact=to.contact, phone=to.phone, since_on=to.since_on)
    session.add(point)
    try:
        session.flush()
    except IntegrityError:
        raise RuleBroken("这个村（社区）已经有联络点了；换联系人请先结束原来的。") from None
    audit.note(session, at, by, "point.open", f"village:{village.id}", f"{village.name}，{to.since_on} 起")
    return point


def close_point(session: Session, point: LiaisonPoint, reason: str, at: datetime, *, by: int) -> None:
    """From today on it is not there. Raises RuleBroken when it has ended already."""
    if point.until_on is not None:
        raise RuleBroken(f"这个联络点已在 {point.until_on} 结束。")
    point.until_on, point.is_current = max(point.since_on, beijing_date(at)), None
    said = f"{point.since_on} 至今 → {point.until_on} 止；原因：{reason}"
    audit.note(session, at, by, "point.close", f"village:{point.village_id}", said)


def resume_point(session: Session, point: LiaisonPoint, at: datetime, *, by: int) -> None:
    """Undo an ending: on the same day as if it had not been, later from today on. Raises RuleBroken where another has come since."""
    if point.until_on is None:
        raise RuleBroken("这个联络点没有结束，不用恢复。")
    later = sa.select(LiaisonPoint.id).where(
        LiaisonPoint.village_id == point.village_id,
        LiaisonPoint.id != point.id,
        sa.or_(LiaisonPoint.until_on.is_(None), LiaisonPoint.since_on >= point.until_on),
    )
    if session.scalar(later.limit(1)) is not None:
        raise RuleBroken("后来已经另设了联络点，不能恢复这一个；请先结束新的，再恢复。")
    ended_on, today = point.until_on, beijing_date(at)
    if ended_on >= today:
        point.until_on, point.is_current = None, True
    else:
        # The days without it stay days without it.
        again = LiaisonPoint(village_id=point.village_id, contact=point.contact, phone=point.phone, since_on=today)
        session.add(again)
    session.flush()
    audit.note(session, at, by, "point.resume", f"village:{point.village_id}", f"{ended_on} 止 → 恢复")


def forget_phones(session: Session, on: date, limit: int) -> int:
    """The numbers of points that ended long ago, so many at most: nobody needs to call there any more (P5)."""
    old = (
        sa.select(LiaisonPoint.id)
        .where(LiaisonPoint.until_on < on - timedelta(days=PHONE_DAYS), LiaisonPoint.phone.is_not(None))
        .limit(limit)
    )
    ids = list(session.scalars(old))
    session.execute(sa.update(LiaisonPoint).where(LiaisonPoint.id.in_(ids)).values(phone=None))
    return len(ids)


def reveal_phone(session: Session, point: LiaisonPoint, reason: str, at: datetime, *, by: int) -> str:
    """The whole number, for a reason that stays in the audit. Raises Misunderstood without one."""
    why = audit.reason(reason, "为什么要看", "核对联系电话")
    audit.note(session, at, by, "point.phone_shown", f"village:{point.village_id}", why)
    return point.phone or ""
