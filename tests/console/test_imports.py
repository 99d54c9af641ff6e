"""A table at the desk: sent, looked through off the request, shown, written once, and its file erased (F030)."""

import io
import re
from datetime import timedelta

import pytest
import sqlalchemy as sa

from models import Affiliation, AuditEntry, Branch, Import, ImportPart, ImportState, Person
from services import scope
from services.tables import import_runs, sheets, table_files
from tests.console import brought
from tests.console.brought import FAULTY, HEAD, branch_in

HOME, ELSEWHERE = "金水区", "登封市"


def upload(visitor, text, name="名册.csv", kind="people", **more):
    page = visitor.open("/console/imports").get_data(as_text=True)
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)[1]
    raw = text if isinstance(text, bytes) else text.encode()
    data = {"csrf_token": token, "kind": kind, "file": (io.BytesIO(raw), name), **more}
    return visitor.client.post("/console/imports", data=data, content_type="multipart/form-data")


def text(answer):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.get_data(as_text=True)))


def work(office):
    return office.parts.importing().run()


def rows(office, table=Import):
    with office.database.reading() as session:
        return session.scalars(sa.select(table).order_by(sa.inspect(table).primary_key[0])).all()


def people(office, name="张三丰"):
    with office.database.reading() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(Person).where(Person.name == name))


@pytest.fixture
def one(office):
    return HEAD + f"张三丰,19911112222,{branch_in(office, HOME)},2020-01-31,\n"


def apply(visitor, answer):
    """Press “write it” on the page of a table."""
    page = visitor.open(answer.location).get_data(as_text=True)
    digest = re.search(r'name="digest" value="([^"]*)"', page)
    return visitor.send(f"{answer.location}/apply", on=answer.location, digest=digest[1] if digest else "")


def test_a_table_is_looked_through_shown_and_written_when_one_says_so(office, one):
    visitor = office.visitor("office")
    answer = upload(visitor, one)
    assert "正在检查" in text(visitor.open(answer.location))
    assert work(office) == 1
    page = text(visitor.open(answer.location))
    assert "写入：新增 1，变更 0" in page
    assert "支部：（空） → " in page
    assert "199****2222" in page
    assert people(office) == 0
    apply(visitor, answer)
    assert "正在写入" in text(visitor.open(answer.location))
    assert work(office) == 1
    assert people(office) == 1
    assert "已写入" in text(visitor.open(answer.location))
    (row,) = rows(office)
    assert (row.state, row.new, row.findings, row.open_key) == (ImportState.APPLIED, 1, None, None)
    assert rows(office, ImportPart) == []
    with office.database.reading() as session:
        acts = session.execute(
            sa.select(AuditEntry.act, AuditEntry.details).where(AuditEntry.act.startswith("import."))
        ).all()
    assert [(act, said) for act, said in acts] == [
        ("import.upload", "人员 名册.csv"), ("import.people", "新增 1，变更 0，不变 0"),
    ]  # fmt: skip


def test_a_faulty_table_is_told_cell_by_cell_and_cannot_be_written(office):
    visitor = office.visitor("office")
    answer = upload(visitor, HEAD + FAULTY.format(branch=branch_in(office, HOME)))
    work(office)
    page = text(visitor.open(answer.location))
    assert "有 6 处错误，什么也没有写入" in page
    for said in ("B3 手机号 “1.38E+10”是科学计数法", "D4 加入日期 “2020-13-01”没有这一天。", "第 5 行 整行 是空行，请删去。",
                 "C6 支部 没有“没有的支部”这个支部", "E6 职务 “理事长”不能从表格登记"):  # fmt: skip
        assert said in page, said
    assert "写入：" not in page
    # Who sends the form all the same is refused.
    (row,) = rows(office)
    visitor.send(f"{answer.location}/apply", on=answer.location, digest=row.digest)
    assert "还有 6 处错误" in text(visitor.open(answer.location))
    assert work(office) == 0
    assert people(office) == 0


def test_the_wrong_rows_are_handed_out_with_what_is_wrong_beside_them_and_come_back_mended(office):
    visitor = office.visitor("office")
    answer = upload(visitor, HEAD + FAULTY.format(branch=branch_in(office, HOME)))
    work(office)
    paper = visitor.send(f"{answer.location}/errors", on=answer.location)
    found = list(sheets.read(table_files.opened(paper.data), ("姓名", "哪里不对")).rows())
    assert [row.cells["姓名"] for row in found] == ["李四", "王五", "", "赵六"]
    assert "1.38E+10" in found[0].cells["哪里不对"]
    mended = upload(visitor, paper.data, "改好的.xlsx")
    work(office)
    assert "多出的列没有用到：哪里不对。" in text(visitor.open(mended.location))


@pytest.mark.parametrize(("raw", "says"), [
    (b"", "文件是空的。"),
    (b"\xd0\xcf\x11\xe0" + b"\0" * 600, "旧格式的 .xls"),
    (b"x" * (import_runs.MAX_BYTES + 1), "超过 16 MB"),
])  # fmt: skip
def test_what_is_no_table_is_told_at_the_field_at_once(office, raw, says):
    visitor = office.visitor("office")
    answer = upload(visitor, raw, sheet="表2")
    assert answer.status_code == 422
    page = answer.get_data(as_text=True)
    assert says in page
    assert 'value="表2"' in page
    assert '<option value="people" selected>' in page
    assert rows(office) == []


def test_a_form_without_a_file_or_a_kind_is_told(office, one):
    visitor = office.visitor("office")
    assert "请选要导入什么。" in text(upload(visitor, one, kind="everything"))
    assert "请选一个文件" in text(visitor.send("/console/imports", kind="people"))


def test_what_shows_itself_on_reading_only_is_told_on_its_page(office):
    visitor = office.visitor("office")
    answer = upload(visitor, "姓名,电话\n张三,1\n")
    work(office)
    assert "表头缺少：手机号、支部、加入日期" in text(visitor.open(answer.location))
    (row,) = rows(office)
    assert row.state is ImportState.FAILED
    assert rows(office, ImportPart) == []


def test_a_file_much_too_large_and_one_from_a_stranger_are_not_taken_in(office):
    huge = b"x" * (import_runs.MAX_BYTES + 200_000)
    assert upload(office.visitor("office"), huge).status_code == 413
    stranger = office.visitor().client
    data = {"kind": "people", "file": (io.BytesIO(huge), "名册.csv")}
    answer = stranger.post("/console/imports", data=data, content_type="multipart/form-data")
    assert answer.status_code in {400, 413}


def test_names_of_files_lose_their_folders_and_are_escaped(office, one):
    visitor = office.visitor("office")
    upload(visitor, one, "C:\\桌面\\<script>alert(1)</script>名册😀.csv")
    (row,) = rows(office)
    assert row.name == "script>名册😀.csv"
    assert "&gt;名册" in visitor.open("/console/imports").get_data(as_text=True)


# --- once, whoever presses how often -------------------------------------------------------------------------


def test_the_same_file_sent_twice_is_one_and_a_colleague_finds_it_too(office, one):
    visitor = office.visitor("office")
    first, second = upload(visitor, one), upload(visitor, one, "同一张.csv")
    assert first.location == second.location
    assert len(rows(office)) == len(rows(office, ImportPart)) == 1


def test_of_two_who_say_write_it_one_is_told_and_it_is_written_once(office, one):
    visitor = office.visitor("office")
    answer = upload(visitor, one)
    work(office)
    page = visitor.open(answer.location).get_data(as_text=True)
    digest = re.search(r'name="digest" value="([^"]*)"', page)[1]
    for _ in range(2):
        visitor.send(f"{answer.location}/apply", on=answer.location, digest=digest)
    assert "不用再点：这张表写入中" in text(visitor.open(answer.location))
    assert work(office) == 1
    assert work(office) == 0
    assert people(office) == 1


def test_what_was_changed_since_the_preview_is_shown_anew_and_not_written(office, one):
    visitor = office.visitor("office")
    answer = upload(visitor, one)
    work(office)
    other = upload(visitor, one.replace("2020-01-31", "2021-02-03"), "另一张.csv")
    work(office)
    apply(visitor, other)
    work(office)
    apply(visitor, answer)
    work(office)
    page = text(visitor.open(answer.location))
    assert "预览以后，名册又变了" in page
    assert "加入日期：2021-02-03 → 2020-01-31" in page
    with office.database.reading() as session:
        since = session.scalar(
            sa.select(Affiliation.since_on)
            .join(Person, Person.id == Affiliation.person_id)
            .where(Person.name == "张三丰")
        )
    assert str(since) == "2021-02-03"
    apply(visitor, answer)
    work(office)
    assert "已写入" in text(visitor.open(answer.location))


def test_a_page_that_is_older_than_the_preview_writes_nothing(office, one):
    visitor = office.visitor("office")
    answer = upload(visitor, one)
    work(office)
    visitor.send(f"{answer.location}/apply", on=answer.location, digest="0" * 64)
    assert "预览又变了" in text(visitor.open(answer.location))
    assert work(office) == 0


def test_whoever_dies_at_it_is_followed_by_another(office, one):
    visitor = office.visitor("office")
    answer = upload(visitor, one)
    with office.database.transaction() as session:
        assert import_runs.claim(session, office.clock.at) is not None
    assert work(office) == 0
    office.clock.at += import_runs.HELD
    assert work(office) == 1
    assert "写入：新增 1" in text(visitor.open(answer.location))


def test_what_cannot_be_finished_is_given_up_and_says_so(office, one, monkeypatch):
    visitor = office.visitor("office")
    answer = upload(visitor, one)
    monkeypatch.setattr("services.tables.imports.check", lambda *_: 1 / 0)
    for _ in range(import_runs.MAX_ATTEMPTS + 1):
        work(office)
        office.clock.at += import_runs.TRY_AGAIN
    assert "试了 3 次都没有做完" in text(visitor.open(answer.location))
    assert rows(office, ImportPart) == []


def test_a_post_that_ended_meanwhile_writes_nothing(office):
    number = brought.send(office, HEAD + f"张三丰,19911112222,{branch_in(office, HOME)},2020-01-31,\n")
    work(office)
    with office.database.transaction() as session:
        row = session.get_one(Import, number)
        session.execute(
            sa.text("UPDATE posts SET until_on = since_on WHERE person_id = :id"), {"id": row.by_person_id}
        )
        session.execute(
            sa.update(Import)
            .where(Import.id == number)
            .values(state=ImportState.APPLYING, applied_by=row.by_person_id)
        )
    work(office)
    (row,) = rows(office)
    assert (row.state, row.says) == (ImportState.FAILED, scope.OUTSIDE)
    assert people(office) == 0


def test_dropped_and_forgotten_files_are_erased_and_their_figures_stay(office, one):
    visitor = office.visitor("office")
    answer = upload(visitor, one)
    work(office)
    visitor.send(f"{answer.location}/drop", on=answer.location)
    assert rows(office, ImportPart) == []
    upload(visitor, one)
    work(office)
    assert len(rows(office, ImportPart)) == 1
    office.clock.at += import_runs.KEPT + timedelta(seconds=1)
    work(office)
    assert [row.state for row in rows(office)] == [ImportState.DROPPED, ImportState.EXPIRED]
    assert rows(office, ImportPart) == []
    assert rows(office)[1].new == 1
    assert rows(office)[1].findings is None


def test_files_lie_encrypted(office, one):
    upload(office.visitor("office"), one)
    with office.database.reading() as session:
        (stored,) = session.execute(sa.text("SELECT content FROM import_parts")).scalars()
    assert "张三丰".encode() not in bytes(stored)
    assert b"19911112222" not in bytes(stored)


# --- whose ---------------------------------------------------------------------------------------------------


def test_a_county_office_brings_in_its_own_county_only(office):
    visitor = office.visitor("county")
    own = HEAD + f"张三丰,19911112222,{branch_in(office, HOME)},2020-01-31,\n"
    answer = upload(visitor, own + f"李四光,19911113333,{branch_in(office, ELSEWHERE)},2020-01-31,\n")
    work(office)
    assert f"C3 支部 “{branch_in(office, ELSEWHERE)}”不在您的管理范围内。" in text(visitor.open(answer.location))
    answer = upload(visitor, own)
    work(office)
    apply(visitor, answer)
    work(office)
    assert people(office) == 1


@pytest.mark.parametrize(("kind", "table", "says"), [
    ("branches", "支部,类别,县（市）区\n{branch},律师事务所流动党支部,金水区\n", "A2 支部 已有同名的，不在您的管理范围内。"),
    ("branches", "支部,类别,县（市）区\n新支部,律师事务所流动党支部,登封市\n", "C2 县（市）区 不在您的管理范围内。"),
    ("branches", "支部,类别,县（市）区\n新支部,律师事务所流动党支部,市本级\n", "C2 县（市）区 不在您的管理范围内。"),
])  # fmt: skip
def test_another_countys_branches_are_not_theirs_to_change(office, kind, table, says):
    visitor = office.visitor("county")
    answer = upload(visitor, table.format(branch=branch_in(office, ELSEWHERE)), kind=kind)
    work(office)
    assert says in text(visitor.open(answer.location))


def test_holidays_are_the_citys(office):
    visitor = office.visitor("county")
    assert "节假日模板" not in text(visitor.open("/console/imports"))
    assert upload(visitor, "日期,类别,名称,来源\n2027-01-01,放假,元旦,国务院\n", kind="holidays").status_code == 404
    assert visitor.send("/console/imports/template", on="/console/imports", kind="holidays").status_code == 404


def test_a_branch_comes_in_and_its_kind_is_changed_by_its_name(office):
    visitor = office.visitor("office")
    for kind, word in (("律师事务所流动党支部", "新增"), ("团体会员流动党支部", "变更")):
        answer = upload(visitor, f"支部,类别,县（市）区\n金水区新的支部,{kind},金水区\n", kind="branches")
        work(office)
        assert word in text(visitor.open(answer.location))
        apply(visitor, answer)
        work(office)
    with office.database.reading() as session:
        branch = session.scalars(sa.select(Branch).where(Branch.name == "金水区新的支部")).one()
    assert branch.kind.label == "团体会员流动党支部"


@pytest.mark.parametrize("kind", ["people", "branches", "stations", "holidays", "publicity"])
def test_a_template_can_be_filled_in_as_it_stands(office, kind):
    """Its example is nobody; its headings are what is read."""
    visitor = office.visitor("office")
    paper = visitor.send("/console/imports/template", on="/console/imports", kind=kind)
    answer = upload(visitor, paper.data, "模板.xlsx", kind=kind)
    work(office)
    assert "表头下面没有数据。" in text(visitor.open(answer.location))
