"""A workbook of people into SQLite as many would write it: read whole, then one `session.add` for each row.

    python importer.py pandas|openpyxl people.xlsx people.db

With the same unique key, in one transaction; nothing is checked, spelled, encrypted, compared or noted in an audit.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from bench.references.senders import cpu_seconds, megabytes

COLUMNS = ("姓名", "手机号", "支部", "加入日期", "职务")
MARK = "#"


class Base(DeclarativeBase):
    pass


class Person(Base):
    __tablename__ = "people"
    __table_args__ = (sa.UniqueConstraint("phone", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    phone: Mapped[str]


class Affiliation(Base):
    __tablename__ = "affiliations"
    __table_args__ = (sa.UniqueConstraint("person_id", "branch", "since_on"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(sa.ForeignKey("people.id"))
    branch: Mapped[str]
    since_on: Mapped[date]
    person: Mapped[Person] = relationship()


def by_pandas(path: Path) -> Iterator[tuple[str, ...]]:
    import pandas  # type: ignore[import-not-found, import-untyped, unused-ignore]

    frame = pandas.read_excel(path, dtype=str)
    yield from frame[list(COLUMNS)].itertuples(index=False, name=None)


def by_openpyxl(path: Path) -> Iterator[tuple[str, ...]]:
    import openpyxl  # type: ignore[import-not-found, import-untyped, unused-ignore]

    rows = openpyxl.load_workbook(path, read_only=True).active.iter_rows(values_only=True)
    next(rows)
    yield from rows


READERS = {"pandas": by_pandas, "openpyxl": by_openpyxl}


def measured(reader: str, path: Path, database: Path) -> dict[str, float]:
    engine = sa.create_engine(f"sqlite:///{database}")
    Base.metadata.create_all(engine)
    before, worked, began = megabytes("VmRSS"), cpu_seconds(), time.perf_counter()
    with Session(engine) as session, session.begin():
        for name, phone, branch, since_on, _post in READERS[reader](path):
            if not name.startswith(MARK):
                person = Person(name=name, phone=phone)
                session.add(Affiliation(person=person, branch=branch, since_on=date.fromisoformat(since_on)))
    seconds, cpu, peak = time.perf_counter() - began, cpu_seconds() - worked, megabytes("VmHWM")
    with Session(engine) as session:
        rows = session.scalar(sa.select(sa.func.count()).select_from(Affiliation)) or 0
    return {"rows": rows, "seconds": seconds, "cpu_seconds": cpu, "peak_mb": peak, "grown_mb": peak - before}


if __name__ == "__main__":
    print(json.dumps(measured(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))))
