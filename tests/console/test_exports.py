"""Every list can be handed out: exactly its rows, masked, marked, noted with the reason (F137)."""

import re
from datetime import date

import pytest
import sqlalchemy as sa

from admin import listings
from models import AuditEntry, BindingClaim, Change, ChangeKind, Doubt, Post, Role
from services.tables import table_files
from tests.console import addresses
from tests.console.test_pages import add

WHY = "报送本月工作情况"


def handed_out(visitor, address, form="xlsx", **more):
    answer = visitor.send(address, reason=WHY, form=form, **more)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return [line.cells for line in table_files.opened(answer.data).lines()]


def lists(office):
    """Every page that has a list in pages, found from the routes, with its export."""
    visitor = office.visitor("office")
    for endpoint, path in addresses.of(office).items():
        page = visitor.open(path).get_data(as_text=True)
        if 'class="pager"' in page:
            yield endpoint, path, page


def test_every_list_page_exports_exactly_the_rows_it_says_it_has(office):
    visitor = office.visitor("office")
    found = list(lists(office))
    assert {endpoint for endpoint, *_ in found} == set(listings.LISTS)
    for endpoint, path, page in found:
        total = int(re.search(r"共 (\d+)", page.split('class="pager"')[1])[1])
        link = re.search(r'href="([^"]+)">导出</a>', page)
        assert (link is not None) == bool(total), path
        if link is None:
            continue
        listing = listings.LISTS[endpoint]
        rows = handed_out(visitor, link[1].replace("&amp;", "&"))
        # What was done meanwhile stands in the audit as well.
        assert len(rows) - 2 == total or endpoint == "console.audit", endpoint
        assert tuple(rows[0]) == listing.columns
        assert len(listing.widths) == len(listing.columns)
        assert f"用途：{WHY}；共 {len(rows) - 2} 行" in rows[-1][0]


def test_what_an_office_decides_goes_out_in_words_and_masked(office):
    one, other = add(office, "重名甲", "19988887766"), add(office, "重名甲", "19988887766")
    with office.database.transaction() as session:
        at, openid = office.clock.at, "oExport000000000000000000000"
        doubts = f"{Doubt.PHONE_DIFFERS},{Doubt.NO_SECRETARY}"
        session.add(BindingClaim(openid=openid, person_id=one, doubts=doubts, phone="19911112222", claimed_at=at))
        session.add(Change(kind=ChangeKind.EDITED, person_id=one, at=at, says="改了姓名", kept="[]"))
        post = session.scalars(sa.select(Post).where(Post.role == Role.SECRETARY).order_by(Post.id).limit(1)).one()
        post.term_ends_on = date(2026, 11, 1)
    visitor = office.visitor("office")
    lines = {
        name: "|".join(handed_out(visitor, f"/console/export/{name}", "csv")[1])
        for name in ("claims", "changes", "duplicates", "terms")
    }
    assert "|重名甲|姓名对得上，手机号与名册不同、所在支部没有能作证的书记|oExpor…" in lines["claims"]
    assert "|199****2222|199****7766|没有|" in lines["claims"]
    assert "|重名甲|改姓名、手机号|改了姓名||命令行|" in lines["changes"]
    assert lines["duplicates"] == f"重名甲|{one}|199****7766|重名甲|{other}|199****7766|手机号相同"
    assert lines["terms"].startswith("2026-11-01|已超期|")


@pytest.mark.parametrize("form", ["xlsx", "csv"])
def test_the_choice_of_the_page_is_the_choice_of_the_export(office, form):
    visitor = office.visitor("office")
    rows = handed_out(visitor, "/console/export/people?q=zhangwei", form)
    page = visitor.open("/console/people?q=zhangwei").get_data(as_text=True)
    assert len(rows) - 2 == int(re.search(r"共 (\d+)", page)[1]) > 0
    assert all("张伟" in row[0] for row in rows[1:-1])
    assert "q=zhangwei" in rows[-1][0]


@pytest.mark.parametrize("name", ["office", "county", "secretary", "auditor"])
def test_an_export_is_exactly_the_scope_and_numbers_are_masked(office, name):
    visitor = office.visitor(name)
    rows = handed_out(visitor, "/console/export/people")
    said = int(re.search(r"共 (\d+)", visitor.open("/console/people").get_data(as_text=True))[1])
    assert len(rows) - 2 == said
    assert not any(re.search(r"\d{11}", str(row)) for row in rows)
    assert "手机号已隐去" in rows[-1][0]


def test_whole_numbers_are_for_those_who_may_reveal_them_and_leave_another_trace(office):
    whole = handed_out(office.visitor("office"), "/console/export/people?q=zhangwei", whole="yes")
    assert re.fullmatch(r"1\d{10}", whole[1][3])
    assert "手机号未隐去" in whole[-1][0]
    masked = handed_out(office.visitor("auditor"), "/console/export/people?q=zhangwei", whole="yes")
    assert "****" in masked[1][3]
    with office.database.reading() as session:
        acts = sa.select(AuditEntry.act, AuditEntry.subject, AuditEntry.details).where(
            AuditEntry.act.startswith("export")
        )
        (one, two) = session.execute(acts.order_by(AuditEntry.id)).all()
    assert (one.act, two.act) == ("export.unmasked", "export")
    assert one.subject == "list:people"
    assert f"用途：{WHY}" in one.details
    assert "范围：q=zhangwei" in one.details


def test_without_a_reason_nothing_is_handed_out(office):
    answer = office.visitor("office").send("/console/export/people", reason=" ")
    assert answer.status_code == 422
    assert "请写明导出的用途" in answer.get_data(as_text=True)


@pytest.mark.parametrize("name", ["audit", "tasks", "imports", "nothing", "mine", "static"])
def test_a_list_that_is_not_theirs_is_not_exported(office, name):
    assert office.visitor("secretary").open(f"/console/export/{name}").status_code == 404


def test_a_part_of_an_address_that_is_missing_or_foreign_is_not_there(office):
    visitor = office.visitor("office")
    assert visitor.open("/console/export/reached").status_code == 404
    assert visitor.open("/console/export/reached?key=broadcast:999").status_code == 404
