"""Which case a lawyer means: by its number, as the only one there is, or asked for from a list."""

from __future__ import annotations

from collections.abc import Callable

from bot.conversation import Flow, Question, Said
from bot.replies import Reply, tap
from bot.turn import Turn
from clock import beijing_date
from errors import Misunderstood, NotFound
from handlers.access import person_of
from models import CaseState, Consultation, Post
from services.consulting import cases
from services.consulting.cases import Desk
from services.consulting.consultations import Number, read_number
from services.membership import people

LISTED = 5

Find = Callable[..., Consultation]


def desk_of(turn: Turn, posts: list[Post] | None = None) -> Desk:
    """What somebody may see and take, by the posts they hold."""
    me = person_of(turn)
    held = people.posts(turn.session, me, beijing_date(turn.at)) if posts is None else posts
    return cases.desk_of(turn.session, me, held)


def found(turn: Turn, desk: Desk, number: Number, find: Find = cases.find) -> Consultation | None:
    """The case of a number, or None, with a trace, when it is not there for this person."""
    try:
        return find(turn.session, desk, number)
    except NotFound:
        cases.refuse(turn.session, desk.person_id, number, turn.at)
        return None


def meant(
    turn: Turn,
    desk: Desk,
    number: Number | None,
    pool: Callable[..., list[Consultation]] | None = None,
) -> Consultation | None:
    """The case of the number; without one, the only case there is to mean."""
    if number is not None:
        return found(turn, desk, number)
    choice = cases.mine(turn.session, desk)
    if pool is None:
        choice += cases.waiting(turn.session, desk)
    return choice[0] if len(choice) == 1 else None


def which(turn: Turn, desk: Desk, number: Number | None, act: str) -> Reply:
    """Why there is no case to go on with; where there is a choice, the question which one."""
    if number is not None:
        return cases.NOT_HERE
    mine = cases.mine(turn.session, desk)
    waiting = cases.waiting(turn.session, desk) if act == "看" else []
    if not mine and not waiting:
        return f"您手上没有在办的咨询。{tap('待办')}里有等待接单的。"
    return turn.begin(choosing, act=act)


def _ask_which(turn: Turn, said: Said) -> str:
    desk, act = desk_of(turn), said["act"]
    mine = [] if act == "接单" else cases.mine(turn.session, desk)
    waiting = cases.waiting(turn.session, desk) if act in {"看", "接单"} else []
    return "\n".join(["哪一件？", *listed("我在办的", mine, act), *listed("等待接单", waiting, act)])


def _read_which(_turn: Turn, text: str, _said: Said) -> str:
    number, rest = read_number(text)
    if number is None or rest:
        raise Misunderstood("请点编号，或回复编号末尾的数字。")
    return f"{number.day or 'ZX'}-{number.last}"


def _go_on(turn: Turn, said: Said) -> Reply:
    """Do with the case that was chosen what was asked for."""
    act = next(route for route in turn.router.routes if route.name == said["act"])
    turn.rest, turn.route = said["case"], act.name
    turn.says(f"{act.name} {said['case']}")
    done = act.handler(turn)
    return done if isinstance(done, str) else None


choosing = Flow("选择咨询", (Question("case", _ask_which, _read_which),), _go_on)


def number_of(said: Said) -> Number:
    """The number of the case that a talk is about. Raises NotFound."""
    number, _rest = read_number(said["case"])
    if number is None:
        raise NotFound(cases.NOT_HERE)
    return number


def listed(head: str, found: list[Consultation], act: str) -> list[str]:
    """Cases under a heading, each a link that says the act; nothing where there are none."""
    if not found:
        return []
    # No row numbers: a digit here always means the case's own number, never its place in a list.
    lines = [f"· {tap(case.number, f'{act} {case.number}')} {_marks(case)}" for case in found[:LISTED]]
    more = [f"还有 {len(found) - LISTED} 件，办完再看。"] if len(found) > LISTED else []
    return [f"{head} {len(found)} 件（点编号{act}）：", *lines, *more]


def _marks(case: Consultation) -> str:
    danger = "⚠紧急 " if case.is_dangerous else ""
    state = f"·{case.state.label}" if case.state is not CaseState.WAITING else ""
    return f"{danger}{case.county.name}·{case.matter.label}·{case.urgency.label}{state}"
