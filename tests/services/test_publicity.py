"""Every figure has its unit, and units are never mixed (F125, F126)."""

import pytest

from errors import RuleBroken
from models import PublicityItem, PublicityRow, Unit
from services import publicity
from services.publicity import Amount


def test_people_and_times_are_not_added():
    with pytest.raises(RuleBroken, match="63130 人与 24950 人\\(次\\)单位不同，不能相加"):
        Amount(63130, Unit.PEOPLE) + Amount(24950, Unit.ATTENDED_TO)


def test_alike_are_added_and_at_least_stays_at_least():
    assert str(Amount(600, Unit.EVENTS, is_at_least=True) + Amount(2, Unit.EVENTS)) == "602余 场"


def test_every_item_has_a_unit():
    assert {item: item.unit.label for item in PublicityItem} == {
        "events": "场", "educated": "人", "banners": "条", "boards": "块", "leaflets": "份", "desks": "个",
        "consultations": "人(次)", "mediations": "人(次)", "aid": "次", "sensitive": "次", "trainings": "次",
    }  # fmt: skip


def test_a_total_opens_to_the_rows_it_is_the_sum_of(database):
    with database.transaction() as session:
        for key, year, amount in (("a", 2026, 3), ("b", 2026, 4), ("c", 2025, 9)):
            session.add(
                PublicityRow(
                    key=key, year=year, item=PublicityItem.AID, amount=amount, is_at_least=False, source="表"
                )
            )
    with database.reading() as session:
        (line,) = publicity.ledger(session, 2026)
        assert publicity.years(session) == [2025, 2026]
    assert str(line.total) == "7 次"
    assert sum(row.amount for row in line.rows) == 7
