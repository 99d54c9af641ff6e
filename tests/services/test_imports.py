"""Tables come in whole or not at all, errors are said by row and column, the same table twice is an update (F030)."""

from datetime import date

import pytest
import sqlalchemy as sa

import schema
from clock import parse_instant
from errors import Misunderstood
from models import (
    Affiliation,
    AuditEntry,
    Branch,
    BranchKind,
    County,
    Database,
    Person,
    Post,
    PublicityRow,
    Role,
    SpecialDay,
    Station,
    Vault,
)
from services.tables import imports, table_files
from services.tables.imports import Kind
from services.tables.imports_kinds import Fate

AT = parse_instant("2026-11-27T09:00")
HEAD = "姓名,手机号,支部,职务,加入日期\n"
ONE = HEAD + "张三,19900001111,甲支部,支部书记,2020-01-31\n"


@pytest.fixture
def database(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'bot.db'}", Vault("a secret of forty characters or even more"))
    schema.upgrade(database)
    with database.transaction() as session:
        county = County(name="金水区")
        session.add(county)
        session.flush()
        session.add(Branch(name="甲支部", kind=BranchKind.FIRM, county_id=county.id))
        second = Branch(name="乙支部", kind=BranchKind.STATION, county_id=county.id)
        session.add(second)
        session.flush()
        session.add(
            Station(
                name="乙站", county_id=county.id, branch_id=second.id, address="某处", latitude=34.7, longitude=113.6
            )
        )
    yield database
    database.close()


def bring_in(database, text, kind=Kind.PEOPLE, encoding="utf-8"):
    """Check a table, and apply it if nothing is wrong."""
    task = imports.Task(kind, table_files.opened(text if isinstance(text, bytes) else text.encode(encoding)), AT)
    with imports.Prepared() as prepared:
        with database.reading() as session:
            found = imports.check(session, task, prepared)
        if not found.problem_count:
            with database.transaction() as session:
                imports.apply(session, task, prepared, "表.csv")
    return found


def said(plan):
    return [str(problem) for problem in plan.problems]


def count(database, table):
    with database.reading() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(table))


def only(database, table):
    with database.reading() as session:
        return session.scalars(sa.select(table)).one()


def test_a_person_comes_in_with_branch_and_post(database):
    assert bring_in(database, ONE).fates == {Fate.NEW: 1}
    person = only(database, Person)
    assert (person.name, person.phone) == ("张三", "19900001111")
    assert only(database, Affiliation).since_on == date(2020, 1, 31)
    assert only(database, Post).role is Role.SECRETARY


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030"])
def test_every_encoding_that_excel_writes_is_read(database, encoding):
    bring_in(database, ONE, encoding=encoding)
    assert only(database, Person).name == "张三"


def test_the_same_table_again_changes_nothing(database):
    bring_in(database, ONE)
    assert bring_in(database, ONE).fates == {Fate.UNCHANGED: 1}
    assert [count(database, table) for table in (Person, Affiliation, Post)] == [1, 1, 1]


def test_a_changed_date_is_an_update(database):
    bring_in(database, ONE)
    assert bring_in(database, ONE.replace("2020-01-31", "2021/2/3")).fates == {Fate.CHANGED: 1}
    assert only(database, Affiliation).since_on == date(2021, 2, 3)


def test_another_branch_is_a_further_one_and_the_person_stays_one(database):
    bring_in(database, ONE)
    bring_in(database, HEAD + "张三,19900001111,乙支部,,2022年3月4日\n")
    assert count(database, Person) == 1
    with database.reading() as session:
        rows = session.scalars(sa.select(Affiliation).order_by(Affiliation.id)).all()
    assert [row.is_main for row in rows] == [True, False]


def test_two_branches_in_one_new_table_are_one_person(database):
    bring_in(database, ONE + "张三,19900001111,乙支部,值班律师,2022-01-01\n")
    assert (count(database, Person), count(database, Affiliation)) == (1, 2)
    with database.reading() as session:
        lawyer = session.scalars(sa.select(Post).where(Post.role == Role.LAWYER)).one()
    assert lawyer.station_id == only(database, Station).id


RUINED = HEAD + (
    "李四,1.38E+10,甲支部,,2020-01-01\n"
    "李四,013812345678,甲支部,,2020-01-01\n"
    "\n"
    "李四,1381234567,甲支部,,2020-01-01\n"
    "李四,13812345678,丙支部,,2020-01-01\n"
    "李四,13812345678.5,甲支部,,2020-01-01\n"
    "李4,13812345678,甲支部,,2020-13-01\n"
    ",13812345678,甲支部,市法学会办公室,43831\n"
    "李四,138****5678,甲支部,值班律师,2999-01-01\n"
    ",,,,\n"
)


def test_every_ruined_cell_is_named_by_row_and_column_and_nothing_is_written(database):
    plan = bring_in(database, RUINED)
    roles = f"可填：{Role.SECRETARY.label}、{Role.LAWYER.label}，或留空。"
    assert said(plan) == [
        "B2“手机号”：“1.38E+10”是科学计数法，原来的号码已经丢失：请把这一列设为文本，再填一次。",
        "B3“手机号”：“013812345678”前面多了 0，手机号以 1 开头。",
        "第 4 行：是空行，请删去。",
        "B5“手机号”：应为 11 位数字，现在 10 位。",
        "C6“支部”：没有“丙支部”这个支部，请照支部的全名填写。",
        "B7“手机号”：“13812345678.5”带小数点：请把这一列设为文本。",
        "A8“姓名”：“李4”里有数字。",
        "E8“加入日期”：“2020-13-01”没有这一天。",
        "A9“姓名”：是空的。",
        "E9“加入日期”：“43831”不是日期，像是表格的日期序号，请把这一列设为文本，应写成 2020-01-31。",
        f"D9“职务”：“市法学会办公室”不能从表格登记；{roles}",
        "B10“手机号”：中间几位被隐去了，不能导入；请用未隐去的表。",
        "E10“加入日期”：“2999-01-01”早于 1921-07-01 或晚于今天。",
        "D10“职务”：这个支部没有服务站，不能登记值班律师。",
    ]
    assert count(database, Person) == 0


def test_one_bad_row_keeps_the_good_ones_out_too(database):
    assert said(bring_in(database, ONE + "李四,123,甲支部,,2020-01-01\n"))
    assert count(database, Person) == 0


def test_a_plan_with_problems_cannot_be_applied(database):
    task = imports.Task(Kind.PEOPLE, table_files.opened((ONE + RUINED.removeprefix(HEAD)).encode()), AT)
    with imports.Prepared() as prepared, database.transaction() as session:
        imports.check(session, task, prepared)
        with pytest.raises(Misunderstood, match="有 14 处错误，什么也没有写入"):
            imports.apply(session, task, prepared, "表.csv")
    assert count(database, Person) == 0


def test_the_same_person_twice_in_a_branch_is_an_error(database):
    assert said(bring_in(database, ONE + ONE.split("\n")[1] + "\n")) == ["第 3 行：与第 2 行重复。"]


def test_one_phone_of_two_people_is_an_error_within_the_table_and_against_what_is_there(database):
    other = "李四,19900001111,乙支部,,2020-01-01\n"
    assert said(bring_in(database, ONE + other)) == ["B3“手机号”：与第 2 行相同，但姓名不同。"]
    bring_in(database, ONE)
    assert "另一个姓名" in said(bring_in(database, HEAD + other))[0]


def test_names_with_rare_letters_and_dots_come_in_whole(database):
    bring_in(database, HEAD + "阿卜杜拉·䶮𬀩,１９９００００１１１１,甲支部,,2020.1.1\n")
    person = only(database, Person)
    assert (person.name, person.phone) == ("阿卜杜拉·䶮𬀩", "19900001111")


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"PK\x03\x04 a workbook", "损坏"),
        (b"\xd0\xcf\x11\xe0 an old workbook", "Excel 工作簿"),
        (ONE.encode("utf-16"), "UTF-16"),
        (b"\xff\xff\xff", "编码"),
        (b"", "空的"),
        ("姓名,手机号\n".encode(), "表头缺少：支部、加入日期"),
        ("姓名,姓名,手机号,支部,加入日期\na\n".encode(), "表头重复：姓名"),
        (HEAD.encode(), "没有数据"),
        ((HEAD + '"张三').encode(), "不是合格的 CSV"),
    ],
)
def test_what_is_no_such_table_is_one_sentence(database, raw, says):
    with pytest.raises(Misunderstood, match=says):
        bring_in(database, raw)


def test_a_column_that_nobody_reads_is_remarked(database):
    plan = bring_in(database, ONE.replace("加入日期", "加入日期,备注", 1).replace("01-31", "01-31,好"))
    assert plan.remarks == ("多出的列没有用到：备注。",)


def test_a_row_with_more_cells_than_headings_is_an_error(database):
    assert said(bring_in(database, ONE.replace("01-31", "01-31,多"))) == ["第 2 行：有 6 格，比表头的 5 格多。"]


def test_the_import_is_in_the_audit(database):
    bring_in(database, ONE)
    entry = only(database, AuditEntry)
    assert (entry.act, entry.subject, entry.details) == ("import.people", "file:表.csv", "新增 1，变更 0，不变 0")


HOLIDAYS = "日期,类别,名称,来源\n2027-01-01,放假,元旦,国务院办公厅\n2027-01-03,调休,元旦,国务院办公厅\n"


def test_holidays_come_in_and_are_updated_by_date(database):
    assert bring_in(database, HOLIDAYS, Kind.HOLIDAYS).fates == {Fate.NEW: 2}
    plan = bring_in(database, HOLIDAYS.replace("元旦", "新年", 1), Kind.HOLIDAYS)
    assert plan.fates == {Fate.CHANGED: 1, Fate.UNCHANGED: 1}
    with database.reading() as session:
        rows = session.scalars(sa.select(SpecialDay).order_by(SpecialDay.day)).all()
    assert [(row.name, row.is_working) for row in rows] == [("新年", False), ("元旦", True)]


def test_a_weekday_cannot_be_a_worked_weekend(database):
    wrong = HOLIDAYS.replace("2027-01-03", "2027-01-04") + "2027-01-01,假日,元旦,国务院\n"
    assert said(bring_in(database, wrong, Kind.HOLIDAYS)) == [
        "B3“类别”：2027-01-04 不是周末，本来就上班，不是调休。",
        "B4“类别”：“假日”看不懂，应为“放假”或“调休”。",
        "A4“日期”：与第 2 行是同一天。",
    ]


LEDGER = "编号,年份,类别,数量,单位,来源\nA,2017,受教育,63130,人,报告\n"


def test_a_ledger_row_is_updated_by_its_key(database):
    bring_in(database, LEDGER, Kind.PUBLICITY)
    plan = bring_in(database, LEDGER.replace("63130", '"63,131余"'), Kind.PUBLICITY)
    assert plan.fates == {Fate.CHANGED: 1}
    row = only(database, PublicityRow)
    assert (row.amount, row.is_at_least) == (63131, True)


def test_people_are_not_entered_as_times(database):
    (problem,) = said(bring_in(database, LEDGER.replace("63130,人", "63130,人次"), Kind.PUBLICITY))
    assert problem == "E2“单位”：受教育的单位是“人”，不是“人次”；不同的单位不能混在一起。"


def test_brackets_of_either_width_mean_the_same_unit(database):
    assert said(bring_in(database, LEDGER.replace("受教育,63130,人", "法律咨询,2,人（次）"), Kind.PUBLICITY)) == []


def test_a_branch_keeps_its_one_secretary(database):
    bring_in(database, ONE)
    other = bring_in(database, HEAD + "李四,19900002222,甲支部,支部书记,2021-01-01\n")
    assert said(other) == ["D2“职务”：甲支部的现任书记是张三（2020-01-31 起），请先免职，再任命新的。"]
    assert bring_in(database, ONE).fates == {Fate.UNCHANGED: 1}
    assert count(database, Post) == 1


def test_a_table_does_not_make_two_secretaries_of_one_branch(database):
    text = ONE + "李四,19900002222,甲支部,支部书记,2021-01-01\n王五,19900003333,乙支部,支部书记,2021-01-01\n"
    assert said(bring_in(database, text)) == ["D3“职务”：与第 2 行同为甲支部的书记；一个支部只有一位书记。"]
    assert count(database, Person) == 0


def test_a_secretary_appointed_since_the_preview_is_asked_for_again(database):
    task = imports.Task(Kind.PEOPLE, table_files.opened(ONE.encode()), AT)
    with imports.Prepared() as prepared:
        with database.reading() as session:
            imports.check(session, task, prepared)
        bring_in(database, ONE.replace("张三,19900001111", "李四,19900002222"))
        with pytest.raises(imports.ChangedSince), database.transaction() as session:
            imports.apply(session, task, prepared, "表.csv")


def test_nobody_is_brought_into_a_dissolved_branch(database):
    with database.transaction() as session:
        session.execute(sa.update(Branch).where(Branch.name == "甲支部").values(dissolved_on=date(2026, 11, 23)))
    assert said(bring_in(database, ONE)) == ["C2“支部”：甲支部已在 2026-11-23 撤销，不再登记人员。"]
