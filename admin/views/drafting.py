"""写群发: the form, the preview that is what will be sent, the author's yes and the second person's (F102, F103, F108, F109)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from admin import audience_rows, composing
from admin.composing import Draft
from admin.guard import section, visitor
from admin.navigation import BROADCASTS, DECIDING, WRITING, Section
from admin.views.context import Console
from errors import Misunderstood, NotFound, RuleBroken
from models import Broadcast, BroadcastState, Role, Topic
from services import audit, scope
from services.membership import people
from services.sending import audience, broadcasts, campaigns, outbox

Answer = Response | str | tuple[str, int]
#: Does one thing with a broadcast and says it. Raises RuleBroken, Misunderstood.
Act = Callable[[Console, Session, Broadcast], str]


def register(pages: Blueprint, console: Console) -> None:
    _writing(pages, console)
    _standing(pages, console)


def _writing(pages: Blueprint, console: Console) -> None:
    @pages.get("/broadcasts/new")
    @section(WRITING)
    def compose() -> str:
        with console.database.reading() as session:
            again = _known(session, request.args.get("again", ""))
            corrects = _corrected(session, request.args.get("corrects", ""))
            if again is not None and again.corrects_id is not None:
                corrects = _corrected(session, str(again.corrects_id))
            draft = composing.of(again, corrects) if again is not None else Draft(corrects=corrects)
            return _form(console, session, draft, {})

    @pages.post("/broadcasts/new", endpoint="compose_send")
    @section(WRITING)
    def send() -> Answer:
        act, at, me = request.form.get("act", ""), console.now(), visitor().scope
        with console.database.reading() as session:
            draft = composing.read(request.form, _corrected(session, request.form.get("corrects", "")))
            if act not in {"preview", "save"}:
                return _form(console, session, composing.changed(session, draft, act), {})
        if act == "save":
            return _keep_list(console, draft)
        with console.database.transaction() as session:
            row, wrong = composing.write(session, draft, me, at, console)
            if row is not None:
                return redirect(url_for("console.broadcast", broadcast_id=row.id))
        with console.database.reading() as session:
            return _form(console, session, draft, wrong), 422


def _form(console: Console, session: Session, draft: Draft, wrong: dict[str, str]) -> str:
    me = visitor().scope
    sight = composing.sight(session, draft, me, console.now(), console)
    # What the audience lacks is said once, beside it.
    wrong = {"audience": sight.says, **wrong} if sight.says else wrong
    return render_template(
        "console/compose.html", draft=draft, sight=sight, wrong=wrong, topics=list(Topic),
        room=composing.room(draft, console), longest=broadcasts.LONGEST_TEXT, hints=audience.how_to_write(),
        groups=audience_rows.choices(session, me, is_county=composing.county_of(me) is not None),
        typed=audience_rows.TYPED, joints=audience_rows.JOINTS, may_keep=me.holds(Role.OFFICE),
        most_rows=audience_rows.MOST_ROWS,
    )  # fmt: skip


def _keep_list(console: Console, draft: Draft) -> Answer:
    wrong: dict[str, str] = {}
    me = visitor().scope
    # Lists are the whole city's; a county office is not offered the button.
    if not me.holds(Role.OFFICE):
        raise NotFound(scope.OUTSIDE)
    try:
        with console.database.transaction() as session:
            flash(f"已保存名单“{composing.keep_list(session, draft, console.now(), by=me.person_id)}”。")
    except Misunderstood as error:
        wrong["list_name"] = str(error)
    with console.database.reading() as session:
        return _form(console, session, draft, wrong), 422 if wrong else 200


# --- a broadcast that is written -----------------------------------------------------------------------------


def _standing(pages: Blueprint, console: Console) -> None:
    @pages.get("/broadcasts/<int:broadcast_id>")
    @section(BROADCASTS)
    def broadcast(broadcast_id: int) -> str:
        return _shown(console, broadcast_id)

    for path, endpoint, of, act in ACTS:
        view = section(of)(partial(_attempt, console, act))
        pages.add_url_rule(f"/broadcasts/<int:broadcast_id>/{path}", endpoint, view, methods=["POST"])


def _shown(console: Console, broadcast_id: int, says: str = "") -> str:
    me, at = visitor(), console.now()
    with console.database.reading() as session:
        row = scope.broadcast(session, me.scope, broadcast_id)
        seen = None
        if row.state in {BroadcastState.DRAFT, BroadcastState.SUBMITTED}:
            to = broadcasts.audience_of(row)
            seen = broadcasts.look(session, to, row.topic, at, console.means, corrects=row.corrects_id)
        return render_template(
            "console/broadcast.html", row=row, seen=seen, says=says, text=broadcasts.as_text(row),
            label=broadcasts.audience_label(session, row), doubts=broadcasts.doubts(row.title + row.words),
            cut=console.wording.shortened(row.words), is_own=row.author_id == me.person_id,
            needs_approval=broadcasts.needs_approval(row, console.settings.sending),
            is_stale=at - row.written_at > broadcasts.CONFIRM_WITHIN, until=row.written_at + broadcasts.CONFIRM_WITHIN,
            later=broadcasts.after_quiet(at, console.settings.sending), reason=request.form.get("reason", ""),
            may_decide=bool(me.scope.roles & DECIDING.roles), campaign=broadcasts.campaign(row.id),
            decided_by=people.get(session, row.decided_by).name if row.decided_by else "",
        )  # fmt: skip


def _attempt(console: Console, act: Act, broadcast_id: int) -> Answer:
    """Do it in one transaction and say so; a rule that forbids it is said on the page itself."""
    try:
        with console.database.transaction() as session:
            row = scope.broadcast(session, visitor().scope, broadcast_id)
            flash(act(console, session, row))
            is_sent = row.state is BroadcastState.CONFIRMED
    except (RuleBroken, Misunderstood) as error:
        return _shown(console, broadcast_id, str(error)), 422
    if is_sent:
        return redirect(url_for("console.progress", key=broadcasts.campaign(broadcast_id)))
    return redirect(url_for("console.broadcast", broadcast_id=broadcast_id))


def _confirm(console: Console, session: Session, row: Broadcast) -> str:
    if composing.county_of(visitor().scope) not in {None, row.county_id}:
        raise RuleBroken("您现在没有给这个范围群发的权限，没有发送。")
    code, at, by = request.form.get("code", ""), console.now(), visitor().person_id
    broadcasts.confirm(session, row.id, code, at, console.settings.sending, by=by)
    return "已提交审核，结果会告诉您。" if row.state is BroadcastState.SUBMITTED else "已确认，开始发送。"


def _try_out(console: Console, session: Session, row: Broadcast) -> str:
    by = visitor().person_id
    if not any(each.openid and each.is_subscribed for each in outbox.accounts_of(session, [by])):
        raise RuleBroken("您还没有绑定微信，或已取消关注，试发不到您手上。")
    broadcasts.test_send(session, row, console.now(), by=by)
    return "已发到您自己的微信，和大家收到的一样。"


def _withdraw(console: Console, session: Session, row: Broadcast) -> str:
    if row.state not in {BroadcastState.DRAFT, BroadcastState.SUBMITTED}:
        raise RuleBroken(f"这条群发{row.state.label}，不能在这里撤回。")
    if row.author_id != visitor().person_id:
        raise RuleBroken("只有作者能撤回；不同意发出请退回。")
    broadcasts.cancel(session, row, console.now(), by=row.author_id)
    return "已撤回，没有发出。"


def _approve(console: Console, session: Session, row: Broadcast) -> str:
    at, by = console.now(), visitor().person_id
    difference = broadcasts.approve(session, row, at, console.settings.sending, by=by)
    changed = f"人员比提交时{'多' if difference > 0 else '少'} {abs(difference)} 人。" if difference else ""
    return f"已通过，开始发送。{changed}"


def _send_back(console: Console, session: Session, row: Broadcast) -> str:
    reason = audit.reason(request.form.get("reason", ""), "退回的理由", "时间写错了")
    broadcasts.send_back(session, row, reason, console.now(), by=visitor().person_id)
    return "已退回，理由已告诉作者。"


#: What can be done with it: the end of the address, the endpoint, who may, and the act.
ACTS: tuple[tuple[str, str, Section, Act], ...] = (
    ("confirm", "confirm_broadcast", WRITING, _confirm),
    ("test", "try_broadcast", WRITING, _try_out),
    ("withdraw", "withdraw_broadcast", WRITING, _withdraw),
    ("approve", "approve_broadcast", DECIDING, _approve),
    ("return", "return_broadcast", DECIDING, _send_back),
)


def _known(session: Session, number: str) -> Broadcast | None:
    """A broadcast of the visitor's scope by the number that an address or a form carries. Raises NotFound."""
    if not number:
        return None
    return scope.broadcast(session, visitor().scope, _number(number))


def _number(said: str) -> int:
    return int(said) if said.isascii() and said.isdecimal() and len(said) < 10 else 0


def _corrected(session: Session, number: str) -> Broadcast | None:
    """The broadcast that is to be corrected. Raises NotFound, and RuleBroken when nobody got it."""
    row = _known(session, number)
    if row is not None:
        scope.steered(session, visitor().scope, broadcasts.campaign(row.id))
        if row.confirmed_at is None:
            raise RuleBroken("这条群发没有发出过，不用更正。")
        if not campaigns.recipients_of(session, broadcasts.campaign(row.id)):
            raise RuleBroken("还没有人收到这条群发，不用更正；没发出的可以撤销。")
    return row
