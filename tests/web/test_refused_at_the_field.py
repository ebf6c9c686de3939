"""A number of a person in a form: the page comes again, the sentence at the field, nothing lost that was typed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urlsplit

import pytest
from flask import Flask, url_for
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from tests.conftest import Client
from tests.web import access_table
from tests.web.test_personal_numbers import ID_NUMBER, planted

Login = Callable[[FlaskClient, str], FlaskClient]
PAGES = (
    ("administrator", "auth.account"), ("collector", "collector.worklist"), ("collector", "collector.new_order"),
    ("receiver", "label_ledger.batches"), ("receiver", "label_ledger.batch"),
    ("administrator", "label_settings.settings"),
    ("administrator", "devices.new_device"), ("administrator", "devices.device"),
    ("administrator", "devices.edit_device"), ("administrator", "devices.file_form"),
    ("administrator", "devices.new_type"), ("administrator", "devices.device_type"),
    ("administrator", "devices.dead_letters"), ("administrator", "devices.dead_letter"),
    ("administrator", "devices.held_readings"),
    ("administrator", "admin.new_site"), ("administrator", "admin.new_user"),
    ("administrator", "admin.new_box"), ("administrator", "admin.reasons"), ("administrator", "admin.new_channel"),
    ("administrator", "admin.site"), ("administrator", "admin.user"), ("administrator", "admin.box"),
    ("administrator", "admin.channel"), ("administrator", "alert_routes.table"), ("manager", "stability.test"),
    ("receiver", "loads.send"), ("manager", "loads.send"), ("administrator", "admin.new_contract"),
    ("administrator", "admin.contract"), ("administrator", "profiles.edit"), ("manager", "review.listing"),
    ("manager", "search.specimens"), ("receiver", "search.consignments"), ("manager", "recalls.listing"),
)  # fmt: skip
"""Who opens which page: together they hold every form of ours that people type into."""
ASKED = {
    "search.specimens": {"priority": "urgent"},
    "search.consignments": {"priority": "urgent"},
    "recalls.listing": {"site": access_table.TOWN},
}
TYPED = {"text", "textarea", "search", "number", "tel", "email", "password"}
SENTENCES = {"en": "identity card number", "zh": "身份证号"}


@dataclass
class Control:
    name: str
    kind: str
    value: str = ""


@dataclass
class Form:
    action: str
    controls: list[Control] = field(default_factory=list)

    @property
    def typed(self) -> list[Control]:
        return [one for one in self.controls if one.kind in TYPED]


class Reader(HTMLParser):
    """The forms of a page that are sent by POST, and what stands beside its fields."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.form: Form | None = None
        self.select: Control | None = None
        self.area: Control | None = None
        self.beside: dict[str, str] = {}
        self._note: tuple[str, int] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.form = Form(given.get("action", ""))
            if given.get("method", "").lower() == "post":
                self.forms.append(self.form)
        elif tag == "span" and self._note:
            self._note = (self._note[0], self._note[1] + 1)
        elif tag == "span" and "field-error" in given.get("class", "") and given.get("data-error-for"):
            self._note = (given["data-error-for"], 1)
            self.beside.setdefault(self._note[0], "")
        elif self.form is not None and tag in {"input", "textarea", "select"} and given.get("name"):
            kind = given.get("type", "text") if tag == "input" else tag
            if kind in {"radio", "checkbox"} and "checked" not in given:
                return
            one = Control(given["name"], kind, given.get("value", ""))
            self.form.controls.append(one)
            self.select = one if tag == "select" else None
            self.area = one if tag == "textarea" else None
        elif tag == "option" and self.select is not None and ("selected" in given or not self.select.value):
            self.select.value = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.form = None
        elif tag == "textarea":
            self.area = None
        elif tag == "span" and self._note:
            self._note = (self._note[0], self._note[1] - 1) if self._note[1] > 1 else None

    def handle_data(self, data: str) -> None:
        if self.area is not None:
            self.area.value += data
        elif self._note is not None:
            self.beside[self._note[0]] += data


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    return reader


@pytest.fixture
def access_world(session: Session) -> access_table.World:
    made = access_table.build(session)
    session.commit()
    return made


def forms_of_pages(app: Flask, world: access_table.World, login: Login) -> Iterator[tuple[FlaskClient, str, Form]]:
    """(who is logged in, address it is sent to, form) of every form with something to type."""
    clients: dict[str, FlaskClient] = {}
    seen: set[tuple[str, tuple[str, ...]]] = set()
    for role, endpoint in PAGES:
        client = clients.get(role) or login(Client(app, app.response_class), access_table.OURS[role])
        clients[role] = client
        with app.test_request_context():
            values = access_table.ROWS[("GET", endpoint)].values(world) | ASKED.get(endpoint, {})
            address = url_for(endpoint, **values)
        answer = client.get(address)
        assert answer.status_code == 200, f"{role} {endpoint}"
        for form in read(answer.get_data(as_text=True)).forms:
            key = (form.action or address, tuple(one.name for one in form.typed))
            printing = urlsplit(form.action).path.startswith("/print/")  # its answer opens in a tab of its own
            if form.typed and not printing and key not in seen:
                seen.add(key)
                yield client, form.action or address, form


def sent(form: Form, spoilt: Control, bad: str) -> dict[str, str]:
    """The form filled in, with a number of a person in one of its fields."""
    filled = {one.name: one.value for one in form.controls if one.kind != "file"}
    for place, one in enumerate(form.typed):
        if one.kind in {"text", "textarea", "search"} and not one.value:
            filled[one.name] = f"typed-{place}"
    return filled | {spoilt.name: bad}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_form_says_so_at_the_field_and_keeps_what_was_typed(
    app: Flask, session: Session, access_world: access_table.World, login: Login, language: str
) -> None:
    """Each field of each form in turn; in the other language one field of each form."""
    missed: list[str] = []
    for client, address, form in forms_of_pages(app, access_world, login):
        fields = [one for one in form.typed if not one.name.endswith(("-1", "-2", "-3"))]  # rows that are alike
        for spoilt in fields if language == "en" else fields[-1:]:
            values = sent(form, spoilt, ID_NUMBER)
            mark = "&" if urlsplit(address).query else "?"
            answer = client.post(f"{address}{mark}lang={language}", data=values)
            page = read(answer.get_data(as_text=True))
            where = f"{urlsplit(address).path} {spoilt.name}"
            if answer.status_code != 400 or SENTENCES[language] not in page.beside.get(spoilt.name, ""):
                missed.append(f"{where}: {answer.status_code} beside {page.beside}")
                continue
            again = [one for one in page.forms if {x.name for x in one.typed} >= {x.name for x in form.typed}]
            shown = {(one.name, one.value.strip()) for found in again for one in found.controls}
            lost = [one.name for one in form.typed
                    if one.kind != "password" and (one.name, values[one.name]) not in shown]  # fmt: skip
            if lost:
                missed.append(f"{where}: lost {lost}")
    assert not missed, "\n".join(missed)
    assert planted(session) == []
