"""outbox, as an operator types it: where a notice stands, holding it, ending it, and what became of it."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from datetime import timedelta

import pytest
import sqlalchemy as sa
from python_calamine import CalamineWorkbook

import demo
from clock import now
from models import (
    Affiliation,
    AuditEntry,
    Broadcast,
    BroadcastState,
    Campaign,
    CampaignState,
    Channel,
    Follower,
    NoticeKind,
    Outgoing,
    Person,
    Post,
    Role,
    SendState,
)
from services.sending import campaigns, outbox
from services.sending.outbox import Letter

NAME = "broadcast:7"
FACTS = {"title": "周五学习", "words": "请准时参加。", "text": "【周五学习】\n请准时参加。"}


@pytest.fixture(autouse=True)
def _here(database, on_database):
    on_database(database.url.database)


@pytest.fixture
def notice(database):
    """A notice to two branches and somebody of the office; some have it, some have not, of one nobody knows."""
    at = now() - timedelta(minutes=5)
    with database.transaction() as session:
        ids = session.scalars(
            sa.select(Affiliation.person_id).where(Affiliation.branch_id.in_((1, 2, 400))).distinct()
        ).all()
        letter = Letter(
            NoticeKind.BROADCAST, NAME, FACTS, outbox.accounts_of(session, ids), why="赵敏 群发给“全体”：周五学习"
        )
        outbox.queue(session, letter, at)
        session.add(
            Broadcast(
                id=7, author_id=ids[0], audience="全体", code="1234", state=BroadcastState.CONFIRMED, written_at=at,
                confirmed_at=at, title=FACTS["title"], words=FACTS["words"], people_count=len(ids),
                reachable_count=len(ids),
            )
        )  # fmt: skip
        waiting = session.scalars(
            sa.select(Outgoing).where(Outgoing.state == SendState.WAITING).order_by(Outgoing.id)
        ).all()
        fates = [
            (SendState.DELIVERED, None), (SendState.REFUSED, "对方设置了拒收"), (SendState.UNKNOWN, "发送时程序中断"),
            (SendState.SENT, None), (SendState.EXPIRED, "过了最晚发送时间，没有发出"),
        ]  # fmt: skip
        for row, (state, reason) in zip(waiting, fates, strict=False):
            row.state, row.reason, row.settled_at, row.claimed_at = state, reason, at, at
            row.channel = None if state is SendState.EXPIRED else Channel.TEMPLATE
    return len(ids)


def rows(database, *where):
    with database.reading() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(Outgoing).where(*where))


def audits(database, act):
    with database.reading() as session:
        return session.scalars(sa.select(AuditEntry).where(AuditEntry.act == act)).all()


# --- status --------------------------------------------------------------------------------------------------


def test_status_says_whether_anything_may_leave_and_where_each_notice_stands(typed, notice):
    said = typed("outbox", "status")
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("可以发送\n发送进程：0 个在值守\n速度：每秒最多 20 条\n今天的额度：订阅通知不限，")
    assert "模板消息剩 100000/100000" in said.out
    assert f"{NAME}　进行中，预计" in said.out
    assert "赵敏 群发给“全体”：周五学习" in said.out
    figures = re.search(r"共 (\d+) 人：(.+)", said.out)
    assert int(figures[1]) == notice == sum(map(int, re.findall(r" (\d+)", figures[2])))


def test_status_of_a_fresh_house_says_that_there_is_nothing(typed):
    assert "还没有发给多人的通知" in typed("outbox", "status").out


def test_status_shows_the_no_send_mode_and_a_hold(typed, notice, database):
    typed("sending", "stop", "--note", "换公众号")
    assert typed("outbox", "status").out.startswith("不发送模式：换公众号")


def test_status_of_one_notice_speaks_of_that_one_only(typed, notice):
    said = typed("outbox", "status", NAME)
    assert said.out.startswith(NAME)
    assert "额度" not in said.out


@pytest.mark.parametrize("act", ["status", "pause", "resume", "retry-failed", "report", "cancel", "unknown"])
def test_a_name_that_does_not_exist_is_one_sentence_on_stderr(typed, act):
    said = typed("outbox", act, "broadcast:99")
    assert (said.code, said.out) == (1, "")
    assert said.err == "错误：没有叫“broadcast:99”的发送。运行 python app.py outbox status 查看。\n"


@pytest.mark.parametrize("words", [("pause",), ("cancel",), ("report",), ("dance",), ("unknown", "--arrived", "x")])
def test_wrong_use_is_2(typed, words):
    assert typed("outbox", *words).code == 2


# --- acting --------------------------------------------------------------------------------------------------


def test_pause_and_resume_are_done_once_and_traced(typed, notice, database):
    assert typed("outbox", "pause", NAME).out.startswith("已暂停。\n")
    again = typed("outbox", "pause", NAME)
    assert (again.code, again.out.splitlines()[0]) == (0, "本来就是“已暂停”，没有改变。")
    assert "已暂停：有人暂停" in typed("outbox", "status").out
    assert typed("outbox", "resume", NAME).out.startswith("已继续。")
    (entry,) = audits(database, "campaign.paused")
    assert (entry.person_id, entry.details) == (None, "有人暂停；命令行")
    assert [each.details for each in audits(database, "campaign.running")] == ["命令行"]


def test_cancel_asks_first_and_takes_back_nothing_that_left(typed, notice, database, monkeypatch):
    waiting = rows(database, Outgoing.state == SendState.WAITING)
    arrived = rows(database, Outgoing.state.in_((SendState.SENT, SendState.DELIVERED)))
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert typed("outbox", "cancel", NAME).code == 1
    assert rows(database, Outgoing.state == SendState.WAITING) == waiting > 0
    assert f"已撤销，{waiting} 人不再发送" in typed("outbox", "cancel", NAME, "--yes").out
    assert rows(database, Outgoing.state.in_((SendState.SENT, SendState.DELIVERED))) == arrived
    with database.reading() as session:
        assert session.scalar(sa.select(Broadcast.state)) is BroadcastState.CANCELLED
    refused = typed("outbox", "resume", NAME)
    assert (refused.code, refused.err) == (1, f"错误：“{NAME}”已撤销，不能继续。\n")
    assert typed("outbox", "retry-failed", NAME).code == 1


def test_retry_failed_tries_the_failed_and_nobody_else(typed, notice, database):
    before = rows(database, Outgoing.state == SendState.WAITING)
    assert typed("outbox", "retry-failed", NAME).out.startswith("给 2 人再发一次。")
    assert rows(database, Outgoing.state == SendState.WAITING) == before + 2
    assert rows(database, Outgoing.state == SendState.UNKNOWN) == 1
    assert typed("outbox", "retry-failed", NAME).out.startswith("没有可以重试的。")


def test_an_unknown_fate_is_listed_without_its_openid_and_settled_by_hand(typed, notice, database):
    with database.reading() as session:
        row = campaigns.unknown(session)[0]
    said = typed("outbox", "unknown")
    assert row.person.name in said.out
    assert row.openid not in said.out
    assert f"{row.openid[:6]}…" in said.out
    assert str(row.id) in said.out
    assert typed("outbox", "unknown", "--arrived", row.id).out == f"第 {row.id} 条：记为已收到。\n"
    assert typed("outbox", "unknown").out == "没有结果不明的。\n"
    assert [entry.details for entry in audits(database, "outbox.resolve")] == ["已收到；命令行"]
    again = typed("outbox", "unknown", "--arrived", row.id)
    assert (again.code, again.err) == (1, f"错误：第 {row.id} 条不在“结果不明”之列。\n")


def test_an_unknown_fate_is_sent_again_only_when_somebody_says_so(typed, notice, database):
    with database.reading() as session:
        row_id = campaigns.unknown(session)[0].id
    typed("outbox", "unknown", "--resend", row_id)
    with database.reading() as session:
        row = session.get_one(Outgoing, row_id)
        assert (row.state, row.round) == (SendState.WAITING, 1)


def test_several_are_settled_together_or_not_at_all(typed, notice, database):
    with database.reading() as session:
        row_id = campaigns.unknown(session)[0].id
    assert typed("outbox", "unknown", "--arrived", row_id, "--arrived", 999999).code == 1
    assert rows(database, Outgoing.state == SendState.UNKNOWN) == 1


# --- the report ----------------------------------------------------------------------------------------------


def table(text, first):
    """One table of the printed report: its lines of words and figures."""
    lines = text.split(first, 1)[1].split("\n\n")[0].splitlines()[1:]
    return {line.split()[0]: [int(n) for n in line.split()[1:]] for line in lines if line}


def test_every_table_of_the_report_adds_up_to_the_audience(typed, notice):
    said = typed("outbox", "report", NAME)
    assert said.code == 0
    for first in ("县（市）区", "支部类型"):
        found = table(said.out, first)
        whole = found.pop("合计")
        assert whole[-1] == notice == sum(whole[:-1])
        assert [sum(column) for column in zip(*found.values(), strict=True)] == whole
    assert "被拒收 1：对方设置了拒收" in said.out
    assert re.search(rf"合计 +— +{notice}\n", said.out)


def test_the_people_behind_a_figure_can_be_seen(typed, notice):
    said = typed("outbox", "report", NAME, "--rows", "被拒收").out
    listed = said.split("被拒收：\n")[-1].splitlines()
    assert len(listed) == 1
    assert "对方设置了拒收" in listed[0]


def sheets_of(path):
    book = CalamineWorkbook.from_path(str(path))
    return {name: book.get_sheet_by_name(name).to_python() for name in book.sheet_names}


def test_the_workbook_has_four_sheets_that_agree(typed, notice, tmp_path, database):
    out = tmp_path / "报告.xlsx"
    assert typed("outbox", "report", NAME, "--xlsx", out, "--reason", "月度检查").code == 0
    book = sheets_of(out)
    assert list(book) == ["汇总", "按县区", "按支部类型", "名单"]
    for name in ("按县区", "按支部类型"):
        _head, *lines, whole, mark = book[name]
        assert [sum(column) for column in zip(*(line[1:] for line in lines), strict=True)] == whole[1:]
        assert whole[-1] == notice
        assert "用途：月度检查" in mark[0]
    people = book["名单"][1:-1]
    assert len(people) == notice
    states = [row[5] for row in people]
    summary = {row[0]: row[2] for row in book["汇总"]}
    assert all(states.count(state.label) == summary[state.label] for state in SendState)
    assert all("****" in row[4] for row in people if row[4])
    assert out.stat().st_mode & 0o077 == 0
    (entry,) = audits(database, "export")
    assert "月度检查" in entry.details
    assert "命令行用户" in entry.details


def test_no_cell_of_a_workbook_is_run(typed, notice, tmp_path, database):
    with database.transaction() as session:
        person_id = session.scalar(sa.select(Outgoing.person_id).where(Outgoing.state == SendState.REFUSED))
        session.get_one(Person, person_id).name = "=HYPERLINK(1)"
        session.execute(sa.update(Outgoing).where(Outgoing.state == SendState.REFUSED).values(reason="@SUM(1+1)"))
    out, hand = tmp_path / "a.xlsx", tmp_path / "b.xlsx"
    typed("outbox", "report", NAME, "--xlsx", out, "--by-hand", hand)
    for path in (out, hand):
        with zipfile.ZipFile(path) as parts:
            for name in parts.namelist():
                if "worksheets/sheet" in name:
                    assert b"<f>" not in parts.read(name)
    named = [row for row in sheets_of(out)["名单"] if "HYPERLINK" in str(row)]
    assert (named[0][3], named[0][7]) == ("'=HYPERLINK(1)", "'@SUM(1+1)")


def test_whom_to_tell_by_hand_stands_branch_by_branch_with_the_secretary(typed, notice, tmp_path, database):
    out = tmp_path / "代告.xlsx"
    said = typed("outbox", "report", NAME, "--by-hand", out).out
    lines = sheets_of(out)["代告名单"]
    heads = [number for number, row in enumerate(lines) if "书记：" in str(row[0])]
    missed = rows(
        database,
        Outgoing.state.in_((SendState.UNREACHABLE, SendState.REFUSED, SendState.EXPIRED, SendState.UNKNOWN)),
    )
    assert f"代告名单：{len(heads)} 个支部，{missed} 人" in said
    assert len(lines) == missed + 3 * len(heads) + 1
    with database.reading() as session:
        names = session.scalars(
            sa.select(Person.name).join(Post).where(Post.role == Role.SECRETARY, Post.branch_id.in_((1, 2, 400)))
        ).all()
    assert any(name in str(lines[number][0]) for name in names for number in heads)
    assert "请告知：【周五学习】" in str(lines[heads[0] + 1][0])
    with zipfile.ZipFile(out) as parts:
        sheet = parts.read("xl/worksheets/sheet1.xml").decode()
    breaks = re.findall(r'<brk id="(\d+)"', sheet)
    assert [int(each) for each in breaks] == heads[1:], "each branch begins a page"


def test_whom_to_tell_by_hand_as_a_plain_table(typed, notice, tmp_path):
    out = tmp_path / "代告.csv"
    typed("outbox", "report", NAME, "--by-hand", out)
    head, *lines, mark = csv.reader(io.StringIO(out.read_bytes().decode("utf-8-sig")))
    assert head == [
        "县（市）区",
        "支部",
        "书记",
        "姓名",
        "手机号",
        "微信没有送到的原因",
        "请告知",
        "已告知（日期、签名）",
    ]
    assert any(row[5] == "结果不明，可能已收到，请先问一问" for row in lines)
    assert "手机号已隐去" in mark[0]
    assert all("****" in row[4] for row in lines if row[4])


def test_whole_numbers_for_telling_need_a_reason(typed, notice, tmp_path, database):
    out = tmp_path / "代告.csv"
    refused = typed("outbox", "report", NAME, "--by-hand", out, "--unmasked")
    assert (refused.code, out.exists()) == (1, False)
    assert "--reason" in refused.err
    typed("outbox", "report", NAME, "--by-hand", out, "--unmasked", "--reason", "逐个打电话")
    assert "****" not in out.read_text("utf-8-sig")
    (entry,) = audits(database, "export.unmasked")
    assert "逐个打电话" in entry.details


def test_a_file_that_cannot_be_written_is_one_sentence_and_no_export(typed, notice, database):
    said = typed("outbox", "report", NAME, "--xlsx", "/nowhere/a.xlsx")
    assert said.code == 1
    assert said.err.startswith("错误：写不了 /nowhere/a.xlsx")
    assert audits(database, "export") == []


def test_somebody_in_two_branches_counts_where_their_main_affiliation_is(typed, database):
    openid = demo.cast.openid_of("SunLi")
    with database.transaction() as session:
        person_id = session.get_one(Follower, openid).person_id
        places = session.scalars(sa.select(Affiliation).where(Affiliation.person_id == person_id)).all()
        assert len(places) == 2
        outbox.queue(
            session, Letter(NoticeKind.BROADCAST, NAME, FACTS, outbox.accounts_of(session, [person_id])), now()
        )
    found = table(typed("outbox", "report", NAME).out, "支部类型")
    assert found.pop("合计")[-1] == 1
    assert sum(line[-1] for line in found.values()) == 1


def test_a_stopped_notice_says_why(typed, notice, database):
    with database.transaction() as session:
        campaigns.stop(session, NAME, "模板编号不对（40037）", now())
    assert f"{NAME}　已停下，待处理：模板编号不对（40037）" in typed("outbox", "status").out
    assert typed("outbox", "resume", NAME).code == 0
    with database.reading() as session:
        assert session.get_one(Campaign, NAME).state is CampaignState.RUNNING
