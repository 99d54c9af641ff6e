"""What is typed into the record of an election, and how a draft stands in its form (F028)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from errors import Misunderstood
from models import Duty, Election, ElectionKind, Person, Role, Seat, Turnout, spelling
from models.elections import MOST, MOST_ROUNDS, MOST_SEATS
from models.people import TAIL
from services.elections import drafts
from services.elections.drafts import Row, Typed
from services.fields import Fields, clean
from services.membership import roll

LONGEST_PLACE = 64
#: Rows for candidates: shown at first beside those that are filled, and at most.
BLANK_ROWS, MOST_ROWS = 3, 40
#: What a form calls somebody who was written in and is not on the roll.
OTHER = "other"


@dataclass(frozen=True, slots=True)
class Standing:
    """What somebody stands for, and the post that they get: one choice in the form."""

    key: str
    label: str
    seat: Seat
    role: Role
    duty: Duty | None = None


STANDINGS = (
    Standing("secretary", "书记（党员大会直接选）", Seat.SECRETARY, Role.SECRETARY),
    Standing("deputy", "副书记（党员大会直接选）", Seat.DEPUTY, Role.DEPUTY),
    Standing("committee-secretary", "委员，经委员会推选任书记", Seat.COMMITTEE, Role.SECRETARY),
    Standing("committee-deputy", "委员，经委员会推选任副书记", Seat.COMMITTEE, Role.DEPUTY),
    *(
        Standing(f"committee-{duty}", f"委员，{duty.label}委员", Seat.COMMITTEE, Role.COMMITTEE, duty)
        for duty in Duty
    ),
)


def read(said: Mapping[str, str], names: Mapping[int, str], today: date) -> tuple[Typed | None, Fields]:
    """What was typed, for a branch of these people; None where something is wrong, which stands beside its field."""
    form = Fields(said)
    kind = form.chosen("kind", "选举类别", ElectionKind) or ElectionKind.RENEWAL
    held_on, place = (
        form.day("held_on", "选举日期", latest=today),
        form.line("place", "地点", LONGEST_PLACE, needed=False),
    )
    has_list = said.get("list") != "no"
    counted = {name: form.count(name, what, MOST) for name, what in COUNTED.items()}
    if has_list:
        counted |= {"due": None, "present": None}
    turnouts = {number: turnout for number in names if (turnout := _turnout(said, number)) is not None}
    seats = {seat: form.count(f"seats-{seat}", f"{seat.label}名额", _most(seat)) or 0 for seat in Seat}
    rows = tuple(row for number in range(rows_in(said)) if (row := _row(form, number, names)) is not None)
    _compare(form, has_list, turnouts, counted)
    round_ = _round(form)
    if form.wrong:
        return None, form
    seen = said.get("mark", "")
    return Typed(kind, held_on, round_, place, has_list, turnouts, **counted, seats=seats, rows=rows, seen=seen), form


#: Counts by the name of their field.
COUNTED = {
    "due": "应到会人数", "present": "实到会人数", "issued": "发出选票数", "returned": "收回选票数",
    "spoiled": "无效票数",
}  # fmt: skip


def _round(form: Fields) -> int:
    """Which ballot of the day; the first, where nothing was typed."""
    found = form.count("round", "第几次投票", MOST_ROUNDS)
    if found == 0 or "round" in form.wrong:
        form.wrong["round"] = f"第几次投票请写 1–{MOST_ROUNDS} 的整数，平常是 1。"
    return found or 1


def _most(seat: Seat) -> int:
    return 1 if seat is Seat.SECRETARY else MOST_SEATS


def _turnout(said: Mapping[str, str], number: int) -> Turnout | None:
    return next((each for each in Turnout if each == said.get(f"turnout-{number}")), None)


def _compare(
    form: Fields, has_list: bool, turnouts: Mapping[int, Turnout], counted: Mapping[str, int | None]
) -> None:
    """Counts that no meeting can have are said at once, at the field that is too large."""
    due, present = counted["due"], counted["present"]
    if has_list and turnouts:
        present = sum(each is Turnout.PRESENT for each in turnouts.values())
    issued, returned, spoiled = counted["issued"], counted["returned"], counted["spoiled"]
    if due is not None and present is not None and present > due:
        form.wrong["present"] = f"实到会 {present} 人，比应到会 {due} 人还多。"
    if issued is not None and present is not None and issued > present:
        form.wrong["issued"] = f"发出 {issued} 张，比实到会 {present} 人还多：没有到会的不能委托投票。"
    if spoiled is not None and spoiled > (returned or 0):
        form.wrong["spoiled"] = f"无效票 {spoiled} 张，比收回的 {returned or 0} 张还多。"


def rows_in(said: Mapping[str, str]) -> int:
    """How many rows for candidates a form had."""
    plain = said.get("rows", "")
    return min(int(plain), MOST_ROWS) if plain.isascii() and plain.isdecimal() and len(plain) < 4 else 0


def _row(form: Fields, number: int, names: Mapping[int, str]) -> Row | None:
    """One candidate; None for a row that was left empty."""
    who, typed = form.said.get(f"who-{number}", ""), clean(form.said.get(f"name-{number}", ""))
    votes = {
        name: form.count(f"{name}-{number}", label, MOST)
        for name, label in (("for", "赞成票"), ("against", "反对票"), ("abstained", "弃权票"))
    }
    if not who and not typed and all(each is None for each in votes.values()):
        return None
    standing = next((each for each in STANDINGS if each.key == form.said.get(f"standing-{number}")), None)
    if standing is None:
        form.wrong[f"standing-{number}"] = "请选竞选什么职务。"
        standing = STANDINGS[0]
    person_id = int(who) if who.isascii() and who.isdecimal() and len(who) < 10 else None
    if person_id is not None and person_id in names:
        name = names[person_id]
    else:
        person_id, name = None, _written(form, number, who, typed, names)
    is_written_in = person_id is None or form.said.get(f"written-{number}") == "yes"
    against, abstained = (None, None) if is_written_in else (votes["against"], votes["abstained"])
    return Row(
        person_id, name, is_written_in, standing.seat, standing.role, standing.duty, votes["for"], against, abstained
    )


def _written(form: Fields, number: int, who: str, typed: str, names: Mapping[int, str]) -> str:
    """The name of somebody written in who is not on the roll, by the roll's own rule of letters."""
    if who != OTHER:
        form.wrong[f"who-{number}"] = "请从本支部名册里选人；另选的人不在名册里的，选“不在名册”再写姓名。"
        return typed
    field = f"name-{number}"
    if not typed:
        form.wrong[field] = "请写另选的人的姓名。"
        return typed
    try:
        name = roll.read_name(typed)
    except Misunderstood as error:
        form.wrong[field] = str(error)
        return typed
    if same := [each for each in names.values() if spelling.fold(each) == spelling.fold(name)]:
        form.wrong[field] = f"{same[0]}在名册里，请在上面“姓名”里直接选；是另选他人的，再勾下面那一项。"
    return name


def names(election: Election) -> dict[int, str]:
    """Who can be chosen: everybody on the list of voters, and who was chosen before another day left them out."""
    return {each.id: each.name for each in _people(election)}


def called(election: Election) -> dict[int, str]:
    """How the form calls them: of one name by the end of their numbers, and who is not on the list as such."""
    listed = {voter.person_id for voter in election.voters}
    everybody = _people(election)
    alike = [each.name for each in everybody]
    found = {}
    for each in everybody:
        told = each.name + (_apart(each) if alike.count(each.name) > 1 else "")
        found[each.id] = told if each.id in listed else f"{told}（{election.held_on} 不在名册）"
    return found


def _people(election: Election) -> list[Person]:
    there = {voter.person_id: voter.person for voter in election.voters}
    there |= {each.person.id: each.person for each in election.candidates if each.person is not None}
    return sorted(there.values(), key=lambda each: (each.name, each.id))


def _apart(person: Person) -> str:
    """What tells somebody from a namesake."""
    return f"（手机尾号 {person.phone[-TAIL:]}）" if person.phone else f"（编号 {person.id}）"


def said_of(election: Election) -> dict[str, str]:
    """How a draft stands in its form."""
    said = {
        "kind": election.kind.value, "held_on": election.held_on.isoformat(), "place": election.place,
        "round": str(election.round), "list": "yes" if election.has_list else "no",
        "mark": drafts.mark(election),
    }  # fmt: skip
    said |= {name: _shown(getattr(election, name)) for name in COUNTED}
    # What follows from the list is not typed, so that it follows again when somebody on it is changed.
    said["issued"] = "" if election.issued == election.present else said["issued"]
    said |= {f"seats-{seat}": _shown(many or None) for seat, many in election.seats.items()}
    said |= {f"turnout-{voter.person_id}": voter.turnout.value for voter in election.voters}
    for number, each in enumerate(election.candidates):
        said |= {
            f"who-{number}": str(each.person_id or OTHER), f"name-{number}": "" if each.person_id else each.name,
            f"standing-{number}": each.seat.value if each.seat is not Seat.COMMITTEE
            else f"committee-{each.duty or each.role}",
            f"for-{number}": _shown(each.votes_for), f"against-{number}": _shown(each.votes_against),
            f"abstained-{number}": _shown(each.abstained), f"written-{number}": "yes" if each.is_written_in else "",
        }  # fmt: skip
    return said | {"rows": str(min(len(election.candidates) + BLANK_ROWS, MOST_ROWS))}


def _shown(number: int | None) -> str:
    return "" if number is None else str(number)
