"""登记选举: a draft begun, filled in, checked with everything that would follow, and recorded (F028)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from admin.guard import section, visitor
from admin.navigation import ELECTIONS, ELECTIONS_WRITE
from admin.views.context import Console
from admin.views.roll import checked, said
from clock import beijing_date
from errors import Misunderstood, NotFound, RuleBroken
from models import Election, ElectionKind, Role, Turnout
from services import scope
from services.elections import checks, drafts, forms, records
from services.elections.posts import Plan
from services.elections.records import Decision
from services.elections.rules import Rules
from services.fields import Fields
from services.membership import roll

Answer = Response | str | tuple[str, int]
#: How many rows for candidates another press gives.
MORE_ROWS = 3


def register(pages: Blueprint, console: Console) -> None:
    _beginning(pages, console)
    _filling(pages, console)
    _recording(pages, console)
    _discarding(pages, console)


def _own(session: Session, election_id: int) -> Election:
    """One that is theirs to write. Raises NotFound."""
    return drafts.whole(session, scope.election(session, visitor().scope, election_id, own=True))


def _rules(console: Console) -> Rules:
    return Rules.configured(console.settings.elections)


def _to(page: str, election_id: int) -> Response:
    return redirect(url_for(f"console.{page}", election_id=election_id))


def _beginning(pages: Blueprint, console: Console) -> None:
    def form(typed: Mapping[str, str], wrong: dict[str, str]) -> str:
        return render_template(
            "console/election_new.html", typed=typed, wrong=wrong, kinds=list(ElectionKind), today=visitor().scope.on
        )

    @pages.get("/elections/new")
    @section(ELECTIONS_WRITE)
    def new_election() -> str:
        asked = request.args.get("branch", "")
        number = int(asked) if asked.isascii() and asked.isdecimal() and len(asked) < 10 else 0
        with console.database.reading() as session:
            own = roll.own_branches(session, visitor().scope, "", limit=2)
            named = scope.own_branch(session, visitor().scope, number).name if number else ""
        first = named or (own[0].name if len(own) == 1 else "")
        return form({"branch": first, "held_on": str(visitor().scope.on), "kind": ElectionKind.RENEWAL.value}, {})

    @pages.post("/elections/new")
    @section(ELECTIONS_WRITE)
    def begin_election() -> Answer:
        me, now = visitor(), console.now()
        fields = Fields({name: said(name) for name in ("branch", "kind", "held_on", "place")})
        kind = fields.chosen("kind", "选举类别", ElectionKind)
        held_on = fields.day("held_on", "选举日期", latest=beijing_date(now))
        place = fields.line("place", "地点", forms.LONGEST_PLACE, needed=False)
        try:
            with console.database.transaction() as session:
                called = fields.said["branch"]
                branch = checked(fields.wrong, "branch", lambda: roll.branch_called(session, me.scope, called))
                if fields.wrong or branch is None or kind is None:
                    return form(fields.said, fields.wrong), 422
                begun = drafts.begin(session, branch, kind, held_on, place, _rules(console), now, by=me.person_id)
        except RuleBroken as error:
            return form(fields.said, {"branch": str(error)}), 422
        if begun.written_at != now:
            flash("这个支部这一天已有一份草稿，接着填。")
        return _to("edit_election", begun.id)


def _filling(pages: Blueprint, console: Console) -> None:
    def form(found: Election, typed: Mapping[str, str], wrong: dict[str, str]) -> str:
        return render_template(
            "console/election_form.html", election=found, typed=typed, wrong=wrong, kinds=list(ElectionKind),
            turnouts=list(Turnout), standings=forms.STANDINGS, other=forms.OTHER,
            called=forms.called(found), listed={voter.person_id for voter in found.voters},
            rows=forms.rows_in(typed), rules=_rules(console), today=visitor().scope.on,
        )  # fmt: skip

    @pages.get("/elections/<int:election_id>/edit")
    @section(ELECTIONS_WRITE)
    def edit_election(election_id: int) -> Answer:
        with console.database.reading() as session:
            found = _own(session, election_id)
            if not found.is_draft:
                return _to("election", election_id)
            return form(found, forms.said_of(found), {})

    @pages.post("/elections/<int:election_id>/edit", endpoint="edit_election_send")
    @section(ELECTIONS_WRITE)
    def fill(election_id: int) -> Answer:
        try:
            with console.database.transaction() as session:
                found = _own(session, election_id)
                if not found.is_draft:
                    raise RuleBroken(drafts.RECORDED)
                if said("do") == "more":
                    more = forms.rows_in(request.form) + MORE_ROWS
                    return form(found, {**request.form, "rows": str(more)}, {})
                names, held_on = forms.names(found), found.held_on
                typed, read = forms.read(request.form, names, beijing_date(console.now()))
                if typed is None:
                    return form(found, request.form, read.wrong), 422
                before = {voter.person_id for voter in found.voters}
                drafts.write(session, found, typed)
                gone = before - {voter.person_id for voter in found.voters}
        except RuleBroken as error:
            with console.database.reading() as session:
                found = _own(session, election_id)
                if found.is_draft:
                    # Who has read that it was changed elsewhere saves the next time.
                    seen = drafts.mark(found) if str(error) == drafts.ELSEWHERE else said("mark")
                    return form(found, {**request.form, "mark": seen}, {error.about: str(error)}), 422
            flash(str(error))
            return _to("election", election_id)
        return _saved(election_id, typed.held_on != held_on, typed.held_on, [names[each] for each in sorted(gone)])


def _saved(election_id: int, moves: bool, on: date, gone: list[str]) -> Response:
    """Where it goes on: whose list has become another one looks at it first."""
    left_out = f"不在 {on} 名册里、从名单移出的：{'、'.join(gone)}。" if gone else ""
    if moves:
        flash(f"日期改到 {on}，名单已按那一天的名册重排，请再看一遍。{left_out}")
    elif left_out:
        flash(f"草稿已保存。{left_out}")
    elif said("do") == "check":
        return _to("check_election", election_id)
    else:
        flash("草稿已保存。")
    return _to("edit_election", election_id)


def _recording(pages: Blueprint, console: Console) -> None:
    years = console.settings.elections.term_years

    def sure(session: Session, election_id: int, wrong: dict[str, str]) -> str:
        found = _own(session, election_id)
        problems = records.hindrances(session, found)
        verdict = None if problems else records.verdict(found, _rules(console))
        plan = Plan() if verdict is None else records.planned(session, found, verdict, years, console.now())
        return render_template(
            "console/election_check.html", election=found, problems=problems, verdict=verdict, plan=plan,
            rules=_rules(console), counts=checks.counts(found), typed=request.form, wrong=wrong,
            seen="" if verdict is None else records.fingerprint(found, verdict, plan), goes=_goes(plan),
        )  # fmt: skip

    @pages.get("/elections/<int:election_id>/check")
    @section(ELECTIONS_WRITE)
    def check_election(election_id: int) -> Answer:
        with console.database.reading() as session:
            if not _own(session, election_id).is_draft:
                return _to("election", election_id)
            return sure(session, election_id, {})

    @pages.post("/elections/<int:election_id>/check", endpoint="check_election_send")
    @section(ELECTIONS_WRITE)
    def record(election_id: int) -> Answer:
        me, now = visitor(), console.now()
        try:
            with console.database.transaction() as session:
                found = _own(session, election_id)
                decision = _decision()
                records.record(session, found, decision, _rules(console), years, now, by=me.person_id)
                says = f"已存档：{found.held_on} {found.branch.name}{found.kind.label}，{found.state.label}。"
                then = scope.of(session, me.person_id, beijing_date(now))
                is_still_here = bool(then.roles & ELECTIONS.roles) and _is_seen(session, then, election_id)
        except (Misunderstood, RuleBroken) as error:
            with console.database.reading() as session:
                if _own(session, election_id).is_draft:
                    return sure(session, election_id, {error.about: str(error)}), 422
            flash(str(error))
            return _to("election", election_id)
        flash(says)
        # An outgoing secretary has no record to go back to.
        return _to("election", election_id) if is_still_here else redirect(url_for("console.mine"))


def _goes(plan: Plan) -> bool:
    """Whether who looks at it would lead the branch no longer."""
    me = visitor().person_id
    is_led = any(post.person_id == me and post.role is Role.SECRETARY for post in plan.ends)
    return is_led and not any(each.person.id == me and each.given.role is Role.SECRETARY for each in plan.begins)


def _decision() -> Decision:
    """What was chosen. Raises Misunderstood."""
    if said("as") not in {"valid", "invalid"}:
        error = Misunderstood("请选记为有效还是无效。")
        error.about = "as"
        raise error
    return Decision(said("as") == "valid", said("why"), said("posts") == "yes", said("seen"))


def _is_seen(session: Session, seen: scope.Scope, election_id: int) -> bool:
    try:
        scope.election(session, seen, election_id)
    except NotFound:
        return False
    return True


def _discarding(pages: Blueprint, console: Console) -> None:
    @pages.post("/elections/<int:election_id>/discard")
    @section(ELECTIONS_WRITE)
    def discard_election(election_id: int) -> Answer:
        me = visitor()
        try:
            with console.database.transaction() as session:
                drafts.discard(session, _own(session, election_id), console.now(), by=me.person_id)
        except RuleBroken as error:
            flash(str(error))
            return _to("election", election_id)
        flash("草稿已删除。")
        return redirect(url_for("console.elections"))
