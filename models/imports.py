"""Tables that somebody has sent to be brought in: what became of each, and the file itself until it is not needed."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, Encrypted, Labelled, text, word
from models.people import Person


class ImportKind(Labelled):
    """What stands in a table."""

    PEOPLE = "people", "人员"
    BRANCHES = "branches", "支部"
    STATIONS = "stations", "服务站"
    HOLIDAYS = "holidays", "节假日"
    PUBLICITY = "publicity", "宣传台账"


class ImportState(Labelled):
    """How far a table has come. What is looked through or written is somebody's work; see services/tables/import_runs.py."""

    UPLOADED = "uploaded", "检查中"
    CHECKED = "checked", "检查完"
    APPLYING = "applying", "写入中"
    APPLIED = "applied", "已写入"
    FAILED = "failed", "读不了"
    DROPPED = "dropped", "已放弃"
    EXPIRED = "expired", "过期作废"


class Import(Base):
    """One table, once sent. Its findings name people, and are erased with the file; the figures stay.

    `open_key` is what the file is while it is open: the same file sent twice at once is one row.
    """

    __tablename__ = "imports"
    __table_args__ = (sa.Index("ix_imports_state_held_until", "state", "held_until"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[ImportKind] = mapped_column(word(ImportKind))
    name: Mapped[str] = mapped_column(text(128))
    sheet: Mapped[str] = mapped_column(text(64))
    size: Mapped[int]
    open_key: Mapped[str | None] = mapped_column(text(128), unique=True)
    state: Mapped[ImportState] = mapped_column(word(ImportState))
    by_person_id: Mapped[int] = mapped_column(sa.ForeignKey("people.id"), index=True)
    # Of a county office, so that its people see each other's; the city's have none.
    county_id: Mapped[int | None] = mapped_column(sa.ForeignKey("counties.id"), index=True)
    uploaded_at: Mapped[datetime]
    # Who said “write it”; the same person as a rule.
    applied_by: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
    finished_at: Mapped[datetime | None]
    # Somebody works at it until then; whoever finds it later takes it over.
    held_until: Mapped[datetime | None]
    attempts: Mapped[int]
    done: Mapped[int]
    about: Mapped[int]
    new: Mapped[int]
    changed: Mapped[int]
    unchanged: Mapped[int]
    wrong: Mapped[int]
    problems: Mapped[int]
    # Stands for every single change that the preview promised.
    digest: Mapped[str] = mapped_column(text(64))
    says: Mapped[str] = mapped_column(text(255))
    findings: Mapped[str | None] = mapped_column(Encrypted)

    by: Mapped[Person] = relationship(lazy="raise", foreign_keys=[by_person_id])


class ImportPart(Base):
    """A piece of a file that waits to be written: small enough for every database's largest packet."""

    __tablename__ = "import_parts"

    import_id: Mapped[int] = mapped_column(sa.ForeignKey("imports.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    # Base64: what is encrypted here is text.
    content: Mapped[str] = mapped_column(Encrypted)
