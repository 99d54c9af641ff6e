"""A branch has one secretary: what a table says of another is an error in its cell (F027, F030)."""

from __future__ import annotations

from datetime import date

import sqlalchemy as sa

from models import Person, Post, Role
from services.membership import people
from services.tables.imports_kinds import Ground
from services.tables.sheets import Row


class Secretaries:
    """Who leads which branch, as it is and by the rows above; a few hundred of them at most."""

    def __init__(self, ground: Ground, today: date) -> None:
        lasts = sa.or_(Post.until_on.is_(None), Post.until_on > today)
        question = sa.select(Post.id, Post.branch_id, Post.person_id, Person.name, Post.since_on)
        question = question.join(Person, Person.id == Post.person_id).where(Post.role == Role.SECRETARY, lasts)
        posts = ground.ask(question)
        self._held = {post.branch_id: post for post in posts}
        # As long as nobody has put an old roll right, a branch may have two.
        self._leads = {(post.branch_id, post.person_id) for post in posts}
        #: Branch → who was the first to be its secretary in this table, and in which row.
        self._above: dict[int, tuple[int, int]] = {}

    def compare(self, row: Row, branch: str, branch_id: int, person_id: int | None, who: int) -> None:
        """Note a problem unless somebody, known by number or by `who`, may be the secretary of a branch."""
        if (branch_id, person_id) in self._leads:
            return
        held = self._held.get(branch_id)
        if held is not None:
            row.wrong("职务", f"{branch}的{people.incumbent(held.name, held.since_on)}")
            return
        first, above = self._above.setdefault(branch_id, (who, row.number))
        if first != who:
            row.wrong("职务", f"与第 {above} 行同为{branch}的书记；一个支部只有一位书记。")
