"""绑定核实: claims that a secretary's word does not settle, decided by an office that sees both accounts (F029)."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from admin import pages as paging
from admin.guard import section, visitor
from admin.navigation import CLAIMS, CLAIMS_DECIDE
from admin.views.context import Console
from errors import Misunderstood, RuleBroken
from services import audit
from services.membership import claim_lists, claims

WORDS = {
    "accept": "已确认绑定，本人会收到通知",
    "refuse": "已退回，理由已告诉申请的微信",
    "ask": "已请支部书记在聊天里确认",
}


def register(pages: Blueprint, console: Console) -> None:
    def listed(says: str = "", wrong: int = 0) -> str:
        seen = visitor().scope
        with console.database.reading() as session:
            page = paging.page(session, claim_lists.waiting(seen), "条", "console.claims")
            rows = session.scalars(claim_lists.waiting(seen).offset(page.start).limit(paging.SIZE)).all()
            return render_template(
                "console/claims.html", page=page, lines=claim_lists.lines(session, rows), says=says, wrong=wrong,
                typed=request.form.get("remark", ""), may_act=bool(seen.roles & CLAIMS_DECIDE.roles),
            )  # fmt: skip

    @pages.get("/claims", endpoint="claims")
    @section(CLAIMS)
    def every() -> str:
        return listed()

    @pages.post("/claims/<int:claim_id>")
    @section(CLAIMS_DECIDE)
    def decide_claim(claim_id: int) -> Response | tuple[str, int]:
        me, at, act = visitor(), console.now(), request.form.get("act", "")
        try:
            with console.database.transaction() as session:
                claim = claims.get(session, me.scope, claim_id)
                name = claim.person.name
                if act not in WORDS:
                    raise Misunderstood("请选确认、退回还是请书记确认。")
                if act == "ask":
                    claims.ask_secretary(session, claim, at, by=me.person_id)
                else:
                    said = request.form.get("remark", "")[:200]
                    remark = (
                        audit.reason(said, "退回的理由", "手机号与名册不同，请当面找书记") if act == "refuse" else ""
                    )
                    claims.decide(session, claim_id, accept=act == "accept", at=at, by=me.person_id, remark=remark)
        except (Misunderstood, RuleBroken) as error:
            return listed(str(error), claim_id), 422
        flash(f"{name}：{WORDS[act]}。")
        return redirect(url_for("console.claims"))
