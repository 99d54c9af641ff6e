"""templates: what the account has, kept and held against what we would write into it (F114)."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

import config
from models import AuditEntry, RegisteredTemplate, TemplateKind
from scheduler import template_checks
from services.findings import Mark


@pytest.fixture
def here(house, on_database, monkeypatch):
    """A bot beside a WeChat that has templates."""
    on_database(house.database.url.database)
    monkeypatch.setenv("BOT_WECHAT__API_BASE_URL", house.wechat.url)
    from clock import now

    house.clock.at = now()
    house.wechat.clock.set(now().isoformat(), freeze=True)
    return house


def test_before_the_first_sync_the_command_says_what_to_do(here, typed):
    for act in ("list", "check"):
        said = typed("templates", act)
        assert (said.code, said.out) == (1, "")
        assert said.err == "错误：还没有读过公众号的模板，请先运行 python app.py templates sync。\n"


def test_sync_reads_every_template_once(here, typed):
    said = typed("templates", "sync")
    assert (said.code, said.err) == (0, "")
    assert "新增：党员学习日通知（SIM-study-day-notice）" in said.out
    assert said.out.endswith("登记了 4 个模板。\n")
    assert typed("templates", "sync").out == "登记了 4 个模板。\n"


def test_what_is_gone_or_changed_at_wechat_is_said_and_kept_no_longer(here, typed):
    typed("templates", "sync")
    with here.database.transaction() as session:
        values = {"kind": TemplateKind.TEMPLATE, "content": "x", "example": "", "synced_at": here.clock.at}
        session.add(RegisteredTemplate(id="OLD", title="旧模板", **values))
        session.get_one(RegisteredTemplate, "SIM-notice").content = "标题:{{thing1.DATA}}"
    said = typed("templates", "sync").out
    assert said == "有变化：工作通知（SIM-notice）\n已移除：旧模板（OLD）\n登记了 4 个模板。\n"
    with here.database.reading() as session:
        assert session.get(RegisteredTemplate, "OLD") is None
        acts = session.scalars(sa.select(AuditEntry.details).where(AuditEntry.act == "templates.sync")).all()
    assert acts == ["新增 4，变更 0，移除 0", "新增 0，变更 1，移除 1"]


def test_a_wechat_that_does_not_answer_changes_nothing(here, typed, monkeypatch):
    typed("templates", "sync")
    monkeypatch.setenv("BOT_WECHAT__API_BASE_URL", "http://127.0.0.1:9")
    said = typed("templates", "sync")
    assert said.code == 1
    assert said.err.startswith("错误：没有读到模板，登记表没有改动：")
    assert said.err.count("\n") == 1
    with here.database.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(RegisteredTemplate)) == 4


def test_list_shows_fields_and_samples(here, typed):
    typed("templates", "sync")
    said = typed("templates", "list").out
    assert "SIM-study-day-notice　党员学习日通知　模板消息" in said
    assert "    学习主题:{{thing1.DATA}}" in said
    assert "    例：学习主题:学习党章" in said


def test_the_example_configuration_is_right(here, typed):
    typed("templates", "sync")
    said = typed("templates", "check")
    assert (said.code, said.err) == (0, "")
    assert said.out.count("✓") == 4


def test_every_finding_is_one_sentence_and_the_exit_code_is_1(here, typed, monkeypatch):
    typed("templates", "sync")
    monkeypatch.setenv("BOT_WECHAT__TEMPLATES__STUDY_DAY__ID", "SIM-notice")
    said = typed("templates", "check")
    assert said.code == 1
    assert "模板有 " in said.err
    assert "✗ 模板 wechat.templates.study_day.fields" in said.out


# --- what a finding says -------------------------------------------------------------------------------------


def there(kind=TemplateKind.TEMPLATE, content="主题:{{thing1.DATA}}\n时间:{{time2.DATA}}"):
    return [RegisteredTemplate(id="T1", kind=kind, title="某模板", content=content)]


def wrong(block, notice, template_id, fields, **registered):
    we = config.WeChat(**{block: {notice: config.Template(id=template_id, fields=fields)}})
    found = template_checks.check(we, there(**registered))
    return [finding.says for finding in found if finding.mark is Mark.BAD]


GOOD = {"thing1": "{topic}", "time2": "{time}"}


def test_a_template_that_fits_is_good():
    assert wrong("templates", "study_day", "T1", GOOD) == []
    assert wrong("subscriptions", "study_day", "T1", GOOD, kind=TemplateKind.ONE_TIME) == []


@pytest.mark.parametrize(
    ("kind", "template_id", "fields", "says"),
    [
        ("study_day", "T2", GOOD, "模板 wechat.templates.study_day.id：账号里没有 T2"),
        ("studyday", "T1", GOOD, "模板 wechat.templates.studyday：没有这种通知"),
        ("study_day", "T1", {"thing1": "{topic}"}, "study_day.fields：字段 time2 没有填"),
        ("study_day", "T1", {**GOOD, "thing9": "{hint}"}, "study_day.fields：模板里没有字段 thing9"),
        ("study_day", "T1", {**GOOD, "thing1": "{number}"}, "study_day.fields.thing1：这种通知里没有 number"),
        ("study_day", "T1", {**GOOD, "thing1": "{topic"}, "study_day.fields.thing1：“{topic”的花括号写得不对"),
        ("study_day", "T1", {**GOOD, "thing1": "{topic.x}"}, "study_day.fields.thing1：“{topic.x}”的花括号写得不对"),
        ("study_day", "T1", {**GOOD, "time2": "{topic}"}, "study_day.fields.time2：填不进去：time2 的写法不对"),
        ("study_day", "T1", {**GOOD, "thing1": " "}, "study_day.fields.thing1：填不进去：thing1 不能为空"),
    ],
)
def test_what_wechat_would_refuse_is_said_with_its_place(kind, template_id, fields, says):
    (finding,) = wrong("templates", kind, template_id, fields)
    assert says in finding
    assert "\n" not in finding


def test_twenty_one_characters_of_an_enum_are_refused_with_the_limit():
    """F114: a field that is not cut to fit names how many it takes."""
    content = "主题:{{enum1.DATA}}"
    (finding,) = wrong("templates", "broadcast", "T1", {"enum1": "{title}一"}, content=content)
    assert finding.endswith("enum1 最多 20 个字，现在 21 个")


def test_a_subscription_template_is_no_template_message():
    (finding,) = wrong("templates", "study_day", "T1", GOOD, kind=TemplateKind.LONG_TERM)
    assert "T1 是长期订阅模板，不能作模板消息" in finding
