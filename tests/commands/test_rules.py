"""`rules`: every line of the timetable with its reason, its state and its next hour; reminders can be switched."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
import sqlalchemy as sa

import app
import clock
from clock import parse_instant
from models import AuditEntry
from scheduler import timetable
from scheduler.reminders import LADDER
from tests.conftest import settings

NAMES = [rule.name for rule in timetable.rules(settings("sqlite://"))]


@pytest.fixture
def rules(stage: Any, tmp_path: Any, on_database: Any, typed: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    shutil.copyfile(stage, tmp_path / "bot.db")
    on_database(tmp_path / "bot.db")
    monkeypatch.setattr(clock, "now", lambda: parse_instant("2026-11-23T09:00"))
    return lambda *words: typed("rules", *words)


def lines(said: Any) -> dict[str, str]:
    assert said.code == 0, said.err
    return {line.split()[0]: line for line in said.out.splitlines()}


def test_every_rule_is_listed_with_its_reason_its_state_and_its_next_hour(rules):
    listed = lines(rules("list"))
    assert list(listed) == NAMES
    for rule in timetable.rules(settings("sqlite://")):
        assert listed[rule.name].endswith(rule.says)
    assert " 常开  下次 2026-11-24 00:10 " in listed["plan"]
    assert " 常开  下次 2026-11-27 08:30 " in listed["study_day"]
    assert " 常开  下次 2026-11-29 17:00 " in listed["digest"]
    assert " 开  下次 2026-11-24 08:30 " in listed["topic_missing"]
    assert " 关  下次 2026-11-26 08:30 " in listed["day_before"]
    assert " 关  下次 2026-11-27 07:30 " in listed["hours_before"]
    assert " 开  下次 2026-11-27 20:00 " in listed["record_missing"]


@pytest.mark.parametrize("step", LADDER, ids=lambda step: step.name)
def test_a_reminder_is_switched_and_the_switch_leaves_a_trace(rules, tmp_path, step):
    assert rules("off", step.name).out == f"已关闭：{step.says}。\n"
    assert " 关 " in lines(rules("list"))[step.name]
    assert rules("on", step.name).out == f"已打开：{step.says}。\n"
    assert " 开 " in lines(rules("list"))[step.name]
    with app.make(settings(f"sqlite:///{tmp_path / 'bot.db'}")).database.reading() as session:
        assert session.scalars(sa.select(AuditEntry.act).order_by(AuditEntry.id)).all() == ["rule.off", "rule.on"]


def test_what_must_run_cannot_be_switched_off_and_a_strange_name_is_told(rules):
    for name in ("plan", "study_day", "digest", "upkeep"):
        said = rules("off", name)
        assert said.code == 1
        assert (
            "不能关闭。可以开关的有：topic_missing、day_before、hours_before、record_missing、term_ends。" in said.err
        )
    assert "没有叫“x”的规则" in rules("on", "x").err
    assert rules("on").code == 2


def test_the_help_is_in_both_languages(rules):
    for words in ((), ("list",), ("on",), ("off",)):
        told = rules(*words, "--help").out
        assert "规则" in told
        assert "rule" in told
