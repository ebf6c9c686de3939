"""What the simulated network has beyond its own laboratories: an external one under contract, and document bags."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from logistics import clock
from logistics.domain import access
from logistics.models import Box, Contract, ContractTest, Site, TestSite, User
from logistics.models.catalogue import AMBIENT
from logistics.models.network import CITY_CENTRE, COUNTY_CENTRE, EXTERNAL
from logistics.services.orders import local_day

EXTERNAL_CODE = "EXT-WUHAN"
EXTERNAL_USER = "lab-external"
REFERENCE = "WS-2026-001"
SPECIAL = ("VITD", "B12", "FVIII")  # a few that no laboratory of the simulated network performs
BAGS_AT_A_CENTRE = 6


def seed_outside(session: Session) -> None:
    """The external laboratory, its user, its contract with the city, and the bags. All of it is made up."""
    city = session.scalars(select(Site).where(Site.tier == CITY_CENTRE)).one()
    session.add(
        Site(
            code=EXTERNAL_CODE,
            name_zh="武汉外送检验所（示例）",
            name_en="External laboratory, Wuhan (example)",
            tier=EXTERNAL,
            parent_code=city.code,
            lat=30.5060,
            lon=114.4010,
            source="made up",
        )
    )
    session.flush()
    session.execute(delete(TestSite).where(TestSite.test_code.in_(SPECIAL)))
    session.add_all(TestSite(test_code=code, site_code=EXTERNAL_CODE) for code in SPECIAL)
    _user(session)
    today = local_day(clock.now())
    contract = Contract(
        reference=REFERENCE,
        site_code=city.code,
        external_code=EXTERNAL_CODE,
        valid_from=(today - timedelta(days=120)).isoformat(),
        valid_to=(today + timedelta(days=245)).isoformat(),
        turnaround_h=72.0,
        contact="027-0000 0000",
    )
    contract.tests = [ContractTest(contract_reference=REFERENCE, test_code=code) for code in SPECIAL]
    session.add(contract)
    _bags(session)


def _user(session: Session) -> None:
    like = session.scalars(select(User).where(User.username == "lab-city")).one()
    session.add(
        User(
            username=EXTERNAL_USER,
            role=access.RECEIVER,
            site_code=EXTERNAL_CODE,
            name_zh="外送检验所接收人",
            name_en="External receiver",
            password_hash=like.password_hash,
            pin_hash=like.pin_hash,
        )
    )


def _bags(session: Session) -> None:
    centres = session.scalars(select(Site.code).where(Site.tier.in_((CITY_CENTRE, COUNTY_CENTRE))).order_by(Site.code))
    for code in centres:
        for place in range(1, BAGS_AT_A_CENTRE + 1):
            session.add(
                Box(
                    code=f"BAG-{code.removeprefix('H')}-{place}",
                    kind="bag",
                    temp_class=AMBIENT,
                    capacity=40,
                    home_code=code,
                    location_code=code,
                )
            )
