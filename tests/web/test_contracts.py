"""Administration of contracts with external laboratories: added, changed, closed; refused beside the field."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from logistics.clock import FixedClock
from logistics.models import AuditEntry, Contract
from tests import factories as f
from tests import send_outs

Login = Callable[[FlaskClient, str], FlaskClient]
New = Callable[[], FlaskClient]
TERMS: dict[str, Any] = {
    "reference": "WS-2026-02", "external_code": send_outs.EXTERNAL, "site_code": f.COUNTY, "valid_from": "2026-03-01",
    "valid_to": "2026-12-31", "turnaround_h": "48", "contact": "Dr Li", "tests": [send_outs.SPECIAL],
}  # fmt: skip


@pytest.fixture
def admin(session: Session, client: FlaskClient, login: Login) -> FlaskClient:
    f.world(session)
    send_outs.build(session, contract=False)
    login(client, "admin").get("/account?lang=en")
    return client


def text(answer: TestResponse) -> str:
    return answer.get_data(as_text=True)


def contract(session: Session, reference: str = "WS-2026-02") -> Contract | None:
    session.rollback()
    return session.get(Contract, reference, populate_existing=True)


def added(client: FlaskClient, **changes: Any) -> TestResponse:
    return client.post("/admin/contracts/new", data={**TERMS, **changes})


def test_a_contract_is_added_changed_and_closed(admin: FlaskClient, session: Session) -> None:
    """What was typed stands in the list with its tests; a change and the end of its use are in the audit log."""
    assert added(admin).status_code == 302
    page = text(admin.get("/admin/contracts"))
    for words in ("WS-2026-02", "Wuhan External Laboratory", "Dr Li", "2026-03-01 – 2026-12-31", "Sequencing panel",
                  ">48<", "valid"):  # fmt: skip
        assert words in page, words
    terms = {key: value for key, value in TERMS.items() if key != "reference"} | {"valid_to": "2026-06-30"}
    assert admin.post("/admin/contracts/WS-2026-02", data=terms | {"active": "1"}).status_code == 302
    kept = contract(session)
    assert kept is not None
    assert (kept.valid_to, kept.active, kept.turnaround_h) == ("2026-06-30", True, 48.0)
    assert admin.post("/admin/contracts/WS-2026-02", data=terms).status_code == 302
    assert "Closed" in text(admin.get("/admin/contracts"))
    session.rollback()
    logged = session.scalars(select(AuditEntry.action).where(AuditEntry.subject == "WS-2026-02")).all()
    assert logged == ["contract_added", "contract_changed", "contract_changed"]


@pytest.mark.parametrize(
    ("wrong", "field", "sentence"),
    [
        ({"reference": ""}, "reference", "This is needed."),
        ({"reference": "OLD"}, "reference", "Contract OLD exists already."),
        ({"external_code": f.COUNTY}, "external_code", "This site is not an external laboratory."),
        ({"site_code": ""}, "site_code", "This is needed."),
        ({"valid_from": "soon"}, "valid_from", "This is not of the right form."),
        ({"valid_to": "2026-02-28"}, "valid_to", "The contract must not end before it begins."),
        ({"turnaround_h": "three days"}, "turnaround_h", "three days"),
        ({"turnaround_h": "-5"}, "turnaround_h", "Give a number from 1 to 2160."),
        ({"turnaround_h": "1e300"}, "turnaround_h", "Give a number from 1 to 2160."),
        ({"contact": "x" * 201}, "contact", "This is not of the right form."),
    ],
)
def test_a_wrong_contract_is_refused_beside_its_field(
    admin: FlaskClient, session: Session, wrong: dict[str, str], field: str, sentence: str
) -> None:
    """The other fields and the ticked tests keep what was typed; nothing is written."""
    added(admin, reference="OLD")
    answer = added(admin, **wrong)
    page = text(answer)
    assert answer.status_code in {400, 404, 409}
    note = re.search(rf'id="{field}-note"[^>]*class="field-error">.*?<span>([^<]+)</span>', page)
    assert note is not None
    assert sentence in note[1]
    if field != "contact":
        assert 'value="Dr Li"' in page
    assert f'value="{send_outs.SPECIAL}" checked' in page
    assert contract(session) is None


def test_a_contract_needs_a_test_and_does_not_tick_one_by_itself(admin: FlaskClient, session: Session) -> None:
    """All ticks taken away: the sentence stands at the tests, which stay as they were sent, and so does 'in use'."""
    added(admin)
    terms = {key: value for key, value in TERMS.items() if key not in {"reference", "tests"}}
    answer = admin.post("/admin/contracts/WS-2026-02", data=terms)
    assert answer.status_code == 400
    page = text(answer).partition("Tests that it covers")[2]
    assert "This is needed." in page
    assert f'value="{send_outs.SPECIAL}">' in page
    assert 'name="active" value="1">' in page
    kept = contract(session)
    assert kept is not None
    assert len(kept.tests) == 1


def test_the_list_says_how_long_a_contract_holds(
    admin: FlaskClient, app_clock: FixedClock, new_client: New, login: Login
) -> None:
    """Not begun, valid, ends soon, ended; an auditor reads the same without a button to save."""
    added(admin, valid_from="2026-03-10")
    assert "not begun" in text(admin.get("/admin/contracts"))
    for days, word in ((2, "valid"), (280, "ends soon"), (300, "ended")):
        app_clock.set(f.START + timedelta(days=days))
        login(admin, "admin")
        assert word in text(admin.get("/admin/contracts")).partition("<tbody>")[2]
    auditor = login(new_client(), "auditor")
    page = text(auditor.get("/admin/contracts/WS-2026-02"))
    assert '<fieldset class="stack bare" disabled>' in page
    assert 'type="submit"' not in page.partition("<main")[2]
    assert auditor.get("/admin/contracts/NOPE").status_code == 404
