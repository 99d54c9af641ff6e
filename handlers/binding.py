"""绑定: by invite code, or by name and phone with the secretary's word (F029)."""

from __future__ import annotations

from bot import words
from bot.conversation import Flow, Question, Said, confirmation
from bot.replies import Reply, tap
from bot.router import Router
from bot.turn import Turn
from clock import beijing_date
from errors import Misunderstood, RuleBroken
from handlers import wording
from handlers.access import for_members, for_posts
from handlers.context import house
from models import Post, Role
from services.membership import binding, claims, meant, people, roll
from services.sending import preferences
from services.sending.outbox import Recipient


def _read_name(_turn: Turn, text: str, _said: Said) -> str:
    return roll.read_name(text)


def _read_code(_turn: Turn, text: str, _said: Said) -> str:
    code = "".join(text.split()).upper()
    if code in {"没有", "无", "否", "0"}:
        return ""
    if not code.isascii() or not code.isalnum() or not 4 <= len(code) <= 12:
        raise Misunderstood("邀请码是 6 位字母和数字。")
    return code


def _ask_code(_turn: Turn, _said: Said) -> str:
    return f"{wording.PURPOSE}\n有邀请码请直接回复邀请码；没有请回复 {tap('没有')}，再用姓名和手机号申请。"


topic = Router()


def bind_by_code(turn: Turn, code: str) -> Reply:
    """Bind, or ask again: who mistyped a code goes on from there, as often as an hour allows. Raises RuleBroken."""
    binding.limit_guesses(turn.session, turn.openid, turn.at)
    try:
        person = binding.bind_by_code(turn.session, house(turn).vault, turn.openid, code, turn.at)
    except RuleBroken as wrong:
        binding.note_wrong_code(turn.session, turn.openid, turn.at)
        return f"{wrong}\n{turn.begin(flow)}"
    turn.keep(None)
    place = f"{_branches(turn, person.id)}{_declined(turn, person.id)}"
    return f"绑定成功：{person.name}。\n{place}\n现在可以 {tap('签到')}、{tap('请假')}、查 {tap('我的')}。"


def done(turn: Turn, said: Said) -> Reply:
    if "name" not in said:
        return bind_by_code(turn, said["code"])
    claims.make(turn.session, house(turn).vault, turn.openid, said["name"], said["phone"], turn.at)
    return "已提交。若姓名和手机号与名册一致，支部书记会收到确认请求，通过后您会收到通知。"


flow = topic.flow(
    Flow(
        "绑定",
        (
            Question("code", _ask_code, _read_code),
            Question("name", lambda _t, _s: "请回复您的姓名。", _read_name, when=lambda said: said["code"] == ""),
            Question(
                "phone",
                lambda _t, _s: "请回复您在支部登记的手机号。",
                lambda _t, text, _s: people.read_phone(text),
                when=lambda said: said["code"] == "",
            ),
        ),
        done,
    )
)


@topic.text("绑定", "认证", "绑定身份", help="绑定 — 党员会员先确认身份", number=9, menu="BIND", scene="invite")
def bind(turn: Turn) -> Reply:
    if turn.person_id is not None:
        name = people.get(turn.session, turn.person_id).name
        return f"这个微信已绑定：{name}。\n{_branches(turn, turn.person_id)}\n不是您？回复 {tap('解绑')}。"
    if turn.rest:
        return bind_by_code(turn, turn.rest)
    return turn.begin(flow)


def leave(turn: Turn, said: Said) -> Reply:
    if said["sure"] != "yes":
        return "没有解绑。"
    binding.unbind(turn.session, turn.openid, turn.at)
    return f"已解绑，您的签到等记录仍保留在组织名册里。要重新绑定请回复 {tap('绑定')}。"


leaving = topic.flow(
    Flow(
        "解绑",
        (
            confirmation(
                "sure",
                "解绑后要重新绑定才能签到、请假。确定要解绑吗？",
                "解绑",
                "确定解绑",
                "先不解绑",
            ),
        ),
        leave,
    )
)


@topic.text("解绑", help="解绑 — 解除绑定，记录保留")
@for_members
def unbind(turn: Turn) -> Reply:
    return leave(turn, {"sure": "yes"}) if words.key(turn.rest) in {"确定", "确认"} else turn.begin(leaving)


@topic.text("同意绑定")
@for_posts(Role.SECRETARY, Role.OFFICE)
def accept(turn: Turn, _posts: list[Post]) -> Reply:
    return _decide(turn, accept=True)


@topic.text("拒绝绑定")
@for_posts(Role.SECRETARY, Role.OFFICE)
def refuse(turn: Turn, _posts: list[Post]) -> Reply:
    return _decide(turn, accept=False)


@topic.text("待确认", help="待确认 — 等待确认的绑定申请", group="书记")
@for_posts(Role.SECRETARY, Role.OFFICE)
def waiting(turn: Turn, _posts: list[Post]) -> Reply:
    found = claims.to_decide(turn.session, turn.person_id or 0, turn.at)
    if not found:
        return "没有等待确认的绑定申请。"
    lines = [
        f"{c.id}号 {c.person.name}：{tap('同意', f'同意绑定 {c.id}')}｜{tap('拒绝', f'拒绝绑定 {c.id}')}"
        for c in found[:10]
    ]
    more = f"\n还有 {len(found) - 10} 条，处理后再看。" if len(found) > 10 else ""
    return "确认是本人再同意：\n" + "\n".join(lines) + more


@topic.text("邀请", help="邀请 — 给本支部成员一个绑定邀请码（邀请 姓名）", group="书记")
@for_posts(Role.SECRETARY)
def invite(turn: Turn, posts: list[Post]) -> Reply:
    wanted, on = meant.one(turn.rest), beijing_date(turn.at)
    members = [p for post in posts for p in people.members_of(turn.session, post.branch_id or 0, on)]
    found = meant.among(members, wanted)
    if not found:
        return f"本支部没有找到“{wanted}”。请回复“邀请 姓名”，姓名与名册一致。"
    if len(found) > 1:
        return wording.which_of(found, "邀请")
    code = binding.invite(turn.session, house(turn).vault, found[0].id, turn.at, by=turn.person_id)
    return (
        f"{found[0].name}的邀请码：{code}（30 天内有效，用一次）。请当面或电话告诉本人：在公众号回复“绑定 {code}”。"
    )


def _branches(turn: Turn, person_id: int) -> str:
    branches = people.branches_of(turn.session, person_id, beijing_date(turn.at))
    return "所在支部：" + "、".join(branch.name for branch in branches) if branches else "名册上还没有所在支部。"


def _declined(turn: Turn, person_id: int) -> str:
    """What was declined before, by this account or another of theirs, still is; who did not know can change it."""
    topics = preferences.of(turn.session, Recipient(person_id, turn.openid).key)
    names = "、".join(topic.label for topic in topics)
    return f"\n已退订的通知：{names}（{tap('恢复')}）" if names else ""


def _decide(turn: Turn, *, accept: bool) -> Reply:
    if not turn.rest.isdigit():
        return f"请带上编号，例如“同意绑定 3”。{tap('待确认')}里有编号。"
    claim = claims.decide(turn.session, int(turn.rest), accept=accept, at=turn.at, by=turn.person_id or 0)
    return f"已{'同意' if accept else '拒绝'}：{claim.person.name}。已通知本人。"
