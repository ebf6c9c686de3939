"""The people, vehicles, boxes and loggers of the simulated network. All names are made up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.security import generate_password_hash

from logistics.domain import access, numbers
from logistics.models import Box, Channel, Courier, Site, User, Vehicle
from logistics.models.catalogue import AMBIENT, COLD, FROZEN
from logistics.models.network import CITY_CENTRE, COUNTY_CENTRE, TOWNSHIP
from logistics.services import seed
from web.demo import outside

PASSWORD = "labrelay-demo"  # noqa: S105  # the simulated network's own; refused outside the demo
PIN = "2468"
COURIERS_PER_COUNTY = 3
TRUNK_COURIERS = 2
SURNAMES = "李王张刘陈杨黄赵吴周徐孙马朱胡郭何林罗高"
SURNAMES_EN = (
    "Li Wang Zhang Liu Chen Yang Huang Zhao Wu Zhou Xu Sun Ma Zhu Hu Guo He Lin Luo Gao".split()  # noqa: SIM905
)
GIVEN = (("敏", "Min"), ("强", "Qiang"), ("丽", "Li"), ("军", "Jun"), ("芳", "Fang"), ("涛", "Tao"), ("静", "Jing"))


class DemoLogin(NamedTuple):
    """One account to show: role, username, password, name in both languages."""

    role: str
    username: str
    password: str
    name_zh: str
    name_en: str


def made_up_name(index: int) -> tuple[str, str]:
    given_zh, given_en = GIVEN[index % len(GIVEN)]
    place = (index * 7) % len(SURNAMES)
    return SURNAMES[place] + given_zh, f"{given_en} {SURNAMES_EN[place]}"


def logins() -> list[DemoLogin]:
    """One login per role, in the order of a tube's day."""
    county = "421281"  # Chibi
    return [
        DemoLogin(access.COLLECTOR, "nurse-421281100", PASSWORD, "采集员（赤壁 新店镇）", "Collector"),
        DemoLogin(access.COURIER, f"courier-{county}-1", PASSWORD, "标本转运员（赤壁）", "Courier"),
        DemoLogin(access.DISPATCHER, "dispatch-city", PASSWORD, "调度员（咸宁市）", "Dispatcher"),
        DemoLogin(access.RECEIVER, f"lab-{county}", PASSWORD, "接收人（赤壁）", "Receiver"),
        DemoLogin(access.MANAGER, f"manager-{county}", PASSWORD, "检验科主任（赤壁）", "Laboratory manager"),
        DemoLogin(access.ADMINISTRATOR, "admin", PASSWORD, "系统管理员", "Administrator"),
        DemoLogin(access.AUDITOR, "auditor", PASSWORD, "审核员", "Auditor"),
    ]


def seed_people(session: Session) -> bool:
    """Fill an empty database with the whole network. Returns False when it was filled before."""
    if session.scalars(select(Site.code)).first() is not None:
        return False
    seed.reasons(session)
    seed.tests(session)
    seed.xianning_sites(session)
    seed.performing_sites(session)
    session.flush()
    _users(session)
    session.flush()
    _boxes(session)
    outside.seed_outside(session)
    _channel(session)
    return True


def _users(session: Session) -> None:
    # One hash for all: they share one public password, and a hundred scrypt runs would delay the start.
    password, pin = generate_password_hash(PASSWORD), generate_password_hash(PIN, method="scrypt:4096:8:1")
    for index, (username, role, site) in enumerate(_accounts(session)):
        name_zh, name_en = made_up_name(index)
        session.add(
            User(
                username=username,
                role=role,
                site_code=site,
                name_zh=name_zh,
                name_en=name_en,
                password_hash=password,
                pin_hash=pin,
            )
        )
        if role == access.COURIER:
            session.flush()
            _courier(session, username, site)


def _accounts(session: Session) -> Iterator[tuple[str, str, str]]:
    """(username, role, site) of everybody."""
    sites = session.scalars(select(Site).order_by(Site.code)).all()
    city = next(site for site in sites if site.tier == CITY_CENTRE)
    for username, role in (
        ("admin", access.ADMINISTRATOR),
        ("auditor", access.AUDITOR),
        ("dispatch-city", access.DISPATCHER),
        ("lab-city", access.RECEIVER),
        ("manager-city", access.MANAGER),
    ):
        yield username, role, city.code
    for number in range(1, TRUNK_COURIERS + 1):
        yield f"courier-city-{number}", access.COURIER, city.code
    for site in sites:
        short = site.code.removeprefix("H")
        if site.tier == COUNTY_CENTRE:
            yield f"dispatch-{short}", access.DISPATCHER, site.code
            yield f"lab-{short}", access.RECEIVER, site.code
            yield f"manager-{short}", access.MANAGER, site.code
            for number in range(1, COURIERS_PER_COUNTY + 1):
                yield f"courier-{short}-{number}", access.COURIER, site.code
        elif site.tier == TOWNSHIP:
            yield f"nurse-{short}", access.COLLECTOR, site.code


def _courier(session: Session, username: str, site: str) -> None:
    number = username.removeprefix("courier-")
    code = f"VAN-{number.upper()}"
    session.add(
        Vehicle(
            code=code,
            name_zh="标本转运车",
            name_en="Specimen van",
            plate="鄂L·" + f"{abs(hash_number(number)) % 90000 + 10000}",
            site_code=site,
            slots_cold=24,
            slots_ambient=24,
            slots_frozen=6,
        )
    )
    session.flush()
    session.add(Courier(username=username, vehicle_code=code, start_site_code=site, end_site_code=site))


def hash_number(text: str) -> int:
    """The same small number for the same text in every process."""
    return sum((index + 1) * ord(character) * 131 for index, character in enumerate(text))


def _boxes(session: Session) -> None:
    """Two cold boxes and an ambient one for every township, more for the trunk runs of the centres."""
    serial = 0
    for site in session.scalars(select(Site).order_by(Site.code)):
        classes = (COLD, COLD, AMBIENT) if site.tier == TOWNSHIP else (COLD, COLD, AMBIENT, AMBIENT, FROZEN)
        for temp_class in classes:
            serial += 1
            session.add(
                Box(
                    code=numbers.issue(numbers.Kind.BOX, serial),
                    temp_class=temp_class,
                    capacity=50 if site.tier == TOWNSHIP else 100,
                    hold_h=8.0,
                    home_code=site.code,
                    location_code=site.code,
                )
            )


def _channel(session: Session) -> None:
    """Nothing leaves the machine: the demo's only channel is switched off until somebody sets its address."""
    city = session.scalars(select(Site.code).where(Site.tier == CITY_CENTRE)).one()
    session.add(
        Channel(
            name="市中心值班", kind="http", site_code=city, config={"url": ""}, min_severity="critical", active=False
        )
    )
