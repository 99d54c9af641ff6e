"""A small town for tests of consultations: three counties, four stations, their lawyers, the offices, and a chat."""

from __future__ import annotations

import itertools
import re
from datetime import date, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bot.messages import Message
from bot.replies import MAX_BYTES
from bot.router import Router
from bot.together import answer_all
from bot.turn import Talk, Turn
from clock import parse_instant
from config import Settings
from errors import AssistantError
from handlers import cases as lawyers_side
from handlers import consultations, following, guide, stations
from handlers.context import Context
from models import Base, County, Database, Follower, Person, Post, Role, Station, Vault

#: A Friday morning in working hours, and the night before.
MORNING = parse_instant("2026-11-27T10:00")
NIGHT = parse_instant("2026-11-26T22:00")
VAULT = Vault("a secret for tests, forty characters long")
WEEKDAYS = "周一至周五 9:00–12:00 14:00–17:30"
COUNTIES = (
    "金水区", "中原区", "二七区", "惠济区", "荥阳市", "新郑市", "中牟县", "上街区", "新密市", "管城区", "登封市", "巩义市",
)  # fmt: skip


def build(url: str) -> Database:
    """Tables and the cast: 金水区 has two stations, 中原区 one, 二七区 a lawyer without one, the others nobody."""
    database = Database(url, VAULT)
    Base.metadata.create_all(database.engine)
    with database.transaction() as session:
        session.add_all(County(id=i, name=name, brand="") for i, name in enumerate(COUNTIES, 1))
        session.flush()
        add_station(session, 1, "文化路法律服务站", county_id=1, latitude=34.78, longitude=113.66)
        add_station(session, 2, "花园路法律服务站", county_id=1, latitude=34.80, longitude=113.68)
        add_station(
            session, 3, "桐柏路法律服务站", county_id=2, latitude=34.75, longitude=113.61, hours="周六 9:00-12:00"
        )
        add_station(session, 4, "大学路法律服务站", county_id=3, latitude=34.72, longitude=113.64)
        session.flush()
        add_person(session, 1, "陈刚", Role.LAWYER, station_id=1)
        add_person(session, 2, "李强", Role.LAWYER, station_id=2)
        add_person(session, 3, "周敏", Role.LAWYER, station_id=2)
        add_person(session, 4, "吴静", Role.LAWYER, station_id=3)
        add_person(session, 5, "郑浩", Role.LAWYER, county_id=3)
        add_person(session, 6, "赵敏", Role.OFFICE)
        add_person(session, 7, "冯涛", Role.COUNTY_OFFICE, county_id=1)
        session.add_all(
            Follower(openid=openid, met_at=NIGHT, is_subscribed=True) for openid in ("oWangFang", "oStranger")
        )
    return database


def on_sqlite(folder: Path) -> Database:
    """The town in a file of the test's own; built once a run and copied."""
    path = folder / "town.db"
    path.write_bytes(_town())
    return Database(f"sqlite:///{path}", VAULT)


@cache
def _town() -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "town.db"
        build(f"sqlite:///{path}").close()
        return path.read_bytes()


def add_station(session: Session, station_id: int, name: str, **values: object) -> None:
    given = {"address": f"{name}门前", "phone": "0371-00000000", "hours": WEEKDAYS, **values}
    session.add(Station(id=station_id, name=name, **given))


def add_person(session: Session, person_id: int, name: str, role: Role | None = None, **place: int) -> None:
    session.add(Person(id=person_id, name=name))
    session.flush()
    session.add(
        Follower(openid=f"o{person_id}", met_at=NIGHT, is_subscribed=True, person_id=person_id, bound_at=NIGHT)
    )
    if role is not None:
        session.add(Post(person_id=person_id, role=role, since_on=date(2020, 1, 1), **place))


def plain(reply: str | None) -> str:
    """A reply as it looks."""
    return re.sub(r"<a [^>]*>|</a>", "", reply or "")


class Chat:
    """The chat without WeChat: every word becomes a turn, in a transaction of its own as at the desk."""

    def __init__(self, database: Database, at: datetime = MORNING) -> None:
        self.database, self.at = database, at
        self.talks: dict[str, Talk | None] = {}
        self._ids = itertools.count(1)
        self.router = Router(Context(Settings(), database.vault))
        self.router.include([each.topic for each in (following, consultations, lawyers_side, stations, guide)])

    def raw(self, openid: str, **fields: str) -> str | None:
        head = {"ToUserName": "gh", "FromUserName": openid, "CreateTime": "1", "MsgId": str(next(self._ids))}
        message = Message.of({**head, "MsgType": "text", **fields})
        try:
            with self.database.transaction() as session:
                person_id = session.scalar(sa.select(Follower.person_id).where(Follower.openid == openid))
                turn = Turn(message, self.at, person_id, self.talks.get(openid), _open=lambda: session)
                (reply,) = answer_all([self.router.answer(turn)], lambda: session)
        except AssistantError as error:
            reply = str(error)
        else:
            if turn.talk_changed:
                self.talks[openid] = turn.talk
        assert reply is None or len(reply.encode()) <= MAX_BYTES, reply
        return reply

    def says(self, openid: str, *texts: str) -> str:
        """The last reply to these words, as it looks."""
        return plain([self.raw(openid, Content=text) for text in texts][-1])

    def asks(self, openid: str = "oWangFang", words: str = "我的工资被拖欠三个月了", county: str = "金水") -> str:
        """A whole consultation; returns its number."""
        reply = self.says(openid, f"咨询 {words}", "1", county, "1", "1")
        found = re.search(r"ZX\d{6}-\d{4}", reply)
        assert found, reply
        return found[0]
