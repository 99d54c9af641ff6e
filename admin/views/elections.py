"""选举: the records of the branches' elections, one of them to look at and to print, and setting one aside (F028)."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from admin import pages as paging
from admin.guard import section, visitor
from admin.navigation import ELECTIONS, ELECTIONS_SET_ASIDE, ELECTIONS_WRITE
from admin.views.branches import asked_county
from admin.views.context import Console
from admin.views.people import Wrong
from admin.views.roll import said
from errors import Misunderstood, RuleBroken
from models import Election, Turnout
from services import figures, scope
from services.elections import checks, drafts, lists, records
from services.elections.lists import Standing
from services.elections.rules import Rules, Verdict
from services.organisation import branch_history


def register(pages: Blueprint, console: Console) -> None:
    @pages.get("/elections", endpoint="elections")
    @section(ELECTIONS)
    def every() -> str:
        seen = visitor().scope
        words, year, standing = request.args.get("q", "").strip()[:64], paging.number_of("year"), _standing()
        county = asked_county()
        question = lists.matching(seen, county, words, year, standing)
        with console.database.reading() as session:
            page = paging.page(session, question, "份选举记录")
            rows = session.scalars(question.offset(page.start).limit(paging.SIZE)).all()
            return render_template(
                "console/elections.html", page=page, rows=rows, words=words, year=year or "", county=county,
                standing=standing, standings=list(Standing), places=figures.branches_by_place(session, seen, seen.on),
                may_write=bool(seen.roles & ELECTIONS_WRITE.roles),
            )  # fmt: skip

    @pages.get("/elections/<int:election_id>")
    @section(ELECTIONS)
    def election(election_id: int) -> str:
        with console.database.reading() as session:
            return _shown(session, election_id)

    @pages.post("/elections/<int:election_id>/set-aside")
    @section(ELECTIONS_SET_ASIDE)
    def set_aside_election(election_id: int) -> Response | tuple[str, int]:
        me, now = visitor(), console.now()
        try:
            with console.database.transaction() as session:
                found = drafts.whole(session, scope.election(session, me.scope, election_id, own=True))
                keeps = said("keep") == "yes"
                records.set_aside(session, found, said("why"), now, by=me.person_id, keeps_posts=keeps)
        except (Misunderstood, RuleBroken) as error:
            with console.database.reading() as session:
                return _shown(session, election_id, Wrong("aside", str(error), error.about)), 422
        flash("已撤销这份选举记录，原来的内容留着备查。")
        return redirect(url_for("console.election", election_id=election_id))


def _standing() -> Standing | None:
    return paging.chosen("state", Standing)


def _shown(session: Session, election_id: int, wrong: Wrong | None = None) -> str:
    seen = visitor().scope
    found = drafts.whole(session, scope.election(session, seen, election_id))
    is_own = bool(seen.roles & ELECTIONS_WRITE.roles) and seen.groups_branch(found.branch)
    is_whole = not found.is_draft or not checks.problems(found)
    verdict = records.verdict(found, Rules.of(found)) if is_whole else None
    then = found.branch_id, found.held_on
    return render_template(
        "console/election.html", election=found, standing=Standing.of(found), turnouts=by_turnout(found),
        called=branch_history.names_on(session, [then]).get(then, found.branch.name), verdict=verdict,
        elected=_elected(found, verdict), rules=Rules.of(found), counts=checks.counts(found),
        listed=sum(voter.turnout.is_due for voter in found.voters), wrong=wrong or Wrong("", "", ""), typed=request.form,
        may_write=is_own and found.is_draft,
        may_set_aside=is_own and bool(seen.roles & ELECTIONS_SET_ASIDE.roles)
        and not (found.is_draft or found.is_set_aside),
    )  # fmt: skip


def _elected(election: Election, verdict: Verdict | None) -> list[int]:
    """The places of those elected: as recorded, or as it stands."""
    if not election.is_draft:
        return [place for place, each in enumerate(election.candidates) if each.is_elected]
    return list(verdict.elected) if verdict else []


def by_turnout(election: Election) -> list[tuple[Turnout, list[str]]]:
    """The list of voters as it is read: who came, who did not, who has no vote."""
    found = {each: [v.called for v in election.voters if v.turnout is each] for each in Turnout}
    return [(each, sorted(names)) for each, names in found.items() if names]
