"""Small worlds for tests: a city, a county centre, two townships, people, boxes and tests."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.security import generate_password_hash

from logistics import db as db_module
from logistics.domain import offer_code
from logistics.domain.acts import Act, Answer, Status
from logistics.models import Box, Courier, CustodyEvent, Site, Specimen, Test, TestSite, User, Vehicle
from logistics.services import custody, network, offers, seed

CITY, COUNTY, TOWN, OTHER_COUNTY, OTHER_TOWN = "CITY", "COUNTY", "TOWN", "COUNTY2", "TOWN2"
PASSWORD = "correct horse battery"
PIN = "2468"
START = datetime(2026, 3, 9, 1, 0, tzinfo=UTC)
PEOPLE = {
    "nurse": ("collector", TOWN),
    "nurse2": ("collector", OTHER_TOWN),
    "courier": ("courier", COUNTY),
    "courier2": ("courier", OTHER_COUNTY),
    "dispatcher": ("dispatcher", COUNTY),
    "receiver": ("receiver", COUNTY),
    "receiver2": ("receiver", OTHER_COUNTY),
    "cityreceiver": ("receiver", CITY),
    "manager": ("manager", COUNTY),
    "manager2": ("manager", OTHER_COUNTY),
    "admin": ("administrator", None),
    "auditor": ("auditor", None),
}
BOXES = {"BX-C": ("cold_2_8", TOWN), "BX-A": ("ambient_15_25", TOWN), "BX-T": ("cold_2_8", COUNTY)}


@cache
def _hashes() -> tuple[str, str]:
    return (
        generate_password_hash(PASSWORD, method="scrypt:1024:8:1"),
        generate_password_hash(PIN, method="scrypt:1024:8:1"),
    )


def world(session: Session) -> None:
    """Two counties under one city, everybody of PEOPLE, three boxes, the starting catalogue."""
    for code, tier, parent, lat, lon in (
        (CITY, "city_centre", None, 29.84, 114.32),
        (COUNTY, "county_centre", CITY, 29.73, 113.89),
        (OTHER_COUNTY, "county_centre", CITY, 29.97, 113.93),
        (TOWN, "township", COUNTY, 29.65, 113.80),
        (OTHER_TOWN, "township", OTHER_COUNTY, 29.99, 113.99),
    ):
        session.add(
            Site(
                code=code,
                name_zh=f"{code}站",
                name_en=f"Site {code}",
                tier=tier,
                parent_code=parent,
                lat=lat,
                lon=lon,
                cutoff_min=17 * 60 if tier != "township" else None,
            )
        )
        session.flush()
    password, pin = _hashes()
    for username, (role, site) in PEOPLE.items():
        session.add(
            User(
                username=username,
                role=role,
                site_code=site,
                name_zh=f"{username}某",
                name_en=username.title(),
                password_hash=password,
                pin_hash=pin,
            )
        )
    session.flush()
    for username, site in (("courier", COUNTY), ("courier2", OTHER_COUNTY)):
        session.add(Vehicle(code=f"VAN-{username}", site_code=site))
        session.flush()
        session.add(
            Courier(username=username, vehicle_code=f"VAN-{username}", start_site_code=site, end_site_code=site)
        )
    seed.reasons(session)
    seed.tests(session)
    for code in session.scalars(select(Test.code)):
        session.add(TestSite(test_code=code, site_code=CITY))
        if code in {"CBC", "CBC-DIFF", "ESR"}:
            session.add(TestSite(test_code=code, site_code=COUNTY))
    for code, (temp_class, site) in BOXES.items():
        session.add(Box(code=code, temp_class=temp_class, capacity=50, home_code=site, location_code=site))
    session.commit()


def act(
    act_type: str,
    subject: Mapping[str, Any] | None = None,
    payload: Mapping[str, Any] | None = None,
    *,
    at: datetime = START,
    **more: Any,
) -> Act:
    return Act(
        id=str(uuid.uuid4()),
        type=act_type,
        occurred_at=at,
        subject=dict(subject or {}),
        payload=dict(payload or {}),
        how=more.pop("how", "scanned"),
        **more,
    )


def user(session: Session, username: str) -> User:
    return session.scalars(select(User).where(User.username == username)).one()


def do(session: Session, username: str, one: Act, *, now: datetime | None = None) -> Answer:
    """Record an act as this user and commit."""
    actor = user(session, username)
    scope = network.scope_of_user(session, actor)
    # A request of a test client in this thread leaves reading on; a read that turns into a write loses on SQLite.
    session.commit()
    reading = db_module._read_only.set(False)
    try:
        answer = custody.record(session, [one], actor=actor, scope=scope, now=now or one.occurred_at)[0]
        session.commit()
    finally:
        db_module._read_only.reset(reading)
    return answer


def done(session: Session, username: str, one: Act) -> dict[str, Any]:
    """Record an act that must succeed; its result."""
    answer = do(session, username, one)
    assert answer.status is Status.DONE, f"{one.type}: {answer.code} {answer.params}"
    return dict(answer.result)


def collected(session: Session, accession: str = "2611220047", tests: tuple[str, ...] = ("CBC",)) -> Specimen:
    """A tube that was registered and collected at TOWN."""
    done(session, "nurse", act("register", {"specimen": accession}, {"tests": list(tests), "patient_ref": "张**"}))
    done(session, "nurse", act("collect", {"specimen": accession}))
    return find(session, accession)


def find(session: Session, accession: str) -> Specimen:
    query = select(Specimen).where(Specimen.accession == accession).execution_options(populate_existing=True)
    return session.scalars(query).one()


def sealed(session: Session, accessions: tuple[str, ...] = ("2611220047", "2611220048"), *, seal: str = "") -> str:
    """A sealed cold box with these tubes at TOWN; the consignment's number."""
    number = ""
    for accession in accessions:
        collected(session, accession)
        number = done(session, "nurse", act("pack", {"specimen": accession, "box": "BX-C"}))["consignment"]
    done(session, "nurse", act("seal", {"consignment": number}, {"seal": seal or f"SL{number[-6:]}"}))
    return number


def fetched(session: Session, accessions: tuple[str, ...] = ("2611220047", "2611220048")) -> str:
    """The same, in the courier's hands."""
    number = sealed(session, accessions)
    pickup = act(
        "hand_over",
        {"consignment": number},
        {"other": "nurse", "pin": PIN, "count": len(accessions), "box_temp_c": "4.6"},
        site=TOWN,
    )
    done(session, "courier", pickup)
    return number


def delivered(session: Session, accessions: tuple[str, ...] = ("2611220047", "2611220048")) -> str:
    """The same, handed to the county laboratory and not looked at yet."""
    number = fetched(session, accessions)
    later = START + timedelta(hours=1)
    done(session, "courier", act("arrive", {}, site=COUNTY, at=later))
    deliver = act(
        "hand_over",
        {"consignment": number},
        {"other": "courier", "pin": PIN, "count": len(accessions), "box_temp_c": "5.1"},
        site=COUNTY,
        at=later,
    )
    done(session, "receiver", deliver)
    return number


def find_event(session: Session, stream: str, kind: str) -> int:
    """The number of the last event of this type in a stream."""
    query = select(CustodyEvent.seq).where(CustodyEvent.stream == stream, CustodyEvent.type == kind)
    return session.scalars(query.order_by(CustodyEvent.seq.desc())).first() or 0


_KEYS: dict[str, str] = {}


def offer(session: Session, username: str = "nurse", *, at: datetime = START) -> str:
    """The id of a handover to come, drawn for this giver's device; committed."""
    drawn = offers.draw(session, user(session, username), count=1, now=at)[0]
    session.commit()
    _KEYS[drawn.id] = drawn.key
    return drawn.id


def shown(offer_id: str, counts: Mapping[str, int], *, at: datetime = START, meaning: str = "pickup") -> str:
    """The text of the code that the giver's device shows for these consignments."""
    return offer_code.write(offer_code.Shown(offer_id, meaning, at, counts), _KEYS.get(offer_id, "00"))
