"""stats, import, export, as an operator types them."""

import csv
import errno
import io
from datetime import date
from pathlib import Path

import pytest
import sqlalchemy as sa

import demo
from clock import parse_instant
from models import Affiliation, AuditEntry, Branch, BranchKind, Person, PublicityRow
from services.organisation import lifecycle
from services.tables import spool, table_files

LEDGER = Path(demo.__file__).with_name("publicity_2017.csv")


@pytest.fixture(autouse=True)
def _here(database, on_database):
    on_database(database.url.database)


def test_branches_are_674_by_kind_and_by_county(typed):
    said = typed("stats", "branches")
    assert said.code == 0
    first, *rest = said.out.splitlines()
    assert first == "12 + 150 + 377 + 135 = 674"
    assert rest[-1].split() == ["合计", "12", "150", "377", "135", "674"]
    assert len([line for line in rest if line.startswith(("市本级", "金水区", "巩义市"))]) == 3


def test_branches_of_a_day_before_one_was_dissolved_are_all_there(typed, database):
    with database.transaction() as session:
        branch = session.scalars(sa.select(Branch).where(Branch.kind == BranchKind.FIRM).limit(1)).one()
        lifecycle.end(session, branch, None, "律所注销", parse_instant("2026-03-02T10:00"), by=1)
    assert typed("stats", "branches").out.splitlines()[0] == "12 + 150 + 376 + 135 = 673"
    said = typed("stats", "branches", "--on", "2025-12-31")
    assert said.out.splitlines()[0] == "12 + 150 + 377 + 135 = 674"


def test_somebody_in_two_branches_changes_the_number_of_people_by_one(typed, database):
    def counts() -> list[int]:
        return [int(line.split()[-1]) for line in typed("stats", "people").out.splitlines()]

    before = counts()
    assert sum(before[:4]) == before[4]
    assert before[4] + before[5] == before[6], "the line of those counted twice makes it foot"
    with database.transaction() as session:
        firm, other = session.scalars(sa.select(Branch.id).where(Branch.kind == BranchKind.FIRM).limit(2)).all()
        person = Person(name="两头在")
        session.add(person)
        session.flush()
        for branch_id, is_main in ((firm, True), (other, False)):
            session.add(
                Affiliation(person_id=person.id, branch_id=branch_id, is_main=is_main, since_on=date(2026, 1, 1))
            )
    after = counts()
    assert (after[4] - before[4], after[5] - before[5], after[6] - before[6]) == (2, -1, 1)


def test_coverage_foots_and_names_the_gaps(typed):
    _head, *rows, total = [line.split() for line in typed("stats", "coverage").out.splitlines()]
    assert len(rows) == 12
    for column in range(1, 5):
        assert sum(int(row[column]) for row in rows) == int(total[column])
    assert int(total[2]) == int(total[3]) + int(total[4])
    assert 0 < int(total[4]) < int(total[3])
    assert typed("stats", "coverage", "--on", "2019-01-01").out.splitlines()[-1].split()[3] == "0"


def test_columns_stand_under_each_other_although_chinese_is_wide(typed):
    from commands.columns import width

    table = typed("stats", "branches").out.split("\n\n")[1].splitlines()
    assert len({width(line) for line in table}) == 1


def test_the_2017_ledger_prints_the_work_reports_figures(typed):
    assert typed("import", "publicity", LEDGER, "--apply").code == 0
    said = typed("stats", "publicity", "--year", "2017").out
    figures = [line.split("（")[0].split(maxsplit=1)[1] for line in said.splitlines()[1:-1]]
    assert figures == [
        "600余 场", "63130 人", "2001 条", "1455 块", "508530 份", "531 个", "24950 人(次)", "11096 人(次)",
        "379 次", "97 次", "362 次",
    ]  # fmt: skip


def test_a_figure_opens_to_the_rows_behind_it(typed):
    typed("import", "publicity", LEDGER, "--apply")
    assert (
        "2017-L22-02  未记日期  63130 人  工作报告 L22" in typed("stats", "publicity", "--year", "2017", "--rows").out
    )


def test_a_year_without_a_ledger_is_one_sentence_on_stderr(typed):
    said = typed("stats", "publicity", "--year", "2030")
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("错误：没有 2030 年的台账。")
    assert said.err.count("\n") == 1


def test_a_preview_writes_nothing(typed, database):
    said = typed("import", "publicity", LEDGER)
    assert "新增 11，变更 0，不变 0，有错 0 行" in said.out
    assert "加 --apply 写入" in said.out
    with database.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(PublicityRow)) == 0


def test_errors_are_listed_and_the_exit_code_is_1(typed, tmp_path):
    file = tmp_path / "错.csv"
    file.write_text("编号,年份,类别,数量,来源\nA,2017,条幅,1.2E+10,报告\n", "utf-8")
    said = typed("import", "publicity", file, "--apply")
    assert said.code == 1
    assert "D2“数量”：“1.2E+10”是科学计数法" in said.out
    assert "什么也没有写入" in said.err


def test_a_file_that_is_not_there_is_one_sentence(typed):
    said = typed("import", "people", "/nowhere/people.csv")
    assert said.code == 1
    assert said.err.startswith("错误：读不了 /nowhere/people.csv")


def test_a_wrong_kind_is_wrong_use(typed):
    assert typed("import", "cats", LEDGER).code == 2
    assert typed("export", "cats").code == 2
    assert typed("stats", "publicity").code == 2


def test_an_export_masks_phones_and_marks_itself(typed, tmp_path, database):
    out = tmp_path / "people.csv"
    assert typed("export", "people", "--out", out).code == 0
    text = out.read_bytes().decode("utf-8-sig")
    assert out.read_bytes().startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(text)))
    assert rows[0] == ["姓名", "手机号", "支部", "职务", "加入日期", "其他职务"]
    assert all("****" in row[1] for row in rows[1:-1] if row[1])
    assert "命令行用户" in rows[-1][0]
    assert out.stat().st_mode & 0o077 == 0
    with database.reading() as session:
        entry = session.scalars(sa.select(AuditEntry).where(AuditEntry.act == "export")).one()
        assert "手机号已隐去" in (entry.details or "")


def test_a_file_that_ends_in_xlsx_is_a_workbook_with_the_same_rows(typed, tmp_path):
    typed("export", "branches", "--out", tmp_path / "b.csv")
    assert typed("export", "branches", "--out", tmp_path / "B.XLSX").code == 0
    one, other = (list(table_files.opened((tmp_path / name).read_bytes()).lines()) for name in ("b.csv", "B.XLSX"))
    assert [line.cells[:4] for line in other[:-1]] == [line.cells[:4] for line in one[:-1]]
    assert "命令行用户" in other[-1].cells[0]


def test_whole_numbers_need_a_reason_which_the_audit_keeps(typed, tmp_path, database):
    out = tmp_path / "people.csv"
    refused = typed("export", "people", "--unmasked", "--out", out)
    assert refused.code == 1
    assert "--reason" in refused.err
    assert not out.exists()
    assert typed("export", "people", "--unmasked", "--reason", "换届通知", "--out", out).code == 0
    with database.reading() as session:
        entry = session.scalars(sa.select(AuditEntry).where(AuditEntry.act == "export.unmasked")).one()
        assert "换届通知" in (entry.details or "")


def test_what_was_exported_whole_comes_back_unchanged(typed, tmp_path):
    out = tmp_path / "people.csv"
    typed("export", "people", "--unmasked", "--reason", "核对", "--out", out)
    rows = len(out.read_text("utf-8-sig").splitlines()) - 2
    assert f"新增 0，变更 0，不变 {rows}，有错 0 行" in typed("import", "people", out).out


def test_an_export_without_a_file_is_printed(typed):
    said = typed("export", "holidays")
    assert said.code == 0
    assert said.out.startswith("\ufeff日期,类别,名称,来源")


def test_attendance_needs_its_days(typed):
    assert "--from" in typed("export", "attendance").err
    assert typed("export", "attendance", "--from", "2026-11-30", "--to", "2026-11-01").code == 1
    assert typed("export", "attendance", "--from", "gestern").code == 2


@pytest.mark.parametrize(
    "command",
    [
        "doctor",
        "stats",
        "import",
        "export",
        "backup",
        "restore",
        "sending",
        "privacy",
        "outbox",
        "audience",
        "templates",
    ],
)
def test_help_is_in_chinese_and_english(typed, command):
    said = typed(command, "--help")
    assert said.code == 0
    assert any("\u4e00" <= letter <= "\u9fff" for letter in said.out)
    assert any(word in said.out for word in (" the ", " a ", " an ", " one "))


def test_a_full_temporary_folder_is_said_and_nothing_is_written(typed, database, tmp_path, monkeypatch):
    def full(_spool, _thing):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(spool.Spool, "put", full)
    file = tmp_path / "people.csv"
    file.write_text("姓名,手机号,支部,加入日期,职务\n新人甲,19988880001,刑法学研究会党支部,2026-01-05,\n", "utf-8")
    said = typed("import", "people", file, "--apply")
    assert said.code == 1
    assert "写不下了（No space left on device），什么也没有写入" in said.err
    with database.reading() as session:
        assert session.scalar(sa.select(Person.id).where(Person.name == "新人甲")) is None
