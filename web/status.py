"""`/healthz` (the process lives), `/readyz` (it can serve, with reasons), `/metrics`, and the front page."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

import redis
import sqlalchemy as sa
from flask import Blueprint, Response, render_template
from redis.backoff import NoBackoff
from redis.retry import Retry
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from bot import tokens
from clock import Now, beijing_date
from config import Settings
from metrics import Metrics
from models import Database, Due, DueState, Lease, Outgoing, SendState
from services import switches
from services.meetings import rhythm
from services.sending import fates, watch
from web import gauges


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. `is_fatal` means: without it no message can be answered."""

    name: str
    is_ok: bool
    says: str
    is_fatal: bool = False


def blueprint(settings: Settings, database: Database, metrics: Metrics, now: Now) -> Blueprint:
    pages = Blueprint(
        "status", __name__, template_folder="templates", static_folder="static", static_url_path="/static"
    )

    @pages.get("/healthz")
    def alive() -> Response:
        return Response("ok\n", mimetype="text/plain")

    @pages.get("/readyz")
    def ready() -> Response:
        checks = look(settings, database, now())
        can_serve = all(check.is_ok for check in checks if check.is_fatal)
        body = json.dumps({"ready": can_serve, "checks": [asdict(check) for check in checks]}, ensure_ascii=False)
        return Response(body, 200 if can_serve else 503, mimetype="application/json")

    @pages.get("/metrics")
    def count() -> Response:
        gauges.fill(settings, database, metrics, now())
        return Response(metrics.page(), mimetype="text/plain; version=0.0.4")

    @pages.get("/")
    def front() -> Response:
        page = render_template("front.html", checks=look(settings, database, now()), phone_page=_phone_page(settings))
        answer = Response(page)
        answer.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'self'; img-src 'self'"
        return answer

    return pages


def _phone_page(settings: Settings) -> str:
    """Where the local WeChat shows its phones; nothing with the real one."""
    return f"{settings.wechat.api_base_url}/" if settings.wechat.is_local else ""


REPLACED = "数据库文件被删除或换掉了，现在写的重启后就没有了：请马上停下程序，放回原来的文件或恢复备份，再启动"


def look(settings: Settings, database: Database, at: datetime) -> list[Check]:
    """What an operator wants to know first, in words."""
    if database.is_replaced:
        return [Check("数据库", False, REPLACED, is_fatal=True)]
    try:
        with database.reading() as session:
            return [Check("数据库", True, "可以读写", is_fatal=True), *_inside(session, settings, at)]
    except SQLAlchemyError as error:
        return [Check("数据库", False, f"打不开：{type(error).__name__}", is_fatal=True)]


def _inside(session: Session, settings: Settings, at: datetime) -> list[Check]:
    stopped = tokens.circuit(session, settings.wechat.app_id, at)
    waiting = _count(session, Outgoing, SendState.WAITING)
    unknown = _count(session, Outgoing, SendState.UNKNOWN)
    late = session.scalar(
        sa.select(sa.func.count()).select_from(Due).where(Due.state == DueState.WAITING, Due.due_at <= at)
    )
    is_watched = _is_held(session, "scheduler", at)
    stopped_sending = switches.no_send(session)
    calendar, today = rhythm.calendar(session, settings.calendar), beijing_date(at)
    # The rows that are made ahead may reach into a year whose holidays nobody has entered yet (F040).
    years = sorted({today.year, (today + timedelta(weeks=settings.study_day.weeks_ahead)).year})
    # An open circuit has its own line above, which is there on good days too.
    troubles = [each for each in watch.look(session, settings, at) if each.about != watch.CIRCUIT]
    warnings = [warning for year in years for warning in calendar.warnings(year)]
    return [
        Check("调用微信", stopped is None, stopped or "没有受阻"),
        Check("定时", is_watched, "有调度进程在值守" if is_watched else "没有调度进程在值守"),
        Check("发送", fates.senders(session, at) > 0, f"待发 {waiting}，结果不明 {unknown}"),
        *([Check("不发送模式", False, f"{stopped_sending.note}，什么也不会发出；确认后运行 python app.py sending allow")]
          if stopped_sending else []),
        *[Check(trouble.name, False, trouble.says) for trouble in troubles],
        Check("到期事项", not late, f"到期未办 {late}" if late else "没有积压"),
        *([_redis(settings.redis.url)] if settings.redis.url else []),
        *[Check("日历", False, warning) for warning in warnings],
    ]  # fmt: skip


def _redis(url: str) -> Check:
    """Only the senders' doorbell: without it they look every few seconds by themselves (F141)."""
    try:
        with redis.Redis.from_url(
            url, socket_timeout=1, socket_connect_timeout=1, retry=Retry(NoBackoff(), 0)
        ) as one:
            one.ping()
    except (redis.RedisError, OSError, ValueError):
        return Check("Redis", False, "没有应答：发送会慢几秒，不丢也不重；签到、咨询不受影响")
    return Check("Redis", True, "有应答")


def _is_held(session: Session, name: str, at: datetime) -> bool:
    lease = session.get(Lease, name)
    return lease is not None and lease.until > at


def _count(session: Session, table: type[Outgoing], state: SendState) -> int:
    return session.scalar(sa.select(sa.func.count()).select_from(table).where(table.state == state)) or 0
