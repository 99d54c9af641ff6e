"""Who is elected, for any counts that can be (F028)."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config import Elections
from models import Electorate, Seat
from services.elections import rules
from services.elections.rules import Counts, Rules, Votes, judge

ONE = {Seat.SECRETARY: 1, Seat.DEPUTY: 0, Seat.COMMITTEE: 0}


@st.composite
def counted(draw, *, returned_at_most_issued: bool = True) -> Counts:
    due = draw(st.integers(1, 120))
    present = draw(st.integers(0, due))
    issued = draw(st.integers(0, present))
    returned = draw(st.integers(0, issued if returned_at_most_issued else issued + 5))
    return Counts(due, present, issued, returned, draw(st.integers(0, returned)))


@st.composite
def ballots(draw) -> tuple[Rules, Counts, dict[Seat, int], list[Votes]]:
    top = draw(st.integers(1, 5))
    rules = Rules(top, draw(st.integers(top, 6)), draw(st.sampled_from(Electorate)))
    counts = draw(counted())
    seats = {Seat.SECRETARY: draw(st.integers(0, 1)), Seat.DEPUTY: draw(st.integers(0, 2)), Seat.COMMITTEE: 3}
    votes = draw(
        st.lists(
            st.builds(
                Votes, st.text("赵钱孙李", min_size=1, max_size=3), st.sampled_from(Seat),
                st.integers(0, counts.valid), st.booleans(),
            ),
            max_size=9,
        )
    )  # fmt: skip
    return rules, counts, seats, votes


@given(ballots())
def test_whoever_is_elected_has_more_than_half_and_nobody_with_more_is_left_out(ballot):
    rules, counts, seats, votes = ballot
    verdict = judge(rules, counts, seats, votes)
    base = counts.due if rules.majority_of is Electorate.DUE else counts.present
    assert len(set(verdict.elected)) == len(verdict.elected)
    for seat in Seat:
        chosen = [votes[place] for place in verdict.elected if votes[place].seat is seat]
        others = [
            each
            for place, each in enumerate(votes)
            if each.seat is seat and each.is_known and place not in verdict.elected
        ]
        assert len(chosen) <= seats[seat]
        assert all(each.is_known and each.votes_for * 2 > base for each in chosen)
        for other in others:
            assert all(other.votes_for <= each.votes_for for each in chosen)
            if other.votes_for * 2 > base and seats[seat] and len(chosen) < seats[seat]:
                assert verdict.remarks, "a seat that somebody with a majority does not take is explained"
        if seats[seat] and len(chosen) < seats[seat]:
            assert any(seat.label in says or "得票相等" in says or "名册" in says for says in verdict.remarks)


@given(ballots(), st.randoms())
def test_the_order_of_the_names_decides_nothing(ballot, random):
    rules, counts, seats, votes = ballot
    order = list(range(len(votes)))
    random.shuffle(order)
    there = judge(rules, counts, seats, votes).elected
    shuffled = judge(rules, counts, seats, [votes[place] for place in order]).elected
    assert {order[place] for place in shuffled} == set(there)


@given(counted(returned_at_most_issued=False), st.integers(1, 5), st.integers(0, 3))
def test_the_quorum_is_exactly_the_part_of_those_due(counts, top, more):
    rules = Rules(top, top + more)
    verdict = judge(rules, counts, ONE, [])
    assert bool(verdict.broken) == (Fraction(counts.present, counts.due) < Fraction(top, top + more))
    assert bool(verdict.void) == (counts.returned > counts.issued)
    assert not (verdict.void and verdict.elected)


@given(counted())
def test_of_two_for_one_seat_at_most_one_is_elected_and_a_tie_elects_nobody(counts):
    tie = [Votes("赵", Seat.SECRETARY, counts.valid), Votes("钱", Seat.SECRETARY, counts.valid)]
    verdict = judge(Rules(), counts, ONE, tie)
    assert verdict.elected == ()
    assert verdict.remarks


@pytest.mark.parametrize(
    ("due", "present", "said"),
    [
        (25, 20, ()),
        (25, 19, "到会人数不足：应到 25 人，至少要到 20 人（4/5），实到 19 人。"),
        (26, 20, "至少要到 21 人"),
    ],
)
def test_four_fifths_of_those_due_have_to_be_there(due, present, said):
    broken = judge(Rules(), Counts(due, present, present, present, 0), ONE, []).broken
    assert (said in broken[0]) if said else broken == ()


@pytest.mark.parametrize(
    ("of", "votes", "is_elected"), [("due", 13, True), ("due", 12, False), ("present", 11, True)]
)
def test_half_is_not_more_than_half_and_whose_half_is_configured(of, votes, is_elected):
    rules = Rules.configured(Elections(majority_of=of))
    verdict = judge(rules, Counts(24, 20, 20, 20, 0), ONE, [Votes("赵", Seat.SECRETARY, votes)])
    assert bool(verdict.elected) is is_elected
    assert is_elected or "缺 1 名" in verdict.remarks[0]


def test_a_tie_for_the_last_seat_elects_those_above_it():
    votes = [Votes(name, Seat.COMMITTEE, many) for name, many in (("赵", 9), ("钱", 8), ("孙", 8), ("李", 7))]
    verdict = judge(Rules(), Counts(10, 10, 10, 10, 0), {**ONE, Seat.COMMITTEE: 2, Seat.SECRETARY: 0}, votes)
    assert verdict.elected == (0,)
    assert verdict.remarks == ("钱、孙得票相等（8 票），不能确定谁当选，应就他们再次投票，得票多的当选。",)


def test_more_ballots_than_were_given_out_elect_nobody():
    verdict = judge(Rules(), Counts(10, 10, 10, 11, 0), ONE, [Votes("赵", Seat.SECRETARY, 11)])
    assert "应重新选举" in verdict.void
    assert not verdict.elected
    assert not verdict.needs_no_reason


@pytest.mark.parametrize(
    ("due", "on_roll", "said"),
    [
        (1, 14, "不到名册的一半"), (6, 14, "不到名册的一半"), (7, 14, ""), (14, 14, ""), (15, 14, "比名册还多"),
        (99_999, 14, "比名册还多"), (7, 15, "不到名册的一半"), (1, 0, "比名册还多"), (1, None, ""),
    ],
)  # fmt: skip
def test_counts_of_paper_are_held_against_the_roll_of_that_day(due, on_roll, said):
    verdict = judge(Rules(), Counts(due, due, due, due, 0), ONE, [], on_roll)
    assert verdict.needs_no_reason is (said == "")
    assert not said or f"名册上那天有 {on_roll} 人，应到会 {due} 人，{said}" in verdict.broken[0]


def test_a_quorum_is_a_fraction_and_at_most_all():
    assert rules.Rules.configured(Elections(quorum="1/2")).quorum == "1/2"
    for wrong in ("5/4", "0/5", "80%", "0.8", "４/５", "1/0"):
        with pytest.raises(ValueError, match="例如 4/5"):
            Elections(quorum=wrong)
