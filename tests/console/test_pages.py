"""What the pages say and do not say: names, numbers, words of citizens, figures that foot."""

from __future__ import annotations

import ast
import html
import re
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
import sqlalchemy as sa

from admin import acts, vendor
from bot import leases
from models import (
    AuditEntry,
    Branch,
    Broadcast,
    BroadcastState,
    CaseState,
    CaseStep,
    Consultation,
    County,
    Credential,
    Follower,
    InboxMessage,
    Matter,
    NoticeKind,
    Person,
    Step,
    TemplateKind,
    Urgency,
    Wish,
)
from services import switches
from services.sending import outbox, templates
from services.sending.outbox import Letter
from tests.console import addresses

ROOT = Path(__file__).resolve().parents[2]


def text(answer) -> str:
    """What a page shows, without its tags."""
    page = re.sub(r"<(script|style).*?</\1>", "", answer.get_data(as_text=True), flags=re.S)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def add(office, name: str, phone: str | None = None) -> int:
    with office.database.transaction() as session:
        index = office.database.vault.index(phone) if phone else None
        person = Person(name=name, phone=phone, phone_index=index)
        session.add(person)
        session.flush()
        return person.id


def found(visitor, words: str) -> list[str]:
    """The names of people that a search finds."""
    page = visitor.client.get("/console/search", query_string={"q": words}).get_data(as_text=True)
    return re.findall(r'/console/people/\d+">([^<]+)<', page)


# --- finding -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("单雄信", "shanxiongxin"), ("单雄信", "sxx"), ("单雄信", "雄信"), ("尉迟敬德", "ycjd"),
        ("䶮𬀩", "𬀩"), ("䶮𬀩", "yanwei"), ("买买提·吐尔逊", "买买提吐尔逊"), ("买买提·吐尔逊", "买买提•吐尔逊"),
        ("买买提·吐尔逊", "maimaiti"), ("吕蒙正", "ＬＶＭＥＮＧ"), ("吕蒙正", "lümeng"), ("吕蒙正", "吕 蒙"),
    ],
)  # fmt: skip
def test_a_name_is_found_however_it_is_typed(office, name, words):
    """F149."""
    add(office, name)
    assert name in found(office.visitor("office"), words)


def test_the_very_name_comes_first(office):
    for name in ("王小明明", "王小明", "小王小明"):
        add(office, name)
    assert found(office.visitor("office"), "王小明")[0] == "王小明"


def test_a_number_is_found_by_its_end_or_whole_and_shown_masked(office):
    add(office, "尾号人", "13812349876")
    visitor = office.visitor("office")
    for words in ("9876", "13812349876", "１３８１２３４９８７６"):
        assert "尾号人" in found(visitor, words)
    assert found(visitor, "12349876") == []
    page = text(visitor.open("/console/search?q=9876"))
    assert "138****9876" in page
    assert "13812349876" not in page


@pytest.mark.parametrize("words", ["%", "_", "' OR 1=1 --", "<script>alert(1)</script>", "\u200b", "x" * 500, "\\"])
def test_odd_words_are_words(office, words):
    visitor = office.visitor("office")
    for path in ("/console/search", "/console/people", "/console/branches", "/console/stations", "/console/audit"):
        answer = visitor.client.get(path, query_string={"q": words, "person": words, "subject": words})
        assert answer.status_code == 200
        assert "<script>alert" not in answer.get_data(as_text=True)
    assert found(visitor, words) == []


def test_markup_in_a_name_is_shown_as_it_was_typed(office):
    number = add(office, "<b>粗</b>&amp;")
    page = office.visitor("office").open(f"/console/people/{number}").get_data(as_text=True)
    assert "<b>粗" not in page
    assert "&lt;b&gt;粗&lt;/b&gt;&amp;amp;" in page


# --- people --------------------------------------------------------------------------------------------------


def test_a_number_is_shown_for_a_reason_that_stays_in_the_audit(office):
    number = add(office, "电话人", "13812349876")
    visitor = office.visitor("office")
    path = f"/console/people/{number}"
    assert "13812349876" not in text(visitor.open(path))
    refused = visitor.send(f"{path}/phone", on=path, reason="看")
    assert refused.status_code == 422
    assert "请写明为什么要看" in text(refused)
    assert 'value="看"' in refused.get_data(as_text=True), "what was typed is not lost"
    shown = visitor.send(f"{path}/phone", on=path, reason="核对联系电话")
    assert "13812349876" in text(shown)
    with office.database.reading() as session:
        entry = session.scalars(sa.select(AuditEntry).where(AuditEntry.act == "people.phone_shown")).one()
    assert (entry.subject, entry.details) == (f"person:{number}", "核对联系电话")
    assert "13812349876" not in text(visitor.open(path)), "only once"


def test_the_auditor_reads_who_looked_and_not_the_number(office):
    number = add(office, "电话人", "13812349876")
    auditor = office.visitor("auditor")
    page = auditor.open(f"/console/people/{number}")
    assert "查看手机号" not in text(page)
    assert auditor.send(f"/console/people/{number}/phone", on="/console/", reason="核对联系电话").status_code == 404


def test_a_person_page_says_how_they_can_be_reached(office):
    with office.database.transaction() as session:
        follower = session.scalars(sa.select(Follower).where(Follower.openid.startswith("oSimZhangWei"))).one()
        person_id = follower.person_id
        session.add(
            InboxMessage(
                key="k", receipt=1, signature="s", openid=follower.openid, kind="text", body="x",
                received_at=office.clock.at - timedelta(hours=1),
            )
        )  # fmt: skip
    visitor = office.visitor("office")
    assert "客服消息至 11月29日 08:00，还可发 5 条" in text(visitor.open(f"/console/people/{person_id}"))
    assert "未绑定" in text(visitor.open(f"/console/people/{add(office, '没有微信')}"))


def test_a_person_in_two_branches_counts_once(office):
    """F025: 孙丽 belongs to a firm's branch and to a research society."""
    with office.database.reading() as session:
        sun_li = session.scalar(sa.select(Follower.person_id).where(Follower.openid.startswith("oSimSunLi")))
        people = session.scalar(sa.select(sa.func.count()).select_from(Person))
    visitor = office.visitor("office")
    listed = visitor.open("/console/people?q=sunli").get_data(as_text=True)
    assert listed.count(f'/console/people/{sun_li}"') == 1
    row = re.search(rf"/console/people/{sun_li}\".*?</tr>", listed, re.S)[0]
    assert row.count("党支部") == 2
    assert f"共 {people} 人" in text(visitor.open("/console/people"))


# --- branches ------------------------------------------------------------------------------------------------


def test_the_branches_foot_to_674(office):
    page = text(office.visitor("office").open("/console/branches"))
    assert "共 674 个支部" in page
    assert "合计 12 150 377 135 674" in page


def test_a_branch_names_what_it_lacks(office):
    with office.database.transaction() as session:
        county = session.scalar(sa.select(County.id).where(County.name == "金水区"))
        branch = Branch(name="空空如也党支部", kind="firm", county_id=county)
        session.add(branch)
        session.flush()
        number = branch.id
    page = text(office.visitor("county").open(f"/console/branches/{number}"))
    for missing in ("没有书记", "书记绑定微信", "3 名以上党员", "已排好今后的活动"):
        assert missing in page
    assert "完整度 0 / 6" in page
    assert "空空如也" in text(office.visitor("office").open("/console/branches?lacking=secretary"))


def test_a_county_without_a_station_is_a_row_that_says_so(office):
    with office.database.transaction() as session:
        session.add(County(name="空白县"))
    page = text(office.visitor("office").open("/console/stations"))
    assert "空白县 ✕ 一个也没有" in page


# --- consultations -------------------------------------------------------------------------------------------


@pytest.fixture
def case(office) -> str:
    """A question in 金水区 that 陈刚 has taken."""
    with office.database.transaction() as session:
        lawyer = session.scalar(sa.select(Follower.person_id).where(Follower.openid.startswith("oSimChenGang")))
        row = Consultation(
            number="ZX261126-0001", openid="oCitizen", matter=Matter.LABOUR, urgency=Urgency.TODAY, wish=Wish.ANSWER,
            county_id=session.scalar(sa.select(County.id).where(County.name == "金水区")), state=CaseState.TAKEN,
            lawyer_id=lawyer, asked_at=office.clock.at - timedelta(days=1), taken_at=office.clock.at,
        )  # fmt: skip
        session.add(row)
        session.flush()
        session.add(CaseStep(consultation_id=row.id, step=Step.ASKED, words="老板<拖欠>工资", at=row.asked_at))
    return row.number


@pytest.mark.parametrize("name", ["office", "county", "auditor"])
def test_the_office_sees_a_case_and_not_its_words(office, case, name):
    """P5."""
    visitor = office.visitor(name)
    path = f"/console/consultations/{case}"
    page = text(visitor.open(path))
    assert "劳动工伤" in page
    assert "陈刚" in page
    assert "拖欠" not in page
    assert "内容只有承办人能看" in page
    assert visitor.send(f"{path}/words", on=path).status_code == 404
    assert "拖欠" not in text(visitor.open("/console/consultations"))
    assert "oCitizen" not in visitor.open(path).get_data(as_text=True)


@pytest.mark.parametrize(
    ("name", "values", "may"),
    [
        ("office", {"state": CaseState.WAITING, "lawyer_id": None}, False),
        ("lawyer", {"state": CaseState.WAITING, "lawyer_id": None}, True),
        ("office", {"is_dangerous": True}, True),
        ("county", {"is_dangerous": True}, True),
        ("office", {"state": CaseState.CLOSED, "rating": 1}, True),
        ("county", {"state": CaseState.CLOSED, "rating": 1}, False),
        ("auditor", {"is_dangerous": True}, False),
    ],
)
def test_who_else_may_read_the_words(office, case, name, values, may):
    """On duty while it waits; the offices what is dangerous, the city's what was rated low; the auditor never."""
    with office.database.transaction() as session:
        session.execute(sa.update(Consultation).values(**values))
    path = f"/console/consultations/{case}"
    visitor = office.visitor(name)
    assert ("打开内容" in text(visitor.open(path))) == may
    assert visitor.send(f"{path}/words", on=path).status_code == (200 if may else 404)


def test_its_lawyer_opens_the_words_and_the_look_is_written_down(office, case):
    visitor = office.visitor("lawyer")
    path = f"/console/consultations/{case}"
    assert "拖欠" not in text(visitor.open(path))
    assert "老板<拖欠>工资" in text(visitor.send(f"{path}/words", on=path))
    with office.database.reading() as session:
        entry = session.scalars(sa.select(AuditEntry).where(AuditEntry.act == "case.read")).one()
    assert entry.subject == f"case:{case}"


# --- today, notices, tasks, audit ----------------------------------------------------------------------------


def test_today_says_when_nothing_leaves_and_when_wechat_refuses(office):
    with office.database.transaction() as session:
        switches.stop_sending(session, "换公众号", office.clock.at)
        session.add(
            Credential(app_id="wx", failures=3, open_until=office.clock.at + timedelta(minutes=9), reason="密钥不对")
        )
    page = text(office.visitor("office").open("/console/"))
    assert "不发送模式 ：换公众号" in page
    assert "调用微信受阻 ：密钥不对" in page
    assert "不发送模式" not in text(office.visitor("secretary").open("/console/"))


def test_a_report_foots_to_its_audience_and_names_the_reasons(office):
    with office.database.transaction() as session:
        people = list(session.scalars(sa.select(Person.id).order_by(Person.id).limit(40)))
        letter = Letter(NoticeKind.BROADCAST, "broadcast:999", {"text": "t"}, outbox.accounts_of(session, people))
        outbox.queue(session, letter, office.clock.at)
    with office.database.transaction() as session:
        session.add(
            Broadcast(
                id=999, author_id=people[0], audience="全体", title="防汛值班", words="请各支部值班", code="1234",
                state=BroadcastState.CONFIRMED, written_at=office.clock.at, people_count=40, reachable_count=30,
            )
        )  # fmt: skip
    visitor = office.visitor("office")
    answer = visitor.open("/console/broadcasts/report/broadcast:999")
    page = text(answer)
    assert "防汛值班" in page
    tiles = re.findall(r'<a class="tile"[^>]*><strong>(\d+)</strong>', answer.get_data(as_text=True))
    assert sum(map(int, tiles)) == 40
    assert "对象 40 人" in page
    assert "未绑定微信" in text(visitor.open("/console/broadcasts/report/broadcast:999/people?state=unreachable"))


def test_the_tasks_page_sees_every_sender_that_lives(office):
    with office.database.transaction() as session:
        leases.take(session, "sender:here:1", "here:1", office.clock.at, timedelta(hours=1))
    senders = text(office.visitor("office").open("/console/tasks")).partition("发送进程")[2]
    assert senders.strip().startswith("✓ 有进程在值守")


def test_every_rule_on_the_tasks_page_has_its_reason(office):
    page = text(office.visitor("office").open("/console/tasks"))
    assert "每周五学习日（第二周为活动日）当天早上通知（工作报告）" in page
    assert "没有进程在值守" in page


def test_the_settings_show_the_reading_in_force_and_who_changes_it(office):
    page = text(office.visitor("auditor").open("/console/settings"))
    assert "当月第二个星期五" in page
    assert "calendar.second_week" in page
    assert "2027 年假期未录入" in page


def test_the_audit_is_searched_and_openids_are_cut_short(office):
    with office.database.transaction() as session:
        session.add(
            AuditEntry(
                at=office.clock.at, person_id=None, act="people.claim", subject="openid:oSimWangFang0000000000000000"
            )
        )
    visitor = office.visitor("office")
    page = text(visitor.open("/console/audit?group=roll"))
    assert "申请绑定" in page
    assert "oSimWa…" in page
    assert "oSimWangFang" not in page
    assert "登录 账号 office" not in page
    assert "登录 账号 office" in text(visitor.open("/console/audit?group=entering&person=赵敏"))
    # One act alone, in a span of days.
    assert "oSimWa…" in text(visitor.open("/console/audit?group=people.claim&from=2026-11-27&to=2026-11-27"))
    assert "oSimWa…" not in text(visitor.open("/console/audit?group=people.claim&from=2026-11-28"))
    assert "oSimWa…" not in text(visitor.open("/console/audit?group=people.bind"))


def sync_templates(office, **changes):
    """As `templates sync` would: what WeChat has, with some of it otherwise."""
    content = "主题：{{thing1.DATA}}\n时间：{{time2.DATA}}\n支部：{{thing3.DATA}}\n提示：{{thing4.DATA}}"
    row = {"kind": TemplateKind.TEMPLATE, "title": "党员学习日通知", "content": content, "example": ""}
    with office.database.transaction() as session:
        templates.sync(session, {"SIM-study-day-notice": row | changes, "unused-one": row}, office.clock.at)


def test_the_templates_stand_beside_what_wechat_has_and_problems_in_words(office):
    visitor = office.visitor("office")
    assert "还没有读过公众号的模板" in text(visitor.open("/console/templates"))
    sync_templates(office)
    page = text(visitor.open("/console/templates"))
    assert "thing1 主题 {topic}" in page
    assert "2026-11-27 09:00 读来的" in page
    assert "账号里没有 SIM-notice" in page
    assert "党员学习日通知 unused-one" in page
    sync_templates(office, content="主题：{{thing1.DATA}}\n地点：{{thing9.DATA}}")
    page = text(visitor.open("/console/templates"))
    assert "字段 thing9 没有填，微信会拒收" in page
    assert "thing9 地点 ✕ 没有填" in page
    assert "time2 ✕ 模板里没有 {time}" in page


def test_each_notice_says_where_it_goes(office):
    page = text(office.visitor("auditor").open("/console/templates"))
    assert "稍后答复 ✓ 客服消息 对方 48 小时内来过消息" in page
    assert "– 订阅通知 没有配置模板" in page
    assert "借用“工作通知”的模板" in page
    assert office.visitor("county").open("/console/templates").status_code == 404


def test_the_rules_say_how_long_everything_is_kept(office):
    page = text(office.visitor("office").open("/console/settings"))
    assert "咨询的文字、答复和是谁问的 结案或撤回后 365 天" in page
    assert "privacy.consultation_days" in page


def _is_known(act: str) -> bool:
    """An act, or the head of an f-string whose whole acts are there."""
    return act in acts.ACTS or (act.endswith(".") and any(known.startswith(act) for known in acts.ACTS))


def test_every_act_in_the_code_has_its_chinese():
    """The literal acts of every `audit.note`, wherever it stands."""
    unknown = set()
    for path in ROOT.rglob("*.py"):
        if path.relative_to(ROOT).parts[0] in {"tests", ".venv", "build"}:
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in {"audit.note", "note"} and len(node.args) > 3:
                unknown |= {
                    each.value
                    for each in ast.walk(node.args[3])
                    if isinstance(each, ast.Constant) and not _is_known(each.value)
                }
    assert unknown == set()


def test_an_account_is_made_reset_and_closed_by_the_office_only(office):
    number = add(office, "新同事")
    visitor = office.visitor("office")
    refused = visitor.send("/console/accounts", name="新", person=str(number))
    assert 'href="/console/export/accounts"' in refused.get_data(as_text=True), "the list below the form is whole"
    assert refused.status_code == 422
    assert "登录名用" in text(refused)
    assert f'value="{number}"' in refused.get_data(as_text=True)
    made = text(visitor.send("/console/accounts", name="colleague", person=str(number)))
    assert re.search(r"[a-z2-9]{4}-[a-z2-9]{4}-[a-z2-9]{4}", made)
    assert "只显示这一次" in made
    assert visitor.send("/console/accounts/colleague/close", on="/console/accounts").status_code == 302
    assert "已停用" in text(visitor.open("/console/accounts"))
    assert "共 1 个账号" in text(visitor.open("/console/accounts?q=coll"))
    assert "没有这样的账号" in text(visitor.open("/console/accounts?q=nobody"))
    own = visitor.send("/console/accounts/office/reset", on="/console/accounts")
    assert own.status_code == 400
    assert "另一位管理员" in text(own)
    auditor = office.visitor("auditor")
    assert "重置" not in text(auditor.open("/console/accounts"))
    assert auditor.send("/console/accounts/county/reset", on="/console/").status_code == 404


# --- what pages are made of ----------------------------------------------------------------------------------


def test_the_vendored_files_are_what_the_manifest_says():
    assert vendor.damaged() == []
    assert {path.name for path in vendor.FOLDER.iterdir()} == {
        *(name for wanted in vendor.PACKAGES.values() for name in wanted.values()), vendor.MANIFEST.name,
    }  # fmt: skip


def test_templates_carry_nothing_inline_and_name_no_other_host():
    for path in (ROOT / "admin" / "templates").rglob("*.html"):
        page = path.read_text("utf-8")
        assert not re.search(r"\son\w+=|\sstyle=|<style|<script(?! src=)|https?://", page), path


def test_files_may_be_kept_and_pages_may_not(office):
    visitor = office.visitor("office")
    page = visitor.open("/console/").get_data(as_text=True)
    sheet = re.search(r'href="(/console/static/console.css[^"]+)"', page)[1]
    assert "immutable" in visitor.open(sheet).headers["Cache-Control"]
    assert visitor.open("/console/").headers["Cache-Control"] == "no-store"


VOID = {"meta", "link", "input", "br", "img", "hr"}


class Nesting(HTMLParser):
    """Notes every end tag that closes something else, and every id that stands twice."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: set[str] = set()
        self.faults: list[str] = []

    def handle_starttag(self, tag, attrs) -> None:
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name == "id" and value in self.ids:
                self.faults.append(f"id {value} twice")
            if name == "id":
                self.ids.add(value)

    def handle_endtag(self, tag) -> None:
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> at {self.getpos()}")


@pytest.mark.parametrize("name", ["office", "secretary"])
def test_every_page_is_well_nested(office, case, name):
    visitor = office.visitor(name)
    for path in addresses.of(office).values():
        page = Nesting()
        page.feed(visitor.open(path).get_data(as_text=True))
        assert (page.faults, page.open) == ([], []), path
