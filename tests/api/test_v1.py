"""The public calls: what they say, what they refuse and how, and that their document is valid (F150)."""

import json
from pathlib import Path

import pytest
from flask import Flask
from openapi_spec_validator import validate

import demo
from api import v1
from services.tables import imports, table_files
from tests.conftest import SECRET, Clock, settings

LEDGER = Path(demo.__file__).with_name("publicity_2017.csv").read_bytes()


@pytest.fixture
def ask(database):
    """Asks as a mini program does: path and query in, status and JSON out."""
    clock = Clock()
    task = imports.Task(imports.Kind.PUBLICITY, table_files.opened(LEDGER), clock())
    with imports.Prepared() as prepared, database.transaction() as session:
        imports.check(session, task, prepared)
        imports.apply(session, task, prepared, "ledger.csv")
    client = served(database, clock).test_client()

    def get(path, **query):
        answer = client.get(f"/api/v1/{path}", query_string=query)
        return answer.status_code, json.loads(answer.data)

    return get


def served(database, clock, **more):
    server = Flask("test")
    server.register_blueprint(v1.blueprint(settings(str(database.url)), database, clock, **more))
    return server


def test_the_document_is_valid_and_names_every_call(ask):
    status, document = ask("openapi.json")
    assert status == 200
    validate(document)
    assert set(document["paths"]) == {f"/api/v1/{name}" for name in ("calendar", "branches", "stations", "publicity")}
    for path in document["paths"].values():
        assert {"200", "404", "422", "429"} <= set(path["get"]["responses"])
    assert SECRET not in json.dumps(document)


def test_a_month_of_the_calendar_with_its_reasons(ask):
    status, said = ask("calendar", year=2026, month=11)
    assert status == 200
    assert [day["nominal_on"] for day in said["days"]] == ["2026-11-06", "2026-11-13", "2026-11-20", "2026-11-27"]
    assert [day["label"] for day in said["days"]].count("党员活动日") == 1
    assert all("L12" in day["why"] for day in said["days"])


def test_a_year_whose_holidays_are_unknown_has_a_warning(ask):
    _, said = ask("calendar", year=2027)
    assert any("2027 年假期未录入" in warning for warning in said["warnings"])


def test_branches_are_674_and_every_place_foots(ask):
    _, said = ask("branches")
    assert said["total"] == 674
    assert [kind["count"] for kind in said["kinds"]] == [12, 150, 377, 135]
    assert sum(place["total"] for place in said["places"]) == 674
    assert len(said["places"]) == 13


def test_the_nearest_stations_come_first(ask):
    _, said = ask("stations", latitude=34.75, longitude=113.62, limit=5)
    distances = [station["kilometres"] for station in said["stations"]]
    assert len(distances) == 5
    assert distances == sorted(distances)
    assert all(station["today"].startswith("今天") for station in said["stations"])


def test_the_ledger_has_its_units(ask):
    _, said = ask("publicity", year=2017)
    figures = [(line["number"], line["unit_label"], line["is_at_least"]) for line in said["lines"]]
    assert figures[:2] == [(600, "场", True), (63130, "人", False)]


@pytest.mark.parametrize(
    ("path", "query", "status", "error"),
    [
        ("publicity", {"year": 1999}, 404, "没有 1999 年的台账。"),
        ("cats", {}, 404, "没有 /api/v1/cats 这个接口；全部接口见 /api/v1/openapi.json。"),
        ("calendar", {}, 422, "year 缺少。"),
        ("calendar", {"year": 2026, "month": 13}, 422, "month 太大（应不大于 12）。"),
        ("stations", {"latitude": "x", "longitude": 500}, 422,
         "latitude 不是需要的类型；longitude 太大（应不大于 180.0）。"),
        ("stations", {"latitude": "nan", "longitude": 1}, 422, "latitude 太大（应不大于 90.0）。"),
    ],
)  # fmt: skip
def test_what_cannot_be_answered_is_one_sentence_in_one_shape(ask, path, query, status, error):
    assert ask(path, **query) == (status, {"error": error})


def test_no_answer_is_about_a_person(ask, database):
    import sqlalchemy as sa

    from models import Person

    with database.reading() as session:
        names = set(session.scalars(sa.select(Person.name)))
    answers = [
        ask("branches"),
        ask("stations", latitude=34.75, longitude=113.62, limit=20),
        ask("calendar", year=2026),
    ]

    def words(value):
        if isinstance(value, dict):
            return {word for each in value.values() for word in words(each)}
        if isinstance(value, list | tuple):
            return {word for each in value for word in words(each)}
        return {value}

    assert not names & words(answers)


def test_who_asks_too_often_has_to_wait_and_others_do_not(database):
    client = served(database, Clock(), limit="2/minute").test_client()
    near = {"REMOTE_ADDR": "192.0.2.1"}
    statuses = [client.get("/api/v1/branches", environ_base=near).status_code for _ in range(3)]
    assert statuses == [200, 200, 429]
    refused = client.get("/api/v1/branches", environ_base=near)
    assert refused.headers["Retry-After"] == "60"
    assert "太频繁" in json.loads(refused.data)["error"]
    assert client.get("/api/v1/branches", environ_base={"REMOTE_ADDR": "192.0.2.2"}).status_code == 200


def test_the_calls_are_part_of_the_house(house):
    import urllib.request

    with urllib.request.urlopen(f"{house.url}/api/v1/branches") as answer:
        assert json.load(answer)["total"] == 674
