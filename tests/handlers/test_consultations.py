"""咨询 and all that follows, as citizens and lawyers say it; stations as they are found."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote

import pytest
import sqlalchemy as sa

from bot.replies import MAX_BYTES
from clock import parse_instant
from models import AuditEntry, CaseStep, Consultation, Matter, Notice, Outgoing, Step, Urgency, Wish
from services.consulting.consultations import NOT_YOURS
from tests.consulting import COUNTIES, MORNING, Chat, on_sqlite, plain

CITIZEN, STRANGER, CHEN, LI, ZHOU, WU, OFFICE = "oWangFang", "oStranger", "o1", "o2", "o3", "o4", "o6"


@pytest.fixture
def chat(tmp_path: Path) -> Chat:
    return Chat(on_sqlite(tmp_path))


def case(chat: Chat) -> Consultation:
    with chat.database.reading() as session:
        return session.scalars(sa.select(Consultation).order_by(Consultation.id.desc())).first()  # type: ignore[return-value]


def said(chat: Chat, step: Step) -> list[str | None]:
    with chat.database.reading() as session:
        return list(session.scalars(sa.select(CaseStep.words).where(CaseStep.step == step).order_by(CaseStep.id)))


def pushed(chat: Chat, to: str) -> list[str]:
    with chat.database.reading() as session:
        rows = session.scalars(
            sa.select(Notice.facts).join(Outgoing, Outgoing.notice_id == Notice.id).where(Outgoing.openid == to)
        )
        return list(rows)


# --- asking --------------------------------------------------------------------------------------------------


def test_a_citizen_asks_in_five_questions_without_registration(chat: Chat) -> None:
    assert "1 劳动工伤" in chat.says(CITIZEN, "咨询")
    assert "哪个县（市）区" in chat.says(CITIZEN, "1")
    assert "有多急" in chat.says(CITIZEN, "金水")
    assert "哪种帮助" in chat.says(CITIZEN, "不急")
    question = chat.says(CITIZEN, "问清楚怎么办")
    assert "只有承办人看得到" in question
    assert "删除" in question
    receipt = chat.says(CITIZEN, "工资拖欠三个月。\n老板失联")
    assert receipt.startswith("咨询已登记，编号 ZX261127-0001\n劳动工伤｜金水区｜不急｜问清楚怎么办")
    assert "文化路法律服务站的值班律师" in receipt
    assert "查询 ZX261127-0001" in receipt
    assert "补充" in receipt
    assert said(chat, Step.ASKED) == ["工资拖欠三个月。\n老板失联"]


def test_what_the_words_are_for_is_said_before_they_are_asked_for(chat: Chat) -> None:
    """P5, F100: the purpose, who reads them, how they are kept, how they go; and not to write more than is needed."""
    asked = chat.says(CITIZEN, "咨询", "1", "金水区", "1", "1")
    assert asked.startswith("最后，请用自己的话说说情况")
    for told in ("只用来解答这个问题", "只有承办人看得到", "加密保存", "即可删除", "不用写真实姓名"):
        assert told in asked
    assert said(chat, Step.ASKED) == [], "nothing is kept before that"


@pytest.mark.parametrize("word", ["法律咨询", "我要咨询", "求助", "4", "咨询。", "zixun"])
def test_the_consultation_opens_by_any_of_its_names(chat: Chat, word: str) -> None:
    reply = chat.says(CITIZEN, word)
    assert "属于哪一类" in reply or "【咨询】" in reply


def test_menu_and_codes_open_it_too(chat: Chat) -> None:
    assert "属于哪一类" in plain(chat.raw(CITIZEN, MsgType="event", Event="CLICK", EventKey="CONSULT"))


@pytest.mark.parametrize("matter", Matter)
def test_every_matter_can_be_chosen(chat: Chat, matter: Matter) -> None:
    chat.says(CITIZEN, "咨询 老板不发工资怎么办啊", matter.label, "金水区", "1", "1")
    assert case(chat).matter is matter


@pytest.mark.parametrize("number", range(1, 13))
def test_every_county_can_be_chosen_by_number(chat: Chat, number: int) -> None:
    chat.says(CITIZEN, "咨询 老板不发工资怎么办啊", "1", str(number), "1", "1")
    assert case(chat).county_id == number


@pytest.mark.parametrize("name", COUNTIES)
def test_every_county_can_be_chosen_by_half_its_name(chat: Chat, name: str) -> None:
    chat.says(CITIZEN, "咨询 老板不发工资怎么办啊", "1", name[:2], "1", "1")
    assert case(chat).county_id == COUNTIES.index(name) + 1


@pytest.mark.parametrize("urgency", Urgency)
@pytest.mark.parametrize("wish", Wish)
def test_every_urgency_and_every_wish_can_be_chosen(chat: Chat, urgency: Urgency, wish: Wish) -> None:
    reply = chat.says(CITIZEN, "咨询 老板不发工资怎么办啊", "1", "1", urgency.label, wish.label)
    assert (case(chat).urgency, case(chat).wish) == (urgency, wish)
    assert ("12348" in reply) is (urgency is Urgency.TODAY)


def test_what_was_said_with_the_command_is_not_asked_again(chat: Chat) -> None:
    first = chat.says(CITIZEN, "咨询 我的工资被拖欠，怎么办？")
    assert "已记下" in first
    assert "只有承办人看得到" in first
    assert chat.says(CITIZEN, "1", "金水", "3", "1").startswith("咨询已登记")
    assert said(chat, Step.ASKED) == ["我的工资被拖欠，怎么办？"]


def test_a_matter_said_with_the_command_is_the_first_answer(chat: Chat) -> None:
    assert "哪个县" in chat.says(CITIZEN, "咨询 劳动工伤")


def test_a_story_told_too_early_is_kept(chat: Chat) -> None:
    reply = chat.says(CITIZEN, "咨询", "老板三个月没有发工资了，人也找不到")
    assert "已记下，不用再写" in reply
    assert "属于哪一类" in reply
    assert chat.says(CITIZEN, "1", "金水", "3", "1").startswith("咨询已登记")
    assert said(chat, Step.ASKED) == ["老板三个月没有发工资了，人也找不到"]


def test_cancel_back_and_again_in_the_middle(chat: Chat) -> None:
    chat.says(CITIZEN, "咨询", "1", "金水")
    assert "哪个县" in chat.says(CITIZEN, "返回")
    assert "属于哪一类" in chat.says(CITIZEN, "返回")
    assert "已经是第一题" in chat.says(CITIZEN, "返回")
    chat.says(CITIZEN, "2", "中原")
    assert "属于哪一类" in chat.says(CITIZEN, "重来")
    assert chat.says(CITIZEN, "取消") == "已取消咨询，什么也没有提交。"
    assert case(chat) is None


def test_the_command_in_the_middle_takes_up_where_it_stands(chat: Chat) -> None:
    chat.says(CITIZEN, "咨询", "1")
    assert chat.says(CITIZEN, "咨询").startswith("继续咨询。\n事情发生在")


def test_too_many_words_are_refused_kindly(chat: Chat) -> None:
    chat.says(CITIZEN, "咨询", "1", "1", "1", "1")
    assert chat.says(CITIZEN, "长" * 1001).startswith("写了 1001 个字，最多 1000 个字")
    assert chat.says(CITIZEN, "长" * 1000).startswith("咨询已登记")


def test_a_county_that_is_not_there_is_asked_again(chat: Chat) -> None:
    assert chat.says(CITIZEN, "咨询", "1", "洛阳").startswith("请回复 1–12 之间的数字。\n事情发生在")


# --- danger --------------------------------------------------------------------------------------------------

DANGEROUS = "老公打我，救救我"


@pytest.mark.parametrize(
    "way",
    [
        [f"咨询 {DANGEROUS}"], ["咨询", DANGEROUS], ["咨询", "1", DANGEROUS], ["咨询", "1", "1", DANGEROUS],
        ["咨询", "1", "1", "1", DANGEROUS], ["咨询", "1", "1", "1", "1", DANGEROUS],
    ],
)  # fmt: skip
def test_danger_is_answered_with_numbers_first_wherever_it_is_said(chat: Chat, way: list[str]) -> None:
    reply = chat.says(CITIZEN, *way)
    assert reply.startswith("请先打电话：110 报警")
    assert "12338" in reply
    assert reply.count("请先打电话") == 1
    if "咨询已登记" not in reply:
        assert "哪个县" in reply
        reply = chat.says(CITIZEN, "金水")
    assert reply.startswith("请先打电话：110")
    assert "咨询已登记，编号 ZX261127-0001" in reply
    assert case(chat).is_dangerous
    assert said(chat, Step.ASKED) == [DANGEROUS]
    assert len(pushed(chat, OFFICE)) == 1
    assert "打我" not in pushed(chat, OFFICE)[0]


def test_a_county_in_a_cry_for_help_is_understood(chat: Chat) -> None:
    reply = chat.says(CITIZEN, "咨询", "1", "我在金水区，老公打我")
    assert "咨询已登记" in reply
    assert case(chat).county_id == 1


def test_a_bare_cry_for_help_is_heard(chat: Chat) -> None:
    assert chat.says(CITIZEN, "救命").startswith("请先打电话：110")
    assert "用自己的话" in chat.says(CITIZEN, "金水")


def test_danger_is_heard_by_a_draft_put_aside(chat: Chat) -> None:
    chat.says(CITIZEN, "咨询", "1")
    chat.at = MORNING + timedelta(hours=2)
    assert chat.says(CITIZEN, "我不想活了").startswith("请先打电话：12356")


def test_danger_is_heard_outside_any_conversation_and_one_tap_goes_on(chat: Chat) -> None:
    reply = chat.raw(CITIZEN, Content="我不想活了") or ""
    assert reply.startswith("请先打电话：12356")
    (link,) = re.findall("msgmenucontent=([^&]+)&", reply)
    assert "哪个县" in chat.says(CITIZEN, unquote(link))
    assert "咨询已登记" in chat.says(CITIZEN, "金水")
    assert said(chat, Step.ASKED) == ["我不想活了"]


def test_a_draft_put_aside_is_offered_again(chat: Chat) -> None:
    chat.says(CITIZEN, "咨询", "1")
    chat.at = MORNING + timedelta(hours=2)
    assert chat.says(CITIZEN, "在吗").startswith("上次咨询草稿还在")
    assert "哪个县" in chat.says(CITIZEN, "1")


# --- the citizen afterwards ----------------------------------------------------------------------------------


def test_a_citizen_sees_their_own_cases_and_nobody_elses(chat: Chat) -> None:
    assert "还没有咨询过" in chat.says(CITIZEN, "查询")
    number = chat.asks()
    assert number in chat.says(CITIZEN, "6")
    shown = chat.says(CITIZEN, f"查询 {number}")
    assert shown.startswith(f"{number} 等待接单\n劳动工伤｜金水区")
    assert "文化路法律服务站值班律师" in shown
    assert "我的工资被拖欠三个月了" in shown
    assert chat.says(CITIZEN, "查询ＺＸ261127－0001") == shown
    assert chat.says(STRANGER, f"查询 {number}") == NOT_YOURS == chat.says(STRANGER, "查询 ZX261127-0099")


def test_a_bare_number_is_followed_by_its_citizen_and_read_by_its_lawyer(chat: Chat) -> None:
    number = chat.asks()
    assert chat.says(CITIZEN, number) == chat.says(CITIZEN, f"查询 {number}")
    assert chat.says(CITIZEN, number.lower()).startswith(f"{number} 等待接单")
    assert chat.says(STRANGER, number) == NOT_YOURS
    assert "我的工资被拖欠三个月了" in chat.says(CHEN, number)
    assert chat.says(WU, number) == "没有这件咨询，或不在您的办理范围。"


@pytest.mark.parametrize("start", [("咨询", "1", "金水", "1", "1"), ("补充",)])
def test_a_bare_number_is_nobodys_story(chat: Chat, start: tuple[str, ...]) -> None:
    number = chat.asks()
    assert f"查询 {number}" in chat.says(CITIZEN, *start, number)
    assert len(said(chat, Step.ASKED)) + len(said(chat, Step.ADDED)) == 1


def test_the_list_shows_the_newest_five(chat: Chat) -> None:
    numbers = [chat.asks() for _ in range(6)]
    listed = chat.says(CITIZEN, "查询")
    assert re.findall(r"ZX\d+-\d+", listed) == numbers[:0:-1]


def test_more_is_added_to_the_latest_open_case(chat: Chat) -> None:
    assert "没有在办的咨询" in chat.says(CITIZEN, "补充 有合同")
    number = chat.asks()
    assert chat.says(CITIZEN, "补充 2016 年签的合同，\n在我手上") == f"已补充到 {number}，接单的人会一并看到。"
    assert said(chat, Step.ADDED) == ["2016 年签的合同，\n在我手上"]
    assert f"补充到 {number}" in chat.says(CITIZEN, "补充")
    chat.says(CHEN, "接单")
    assert "已告诉陈刚（文化路法律服务站）" in chat.says(CITIZEN, "还有工资条")
    assert chat.says(CITIZEN, "补充 他威胁要杀我全家").startswith("请先打电话：110")


def test_a_case_is_withdrawn(chat: Chat) -> None:
    number = chat.asks()
    assert f"撤回 {number}" in chat.says(CITIZEN, "撤回")
    assert f"{number} 已撤回" in chat.says(CITIZEN, "撤回 1")
    assert "不用撤回" in chat.says(CITIZEN, f"撤回 {number}")
    assert "没有等待接单的咨询" in chat.says(CHEN, "待办")


def test_which_case_to_withdraw_is_chosen_by_its_number_in_the_list(chat: Chat) -> None:
    first, second = chat.asks(), chat.asks()
    asked = chat.says(CITIZEN, "撤回")
    assert f"1 撤回 {second}" in asked
    assert f"2 撤回 {first}" in asked
    assert chat.says(CITIZEN, "取消") == "已取消撤回，什么也没有提交。"
    assert f"{second} 已撤回" in chat.says(CITIZEN, "撤回", "1")
    assert f"{first} 已撤回" in chat.says(CITIZEN, "撤回", first)


# --- the lawyer ----------------------------------------------------------------------------------------------


def closed(chat: Chat) -> str:
    number = chat.asks()
    chat.says(CHEN, "接单", f"答复 {number} 先到劳动监察大队投诉", f"结案 {number}")
    return number


def test_a_lawyer_closes_a_case_inside_wechat(chat: Chat) -> None:
    number = chat.asks()
    todo = chat.says(CHEN, "待办")
    assert todo == f"等待接单 1 件（点编号接单）：\n· {number} 金水区·劳动工伤·今天就急"
    assert chat.says(CHEN, "接单").startswith(f"已接单：{number}")
    assert "我在办的 1 件" in chat.says(CHEN, "待办")
    shown = chat.says(CHEN, "看 1")
    assert "我的工资被拖欠三个月了" in shown
    assert "11月27日 10:00 接单 陈刚" in shown
    answered = chat.says(CHEN, "答复 0001 一、先到劳动监察大队投诉；\n二、再申请仲裁。")
    assert answered.startswith(f"已答复 {number}")
    assert said(chat, Step.ANSWERED) == ["一、先到劳动监察大队投诉；\n二、再申请仲裁。"]
    own = chat.says(CITIZEN, f"查询 {number}")
    assert "一、先到劳动监察大队投诉；\n二、再申请仲裁。" in own
    assert "承办：陈刚（文化路法律服务站）" in own
    assert chat.says(CHEN, "结案").startswith(f"已结案：{number}")
    assert "满意吗" in pushed(chat, CITIZEN)[-1]


def test_a_bare_take_with_several_waiting_lists_them(chat: Chat) -> None:
    assert chat.says(CHEN, "接单") == "现在没有等待接单的咨询。"
    chat.asks()
    chat.asks()
    assert chat.says(CHEN, "接单").startswith("哪一件？\n等待接单 2 件")
    assert "已接单：ZX261127-0002" in chat.says(CHEN, "接单 ０００２")


def test_which_case_is_answered_is_chosen_by_its_own_number(chat: Chat) -> None:
    for openid in (CITIZEN, STRANGER):
        number = chat.asks(openid=openid)
        chat.says(CHEN, f"接单 {number}")
    assert chat.says(CHEN, "答复").startswith("哪一件？\n我在办的 2 件")
    assert "请点编号" in chat.says(CHEN, "第二件")
    assert chat.says(CHEN, "2").startswith(f"答复 {number}")
    assert chat.says(CHEN, "先投诉").startswith(f"已答复 {number}")
    assert f"{number} 转给谁" in chat.says(CHEN, "转", "2")
    chat.says(CHEN, "取消")
    assert chat.says(CHEN, "结案", "2") == f"已结案：{number}。已请咨询人评价。"


def test_who_was_slower_is_told_who_has_it(chat: Chat) -> None:
    number = chat.asks()
    chat.says(CHEN, f"接单 {number.lower()}")
    assert chat.says(LI, f"接单 {number}") == f"{number} 已由陈刚于 11月27日 10:00 接单。"
    assert chat.says(LI, "接单 1") == f"{number} 已由陈刚于 11月27日 10:00 接单。"
    assert "已经是您的" in chat.says(CHEN, "接单 1")


def test_outside_the_own_county_a_case_is_not_there_and_asking_leaves_a_trace(chat: Chat) -> None:
    number = chat.asks()
    for word in ("看", "接单", "答复", "转", "结案"):
        assert chat.says(WU, f"{word} {number}") == "没有这件咨询，或不在您的办理范围。"
    chat.says(CHEN, "接单")
    assert chat.says(LI, f"看 {number}") == "没有这件咨询，或不在您的办理范围。"
    with chat.database.reading() as session:
        refused = session.scalars(sa.select(AuditEntry.person_id).where(AuditEntry.act == "case.refused")).all()
    assert refused == [4, 4, 4, 4, 4, 2]


def test_every_look_is_written_down(chat: Chat) -> None:
    number = chat.asks()
    chat.says(CHEN, f"看 {number}", "看")
    with chat.database.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).where(AuditEntry.act == "case.read")) == 2


@pytest.mark.parametrize("word", ["待办", "接单", "看 1", "答复 1 好", "转 1", "结案 1"])
def test_a_citizen_has_no_lawyers_commands(chat: Chat, word: str) -> None:
    chat.asks()
    assert "绑定" in chat.says(CITIZEN, word)


def test_an_answer_can_be_given_in_two_steps(chat: Chat) -> None:
    number = chat.asks()
    assert "不在您手上" in chat.says(CHEN, f"答复 {number}")
    chat.says(CHEN, "接单")
    assert chat.says(CHEN, "答复").startswith(f"答复 {number}（劳动工伤）。\n请写答复")
    assert "请写答复" in chat.says(CHEN, "重来")
    assert chat.says(CHEN, "先投诉").startswith(f"已答复 {number}")


@pytest.mark.parametrize(
    "way",
    [
        "答复 {}你应当去法院",
        "答复{}你应当去法院",
        "答复 {}…",
        "答复【{}】你应当",
        "答复、{}。你应当",
        "答复 编号{}-你应当",
    ],
)
def test_an_answer_never_goes_to_another_citizen_than_its_number_names(chat: Chat, way: str) -> None:
    """The number belongs to a colleague's case; the only case in one's own hands is somebody else's."""
    theirs = chat.asks()
    mine = chat.asks(openid=STRANGER)
    chat.says(LI, f"接单 {theirs}")
    chat.says(CHEN, f"接单 {mine}")
    assert chat.says(CHEN, way.format(theirs)) == "没有这件咨询，或不在您的办理范围。"
    assert said(chat, Step.ANSWERED) == []


def test_words_glued_to_the_number_of_ones_own_case_are_its_answer(chat: Chat) -> None:
    number = chat.asks()
    chat.says(CHEN, "接单")
    assert chat.says(CHEN, f"答复{number}你应当去法院").startswith(f"已答复 {number}")
    assert said(chat, Step.ANSWERED) == ["你应当去法院"]
    assert "编号没看懂" in chat.says(CHEN, "答复 ZX2611270001000你应当去法院")
    assert len(said(chat, Step.ANSWERED)) == 1


@pytest.mark.parametrize("word", ["看", "接单", "转", "结案", "查询", "撤回", "删除", "评价", "补充"])
def test_a_number_with_words_glued_to_it_is_a_number_for_every_word(chat: Chat, word: str) -> None:
    number = chat.asks()
    chat.says(CHEN, "接单")
    strange = number.replace("0001", "0099")
    reply = chat.says(CHEN, f"{word} {strange}你应当")
    assert reply in {"没有这件咨询，或不在您的办理范围。", NOT_YOURS}, word


def test_a_small_number_glued_to_an_answer_is_asked_about(chat: Chat) -> None:
    chat.asks()
    number = chat.asks(openid=STRANGER)
    chat.says(CHEN, "接单 2")
    for typed, rest in (("答复1你好", "你好"), ("答复 2号你好", "你好")):
        asked = chat.says(CHEN, typed)
        assert f"1 给 {number}：“{rest}”" in asked
        assert said(chat, Step.ANSWERED) == []
    assert chat.says(CHEN, "1").startswith(f"已答复 {number}")
    assert said(chat, Step.ANSWERED) == ["你好"]
    chat.says(CHEN, "答复1年之内都可以起诉", "2")
    assert said(chat, Step.ANSWERED)[-1] == "1年之内都可以起诉"


def test_another_number_before_the_words_of_an_answer_stops_it(chat: Chat) -> None:
    number = chat.asks()
    chat.says(CHEN, "接单", "答复")
    assert "没有发出" in chat.says(CHEN, "ZX261127-0099你应当去法院")
    assert said(chat, Step.ANSWERED) == []
    assert chat.says(CHEN, f"{number}你应当去法院").startswith("已答复")
    assert said(chat, Step.ANSWERED) == ["你应当去法院"]


def test_a_case_is_handed_over_with_a_reason(chat: Chat) -> None:
    number = chat.asks()
    chat.says(CHEN, "接单")
    targets = chat.says(CHEN, "转")
    assert targets.startswith(f"{number} 转给谁？")
    assert "1 办公室" in targets
    assert "李强" in targets
    assert "吴静" not in targets
    assert "为什么转交" in chat.says(CHEN, "李强")
    assert chat.says(CHEN, "对方是我所客户") == f"{number} 已转给李强（花园路法律服务站），已通知对方和咨询人。"
    assert "承办：李强（花园路法律服务站）" in chat.says(CITIZEN, f"查询 {number}")
    assert "转给李强：对方是我所客户" in chat.says(LI, "看")
    assert "对方是我所客户" not in chat.says(CITIZEN, f"查询 {number}")
    assert "已转给市法学会办公室" in chat.says(LI, "转 1 办公室 要找援助中心")
    assert chat.says(OFFICE, "接单").startswith(f"已接单：{number}")


def test_the_office_answers_what_no_county_takes(chat: Chat) -> None:
    number = chat.asks(county="登封")
    assert number in pushed(chat, OFFICE)[0]
    assert chat.says(OFFICE, "接单").startswith(f"已接单：{number}")
    assert chat.says(CHEN, "待办").startswith("没有等待接单")


def test_a_long_story_is_shown_on_pages_and_nothing_is_lost(chat: Chat) -> None:
    words = "".join(f"第{i}句话，说的是事情经过。" for i in range(1, 70))
    number = chat.asks(words=words)
    pages = [chat.says(CHEN, f"看 {number} {n}") for n in (1, 2, 3)]
    assert "（第 1/2 页，下一页）" in pages[0]
    body = "".join(re.sub(r"\n（第 .*", "", page, flags=re.DOTALL) for page in pages[:2])
    assert words in body
    assert pages[2] == pages[1]


def test_the_longest_answer_is_shown_whole_with_its_links(chat: Chat) -> None:
    number = chat.asks()
    chat.says(CHEN, "接单", f"答复 {number} {'答' * 450}", f"结案 {number}")
    raw = chat.raw(CITIZEN, Content=f"查询 {number}") or ""
    assert "答" * 450 in raw
    assert len(raw.encode()) <= MAX_BYTES


# --- rating and erasing --------------------------------------------------------------------------------------


def test_a_citizen_rates_with_one_tap_once(chat: Chat) -> None:
    assert "没有等您评价" in chat.says(CITIZEN, "评价")
    number = closed(chat)
    assert "5 很满意｜4 满意" in chat.says(CITIZEN, "评价")
    assert chat.says(CITIZEN, f"评价 {number} 5") == f"谢谢您的评价：{number} 5 分（很满意）。"
    assert "评过 5 分" in chat.says(CITIZEN, f"评价 {number} 1")
    assert "没有等您评价" in chat.says(CITIZEN, "评价 3")


@pytest.mark.parametrize("way", ["评价 {n} 2 没说清楚", "评价 1 2 没说清楚", "评价 2 没说清楚", "评价 ２分 没说清楚"])
def test_a_low_rating_with_words_reaches_the_office(chat: Chat, way: str) -> None:
    number = closed(chat)
    assert "办公室会看到并跟进" in chat.says(CITIZEN, way.format(n=number))
    assert case(chat).rating == 2
    assert said(chat, Step.RATED) == ["没说清楚"]
    assert "没说清楚" not in pushed(chat, OFFICE)[-1]
    assert "没说清楚" in chat.says(OFFICE, f"看 {number}")


def test_a_rating_out_of_range_is_refused(chat: Chat) -> None:
    number = closed(chat)
    assert "请用 1–5 分" in chat.says(CITIZEN, f"评价 {number} 9")


def test_a_closed_case_is_erased_on_request(chat: Chat) -> None:
    number = chat.asks()
    assert "还在办理" in chat.says(CITIZEN, f"删除 {number}")
    chat.says(CHEN, "接单", "答复 1 先投诉", "结案 1")
    assert "不能恢复" in chat.says(CITIZEN, f"删除 {number}")
    assert chat.says(CITIZEN, "2") == "没有删除。"
    assert "已删除" in chat.says(CITIZEN, f"删除 {number}", "1")
    assert "（内容已删除）" in chat.says(CITIZEN, f"查询 {number}")
    assert "先投诉" not in chat.says(CHEN, f"看 {number}")
    assert chat.says(STRANGER, f"删除 {number}") == NOT_YOURS


# --- stations ------------------------------------------------------------------------------------------------


def test_a_place_brings_the_three_nearest_stations_with_today(chat: Chat) -> None:
    reply = plain(chat.raw(CITIZEN, MsgType="location", Location_X="34.75", Location_Y="113.62", Label="某路"))
    names = re.findall(r"^(\S+法律服务站)（", reply, re.MULTILINE)
    assert names == ["桐柏路法律服务站", "大学路法律服务站", "文化路法律服务站"]
    assert "桐柏路法律服务站（中原区，约 900 米）" in reply
    assert "今天不开放（周五不开）" in reply
    assert "今天 09:00–12:00、14:00–17:30（现在开着）" in reply
    assert "电话：0371-00000000" in reply


def test_stations_of_a_county_by_name_or_by_choosing(chat: Chat) -> None:
    assert "发送位置" in chat.says(CITIZEN, "服务站")
    assert "发送位置" in chat.says(CITIZEN, "5")
    assert "没有找到“洛阳”" in chat.says(CITIZEN, "服务站 洛阳")
    assert chat.says(CITIZEN, "附近服务站 金水").startswith("金水区的法律服务站：\n\n文化路法律服务站")
    assert "还没有登记服务站" in chat.says(CITIZEN, "服务站 登封市")


def test_a_station_closed_now_stands_behind_those_open(chat: Chat) -> None:
    chat.at = parse_instant("2026-11-28T10:00")
    assert "周六不开" in chat.says(CITIZEN, "服务站 金水")


def test_a_place_that_cannot_be_read_is_said(chat: Chat) -> None:
    assert "没有读到位置" in plain(chat.raw(CITIZEN, MsgType="location", Location_X="x", Location_Y="1"))


def test_the_code_on_a_stations_door_shows_it_or_opens_a_consultation_there(chat: Chat) -> None:
    shown = plain(chat.raw(CITIZEN, MsgType="event", Event="SCAN", EventKey="station-3"))
    assert shown.startswith("桐柏路法律服务站\n地址：")
    assert "属于哪一类" in plain(chat.raw(CITIZEN, MsgType="event", Event="SCAN", EventKey="consult-3"))
    assert "有多急" in chat.says(CITIZEN, "1")
    assert "没有这个服务站" in plain(chat.raw(CITIZEN, MsgType="event", Event="SCAN", EventKey="station-99"))


def test_the_lawyers_commands_stand_in_the_lawyers_help_only(chat: Chat) -> None:
    everyones, lawyers = chat.says(CITIZEN, "帮助"), chat.says(CHEN, "帮助")
    for line in ("4 咨询", "5 服务站", "6 查询"):
        assert line in everyones
    assert "接单" not in everyones
    assert "【律师】" in lawyers
    assert "· 接单 — " in lawyers
