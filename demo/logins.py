"""Console accounts for a newcomer: one for each kind of desk, marked as the demonstration's.

They enter only while WeChat is the local one, and their second factor is shown to whoever has the password.
"""

from __future__ import annotations

from datetime import datetime

import pyotp
import sqlalchemy as sa
from sqlalchemy.orm import Session

from demo import cast
from models import Account, County, Database, Follower, Post, Role
from services.entry import passwords

#: No secret: it opens invented data on the machine of whoever runs the demonstration.
PASSWORD = "yan-shi-2026"  # noqa: S105
#: Login name → role, and who of the cast has it.
LOGINS = {
    "office": (Role.OFFICE, "ZhaoMin"),
    "county": (Role.COUNTY_OFFICE, None),
    "secretary": (Role.SECRETARY, "LiNa"),
    "lawyer": (Role.LAWYER, "ChenGang"),
    "auditor": (Role.AUDITOR, None),
}


def open_accounts(database: Database, *, at: datetime) -> list[str]:
    """Make the accounts that are not there yet; gives the login names of all that are."""
    with database.transaction() as session:
        known = set(session.scalars(sa.select(Account.name).where(Account.is_demo)))
        for name, (role, player) in LOGINS.items():
            person_id = None if name in known else _holder(session, role, player)
            if person_id is not None:
                session.add(
                    Account(
                        name=name, person_id=person_id, password=passwords.seal(PASSWORD), must_change=False,
                        totp_secret=pyotp.random_base32(), is_totp_confirmed=True, is_demo=True, made_at=at,
                    )
                )  # fmt: skip
                known.add(name)
    return [name for name in LOGINS if name in known]


def _holder(session: Session, role: Role, player: str | None) -> int | None:
    """Who of the cast has the role; of the county offices the one of the cast's own county."""
    question = sa.select(Post.person_id).where(Post.role == role, Post.until_on.is_(None)).order_by(Post.id)
    if player is not None:
        question = question.join(Follower, Follower.person_id == Post.person_id).where(
            Follower.openid == cast.openid_of(player)
        )
    elif role is Role.COUNTY_OFFICE:
        question = question.join(County, County.id == Post.county_id).where(County.name == cast.HOME)
    taken = sa.select(Account.person_id)
    return session.scalar(question.where(Post.person_id.not_in(taken)).limit(1))
