"""群发 at the desk: the form and its buttons, the preview, the second person, holding and ending, the report and its people."""

from __future__ import annotations

import html
import io
import re

import pytest
import sqlalchemy as sa
from python_calamine import CalamineWorkbook

from models import (
    Account,
    AuditEntry,
    Broadcast,
    BroadcastState,
    Campaign,
    CampaignState,
    Follower,
    Outgoing,
    SavedAudience,
    SendState,
    Switch,
)
from services.sending import audience, broadcasts, campaigns, delivery_report, report_book
from services.sending.audience import Audience
from services.sending.delivery_report import Slice
from tests.console import sent
from tests.console.test_pages import text

NEW = "/console/broadcasts/new"
ROW = {"term": "县:金水区", "value": "", "joint": "且", "turn": ""}
GOOD = {"title": "防汛值班", "words": "请各支部安排值班。", "topic": "statutory", "act": "preview"}


def compose(visitor, *rows: dict[str, str], **fields: str):
    """Send the form with these rows."""
    page = visitor.open(NEW).get_data(as_text=True)
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)[1]
    columns = {name: [{**ROW, **row}[name] for row in rows or ({},)] for name in ROW}
    return visitor.client.post(NEW, data={**GOOD, **columns, **fields, "csrf_token": token})


def expression(answer) -> str:
    return html.unescape(re.search(r'<code class="expression">([^<]*)</code>', answer.get_data(as_text=True))[1])


def people(answer) -> int:
    return int(re.search(r'class="many"><strong>(\d+)', answer.get_data(as_text=True))[1])


def meant(office, said: str, county_id: int | None = None) -> int:
    with office.database.reading() as session:
        return audience.count(session, Audience(said, county_id), office.clock.at)


def one(office, question):
    with office.database.reading() as session:
        return session.scalars(question).one()


def latest(office) -> Broadcast:
    return one(office, sa.select(Broadcast).order_by(Broadcast.id.desc()).limit(1))


def audited(office, act: str) -> AuditEntry:
    return one(office, sa.select(AuditEntry).where(AuditEntry.act == act).order_by(AuditEntry.id.desc()).limit(1))


# --- building an audience ------------------------------------------------------------------------------------


def test_rows_become_an_expression_that_counts_the_same_people(office):
    visitor = office.visitor("office")
    answer = compose(
        visitor, {}, {"term": "职务:书记", "turn": "非"}, {"term": "类型:律师事务所流动", "joint": "或"}, act="count"
    )
    assert answer.status_code == 200
    assert expression(answer) == "县:金水区 且 非 职务:书记 或 类型:律师事务所流动"
    assert people(answer) == meant(office, "县:金水区 且 非 职务:书记 或 类型:律师事务所流动") > 0
    assert "先算“且”" in text(answer)
    assert text(answer).count("人，可达") == 1


def test_the_ways_of_the_forecast_add_up_to_the_people(office):
    answer = compose(office.visitor("office"), act="count")
    reach = answer.get_data(as_text=True).partition('id="reach"')[2]
    assert sum(map(int, re.findall(r"<dd>(\d+) 人</dd>", reach))) == people(answer)
    assert len(re.search(r"例如：([^<]+)等", reach)[1].split("、")) == 10


def test_the_buttons_change_the_form_without_scripts_and_lose_nothing(office):
    visitor = office.visitor("office")
    more = compose(visitor, {}, {"term": "职务:书记"}, act="add", title="留着我", words="也留着\n我")
    assert more.get_data(as_text=True).count("<fieldset") == 3
    assert 'value="留着我"' in more.get_data(as_text=True)
    assert "也留着\n我</textarea>" in more.get_data(as_text=True)
    less = compose(visitor, {}, {"term": "职务:书记"}, act="drop:0")
    assert expression(less) == "职务:书记"
    written = compose(visitor, {}, {"term": "职务:书记"}, act="written").get_data(as_text=True)
    assert re.search(r'<textarea[^>]+name="written"[^>]*>\n县:金水区 且 职务:书记</textarea>', written)
    said = compose(visitor, act="count", way="written", written="县:金水区 且 （职务:书记 或 职务:值班律师）")
    assert people(said) == meant(office, "县:金水区 且 (职务:书记 或 职务:值班律师)")


def test_a_branch_is_found_by_some_of_its_name(office):
    visitor = office.visitor("office")
    found = compose(visitor, {"term": "支部:", "value": "数帆桥"}, act="count")
    assert expression(found) == "支部:“金水区数帆桥法律服务站流动党支部”"
    many = compose(visitor, {"term": "支部:", "value": "党支部"}, act="count")
    assert "有几个支部含“党支部”" in text(many)
    assert "没有名称含“没有这个”的支部" in text(compose(visitor, {"term": "支部:", "value": "没有这个"}, act="count"))


def test_a_list_is_kept_and_used_again(office):
    visitor = office.visitor("office")
    kept = compose(visitor, {"term": "职务:书记"}, act="save", list_name="书记们")
    assert kept.status_code == 200
    assert one(office, sa.select(SavedAudience)).expression == "职务:书记"
    assert people(compose(visitor, {"term": "名单:书记们"}, act="count")) == meant(office, "职务:书记")
    refused = compose(visitor, act="save", list_name="坏 名:称")
    assert refused.status_code == 422
    assert "名单的名称要 1–32 个字" in text(refused)
    assert 'value="坏 名:称"' in refused.get_data(as_text=True)


def test_a_county_office_reaches_its_county_only_whatever_it_writes(office):
    visitor = office.visitor("county")
    home = one(office, sa.select(Broadcast.county_id).where(Broadcast.id == write(office, visitor, "全体")))
    assert home is not None
    assert (
        people(compose(visitor, {"term": "全体"}, act="count")) == meant(office, "全体", home) < meant(office, "全体")
    )
    assert people(compose(visitor, act="count", way="written", written="县:登封市")) == 0
    assert (
        "群众"
        not in re.search(r'<select[^>]+id="term1".*?</select>', visitor.open(NEW).get_data(as_text=True), re.S)[0]
    )
    assert "只有市法学会办公室可以发给群众" in text(compose(visitor, act="count", way="written", written="群众"))
    assert compose(visitor, act="save", list_name="县里的").status_code == 404


def write(office, visitor, said: str, **fields: str) -> int:
    answer = compose(visitor, way="written", written=said, **fields)
    assert answer.status_code == 302, text(answer)
    return int(answer.location.rpartition("/")[2])


# --- bad input -----------------------------------------------------------------------------------------------

ODD = ["<script>alert(1)</script>", "'; DROP TABLE outbox; --", "{{ 7*7 }}", "🎉🎉", "䶮𬀩", "%s%n", "\\", "\u202e倒"]


@pytest.mark.parametrize("odd", ODD)
def test_odd_words_are_words_in_the_form_and_in_the_preview(office, odd):
    visitor = office.visitor("office")
    number = write(office, visitor, "县:金水区", title=odd[:20], words=odd)
    page = visitor.open(f"/console/broadcasts/{number}")
    assert "<script>alert" not in page.get_data(as_text=True)
    with office.database.reading() as session:
        row = session.get_one(Broadcast, number)
        assert row.words == odd.replace("\u202e", "")
        assert " ".join(broadcasts.as_text(row).split()) in text(page)
    wrong = compose(visitor, way="written", written=odd, title=odd, list_name=odd, act="count")
    assert wrong.status_code == 200
    assert "<script>alert" not in wrong.get_data(as_text=True)
    assert len(re.findall('class="wrong"', wrong.get_data(as_text=True))) == 1


@pytest.mark.parametrize(("field", "typed", "says"), [
    ("title", "", "标题不能为空。"),
    ("title", " \u200b\u200d ", "标题不能为空。"),
    ("title", "长" * 21, "标题有 21 个字"),
    ("words", "", "正文不能为空。"),
    ("words", "\ufeff\n", "正文不能为空。"),
    ("words", "长" * 401, "正文有 401 个字，最多 400 个字"),
    ("written", "", "条件没有写完"),
    ("written", "县:没有这县", "没有“没有这县”这个县（市）区"),
    ("written", "未签到:昨天", "不是日期"),
    ("written", "县:金水区 职务:书记", "前面少了“且”或“或”"),
    ("written", "群众 且 全体", "只能单写"),
    ("written", "职务:监督员 且 非 全体", "现在没有人"),
    ("written", "全体" * 300, "最多 500 个字"),
])  # fmt: skip
def test_what_is_wrong_is_said_at_its_field_and_nothing_typed_is_lost(office, field, typed, says):
    fields = {"title": "防汛值班", "words": "请值班", "written": "县:金水区", "way": "written"} | {field: typed}
    answer = compose(office.visitor("office"), **fields)
    page = answer.get_data(as_text=True)
    assert answer.status_code == 422
    name = "audience" if field == "written" else field
    said = re.search(rf'<p class="wrong" id="{name}-says"[^>]*>([^<]+)', page)
    assert says in html.unescape(said[1])
    assert f'aria-describedby="{name}-says"' in page
    for value in fields.values():
        assert value.strip("\ufeff\n ") in html.unescape(page)
    with office.database.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Broadcast)) == 0


def test_a_form_without_its_token_is_refused_with_a_sentence(office):
    visitor = office.visitor("office")
    sent.ensure(office)
    row = one(office, sa.select(Broadcast).where(Broadcast.state == BroadcastState.SUBMITTED))
    for path in (NEW, f"/console/broadcasts/{row.id}/approve", "/console/broadcasts/progress/broadcast:2/cancel"):
        answer = visitor.client.post(path, data=GOOD)
        assert answer.status_code == 400
        assert "刚才的操作没有执行" in text(answer)
    assert one(office, sa.select(Broadcast.state).where(Broadcast.id == row.id)) is BroadcastState.SUBMITTED


# --- preview, confirm, approve -------------------------------------------------------------------------------


def act(visitor, number: int, name: str, **fields: str):
    return visitor.send(f"/console/broadcasts/{number}/{name}", on=f"/console/broadcasts/{number}", **fields)


def test_the_preview_is_what_is_queued_and_is_confirmed_once(office):
    visitor = office.visitor("office")
    number = write(office, visitor, "县:金水区 且 职务:书记", words="第一行\r\n第二行，不要转发截图")
    page = visitor.open(f"/console/broadcasts/{number}")
    shown = html.unescape(re.search(r'<div class="notice">(.*?)</div>', page.get_data(as_text=True), re.S)[1])
    assert shown == "【防汛值班】\n第一行\n第二行，不要转发截图\n——市法学会"
    assert "“转发”：要求转发属于" in text(page)
    assert "“截图”：不要求截图上传" in text(page)
    row = latest(office)
    refused = act(visitor, number, "confirm", code="0000")
    assert (refused.status_code, "没有发送" in text(refused)) == (422, True)
    done = act(visitor, number, "confirm", code=row.code)
    assert done.location.endswith(f"/console/broadcasts/progress/broadcast:{number}")
    with office.database.reading() as session:
        rows = session.scalars(sa.select(Outgoing).options(sa.orm.joinedload(Outgoing.notice))).all()
    assert len(rows) == row.people_count
    assert all(shown in each.notice.facts.replace("\\n", "\n") for each in rows)
    again = act(visitor, number, "confirm", code=row.code)
    assert "不会重复发送" in text(again)


def test_an_old_preview_is_not_sent_and_leads_back_to_the_form(office):
    visitor = office.visitor("office")
    number = write(office, visitor, "县:金水区 且 职务:书记")
    office.clock.at += broadcasts.CONFIRM_WITHIN * 1.01
    # The login has outlived its half hour of rest as well.
    visitor.log_in("office")
    assert "预览已超过 30 分钟" in text(act(visitor, number, "confirm", code=latest(office).code))
    again = visitor.open(f"{NEW}?again={number}").get_data(as_text=True)
    assert 'value="防汛值班"' in again
    assert "县:金水区 且 职务:书记</textarea>" in again


def test_a_second_person_approves_and_is_told_of_the_difference(office):
    sent.write(office, "县:金水区", "要审核的", asks=True)
    number = latest(office).id
    with office.database.transaction() as session:
        session.get_one(Broadcast, number).people_count -= 3
    visitor = office.visitor("office")
    assert "1 群发等您审核" in text(visitor.open("/console/"))
    assert "要审核的" in text(visitor.open("/console/broadcasts/approvals"))
    assert "多 3 人" in text(visitor.open(f"/console/broadcasts/{number}"))
    answer = act(visitor, number, "approve")
    assert "人员比提交时多 3 人" in text(visitor.open(answer.location))
    assert one(office, sa.select(Broadcast.state).where(Broadcast.id == number)) is BroadcastState.CONFIRMED
    assert "没有等着您审核的" in text(visitor.open("/console/broadcasts/approvals"))


def test_a_return_needs_a_reason_and_its_author_reads_it(office):
    sent.write(office, "县:金水区", "要审核的", asks=True)
    number, visitor = latest(office).id, office.visitor("office")
    short = act(visitor, number, "return", reason="错")
    assert (short.status_code, "请写明退回的理由" in text(short)) == (422, True)
    assert 'value="错"' in short.get_data(as_text=True)
    act(visitor, number, "return", reason="时间写错了")
    assert "已退回 ：时间写错了" in text(visitor.open(f"/console/broadcasts/{number}")).replace(
        "已退回：", "已退回 ："
    )
    assert audited(office, "broadcast.return").details == "时间写错了"


def test_an_author_cannot_approve_their_own(office):
    visitor = office.visitor("office")
    number = write(office, visitor, "全体")
    act(visitor, number, "confirm", code=latest(office).code)
    page = visitor.open(f"/console/broadcasts/{number}")
    assert "自己不能审核自己写的" in text(page)
    assert "通过，发给" not in text(page)
    refused = act(visitor, number, "approve")
    assert (refused.status_code, "不能审核自己写的群发" in text(refused)) == (422, True)
    assert one(office, sa.select(Broadcast.state)) is BroadcastState.SUBMITTED
    act(visitor, number, "withdraw")
    assert one(office, sa.select(Broadcast.state)) is BroadcastState.CANCELLED


def test_a_county_office_neither_approves_nor_confirms_what_others_wrote(office):
    sent.write(office, "县:金水区", "市里的", asks=True)
    number, visitor = latest(office).id, office.visitor("county")
    for name in ("approve", "return", "confirm", "withdraw", "test"):
        assert visitor.send(f"/console/broadcasts/{number}/{name}", on="/console/").status_code == 404
    assert visitor.open("/console/broadcasts/approvals").status_code == 404
    assert visitor.open(f"{NEW}?again={number}").status_code == 404
    assert visitor.open(f"{NEW}?corrects={number}").status_code == 404


def test_the_author_tries_it_on_themselves_or_is_told_why_not(office):
    visitor = office.visitor("office")
    number = write(office, visitor, "县:金水区")
    with office.database.transaction() as session:
        me = session.scalars(sa.select(Account.person_id).where(Account.name == "office")).one()
        session.execute(sa.update(Follower).where(Follower.person_id == me).values(is_subscribed=False))
    assert "试发不到您手上" in text(act(visitor, number, "test"))
    with office.database.transaction() as session:
        session.execute(sa.update(Follower).where(Follower.person_id == me).values(is_subscribed=True))
    assert act(visitor, number, "test").status_code == 302
    assert one(office, sa.select(Outgoing.campaign)) == f"test:{number}:1"
    assert "试发" not in text(visitor.open("/console/broadcasts")), "no notice to many"


# --- on its way ----------------------------------------------------------------------------------------------


def on_its_way(office) -> str:
    sent.ensure(office)
    row = one(office, sa.select(Broadcast).where(Broadcast.title == "防汛值班安排"))
    return broadcasts.campaign(row.id)


def tiles(answer) -> list[int]:
    return [int(many) for many in re.findall(r'class="tile"[^>]*><strong>(\d+)', answer.get_data(as_text=True))]


def steer(visitor, key: str, name: str):
    path = f"/console/broadcasts/progress/{key}"
    return visitor.send(f"{path}/{name}", on=path)


def test_the_progress_adds_up_at_each_moment_and_each_act_changes_what_it_says(office):
    visitor, key = office.visitor("office"), on_its_way(office)
    path = f"/console/broadcasts/progress/{key}"
    page = visitor.open(path)
    total = sum(tiles(page))
    assert f"合计 {total} 人" in text(page)
    assert "136 / " not in text(page).replace(f"/ {total}", "")
    assert 'hx-trigger="every 4s"' in page.get_data(as_text=True)
    for name, state in (("pause", CampaignState.PAUSED), ("resume", CampaignState.RUNNING)):
        assert steer(visitor, key, name).status_code == 302
        assert one(office, sa.select(Campaign.state).where(Campaign.name == key)) is state
        assert sum(tiles(visitor.open(path))) == total
    asked = text(visitor.open(f"{path}/cancel"))
    assert "没发出的不再发，不能恢复" in asked
    with office.database.reading() as session:
        waiting = campaigns.standing(session, key, office.clock.at, 1, {}).counted[SendState.WAITING]
    done = visitor.open(steer(visitor, key, "cancel").location)
    assert f"已停止 {waiting} 人的发送" in text(done)
    assert sum(tiles(done)) == total
    assert "every 4s" not in done.get_data(as_text=True)
    assert visitor.open(f"{path}/cancel").status_code == 302, "nothing is left to be cancelled"
    assert "已经没有待发送的" in text(visitor.open(steer(visitor, key, "cancel").location))


def test_a_page_that_is_open_comes_anew_when_other_buttons_are_due(office):
    visitor, key = office.visitor("office"), on_its_way(office)
    path = f"/console/broadcasts/progress/{key}"
    again = html.unescape(re.search(r'hx-get="([^"]+)"', visitor.open(path).get_data(as_text=True))[1])
    assert "HX-Refresh" not in visitor.open(again).headers
    steer(visitor, key, "pause")
    assert visitor.open(again).headers["HX-Refresh"] == "true"


def test_a_campaign_that_stopped_says_why_and_what_to_do(office):
    visitor, key = office.visitor("office"), on_its_way(office)
    with office.database.transaction() as session:
        campaigns.stop(session, key, "模板编号不对（40037）", office.clock.at)
    page = text(visitor.open(f"/console/broadcasts/progress/{key}"))
    assert "自动停下了 ：模板编号不对（40037）" in page
    assert "再点“继续发送”" in page
    assert "模板编号不对（40037）" in text(visitor.open("/console/"))


def test_an_urgent_word_does_not_wait_for_the_morning(office):
    office.clock.at = office.clock.at.replace(hour=15)  # 23:00 in Beijing
    visitor, key = office.visitor("office"), on_its_way(office)
    path = f"/console/broadcasts/progress/{key}"
    with office.database.transaction() as session:
        session.execute(sa.update(Outgoing).where(Outgoing.state != SendState.WAITING).values(due_at=office.clock.at))
    assert "等到 2026-11-28 07:30 开始" in text(visitor.open(path))
    assert "请只用于急事" in text(visitor.open(f"{path}/hurry"))
    assert "改为立即发送" in text(visitor.open(steer(visitor, key, "hurry").location))
    with office.database.reading() as session:
        assert (
            session.scalar(sa.select(sa.func.max(Outgoing.due_at)).where(Outgoing.campaign == key)) <= office.clock.at
        )


def test_only_those_who_failed_get_it_again(office):
    visitor, key = office.visitor("office"), on_its_way(office)
    assert "给 4 人再发一次" in text(visitor.open(steer(visitor, key, "retry").location))


def test_a_correction_goes_to_exactly_those_who_have_it(office):
    visitor, key = office.visitor("office"), on_its_way(office)
    with office.database.reading() as session:
        has_it = len(campaigns.recipients_of(session, key))
    wrong = key.partition(":")[2]
    page = visitor.open(f"{NEW}?corrects={wrong}")
    assert people(page) == has_it == 132
    answer = compose(visitor, corrects=wrong)
    shown = text(visitor.open(answer.location))
    assert "【更正：防汛值班】" in shown
    assert "收到原通知的人" in shown
    assert latest(office).people_count == has_it


def test_a_county_office_sees_its_people_of_a_city_notice_and_holds_nothing(office):
    row = sent.write(office, "全体", "给全市", asks=False)
    key = broadcasts.campaign(row.id)
    city, county = office.visitor("office"), office.visitor("county")
    path = f"/console/broadcasts/progress/{key}"
    assert 0 < sum(tiles(county.open(path))) < sum(tiles(city.open(path)))
    assert "下面是您范围内的" in text(county.open(path))
    assert "暂停" not in text(county.open(path))
    assert steer(county, key, "pause").status_code == 404
    report = text(county.open(f"/console/broadcasts/report/{key}"))
    assert "登封市" not in report
    assert "登封市" in text(city.open(f"/console/broadcasts/report/{key}"))


def test_what_nobody_knows_is_settled_by_who_asked(office):
    visitor, key = office.visitor("office"), on_its_way(office)
    with office.database.reading() as session:
        first, second, _third = campaigns.unknown(session, key)
    page = text(visitor.open("/console/broadcasts/unknown"))
    assert page.count("已收到 重发") == 3
    for row, said in ((first, "yes"), (second, "no")):
        path = f"/console/broadcasts/messages/{row.id}"
        assert visitor.send(f"{path}/resolve", on="/console/broadcasts/unknown", arrived=said).status_code == 302
    with office.database.reading() as session:
        states = [session.get_one(Outgoing, row.id).state for row in (first, second)]
    assert states == [SendState.DELIVERED, SendState.WAITING]
    assert audited(office, "outbox.resolve").subject == f"outbox:{second.id}"
    again = visitor.send(
        f"/console/broadcasts/messages/{first.id}/resolve", on="/console/broadcasts/unknown", arrived="no"
    )
    assert again.status_code == 404


# --- the report ----------------------------------------------------------------------------------------------


def test_each_number_of_the_report_opens_to_just_as_many_people(office):
    key = on_its_way(office)
    with office.database.reading() as session:
        report = delivery_report.report(session, key)
        total = report.whole.total
        found = [(Slice(way=way), report.ways.get(way, 0)) for way in report_book.ways(report)]
        found += [(Slice((state,), reason=reason), many) for state, reason, many in report.reasons]
        for part, lines in (("place", report.by_county), ("kind", report.by_kind)):
            assert sum(line.total for line in lines) == total
            found += [
                (Slice((state,), **{part: line.name}), many) for line in lines for state, many in line.counted.items()
            ]
        assert len(found) > 15
        for of, many in found:
            question = delivery_report.matching(session, key, of).order_by(None).subquery()
            assert session.scalar(sa.select(sa.func.count()).select_from(question)) == many, of


def test_the_report_goes_down_to_one_person_with_the_reason(office):
    visitor, key = office.visitor("office"), on_its_way(office)
    page = visitor.open(f"/console/broadcasts/report/{key}").get_data(as_text=True)
    link = html.unescape(re.search(r'href="([^"]+way=%E5%AE%A2%E6%9C%8D[^"]+)">(\d+)<', page)[1])
    listed = visitor.open(link)
    assert "共 12 人" in text(listed)
    assert re.search(r"199\*{4}\d{4}", text(listed))
    refused = visitor.open(f"/console/broadcasts/report/{key}/people?state=refused").get_data(as_text=True)
    one_of_them = visitor.open(re.search(r'href="(/console/broadcasts/messages/\d+)"', refused)[1])
    assert "对方设置了拒收" in text(one_of_them)


@pytest.mark.parametrize("said", ["state=nonsense", "place=%27%20OR%201=1--", "kind=%00", "way=<script>", "page=-1"])
def test_an_odd_address_of_a_list_is_a_list(office, said):
    visitor, key = office.visitor("office"), on_its_way(office)
    answer = visitor.open(f"/console/broadcasts/report/{key}/people?{said}")
    assert answer.status_code == 200
    assert "<script>" not in answer.get_data(as_text=True).partition("<main")[2]


def test_a_workbook_is_handed_out_for_a_reason_that_stays_in_it_and_in_the_audit(office):
    visitor, key = office.visitor("office"), on_its_way(office)
    path = f"/console/broadcasts/report/{key}"
    assert "请写明导出的用途" in text(visitor.send(f"{path}/workbook", on=path, reason=""))
    answer = visitor.send(f"{path}/workbook", on=path, reason="报送防汛情况")
    assert answer.headers["Content-Disposition"].startswith("attachment; filename=")
    rows = CalamineWorkbook.from_filelike(io.BytesIO(answer.data)).get_sheet_by_name("名单").to_python()
    cells = [str(cell) for row in rows for cell in row if cell]
    assert "报送防汛情况" in cells[-1]
    assert "赵敏" in cells[-1]
    assert not [cell for cell in cells if re.fullmatch(r"1\d{10}", cell)]
    assert "用途：报送防汛情况" in audited(office, "export").details
    auditor = office.visitor("auditor")
    assert auditor.open(path).status_code == 200
    assert auditor.send(f"{path}/workbook", on="/console/", reason="报送防汛情况").status_code == 404


def test_the_list_to_be_told_by_hand_shows_whole_numbers_for_a_reason_only(office):
    visitor, key = office.visitor("office"), on_its_way(office)
    path = f"/console/broadcasts/report/{key}/by-hand"
    masked = visitor.open(path)
    assert masked.get_data(as_text=True).count('class="sheet"') > 3
    assert not re.search(r"\b1\d{10}\b", text(masked))
    assert "请写明为什么要看全号" in text(visitor.send(path, reason="看"))
    whole = text(visitor.send(path, reason="逐个打电话告知"))
    assert re.search(r"\b1\d{10}\b", whole)
    assert "用途：逐个打电话告知" in whole
    assert re.search(r"\S+，\d+ 个支部，\d+ 人.*逐个打电话告知", audited(office, "export.unmasked").details)


# --- rules ---------------------------------------------------------------------------------------------------


def test_a_rule_is_switched_with_a_reason_by_the_office_only(office):
    visitor = office.visitor("office")
    name = re.search(r'/console/settings/([\w.:-]+)"', visitor.open("/console/settings").get_data(as_text=True))[1]
    refused = visitor.send(f"/console/settings/{name}", on="/console/settings", reason="")
    assert (refused.status_code, "请写明为什么关闭" in text(refused)) == (422, True)
    done = visitor.send(f"/console/settings/{name}", on="/console/settings", reason="节前事多，先停")
    assert done.status_code == 302
    row = one(office, sa.select(Switch).where(Switch.name == f"rule:{name}"))
    assert (row.is_on, row.note) == (False, "节前事多，先停")
    assert audited(office, "rule.off").details == "节前事多，先停"
    assert "关闭：节前事多，先停" in text(visitor.open("/console/settings"))
    auditor = office.visitor("auditor")
    assert f"/console/settings/{name}" not in auditor.open("/console/settings").get_data(as_text=True)
    assert auditor.send(f"/console/settings/{name}", on="/console/", reason="节前事多").status_code == 404
    assert visitor.send("/console/settings/plan", on="/console/settings", reason="节前事多").status_code == 404
