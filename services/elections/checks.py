"""Whether a record is whole and its counts can be: what stands between a draft and recording it, in words (F028)."""

from __future__ import annotations

from collections.abc import Iterator

from models import Candidate, Election, Role, Seat, spelling
from services.elections.rules import Counts


def counts(election: Election) -> Counts:
    """The counts of a record; what was not typed counts as nothing."""
    return Counts(
        election.due or 0, election.present or 0, election.issued or 0, election.returned or 0, election.spoiled or 0
    )


def problems(election: Election) -> list[str]:
    """What has to be put right before it can be recorded, be it as valid or not."""
    return [*_counted(election), *_voted(election), *_named(election)]


def _counted(election: Election) -> Iterator[str]:
    found = counts(election)
    if not found.due:
        yield "应到会人数还没有填。" if not election.has_list else "名单里没有一个人计入应到会。"
    if election.present is None:
        yield "实到会人数还没有填。"
    if election.returned is None:
        yield "收回选票数还没有填。"
    yield from impossible(election)


def impossible(election: Election) -> Iterator[str]:
    """Counts that no meeting can have; not even a draft keeps them."""
    found = counts(election)
    if election.present is not None and found.present > found.due:
        yield f"实到会 {found.present} 人，比应到会 {found.due} 人还多。"
    if election.issued is not None and found.issued > found.present:
        yield f"发出选票 {found.issued} 张，比实到会 {found.present} 人还多：没有到会的不能委托投票。"
    if election.spoiled is not None and found.spoiled > found.returned:
        yield f"无效票 {found.spoiled} 张，比收回的 {found.returned} 张还多。"


def _voted(election: Election) -> Iterator[str]:
    valid = counts(election).valid
    if not election.candidates:
        yield "还没有登记候选人。"
    for each in election.candidates:
        if each.votes_for is None:
            yield f"{each.name}的赞成票还没有填。"
        elif election.returned is not None:
            yield from _sums(each, valid)
    for seat, many in election.seats.items():
        here = [each for each in election.candidates if each.seat is seat]
        if here and not many:
            yield f"有{seat.label}的候选人，{seat.label}的应选名额还没有填。"
        total = sum(each.votes_for or 0 for each in here)
        if many and election.returned is not None and total > many * valid:
            yield (
                f"{seat.label}的赞成票合计 {total}，多于有效票 {valid} 张各选 {many} 名能有的 {many * valid}："
                "所选人数多于应选名额的票是无效票。"
            )
    if election.candidates and not any(election.seats.values()):
        yield "应选名额还没有填。"


def _sums(each: Candidate, valid: int) -> Iterator[str]:
    total = (each.votes_for or 0) + (each.votes_against or 0) + (each.abstained or 0)
    if each.is_written_in and total > valid:
        yield f"另选{each.name}的 {total} 票，比有效票 {valid} 张还多。"
    if not each.is_written_in and total != valid:
        yield f"{each.name}的赞成、反对、弃权合计 {total}，应等于有效票 {valid} 张。"


def _named(election: Election) -> Iterator[str]:
    turnouts = {voter.person_id: voter.turnout for voter in election.voters}
    listed = {spelling.fold(voter.person.name) for voter in election.voters}
    seen: set[tuple[int | None, str]] = set()
    for each in election.candidates:
        key = each.person_id, "" if each.person_id else each.name
        if key in seen:
            yield f"{each.name}登记了两次。"
        seen.add(key)
        if each.person_id is None:
            if spelling.fold(each.name) in listed:
                yield f"另选的{each.name}在名册里，请回去直接选，得票才算到本人。"
            continue
        turnout = turnouts.get(each.person_id)
        if turnout is None:
            yield f"{each.name}在 {election.held_on} 不在本支部名册里。"
        elif election.has_list and not turnout.may_be_elected:
            yield f"{each.name}是{turnout.label}，也没有被选举权，不能作候选人。"
    chosen = [each for each in election.candidates if each.seat is not Seat.SECRETARY and each.role is Role.SECRETARY]
    if len(chosen) > 1 or (chosen and election.secretary_seats):
        yield "书记只能有一位：候选人里有几位写了任书记。"
