"""Files as they come from offices, kept byte for byte in tests/golden, and exactly what is said of each (F030)."""

from pathlib import Path

import pytest

from errors import Misunderstood
from models import Affiliation
from services.tables.imports import Kind
from tests.services.test_imports import bring_in, count, database, said

__all__ = ["database"]
GOLDEN = Path(__file__).resolve().parent.parent / "golden"
SAID = {
    "branches.csv": [
        "B2“类别”：没有“流动党支部”；可填：行业研究会党支部、法律服务站流动党支部、律师事务所流动党支部、团体会员流动党支部。",
        "第 3 行：是空行，请删去。",
        "C4“县（市）区”：没有“金水”；可填：市本级、金水区。",
        "A6“支部”：与第 5 行相同。",
    ],
    "people-gbk.csv": [
        "B2“手机号”：“013812345678”前面多了 0，手机号以 1 开头。",
        "B3“手机号”：“1.38E+10”是科学计数法，原来的号码已经丢失：请把这一列设为文本，再填一次。",
        "第 4 行：是空行，请删去。",
        "B5“手机号”：应为 11 位数字，现在 18 位。",
        "B6“手机号”：“13812345678.5”带小数点：请把这一列设为文本。",
        "E6“加入日期”：“43861”不是日期，像是表格的日期序号，请把这一列设为文本，应写成 2020-01-31。",
        "第 7 行：是空行，请删去。",
        "E8“加入日期”：“2020-02-30”没有这一天。",
        "C9“支部”：没有“丙支部”这个支部，请照支部的全名填写。",
        "D9“职务”：“主任”不能从表格登记；可填：支部书记、值班律师，或留空。",
    ],
    "people.xlsx": [
        "E3“加入日期”：“43861”不是日期，像是表格的日期序号，请把这一列设为文本，应写成 2020-01-31。",
        "B4“手机号”：“4.101051990030789e+17”是科学计数法，原来的号码已经丢失：请把这一列设为文本，再填一次。",
        "第 5 行：是空行，请删去。",
        "C6“支部”：公式出错了（如 #N/A、#REF!），请改成文字。",
    ],
    "stations-gbk.csv": [
        "D2“开放时间”：“每天”看不懂，应写成 周一至周五 9:00–12:00 14:00–17:30。",
        "F2“经度”：34.7579 不在 73 到 136 之间；经度和纬度是不是填反了？",
        "G2“纬度”：113.6654 不在 18 到 54 之间；经度和纬度是不是填反了？",
        "G3“纬度”：是空的。",
        "H3“支部”：没有“丙支部”这个支部，请照支部的全名填写。",
        "C4“地址”：是空的。",
        "B4“县（市）区”：没有“银水区”；可填：金水区。",
        "A4“服务站”：与第 3 行相同。",
    ],
}


@pytest.mark.parametrize("name", sorted(SAID))
def test_every_wrong_cell_of_a_kept_file_is_named_and_nothing_is_written(database, name):
    found = bring_in(database, (GOLDEN / name).read_bytes(), Kind(name.partition("-")[0].partition(".")[0]))
    assert said(found) == SAID[name]
    assert count(database, Affiliation) == 0


def test_a_heading_that_stands_twice_is_refused_as_a_whole(database):
    with pytest.raises(Misunderstood, match=r"^表头重复：手机号。$"):
        bring_in(database, (GOLDEN / "people-twice.csv").read_bytes())


def test_every_kept_file_is_tried():
    assert {path.name for path in GOLDEN.iterdir()} == {*SAID, "people-twice.csv"}
