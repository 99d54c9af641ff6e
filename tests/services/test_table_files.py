"""What people send as a table is read by its bytes, bounded, and told in words; nothing of it is ruined (pitfall 25)."""

import csv
import io
import struct
import zipfile
from datetime import date

import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st

from errors import Misunderstood
from services.tables import csv_files, sheets, table_files, workbooks, xlsx_files
from services.tables.sheets import Table

HEAD = ("姓名", "号", "日")


def book(fill, *more, **options):
    """A workbook as a spreadsheet would write it; each function fills one sheet."""
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, options) as made:
        for number, each in enumerate((fill, *more), 1):
            sheet = made.add_worksheet(f"表{number}")
            each(sheet, made)
    return out.getvalue()


def rows(raw, columns=HEAD, optional=(), sheet=""):
    return list(sheets.read(table_files.opened(raw, sheet), columns, optional).rows())


def cells(raw, **more):
    return [list(row.cells.values()) for row in rows(raw, **more)]


def problems(raw):
    return [str(problem) for row in rows(raw) for problem in row.problems]


def heading(sheet, _book, row=0):
    sheet.write_row(row, 0, HEAD)


def test_numbers_and_dates_of_a_workbook_become_the_text_that_is_seen():
    def fill(sheet, made):
        heading(sheet, made)
        sheet.write_row(1, 0, ["0012", 13800138000])
        sheet.write_datetime(1, 2, date(2020, 1, 31), made.add_format({"num_format": "yyyy/m/d"}))
        sheet.write_row(2, 0, ["x", 1.5, True])
        sheet.write_formula(3, 0, '="甲"&"乙"', None, "甲乙")
        sheet.write_row(3, 1, [13800138000.0])

    assert cells(book(fill)) == [
        ["0012", "13800138000", "2020-01-31"],
        ["x", "1.5", "是"],
        ["甲乙", "13800138000", ""],
    ]


def test_eighteen_digits_kept_as_a_number_are_told_as_lost():
    def fill(sheet, made):
        heading(sheet, made)
        sheet.write_row(1, 0, ["张三", 410101199001011234])

    assert sheets.SCIENTIFIC.fullmatch(cells(book(fill))[0][1])


def test_the_heading_may_stand_lower_and_further_right_and_places_are_the_spreadsheets():
    def fill(sheet, made):
        sheet.merge_range("B1:D1", "某某名册", made.add_format())
        sheet.write_row(2, 1, HEAD)
        sheet.write_row(3, 1, ["张三", "1", "2"])

    (row,) = rows(book(fill))
    row.wrong("号", "不对。")
    assert list(row.cells.values()) == ["张三", "1", "2"]
    assert str(row.problems[0]) == "C4“号”：不对。"


def test_what_a_workbook_hides_is_told():
    def fill(sheet, made):
        heading(sheet, made)
        sheet.write_row(1, 0, ["张三", "1"])
        sheet.set_row(1, None, None, {"hidden": True})
        sheet.merge_range("A3:A4", "李四", made.add_format())
        sheet.write(2, 1, "2")
        sheet.write(3, 1, "3")
        sheet.write_formula("B5", "=NA()", None, "#N/A")
        sheet.write("A5", "王五")

    raw = book(fill)
    assert table_files.opened(raw).remarks == ("有 1 行是隐藏的（第 2 行），也算在内。",)
    assert problems(raw) == [
        "A3“姓名”：A3:A4 是合并单元格，只有左上角一格有内容：请取消合并，把每一格填上。",
        "B5“号”：公式出错了（如 #N/A、#REF!），请改成文字。",
    ]


def test_a_formula_without_a_result_is_told():
    def fill(sheet, made):
        heading(sheet, made)
        sheet.write_row(1, 0, ["张三", "1"])
        sheet.write(1, 2, "等着")

    raw = rewritten(
        book(fill, in_memory=True),
        "xl/worksheets/sheet1.xml",
        b'<c r="C2" t="s"><v>5</v></c>',
        b'<c r="C2"><f>A1</f></c>',
    )
    assert problems(raw) == ["C2“日”：公式还没有算出结果：请在 Excel 里打开、保存一次，或改成文字。"]


def rewritten(raw, name, old, new):
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(raw)) as read, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as write:
        for info in read.infolist():
            content = read.read(info)
            if info.filename == name:
                assert old in content
                content = content.replace(old, new)
            write.writestr(info.filename, content)
    return out.getvalue()


def test_of_several_sheets_the_first_that_is_not_empty_is_read_and_any_can_be_chosen():
    def one(sheet, made):
        heading(sheet, made)
        sheet.write(1, 0, "在二")

    def three(sheet, made):
        heading(sheet, made)
        sheet.write(1, 0, "在三")

    raw = book(lambda *_: None, one, three)
    assert cells(raw)[0][0] == "在二"
    assert table_files.opened(raw).remarks == ("工作簿有 3 张表，读的是“表2”。",)
    assert cells(raw, sheet="表3")[0][0] == "在三"
    with pytest.raises(Misunderstood, match="没有“表9”这张表；有：表1、表2、表3"):
        table_files.opened(raw, "表9")


def test_blank_lines_between_are_one_problem_and_at_the_end_none():
    text = "姓名,号,日\n甲,,\n,,\n\n ,,\n乙,,\n,,\n\n"
    assert problems(text.encode()) == ["第 3 行：到第 5 行都是空行，请删去。"]


def test_an_example_and_the_mark_of_an_export_are_nobody():
    assert cells("姓名,号,日\n# 例：张三,1,2\n甲,1,2\n# 某人导出\n".encode()) == [["甲", "1", "2"]]


def test_a_million_empty_rows_are_passed_over():
    def fill(sheet, made):
        heading(sheet, made)
        sheet.write_row(1, 0, ["甲", "1", "2"])

    styled = b"".join(b'<row r="%d"><c r="A%d" s="0"/></row>' % (n, n) for n in range(3, 300_000))
    raw = rewritten(book(fill), "xl/worksheets/sheet1.xml", b"</sheetData>", styled + b"</sheetData>")
    assert cells(raw) == [["甲", "1", "2"]]


@pytest.mark.parametrize("place", ["A1048576", "XFD2"])
def test_a_cell_at_the_end_of_the_world_is_named_and_not_reached_for(place):
    def fill(sheet, made):
        heading(sheet, made)
        sheet.write(place, "x")

    with pytest.raises(Misunderstood, match=f"{place} 还有内容"):
        table_files.opened(book(fill))


def test_what_unpacks_to_gigabytes_is_refused_whatever_its_headers_say():
    def fill(sheet, made):
        heading(sheet, made)

    raw = rewritten(
        book(fill), "xl/styles.xml", b"<styleSheet", b" " * (xlsx_files.MAX_UNPACKED + 1) + b"<styleSheet"
    )
    assert len(raw) < 1_000_000
    with pytest.raises(Misunderstood, match="解开后超过 256 MB"):
        table_files.opened(raw)
    # The same with a directory that tells of a few bytes only.
    lying = bytearray(raw)
    with zipfile.ZipFile(io.BytesIO(raw)) as packed:
        size = packed.getinfo("xl/styles.xml").file_size
    lying = bytes(lying).replace(struct.pack("<I", size), struct.pack("<I", 100))
    with pytest.raises(Misunderstood):
        table_files.opened(lying)


def test_entities_are_not_expanded():
    def fill(sheet, made):
        heading(sheet, made)

    bomb = b'<!DOCTYPE w [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>'
    for part, before in (("xl/workbook.xml", b"<workbook"), ("xl/worksheets/sheet1.xml", b"<worksheet")):
        with pytest.raises(Misunderstood, match="损坏"):
            table_files.opened(rewritten(book(fill), part, before, bomb + before))


@pytest.mark.parametrize(("raw", "says"), [
    (b"", "空的"),
    (b"\xd0\xcf\x11\xe0" + b"\0" * 600, r"旧格式的 \.xls"),
    (b"\xd0\xcf\x11\xe0" + b"\0" * 600 + "EncryptedPackage".encode("utf-16-le"), "打开密码"),
    (b"PK\x03\x04 not a package", "损坏"),
    (b"%PDF-1.7\n\0\0", "不是表格文件"),
    (b"\xff\xd8\xff\xe0\0\x10JFIF", "不是表格文件"),
    (b"  <html><table><tr><td>1", "网页"),
    ("姓名,号,日\n".encode("utf-16"), "UTF-16"),
    (b"\xff\xff\xff,", "编码"),
    (b"x" * (table_files.MAX_BYTES + 1), "超过 32 MB"),
])  # fmt: skip
def test_what_is_no_table_is_told_in_one_sentence(raw, says):
    with pytest.raises(Misunderstood, match=says) as told:
        table_files.opened(raw)
    assert str(told.value).count("。") == 1


def test_a_package_that_is_no_workbook_is_told():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        packed.writestr("word/document.xml", "<w/>")
    with pytest.raises(Misunderstood, match=r"不是 .xlsx 工作簿"):
        table_files.opened(out.getvalue())


def test_every_damage_of_a_workbook_ends_in_words():
    """Cut anywhere, or with any byte turned over, it is read or told; it never breaks."""

    def fill(sheet, made):
        heading(sheet, made)
        sheet.write_row(1, 0, ["甲", "1", "2"])

    raw = book(fill)
    damaged = [raw[:length] for length in range(4, len(raw), 97)]
    damaged += [raw[:n] + bytes([raw[n] ^ 0xFF]) + raw[n + 1 :] for n in range(4, len(raw), 61)]
    for each in damaged:
        try:
            rows(each)
        except Misunderstood as told:
            assert str(told)


@pytest.mark.parametrize("separator", [",", "\t", ";"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030"])
def test_plain_text_comes_in_whatever_separates_and_encodes_it(separator, encoding):
    text = separator.join(HEAD) + "\n" + separator.join(("阿卜杜拉·买买提", "0012", "")) + "\n"
    assert cells(text.encode(encoding)) == [["阿卜杜拉·买买提", "0012", ""]]


#: Any text that a cell can hold: XML knows no control characters, and a carriage return is a line feed there.
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=30)
NASTY = st.sampled_from(["=1+1", "'=1", "''", "'", "+86", "-1", "@x", "#x", "\t1", "0012", "12\t", "12\t\t", "1.38E+10",
                         " 前后 ", "a\nb", "_x0041_", "䶮𬀩", '"', ",", "410101199001011234"])  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.one_of(TEXTS, NASTY), st.one_of(TEXTS, NASTY)), min_size=1, max_size=8))
def test_any_text_that_is_written_comes_back_as_it_was(pairs):
    """Through CSV and through a workbook, the guard against formulas included."""
    table = Table(("甲", "乙"), [("", ""), *pairs], frozenset({"乙"}))
    plain, _ = csv_files.write(table, "某人")
    packed = workbooks.write([workbooks.table("表", table.columns, (9, 9), table.rows)], "某人")
    for raw in (plain, packed):
        *lines, mark = list(table_files.opened(raw).lines())[2:]
        assert [tuple(map(sheets.plain, (*line.cells, "", "")[:2])) for line in lines] == pairs
        assert mark.cells[0].startswith("# 某人；共")


@given(st.one_of(TEXTS, NASTY))
def test_no_spreadsheet_runs_what_is_written(text):
    raw, _ = csv_files.write(Table(("甲",), [(text,)]), "")
    cell = next(row for number, row in enumerate(csv.reader(io.StringIO(raw.decode("utf-8-sig")))) if number == 1)
    assert not "".join(cell).startswith(sheets.FORMULA)


def test_a_csv_has_one_table_and_its_quotes_come_in_pairs():
    with pytest.raises(Misunderstood, match="CSV 文件里只有一张表，没有“二月”"):
        table_files.opened("姓名,手机号\n甲,1\n".encode(), "二月")
    with pytest.raises(Misunderstood, match="引号没有配对"):
        list(table_files.opened('姓名,手机号\n"甲,1\n'.encode()).lines())
