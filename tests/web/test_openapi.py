"""The API's document: every route in it and nothing else, whole references, and answers that keep their word."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator, FormatChecker
from sqlalchemy.orm import Session

from logistics.services.acts import HANDLERS
from tests import factories
from tests.factories import PASSWORD
from web.openapi import endpoint_roles

Login = Callable[[FlaskClient, str], FlaskClient]


@pytest.fixture
def spec(client: FlaskClient) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/api/v1/openapi.json?lang=en").get_json()
    return found


def check(spec: dict[str, Any], schema: dict[str, Any], value: Any) -> None:
    whole = {**schema, "components": spec["components"]}
    Draft202012Validator(whole, format_checker=FormatChecker()).validate(value)


def answer_schema(spec: dict[str, Any], path: str, method: str, status: int) -> dict[str, Any]:
    entry = spec["paths"][path][method]["responses"][str(status)]
    found: dict[str, Any] = entry["content"]["application/json"]["schema"]
    return found


def test_every_route_is_documented(app: Flask, spec: dict[str, Any]) -> None:
    """Each route under /api/v1 has its entry, each entry its route."""
    written = {(path, method) for path, methods in spec["paths"].items() for method in methods}
    routes = set(endpoint_roles(app))
    assert routes - written == set(), "add an entry to web/openapi"
    assert written - routes == set()


def test_path_parameters_are_those_of_the_path(spec: dict[str, Any]) -> None:
    """{names} in a path and its parameters agree, and operation ids are unique."""
    ids = []
    for path, methods in spec["paths"].items():
        for method, entry in methods.items():
            named = {one["name"] for one in entry.get("parameters", []) if one["in"] == "path"}
            assert named == set(re.findall(r"{(\w+)}", path)), f"{method} {path}"
            ids.append(entry["operationId"])
            assert entry["summary"]
            assert entry["tags"][0] in {tag["name"] for tag in spec["tags"]}
    assert len(ids) == len(set(ids))


def strings(value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            if isinstance(item, str):
                yield key, item
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)


def test_schemas_are_valid_and_references_lead_somewhere(spec: dict[str, Any]) -> None:
    """Every $ref names a schema that exists, and every schema is JSON Schema 2020-12."""
    assert spec["openapi"].startswith("3.1")
    names = {f"#/components/schemas/{name}" for name in spec["components"]["schemas"]}
    used = {value for key, value in strings(spec) if key == "$ref"}
    assert used - names == set()
    for schema in spec["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_examples_fit_their_schemas(spec: dict[str, Any]) -> None:
    """What is shown as an example would be taken."""
    seen = 0
    for path, methods in spec["paths"].items():
        for method, entry in methods.items():
            contents = [entry.get("requestBody", {}).get("content", {})]
            contents += [answer.get("content", {}) for answer in entry["responses"].values()]
            for content in contents:
                for one in content.values():
                    if "example" in one:
                        check(spec, one["schema"], one["example"])
                        seen += 1
            if "requestBody" in entry:
                body = entry["requestBody"]["content"]["application/json"]
                assert "example" in body, f"{method} {path} has no example"
    assert seen > 8


def test_every_act_is_described() -> None:
    """docs/formats/acts.md has a row for each type of act and for nothing else."""
    text = (Path(__file__).resolve().parents[2] / "docs" / "formats" / "acts.md").read_text(encoding="utf-8")
    tables = text.partition("## Types")[2].partition("## What is refused")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", tables, re.MULTILINE)) == set(HANDLERS)


def test_prose_is_in_the_language_of_the_reader(client: FlaskClient) -> None:
    """Summaries are Chinese by default and English when asked for."""
    chinese = client.get("/api/v1/openapi.json").get_json()["paths"]["/api/v1/sites"]["get"]["summary"]
    english = client.get("/api/v1/openapi.json?lang=en").get_json()["paths"]["/api/v1/sites"]["get"]["summary"]
    assert english == "The sites of the network"
    assert chinese != english


def test_viewer_comes_from_this_server(client: FlaskClient) -> None:
    """/api/docs loads scripts and styles from its own origin alone and holds no inline script."""
    page = client.get("/api/docs").get_data(as_text=True)
    for address in re.findall(r'(?:src|href)="([^"]+)"', page):
        assert not re.match(r"(?:https?:)?//", address), address
    assert re.search(r"<script(?![^>]*\bsrc=)[^>]*>", page) is None
    assert "swagger-ui-bundle.js" in page


PEOPLE_AND_PATHS = [
    ("nurse", "/api/v1/specimens", "/api/v1/specimens"),
    ("nurse", "/api/v1/specimens/1", "/api/v1/specimens/{specimen_id}"),
    ("nurse", "/api/v1/consignments", "/api/v1/consignments"),
    ("manager", "/api/v1/consignments/{number}", "/api/v1/consignments/{number}"),
    ("nurse", "/api/v1/boxes", "/api/v1/boxes"),
    ("nurse", "/api/v1/sites", "/api/v1/sites"),
    ("manager", "/api/v1/devices", "/api/v1/devices"),
    ("manager", "/api/v1/alerts", "/api/v1/alerts"),
    ("dispatcher", "/api/v1/plans", "/api/v1/plans"),
    ("dispatcher", "/api/v1/board", "/api/v1/board"),
    ("courier", "/api/v1/courier/today", "/api/v1/courier/today"),
    ("nurse", "/api/v1/tokens", "/api/v1/tokens"),
    ("nurse", "/api/v1/clock", "/api/v1/clock"),
]


def test_answers_keep_their_word(client: FlaskClient, session: Session, login: Login, spec: dict[str, Any]) -> None:
    """The main readings of a world with tubes under way answer what the document promises, to the property."""
    factories.world(session)
    number = factories.delivered(session)
    session.rollback()
    for username, address, path in PEOPLE_AND_PATHS:
        answer = login(client, username).get(address.replace("{number}", number))
        assert answer.status_code == 200, f"{address}: {answer.status}"
        check(spec, answer_schema(spec, path, "get", 200), answer.get_json())


def test_writing_answers_keep_their_word(
    client: FlaskClient, session: Session, login: Login, spec: dict[str, Any]
) -> None:
    """Acts, orders, keys, positions and errors answer what the document promises."""
    factories.world(session)
    login(client, "nurse")
    order = {"orders": [{"order_number": "A-1", "tubes": [{"tests": ["CBC"]}]}, {"order_number": ""}]}
    act = {"id": "7c0f2f9e-5d2b-4b5e-9f31-2f6f6f2a7d10", "type": "collect", "occurred_at": "2026-03-09T09:00:00+08:00"}
    key = {"username": "nurse", "password": PASSWORD, "name": "machine"}
    calls: list[tuple[str, Any, int]] = [
        ("/api/v1/orders", order, 200),
        ("/api/v1/acts", {"acts": [act, {"id": "no"}]}, 200),
        ("/api/v1/tokens", key, 201),
        ("/api/v1/acts", {"acts": 5}, 400),
        ("/api/v1/courier/duty", {"on": True}, 403),
    ]
    for path, body, status in calls:
        answer = client.post(path, json=body)
        assert answer.status_code == status, f"{path}: {answer.get_json()}"
        check(spec, answer_schema(spec, path, "post", status), answer.get_json())
    login(client, "courier")
    for path, body in (("/api/v1/courier/duty", {"on": True}), ("/api/v1/positions", {"positions": []})):
        answer = client.post(path, json=body)
        check(spec, answer_schema(spec, path, "post", 200), answer.get_json())
