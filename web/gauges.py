"""Fills the gauges of `/metrics` from the tables, when somebody looks."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

import config
from config import Settings
from metrics import Metrics
from models import (
    Campaign,
    CampaignState,
    Channel,
    Credential,
    Database,
    Due,
    DueState,
    Labelled,
    Outgoing,
    SendState,
)
from services import fates, pace, quotas, watch


def fill(settings: Settings, database: Database, metrics: Metrics, at: datetime) -> None:
    """Everything that stands in the database, as it stands at `at`."""
    with database.reading() as session:
        sends = _by_state(session, Outgoing.state)
        dues = _by_state(session, Due.state)
        campaigns = _by_state(session, Campaign.state)
        since = watch.oldest(session, at)
        held = pace.held_until(session, at)
        metrics.senders.set(fates.senders(session, at))
        _quotas(session, settings.sending, metrics, at)
        _circuits(session, settings, metrics, at)
    for state in SendState:
        metrics.outbox.labels(state.value).set(sends.get(state, 0))
    for due_state in DueState:
        metrics.dues.labels(due_state.value).set(dues.get(due_state, 0))
    for campaign_state in CampaignState:
        metrics.campaigns.labels(campaign_state.value).set(campaigns.get(campaign_state, 0))
    metrics.oldest_waiting.set((at - since).total_seconds() if since else 0)
    metrics.pace_held.set((held - at).total_seconds() if held else 0)


def _by_state(session: Session, column: sa.orm.InstrumentedAttribute[Labelled]) -> dict[Labelled, int]:
    return {row[0]: row[1] for row in session.execute(sa.select(column, sa.func.count()).group_by(column))}


def _quotas(session: Session, sending: config.Sending, metrics: Metrics, at: datetime) -> None:
    daily = quotas.daily(sending)
    for channel in Channel:
        metrics.quota_used.labels(channel.value).set(quotas.used(session, "official", channel, at))
        left = quotas.left(session, "official", channel, at, daily)
        if left is not None:
            metrics.quota_left.labels(channel.value).set(left)


def _circuits(session: Session, settings: Settings, metrics: Metrics, at: datetime) -> None:
    for name, app_id in (("official", settings.wechat.app_id), ("mini", settings.mini_program.app_id)):
        row = session.get(Credential, app_id) if app_id else None
        is_open = row is not None and row.open_until is not None and at < row.open_until
        if app_id:
            metrics.circuit.labels(name).set(int(is_open))
