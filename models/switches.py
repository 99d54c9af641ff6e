"""What an operator has switched on or off, where every process sees it at once."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, text


class Switch(Base):
    """One switch. It stands in the database, so that it travels with a copy of it (F142)."""

    __tablename__ = "switches"

    name: Mapped[str] = mapped_column(text(32), primary_key=True)
    is_on: Mapped[bool]
    since: Mapped[datetime]
    note: Mapped[str] = mapped_column(text(128), default="")
