"""Tables that somebody has sent, so that the pages about them have what to show."""

from __future__ import annotations

import sqlalchemy as sa

from clock import beijing_date
from models import Branch, County, Import, ImportKind, Post, Role
from services import scope
from services.tables import import_runs
from services.tables.import_runs import Sent
from tests.console.conftest import Office

HEAD = "姓名,手机号,支部,加入日期,职务\n"
#: Some faults of every kind; whose first row is right.
FAULTY = (
    "张三丰,19911112222,{branch},2020-01-31,\n"
    "李四,1.38E+10,{branch},2020-01-01,\n"
    "王五,013812345678,{branch},2020-13-01,\n"
    ",,,,\n"
    "赵六,13912345678,没有的支部,2020-01-01,理事长\n"
)


def branch_in(office: Office, county: str) -> str:
    with office.database.reading() as session:
        within = sa.select(Branch.name).join(County, County.id == Branch.county_id).where(County.name == county)
        return session.scalars(within.order_by(Branch.id).limit(1)).one()


def send(office: Office, text: str, role: Role = Role.OFFICE, name: str = "名册.csv") -> int:
    """Sent by whoever first held a post, without a browser; still to be looked through."""
    with office.database.transaction() as session:
        by = session.scalars(sa.select(Post.person_id).where(Post.role == role).order_by(Post.id).limit(1)).one()
        seen = scope.of(session, by, beijing_date(office.clock.at))
        sent = Sent(ImportKind.PEOPLE, name, "", text.encode())
        return import_runs.receive(session, seen, sent, office.clock.at)


def ensure(office: Office) -> int:
    """A faulty one, looked through; made once."""
    with office.database.reading() as session:
        known = session.scalar(sa.select(Import.id).where(Import.name == "有错的名册.csv"))
    if known is not None:
        return known
    number = send(office, HEAD + FAULTY.format(branch=branch_in(office, "金水区")), name="有错的名册.csv")
    office.parts.importing().run()
    return number
