"""What somebody with bad intentions sends to the desk ends in a sentence, leaves no lie and costs no process."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path

import pytest
import sqlalchemy as sa
import xlsxwriter

from errors import Misunderstood
from models import AuditEntry, Branch, Post
from services import audit
from services.organisation import pictures
from services.tables import table_files
from tests.console.test_guard import rules

TOO_LARGE = 2**63
ODD = Path(__file__).parents[1] / "odd"


def workbook(cells: str) -> bytes:
    """A workbook whose cells are written by hand, as no spreadsheet would write them."""
    made, out = io.BytesIO(), io.BytesIO()
    with xlsxwriter.Workbook(made) as book:
        book.add_worksheet("表")
    with zipfile.ZipFile(made) as packed, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as again:
        for name in packed.namelist():
            part = packed.read(name).decode()
            again.writestr(name, part.replace("<sheetData/>", f"<sheetData>{cells}</sheetData>"))
    return out.getvalue()


def test_a_workbook_by_hand_is_read_like_any_other():
    lines = table_files.opened(workbook('<row r="1"><c r="A1"><v>1</v></c></row>')).lines()
    assert [line.cells for line in lines] == [["1"]]


@pytest.mark.parametrize(
    ("cells", "says"),
    [
        ('<row r="1"><c r="a1"><v>1</v></c><c r="xfd1048576"><v>2</v></c></row>', "损坏"),
        ('<row r="1"><c r="ZZZZZZZZZZ1"><v>1</v></c></row>', "损坏"),
        ('<row r="abc"><c r="A1"><v>1</v></c></row>', "损坏"),
        ('<row r="1"><c r="A1"><v>1</v></c></row><row r="200000"><c r="CV200000"><v>2</v></c></row>', "离得太远"),
    ],
)
def test_a_small_workbook_that_would_be_laid_out_over_billions_of_cells_is_refused_before(cells, says):
    with pytest.raises(Misunderstood, match=says):
        list(table_files.opened(workbook(cells)).lines())


@pytest.mark.parametrize("name", ["odd-tags-1.jpg", "odd-tags-2.jpg"])
def test_a_picture_with_tags_of_no_camera_is_taken_as_what_it_shows(name):
    raw, width, height = pictures.drawn((ODD / name).read_bytes())
    assert raw.startswith(b"\xff\xd8")
    assert min(width, height) > 0


def test_a_number_that_no_table_can_hold_is_no_page(office):
    visitor = office.visitor("office")
    for rule in rules(office, method="GET", with_parts=True):
        path = re.sub(r"<int:[a-z_]+>", str(TOO_LARGE), rule.rule)
        if path == rule.rule or "<" in path:
            continue
        assert visitor.open(path).status_code == 404, path


@pytest.mark.parametrize("said", ["²", str(TOO_LARGE), "9" * 40])
def test_a_person_for_an_account_is_looked_for_and_not_computed(office, said):
    answer = office.visitor("office").send("/console/accounts", person=said, name="somebody")
    assert answer.status_code < 500


@pytest.mark.parametrize("said", ["\u200b" * 6, "。。。。。", "\u202e\u200d    ", "a\x00b"])
def test_a_reason_that_says_nothing_is_none(said):
    with pytest.raises(Misunderstood):
        audit.reason(said, "原因", "核对名册")


@pytest.mark.parametrize("key", ["../x", "<script>alert(1)</script>"])
def test_an_export_of_a_page_that_is_not_the_list_is_none(office, key):
    assert office.visitor("county").open(f"/console/export/reached?key={key}").status_code == 404


def test_an_export_tells_only_what_the_page_has_read(office):
    visitor = office.visitor("office")
    answer = visitor.send("/console/export/people?县=金水区&q=张%00", reason="核对名册用", form="csv")
    assert answer.status_code == 200
    last = answer.get_data().decode("utf-8-sig").strip().splitlines()[-1]
    assert "金水区" not in last
    assert "q=张" in last
    assert "\x00" not in last


def test_nobody_exports_all_day(office):
    visitor = office.visitor("office")
    answers = [
        visitor.send("/console/export/stations", reason="核对名册用", form="csv").status_code for _try in range(21)
    ]
    assert set(answers[:20]) == {200}
    assert answers[20] == 429


def test_whoever_holds_an_open_session_cannot_try_passwords_with_it(office):
    visitor = office.visitor("secretary")
    said = [
        visitor.send("/console/login/password", old=f"guess-{n}-guess", new="a new password", again="a new password")
        for n in range(6)
    ]
    assert "锁定到" in said[4].get_data(as_text=True)
    assert "锁定到" in said[5].get_data(as_text=True)
    with office.database.reading() as session:
        wrong = sa.select(sa.func.count()).where(AuditEntry.act == "account.wrong")
        assert session.scalar(wrong) == 5


def test_the_same_form_sent_twice_makes_one_person(office):
    visitor = office.visitor("secretary")
    with office.database.reading() as session:
        branch = session.scalar(
            sa.select(Branch.name).join(Post, Post.branch_id == Branch.id).order_by(Post.id).limit(1)
        )
    form = {"name": "双击无号", "phone": "", "branch": branch, "since": "2026-11-01"}
    assert visitor.send("/console/people/new", **form).status_code == 302
    again = visitor.send("/console/people/new", **form)
    assert again.status_code == 422
    assert "可能刚才已经登记" in again.get_data(as_text=True)


def test_a_secretary_gets_no_link_to_a_branch_that_is_not_theirs(office):
    """People in two branches: the other branch is named, and cannot be clicked."""
    visitor = office.visitor("secretary")
    listed = re.findall(r'href="(/console/people/\d+)"', visitor.open("/console/people").get_data(as_text=True))
    for path in set(listed):
        page = visitor.open(path).get_data(as_text=True)
        for link in re.findall(r'href="(/console/branches/\d+)"', page):
            assert visitor.open(link).status_code == 200, (path, link)
