"""Who is elected: the counts of one ballot held against the rules, each finding in words.

中国共产党基层组织选举工作条例 (in force since 13 July 2020), chapter 4: the meeting is valid with no fewer than four
fifths of those due who may vote; one may vote for, against, abstain, or write somebody else in; more
ballots returned than there were voters make it void, and it is held again; elected is who has the votes of more
than half of those due, in the order of votes until the seats are taken; equal votes that leave it open are voted on
again; seats that stay empty are voted on apart, or given up if few. The provisional regulation of 1990 asked for
more than half of those present: `elections.majority_of` in the configuration.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from config import Elections
from models import Candidate, Election, Electorate, Seat

#: Without a list of names those due are what the paper says. On the roll of the day are also some without a vote
#: (probationary, under watch, excused by the committee above), so fewer may be due; but fewer than this part of the roll,
#: or more than are on it, is a slip of the pen or a roll that is behind: then a reason says which. Our own rule: the
#: regulation has no figure.
LEAST_OF_ROLL = Fraction(1, 2)


@dataclass(frozen=True, slots=True)
class Rules:
    """What part of those due has to be there (four of five), and of whom more than half have to be in favour."""

    quorum_top: int = 4
    quorum_bottom: int = 5
    majority_of: Electorate = Electorate.DUE

    @classmethod
    def configured(cls, settings: Elections) -> Rules:
        return cls(*settings.quorum_parts, Electorate(settings.majority_of))

    @classmethod
    def of(cls, election: Election) -> Rules:
        """Those by which a record was judged."""
        return cls(election.quorum_top, election.quorum_bottom, election.majority_of)

    @property
    def quorum(self) -> str:
        return f"{self.quorum_top}/{self.quorum_bottom}"


@dataclass(frozen=True, slots=True)
class Counts:
    """What was counted: people who were due and came, ballots given out, returned, and spoiled among those."""

    due: int
    present: int
    issued: int
    returned: int
    spoiled: int

    @property
    def valid(self) -> int:
        return self.returned - self.spoiled


@dataclass(frozen=True, slots=True)
class Votes:
    """In favour of whom, for which seat. Without `is_known` it is nobody of the roll, written in."""

    name: str
    seat: Seat
    votes_for: int
    is_known: bool = True


@dataclass(frozen=True, slots=True)
class Verdict:
    """What follows from the counts. `elected` are positions in the list of votes, most votes first in each seat.

    `void` says why it cannot be valid; `broken` which rules are broken, which a reason may excuse; `remarks` what is to be done.
    """

    elected: tuple[int, ...] = ()
    void: str = ""
    broken: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def needs_no_reason(self) -> bool:
        return not self.void and not self.broken


def judge(
    rules: Rules, counts: Counts, seats: Mapping[Seat, int], votes: Sequence[Votes], on_roll: int | None = None
) -> Verdict:
    """Hold the counts against the rules. The counts themselves are possible ones (models/elections.py). `on_roll` is how
    many belonged to the branch that day, for counts that do not follow from a list of names."""
    broken = (*_quorum(rules, counts), *_electorate(counts, on_roll))
    if counts.returned > counts.issued:
        void = f"收回选票 {counts.returned} 张，多于发出的 {counts.issued} 张，选举无效，应重新选举。"
        return Verdict(void=void, broken=broken)
    elected: list[int] = []
    remarks: list[str] = []
    for seat in Seat:
        chosen, says = _contest(rules, counts, seat, seats[seat], votes)
        elected += chosen
        remarks += says
    return Verdict(tuple(elected), broken=broken, remarks=tuple(remarks))


def is_quorum(rules: Rules, counts: Counts) -> bool:
    return counts.present * rules.quorum_bottom >= counts.due * rules.quorum_top


def _quorum(rules: Rules, counts: Counts) -> Iterator[str]:
    if not is_quorum(rules, counts):
        least = -(-counts.due * rules.quorum_top // rules.quorum_bottom)
        yield f"到会人数不足：应到 {counts.due} 人，至少要到 {least} 人（{rules.quorum}），实到 {counts.present} 人。"


def _electorate(counts: Counts, on_roll: int | None) -> Iterator[str]:
    if on_roll is not None and not LEAST_OF_ROLL * on_roll <= counts.due <= on_roll:
        how = "比名册还多" if counts.due > on_roll else "不到名册的一半"
        yield f"名册上那天有 {on_roll} 人，应到会 {counts.due} 人，{how}：填错的请改；没有填错的，写明为什么。"


def base(rules: Rules, counts: Counts) -> int:
    """How many people more than half are taken of."""
    return counts.due if rules.majority_of is Electorate.DUE else counts.present


def _contest(
    rules: Rules, counts: Counts, seat: Seat, many: int, votes: Sequence[Votes]
) -> tuple[list[int], list[str]]:
    """Who takes the seats of one kind, and what is to be said of them."""
    if not many:
        return [], []
    over = [
        place for place, each in enumerate(votes) if each.seat is seat and each.votes_for * 2 > base(rules, counts)
    ]
    taken, tied = _taken(sorted(over, key=lambda place: -votes[place].votes_for), many, votes)
    remarks = [
        f"另选人{votes[place].name}过半数，但不在支部名册里，不能登记当选；请先登记到名册再选。"
        for place in taken
        if not votes[place].is_known
    ]
    if tied:
        names = "、".join(votes[place].name for place in tied)
        remarks.append(
            f"{names}得票相等（{votes[tied[0]].votes_for} 票），不能确定谁当选，应就他们再次投票，得票多的当选。"
        )
    elif len(taken) < many:
        remarks.append(
            f"{seat.label}应选 {many} 名，过半数的 {len(over)} 名，缺 {many - len(taken)} 名：不足的名额另行选举；"
            "接近应选名额的，经半数以上选举人同意可以减少名额，不再选举。"
        )
    return [place for place in taken if votes[place].is_known], remarks


def _taken(over: list[int], many: int, votes: Sequence[Votes]) -> tuple[list[int], list[int]]:
    """Who takes the seats of those over half, most votes first; and whose equal votes leave it open."""
    if len(over) <= many:
        return over, []
    last = votes[over[many - 1]].votes_for
    if votes[over[many]].votes_for < last:
        return over[:many], []
    above = [place for place in over if votes[place].votes_for > last]
    return above, [place for place in over if votes[place].votes_for == last]


def votes_of(candidates: Sequence[Candidate]) -> list[Votes]:
    return [Votes(each.name, each.seat, each.votes_for or 0, each.person_id is not None) for each in candidates]
