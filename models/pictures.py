"""Pictures of stations and brands, kept drawn anew (services/organisation/pictures.py)."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Labelled, blob, text, word


class PictureOf(Labelled):
    """What a picture shows; with the owner's number it says where it belongs."""

    STATION = "station", "服务站"
    BRAND = "brand", "县（市）区品牌"


class Picture(Base):
    """One picture as it is served. `name` is random: knowing one says nothing about the next."""

    __tablename__ = "pictures"
    __table_args__ = (sa.Index("ix_pictures_owner", "owner_kind", "owner_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(text(32), unique=True)
    owner_kind: Mapped[PictureOf] = mapped_column(word(PictureOf))
    owner_id: Mapped[int]
    # What it shows, for those who cannot see it.
    alt: Mapped[str] = mapped_column(text(64))
    width: Mapped[int]
    height: Mapped[int]
    # JPEG without metadata.
    image: Mapped[bytes] = mapped_column(blob(), deferred=True)
    made_at: Mapped[datetime]
    made_by: Mapped[int | None] = mapped_column(sa.ForeignKey("people.id"))
