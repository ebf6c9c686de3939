"""A courier's day for tests: a county with three townships, sealed boxes at two of them, a published plan."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.domain import numbers
from logistics.models import Box, Plan, Site, Specimen, Stop, User
from tests.factories import COUNTY, PIN, START, TOWN, act, done, world

FAR, EMPTY = "TOWN3", "TOWN4"
BOX_COLD, BOX_AMBIENT, BOX_FAR = (numbers.issue(numbers.Kind.BOX, serial) for serial in (731, 732, 733))
SEALS = {box: numbers.issue(numbers.Kind.SEAL, 4000 + i) for i, box in enumerate((BOX_COLD, BOX_AMBIENT, BOX_FAR))}
NAMES = {
    COUNTY: ("嘉鱼县医学检验中心", "Jiayu County Laboratory Centre", "0715-6322120"),
    TOWN: ("官桥镇卫生院", "Guanqiao Township Health Centre", "0715-6555120"),
    FAR: ("高铁岭镇卫生院", "Gaotieling Township Health Centre", ""),
    EMPTY: ("渡普镇卫生院", "Dupu Township Health Centre", "0715-6444120"),
}


@dataclass(frozen=True)
class Loaded:
    """What stands sealed: consignment number by box, tubes by box, ids of the stops in planned order."""

    numbers: dict[str, str]
    tubes: dict[str, list[str]]
    stops: list[int]


def build(session: Session, *, plan: bool = True) -> Loaded:
    """The world with this day in it; everything committed."""
    world(session)
    _sites(session)
    tubes = {
        BOX_COLD: [accession(i) for i in range(1, 10)],
        BOX_AMBIENT: [accession(i) for i in range(10, 13)],
        BOX_FAR: [accession(i) for i in range(13, 17)],
    }
    sites = {BOX_COLD: TOWN, BOX_AMBIENT: TOWN, BOX_FAR: FAR}
    for box, site in sites.items():
        temp_class = "ambient_15_25" if box == BOX_AMBIENT else "cold_2_8"
        session.add(Box(code=box, temp_class=temp_class, capacity=50, home_code=site, location_code=site))
    session.commit()
    found = {box: seal(session, sites[box], box, codes) for box, codes in tubes.items()}
    stops = publish(session) if plan else []
    return Loaded(found, tubes, stops)


def accession(serial: int) -> str:
    """A number of a laboratory system: one of ours would have to be in the ledger of labels."""
    return f"{START:%y%m%d}{serial:05d}"


def _sites(session: Session) -> None:
    for code, lat, lon in ((FAR, 29.80, 113.70), (EMPTY, 29.60, 113.95)):
        session.add(Site(code=code, name_zh=code, tier="township", parent_code=COUNTY, lat=lat, lon=lon))
    session.flush()
    nurse = session.scalars(select(User).where(User.username == "nurse")).one()
    session.add(
        User(
            username="nurse3", role="collector", site_code=FAR, name_zh="余护士", name_en="Nurse Yu",
            password_hash=nurse.password_hash, pin_hash=nurse.pin_hash,
        )
    )  # fmt: skip
    for code, (zh, en, phone) in NAMES.items():
        site = session.get_one(Site, code)
        site.name_zh, site.name_en, site.contact_phone = zh, en, phone
    nurse.name_zh, nurse.name_en = "沈护士", "Nurse Shen"
    session.commit()


def seal(session: Session, site: str, box: str, codes: list[str]) -> str:
    """Register, collect, pack and seal these tubes; the consignment's number."""
    who = "nurse" if site == TOWN else "nurse3"
    tests = ["CBC"]
    number = ""
    for code in codes:
        done(session, who, act("register", {"specimen": code}, {"tests": tests, "patient_ref": "张**"}))
        tube = session.scalars(select(Specimen).where(Specimen.accession == code)).one()
        tube.temp_class = session.get_one(Box, box).temp_class
        done(session, who, act("collect", {"specimen": code}))
        number = done(session, who, act("pack", {"specimen": code, "box": box}))["consignment"]
    done(session, who, act("seal", {"consignment": number}, {"seal": SEALS.get(box, f"SL{number[-7:]}")}))
    for index, code in enumerate(codes):
        tube = session.scalars(select(Specimen).where(Specimen.accession == code)).one()
        tube.use_by_at = START + timedelta(hours=2 + index)
    session.commit()
    return number


def publish(session: Session) -> list[int]:
    """TOWN, FAR and EMPTY are fetched, then everything goes to the county laboratory. The ids in driving order."""
    plan = Plan(
        day="2026-03-09", scope_code=COUNTY, state="published", created_at=START, created_by="dispatcher",
        published_at=START, published_by="dispatcher",
    )  # fmt: skip
    session.add(plan)
    session.flush()
    rows = [
        ("start", COUNTY, 0, None), ("pickup", TOWN, 30, 90), ("pickup", FAR, 62, 120), ("pickup", EMPTY, 100, 160),
        ("delivery", COUNTY, 130, 240), ("end", COUNTY, 140, None),
    ]  # fmt: skip
    stops = []
    for position, (kind, site, minute, until) in enumerate(rows):
        stops.append(_stop(plan.id, position, kind, site, START + timedelta(minutes=minute), until))
    session.add_all(stops)
    session.commit()
    return [stop.id for stop in stops]


def _stop(plan_id: int, position: int, kind: str, site: str, at: datetime, until_min: int | None) -> Stop:
    return Stop(
        plan_id=plan_id, courier="courier", position=position, site_code=site, kind=kind, arrive_at=at,
        depart_at=at + timedelta(minutes=5), window_from_at=START if until_min else None,
        window_to_at=START + timedelta(minutes=until_min) if until_min else None, distance_m=12000,
    )  # fmt: skip


__all__ = ["BOX_AMBIENT", "BOX_COLD", "BOX_FAR", "EMPTY", "FAR", "PIN", "SEALS", "Loaded", "build"]
