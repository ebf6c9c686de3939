"""The end of a seal proves that somebody looked at it: who may still have to take the box reads it nowhere else."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from openpyxl import load_workbook
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.domain import seals
from logistics.models import Alert, Specimen
from logistics.queries import search, search_consignments
from logistics.queries.search_leads import Filter
from logistics.services import network
from tests import factories as f
from tests import paper
from tests.factories import act, done

Login = Callable[[FlaskClient, str], FlaskClient]
NewClient = Callable[[], FlaskClient]
SEAL, HEAD = "SL7654321", "SL765"
DAY = "from=2026-03-09&to=2026-03-09&lang=en"
LATER = f.START + timedelta(hours=1)


@pytest.fixture
def number(session: Session) -> str:
    """A box under way from TOWN to COUNTY in the courier's hands."""
    f.world(session)
    for accession in ("T1", "T2"):
        f.collected(session, accession)
        found = done(session, "nurse", act("pack", {"specimen": accession, "box": "BX-C"}))["consignment"]
    done(session, "nurse", act("seal", {"consignment": found}, {"seal": SEAL}))
    fetched = {"other": "nurse", "pin": f.PIN, "count": 2}
    done(session, "courier", act("hand_over", {"consignment": found}, fetched, site=f.TOWN))
    session.commit()
    return str(found)


def surfaces(client: FlaskClient, number: str, tube: int, folder: Path, *, prints: bool) -> dict[str, str]:
    """Everything that a browser, a machine or a printer gets to read about the consignment; by address."""
    pages = [
        f"/consignments/{number}?lang=en", f"/journey/{tube}?lang=en", f"/api/v1/specimens/{tube}/journey",
        f"/api/v1/consignments/{number}", "/api/v1/consignments", "/search/consignments?lang=en",
        "/search/consignments/export?format=csv&lang=en", f"/registers?{DAY}",
    ]  # fmt: skip
    found = {page: client.get(page) for page in pages}
    read = {page: answer.get_data(as_text=True) for page, answer in found.items() if answer.status_code == 200}
    workbook = load_workbook(io.BytesIO(client.get(f"/registers.xlsx?{DAY}").data))
    read["xlsx"] = str([row for sheet in workbook for row in sheet.iter_rows(values_only=True)])
    read["pdf"] = paper.words(client.get(f"/registers.pdf?{DAY}").data, folder)
    if prints:
        read["manifest"] = paper.words(client.post(f"/print/consignments/{number}/manifest").data, folder)
    return read


@pytest.mark.parametrize(
    ("username", "prints", "whole"),
    [("courier", True, False), ("receiver", True, False), ("nurse", True, True), ("manager", True, True),
     ("auditor", False, True), ("dispatcher", False, True)],
)  # fmt: skip
def test_the_end_of_a_seal_under_way(
    session: Session, new_client: NewClient, login: Login, tmp_path: Path, number: str, username: str,
    prints: bool, whole: bool,
) -> None:  # fmt: skip
    """Hidden from courier and receiver on every page, list, file and print; the giving site and managers see it."""
    tube = session.scalars(select(Specimen.id).order_by(Specimen.id)).first() or 0
    session.commit()
    read = surfaces(login(new_client(), username), number, tube, tmp_path, prints=prints)
    naming = {name for name, text in read.items() if HEAD in text}
    assert naming >= {f"/consignments/{number}?lang=en", f"/journey/{tube}?lang=en", "xlsx", "pdf"}
    assert {name for name, text in read.items() if SEAL in text} == (naming if whole else set())


def test_once_it_is_delivered_everybody_reads_it(
    session: Session, new_client: NewClient, login: Login, number: str
) -> None:
    """What is proven by then needs no hiding: the record is read whole."""
    done(session, "courier", act("arrive", {}, site=f.COUNTY, at=LATER))
    give = {"other": "courier", "pin": f.PIN, "count": 2}
    done(session, "receiver", act("hand_over", {"consignment": number}, give, site=f.COUNTY, at=LATER))
    session.commit()
    for username in ("courier", "receiver"):
        assert SEAL in login(new_client(), username).get(f"/consignments/{number}?lang=en").get_data(as_text=True)


def test_a_new_seal_and_the_old_one_are_hidden_too(
    session: Session, new_client: NewClient, login: Login, number: str
) -> None:
    """Also where the record tells of the seal that was put on, the one before it, and what was read off the box."""
    done(session, "courier", act("seal_broken", {"consignment": number}, {"seal": SEAL}))
    done(session, "courier", act("reseal", {"consignment": number}, {"seal": "SL1112223", "reason": "SEAL_BROKEN"}))
    session.commit()
    for username in ("courier", "receiver"):
        page = login(new_client(), username).get(f"/consignments/{number}?lang=en").get_data(as_text=True)
        assert "SL111" in page
        assert "SL1112223" not in page
        assert SEAL not in page
    assert all(SEAL not in str(alert.params) for alert in session.scalars(select(Alert)))


def test_nobody_asks_the_search_for_the_end_of_a_seal(session: Session, number: str) -> None:
    """A thousand guesses at a search box would tell it: for who may take the box, its seal is found once it is over."""
    for username, found in (("courier", 0), ("receiver", 0), ("nurse", 2), ("manager", 2)):
        scope = network.scope_of_user(session, f.user(session, username))
        tubes = search.find(session, scope, username, Filter(text=SEAL)).rows
        loads = search_consignments.find(session, scope, username, Filter(text=SEAL)).rows
        assert (len(tubes), len(loads)) == (found, found // 2), username


def test_the_hint_on_the_phone_leaves_most_ends_possible() -> None:
    """Of the thousand ends that a seal of ours can have after the part that everybody reads, sixty fit the hint; every
    slip in one digit is told."""
    ends = [f"{digits:03d}K" for digits in range(1000)]
    hint = seals.tail_check("SL7654321")
    assert sum(seals.tail_check(end) == hint for end in ends) >= 50
    for place in range(3):
        slips = ["432 "[:place] + digit + "432 "[place + 1 :] for digit in "0123456789" if digit != "432"[place]]
        assert all(seals.tail_check(slip) != seals.tail_check("432 ") for slip in slips)
