"""The data keys under which everything encrypted stands, each wrapped by the installation's secret."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Labelled, text, word


class KeyUse(Labelled):
    TEXTS = "texts", "加密"
    INDEX = "index", "查找"


class DataKey(Base):
    """One data key. The newest of its use is the one in use; the others open what was sealed before."""

    __tablename__ = "data_keys"

    id: Mapped[int] = mapped_column(primary_key=True)
    use: Mapped[KeyUse] = mapped_column(word(KeyUse))
    # Hexadecimal: what stands before every text sealed with it. Unique, so that a text has one key.
    mark: Mapped[str] = mapped_column(text(8), unique=True)
    # Hexadecimal: wrapped by the secret (models/vault.py).
    wrapped: Mapped[str] = mapped_column(text(255))
    made_at: Mapped[datetime]
