"""audience: the same expressions as in the chat, from the command line (F102, F103)."""

from __future__ import annotations

import re

import pytest
import sqlalchemy as sa

from models import AuditEntry, SavedAudience


@pytest.fixture(autouse=True)
def _here(database, on_database):
    on_database(database.url.database)


def figures(text):
    return [int(number) for number in re.findall(r"(\d+)", text)]


def test_count_says_how_many_and_by_which_way(typed):
    said = typed("audience", "count", "县:金水区", "且", "非", "职务:书记")
    assert (said.code, said.err) == (0, "")
    head, *buckets = said.out.splitlines()
    people, reachable = figures(head)
    assert 0 < reachable < people == sum(figures(line)[-1] for line in buckets)
    assert any("未绑定微信" in line for line in buckets)


def test_one_argument_or_many_mean_the_same(typed):
    assert (
        typed("audience", "count", "县:金水区 且 职务:书记").out
        == typed("audience", "count", "县:金水区", "且", "职务:书记").out
    )


def test_a_county_bounds_the_count(typed):
    whole = figures(typed("audience", "count", "县:金水区").out.splitlines()[0])
    assert figures(typed("audience", "count", "全体", "--county", "金水区").out.splitlines()[0]) == whole
    wrong = typed("audience", "count", "全体", "--county", "火星")
    assert wrong.code == 1
    assert "没有“火星”这个县（市）区" in wrong.err


def test_sample_shows_some_names(typed):
    said = typed("audience", "sample", "职务:书记", "--limit", "3").out
    assert re.fullmatch(r"共 \d+ 人，例如：[^、]+、[^、]+、[^、]+\n", said)


def test_citizens_have_no_names(typed):
    assert re.fullmatch(r"共 \d+ 人\n", typed("audience", "sample", "群众").out)


def test_nobody_is_nobody(typed):
    assert typed("audience", "count", "全体 且 非 全体").out == "共 0 人，可达 0 人。\n"


def test_a_list_is_kept_traced_and_used_again(typed, database):
    assert typed("audience", "list").out == "还没有存过名单。\n"
    kept = typed("audience", "save", "书记们", "职务:书记")
    many = figures(kept.out)[-1]
    assert kept.out == f"已保存名单“书记们”：职务:书记，现在 {many} 人。\n"
    assert typed("audience", "count", "名单:书记们").out.startswith(f"共 {many} 人")
    assert typed("audience", "list").out.splitlines()[1].split() == ["书记们", "职务:书记", str(many)]
    with database.reading() as session:
        assert session.get_one(SavedAudience, "书记们").saved_by is None
        entry = session.scalars(sa.select(AuditEntry).where(AuditEntry.act == "audience.save")).one()
        assert (entry.person_id, entry.details) == (None, "职务:书记；命令行")


def test_a_list_that_leads_to_itself_is_not_kept(typed, database):
    typed("audience", "save", "甲", "全体")
    said = typed("audience", "save", "甲", "名单:甲")
    assert (said.code, said.err) == (1, "错误：名单“甲”绕了一圈又引用到自己，请改写其中一个。\n")
    with database.reading() as session:
        assert session.get_one(SavedAudience, "甲").expression == "全体"


def test_what_cannot_be_read_is_one_sentence_on_stderr(typed):
    said = typed("audience", "count", "县:火星区")
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("错误：没有“火星区”这个县（市）区。")
    assert said.err.count("\n") == 1


@pytest.mark.parametrize("words", [("count",), ("save", "甲"), ("sample", "全体", "--limit", "0"), ("weigh", "全体")])
def test_wrong_use_is_2(typed, words):
    assert typed("audience", *words).code == 2
