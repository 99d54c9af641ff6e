"""群发: the office writes in the chat, sees whom it reaches and by which way, tries it out, confirms by a code."""

from __future__ import annotations

import sqlalchemy as sa

from bot import words
from bot.conversation import Flow, Question, Said, choice, pick
from bot.replies import Reply, tap
from bot.router import Router
from bot.turn import Talk, Turn
from clock import beijing_date, say_moment
from config import Template
from errors import Misunderstood, RuleBroken
from handlers import template_limits
from handlers.access import for_posts, person_of
from handlers.broadcast_report import latest, previewed, report
from handlers.context import house
from handlers.own_words import behind
from handlers.template_limits import Room
from models import BranchKind, Broadcast, BroadcastState, Channel, County, NoticeKind, Post, Role, Topic
from services.membership import people
from services.organisation import branches
from services.sending import audience, broadcast_text, broadcasts, forecast
from services.sending.audience import Audience
from services.sending.audience_terms import SHORT_KINDS

WRITERS = (Role.OFFICE, Role.COUNTY_OFFICE)
#: What a county office's talk knows from its start; no question has this name, so nothing that is said changes it.
OWN_COUNTY = "own_county"
#: The broadcast that this talk corrects: its people are known, nobody is asked for them.
CORRECTS = "corrects"
#: How an audience may be chosen; the value goes in front of what the next question asks for.
WAYS = [
    ("all", "全体党员会员"), ("县:", "一个县（市）区"), ("类型:", "一类支部"), ("支部:", "一个支部"),
    ("名单:", "保存过的名单"), ("条件", "按条件写"), ("群众", "群众（关注公众号、不是党员会员的）"),
]  # fmt: skip


TOPICS = [(topic.value, topic.label) for topic in Topic]
#: Said in the preview: the topic is asked for before the code.
SORTING = "sorting"


def _needs_place(said: Said) -> bool:
    return _is_free(said) and OWN_COUNTY not in said and said["audience"] not in {"all", "群众"}


def _read_code(turn: Turn, text: str, said: Said) -> str:
    code = words.key(text)
    row = broadcasts.get(turn.session, int(said["broadcast"]))
    if code != row.code:
        raise Misunderstood("确认码不对，没有发送。")
    return code


def _ask_topic(_turn: Turn, _said: Said) -> str:
    lines = [f"{i} {tap(label, f'类别 {label}')}" for i, (_value, label) in enumerate(TOPICS, 1)]
    return "\n".join(["通知是哪一类？点一下，或回复前面的数字：", *lines])


def _read_words(_turn: Turn, text: str, _said: Said) -> str:
    return broadcast_text.body(text)


def _read_place(turn: Turn, text: str, said: Said) -> str:
    if said["audience"] == "支部:":
        return _read_branch(turn, text)
    if said["audience"] == "条件":
        Audience(words.tidy(text)).accounts(turn.session, turn.at)
        return words.tidy(text)
    return pick(text, _places(turn, said["audience"]))


def _ask_place(turn: Turn, said: Said) -> str:
    if said["audience"] == "支部:":
        return "哪个支部？请回复支部名称中的几个字。"
    if said["audience"] == "条件":
        return f"请写条件。{audience.how_to_write()}"
    places = _places(turn, said["audience"])
    if not places:
        return f"还没有保存过名单。请{tap('返回')}另选，或先回复“存名单 名称 条件”。"
    return "\n".join(["哪一个？", *(f"{i} {tap(label, str(i))}" for i, (_, label) in enumerate(places, 1))])


topic = Router()


def _template(turn: Turn) -> Template | None:
    return house(turn).means.account.template(Channel.TEMPLATE, NoticeKind.BROADCAST)


def longest(turn: Turn, said: Said) -> Room:
    most = broadcasts.LONGEST_TITLE - (len(broadcasts.CORRECTED) if CORRECTS in said else 0)
    return template_limits.room(_template(turn), "title", most)


def read_title(turn: Turn, text: str, said: Said) -> str:
    space = longest(turn, said)
    return broadcast_text.title(words.tidy(text), space.place, space.characters)


def preview(turn: Turn, said: Said) -> str:
    means = house(turn).means
    row = _draft(turn, said, means)
    if said.pop(SORTING, None) and "topic" in said:
        row.topic = Topic(said.pop("topic"))
    to = broadcasts.audience_of(row)
    seen = broadcasts.look(turn.session, to, row.topic, turn.at, means, corrects=row.corrects_id)
    names = "、".join(seen.sample)
    example = f"例如：{names}{'等' if seen.people > len(seen.sample) else ''}\n" if names else ""
    doubtful = "".join(f"请斟酌{doubt}\n" for doubt in broadcasts.doubts(row.title + row.words))
    cut = template_limits.shortened(_template(turn), row.words)
    approval = (
        "需要另一位同志审核后才发出。\n" if broadcasts.needs_approval(row, house(turn).settings.sending) else ""
    )
    return (
        f"预览\n{broadcasts.as_text(row)}\n\n"
        f"发给：{broadcasts.audience_label(turn.session, row)}，共 {seen.people} 人，"
        f"{forecast.says(seen)}\n{example}{cut}{doubtful}{approval}"
        f"类别：{row.topic.label}（要改回复“类别 活动”）；先发给自己看：{tap('试发')}\n"
        f"确认发送请回复 {tap(row.code)}，不发回复“取消”。"
    )


def done(turn: Turn, said: Said) -> Reply:
    _check_scope(turn, said)
    sending = house(turn).settings.sending
    row = broadcasts.confirm(turn.session, int(said["broadcast"]), said["code"], turn.at, sending, by=person_of(turn))
    if row.state is BroadcastState.SUBMITTED:
        return f"已提交审核（第 {row.id} 号），审核通过就发出，结果会告诉您。{tap('进度')}"
    later = broadcasts.after_quiet(turn.at, sending)
    quiet = f"现在是安静时段，将于 {say_moment(later)} 开始发送；确有急事请回复 {tap('立即发送')}"
    begins = quiet if later > turn.at else "开始发送"
    follow = f"随时回复 {tap('进度')} 查看，{tap('暂停群发')} {tap('撤销群发')} 停下未发的。"
    return f"已确认，{begins}。\n{report(turn, row)}\n{follow}"


flow = topic.flow(
    Flow(
        "群发",
        (
            choice("audience", "发给谁？", WAYS, when=lambda said: _is_free(said) and OWN_COUNTY not in said),
            Question("place", _ask_place, _read_place, when=_needs_place),
            Question(
                "title", lambda turn, said: f"标题是什么？（{longest(turn, said).characters} 个字以内）", read_title
            ),
            Question("words", lambda _t, _s: "请写正文。", _read_words),
            Question("topic", _ask_topic, lambda _t, text, _s: pick(text, TOPICS), when=lambda said: SORTING in said),
            Question("code", preview, _read_code),
        ),
        done,
    )
)


@topic.text("群发", "发通知", help="群发 — 给党员会员发工作通知", menu="BROADCAST", group="办公室")
@for_posts(*WRITERS)
def begin(turn: Turn, posts: list[Post]) -> Reply:
    county_id = _only_county(posts)
    if county_id is not None:
        return turn.begin(flow, **{OWN_COUNTY: str(county_id)})
    return turn.begin(flow)


@topic.text("更正", help="更正 — 给收到上一次群发的人发更正", group="办公室")
@for_posts(*WRITERS)
def correct(turn: Turn, posts: list[Post]) -> Reply:
    wrong = latest(turn, turn.rest)
    known = {CORRECTS: str(wrong.id)}
    county_id = _only_county(posts)
    if county_id is not None:
        known[OWN_COUNTY] = str(county_id)
    return f"更正【{wrong.title}】，只发给收到它的人。\n{turn.begin(flow, **known)}"


@topic.text("试发", help="试发 — 预览时先发给自己看", group="办公室")
@for_posts(*WRITERS)
def try_out(turn: Turn, _posts: list[Post]) -> Reply:
    row = _own_draft(turn)
    broadcasts.test_send(turn.session, row, turn.at, by=person_of(turn))
    return f"已发给您自己，看好了再回复确认码 {tap(row.code)}。"


@topic.text("类别", "通知类别", help="类别 — 预览时改通知的类别（类别 活动）", group="办公室")
@for_posts(*WRITERS)
def sort(turn: Turn, _posts: list[Post]) -> Reply:
    row = _own_draft(turn)
    try:
        row.topic = Topic(pick(turn.rest, TOPICS))
    except Misunderstood:
        return _sort_in_talk(turn, row)
    if turn.talk is not None and SORTING in turn.talk.said:
        turn.keep(Talk(flow.name, {k: v for k, v in turn.talk.said.items() if k != SORTING}, turn.at))
    return preview(turn, {"broadcast": str(row.id)})


def _sort_in_talk(turn: Turn, row: Broadcast) -> Reply:
    """Ask for the topic; where the preview is still being talked about, a number answers."""
    talk = turn.talk
    if talk is None or talk.flow != flow.name or talk.said.get("broadcast") != str(row.id):
        return _ask_topic(turn, {})
    turn.keep(Talk(talk.flow, {**talk.said, SORTING: "1"}, turn.at))
    return flow.proceed(turn)


@topic.text("存名单", help="存名单 — 保存一个常用的条件（存名单 名称 条件）", group="办公室")
@for_posts(Role.OFFICE)
def save(turn: Turn, _posts: list[Post]) -> Reply:
    name, _, expression = behind(turn).partition(" ")
    if not expression.strip():
        raise Misunderstood(f"请写成“存名单 名称 条件”。{audience.how_to_write()}")
    row = audience.save(turn.session, name, expression.strip(), turn.at, by=person_of(turn))
    many = audience.count(turn.session, Audience(row.expression), turn.at)
    return f"已保存名单“{row.name}”：{row.expression}，现在 {many} 人。群发时选“保存过的名单”。"


def _is_free(said: Said) -> bool:
    return CORRECTS not in said


def _own_draft(turn: Turn) -> Broadcast:
    row = previewed(turn)
    if row is None:
        raise RuleBroken(f"现在没有正在预览的群发。先回复 {tap('群发')} 编写。")
    return row


def _only_county(posts: list[Post]) -> int | None:
    """A county office writes to its own county only; the city office to everybody (scope, F032)."""
    if any(post.role is Role.OFFICE for post in posts):
        return None
    return posts[0].county_id


def _check_scope(turn: Turn, said: Said) -> None:
    """The post must still be held when the broadcast is confirmed, and for that county. Raises RuleBroken."""
    held = people.posts(turn.session, turn.person_id, beijing_date(turn.at))
    if any(post.role is Role.OFFICE for post in held):
        return
    counties = {str(post.county_id) for post in held if post.role is Role.COUNTY_OFFICE}
    if said.get(OWN_COUNTY) not in counties:
        raise RuleBroken("您现在没有群发的权限，没有发送。")


def _places(turn: Turn, way: str) -> list[tuple[str, str]]:
    if way == "县:":
        names = list(turn.session.scalars(sa.select(County.name).order_by(County.id)))
    elif way == "类型:":
        names = [SHORT_KINDS[kind] for kind in BranchKind]
    else:
        names = [row.name for row in audience.saved(turn.session)]
    return [(name, name) for name in names]


def _read_branch(turn: Turn, text: str) -> str:
    name = words.tidy(text).replace(" ", "")
    found = branches.called(turn.session, name)
    if len(found) == 1:
        return found[0]
    if not found:
        raise Misunderstood(f"没有名称含“{name[:20]}”的支部。")
    raise Misunderstood("有几个支部符合，请写得更全些：\n" + "\n".join(f"· {tap(each)}" for each in found[:8]))


def _draft(turn: Turn, said: Said, means: forecast.Means) -> Broadcast:
    """The draft that is previewed. Its number travels with the talk, so that the code confirms what was seen."""
    if "broadcast" in said:
        row = broadcasts.get(turn.session, int(said["broadcast"]))
        is_same = "title" not in said or (row.title, row.words) == (said["title"], said["words"])
        is_fresh = turn.at - row.written_at <= broadcasts.CONFIRM_WITHIN and row.state is BroadcastState.DRAFT
        if is_same and is_fresh and ("title" not in said or broadcasts.audience_of(row) == _audience(said)):
            return row
    text = broadcasts.Text(said["title"], said["words"])
    corrects = int(said[CORRECTS]) if CORRECTS in said else None
    row = broadcasts.draft(turn.session, _audience(said), text, turn.at, means, by=person_of(turn), corrects=corrects)
    said["broadcast"] = str(row.id)
    return row


def _audience(said: Said) -> Audience:
    county_id = int(said[OWN_COUNTY]) if OWN_COUNTY in said else None
    way = said.get("audience", "all")
    if way in {"all", "群众"}:
        return Audience(audience.CITIZENS if way == "群众" else audience.EVERYBODY, county_id)
    if way == "条件":
        return Audience(said["place"], county_id)
    return Audience(f"{way}“{said['place']}”" if way == "支部:" else f"{way}{said['place']}", county_id)
