"""One working day of the network, recorded act by act through the same service as real ones.

``record_day`` plays the 70 townships of Xianning: tubes are registered, collected, packed, sealed, fetched, received
and decided; those for the city go on from the county centre. ``until`` late morning leaves tubes in every stage.
``bench.history`` copies such a day over many others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import insert, select

from bench import acts_world as w
from logistics.db import transaction
from logistics.domain import numbers
from logistics.models import Box, CourierPosition, Site, Test, TestSite
from logistics.models.catalogue import COLD
from logistics.models.network import CITY_CENTRE, COUNTY_CENTRE, TOWNSHIP
from telemetry.models import Device, DeviceBinding, ReadingRow
from web.demo import people

ZONE = ZoneInfo("Asia/Shanghai")
BOXES_A_TOWN, TUBES_A_BOX = 4, 18
CITY_EVERY = 6  # one tube in six is for the city
READING_EVERY = timedelta(minutes=5)
POSITION_EVERY = timedelta(minutes=2)
ROUND_FROM, ROUND_UNTIL = time(10), time(13)


@dataclass
class Network:
    """Who works where: sites by tier, tests that a county performs and those that only the city does."""

    city: str = ""
    towns: dict[str, list[str]] = field(default_factory=dict)  # county → townships
    county_tests: list[str] = field(default_factory=list)
    city_tests: list[str] = field(default_factory=list)

    @property
    def tubes_a_day(self) -> int:
        return sum(map(len, self.towns.values())) * BOXES_A_TOWN * TUBES_A_BOX


@dataclass
class Day:
    """A day under way, and the counters of what it has numbered."""

    network: Network
    on: date
    seals: int
    until: time  # nothing that happens later is recorded

    def at(self, hour: int, minute: int = 0) -> datetime:
        return datetime.combine(self.on, time(hour, minute), ZONE)

    def seal(self) -> str:
        self.seals += 1
        return numbers.issue(numbers.Kind.SEAL, self.seals)

    def record(self, username: str, acts: Sequence[w.Act], when: datetime) -> list[dict[str, object]]:
        return w.record(username, acts, now=when + timedelta(seconds=20)) if acts else []


def prepare() -> Network:
    """Boxes with loggers for every township, and what the catalogue says. Once, after ``acts_world.build``."""
    found = Network()
    with transaction() as session:
        sites = session.scalars(select(Site).where(Site.active).order_by(Site.code)).all()
        found.city = next(site.code for site in sites if site.tier == CITY_CENTRE)
        counties = [site.code for site in sites if site.tier == COUNTY_CENTRE]
        found.towns = {county: [] for county in counties}
        for site in sites:
            if site.tier == TOWNSHIP:
                found.towns.setdefault(str(site.parent_code), []).append(site.code)
        one_tube = session.get_one(Test, "CBC")  # a tube serves for tests of one kind of tube
        cold = set(session.scalars(
            select(Test.code).where(Test.active, Test.temp_class == COLD, Test.container == one_tube.container)
        ))  # fmt: skip
        places: dict[str, set[str]] = {}
        for test, site in session.execute(select(TestSite.test_code, TestSite.site_code)):
            places.setdefault(test, set()).add(site)
        found.county_tests = sorted(test for test in cold if places.get(test, set()) >= set(counties))
        found.city_tests = sorted(test for test in cold if places.get(test) == {found.city})
        for site in [*[town for towns in found.towns.values() for town in towns], *counties]:
            for index in range(BOXES_A_TOWN):
                _box(session, f"BXH{site.removeprefix('H')[-7:]}{index}", site)
    return found


def _box(session, code: str, site: str) -> None:  # type: ignore[no-untyped-def]
    session.add(Box(code=code, temp_class=COLD, capacity=1000, home_code=site, location_code=site))
    session.add(Device(code=f"LG{code}", interval_s=int(READING_EVERY.total_seconds())))
    session.flush()
    session.add(DeviceBinding(device_code=f"LG{code}", box_code=code, bound_from=datetime(2020, 1, 1, tzinfo=ZONE)))


def record_day(network: Network, on: date, *, seals: int, until: time = time(23)) -> int:
    """Everything of the day up to ``until``; boxes stand at home before it. Gives the last seal's serial."""
    day = Day(network, on, seals, until)
    with transaction() as session:
        for box in session.scalars(select(Box)):
            box.location_code, box.holder, box.consignment_number = box.home_code, None, None
    for place, (county, towns) in enumerate(network.towns.items()):
        special: list[str] = []
        for index, town in enumerate(towns):
            special += _town(day, county, town, place * 20 + index)
        if until >= time(15):
            _trunk(day, county, special)
    _measured(day)
    return day.seals


def _town(day: Day, county: str, town: str, serial: int) -> list[str]:
    """A township's round. Gives the tubes that wait at the county centre for the city.

    Of an open day every fourth township is still packing, sealed, on the road, at the desk.
    """
    nurse, courier = f"nurse-{town}", _courier(day, county, serial)
    tubes = [f"{day.on:%y%m%d}{serial:03d}{n:03d}" for n in range(BOXES_A_TOWN * TUBES_A_BOX)]
    network = day.network
    tests = {
        tube: [network.city_tests[n % len(network.city_tests)]] if n % CITY_EVERY == 0
        else network.county_tests[n % (len(network.county_tests) - 1) :][: 1 + n % 2]
        for n, tube in enumerate(tubes)
    }  # fmt: skip
    at = day.at
    registered = [
        w.act("register", {"specimen": one}, {"tests": tests[one], "patient_ref": "张**"}, at=at(8, n % 60))
        for n, one in enumerate(tubes)
    ]
    day.record(nurse, registered, at(9))
    day.record(nurse, [w.act("collect", {"specimen": one}, at=at(9, n % 60)) for n, one in enumerate(tubes)], at(10))
    boxes = [f"BXH{town.removeprefix('H')[-7:]}{index}" for index in range(BOXES_A_TOWN)]
    packed = day.record(nurse, [w.act("pack", {"specimen": one, "box": boxes[n // TUBES_A_BOX]}, at=at(10, n % 20))
                                for n, one in enumerate(tubes)], at(10, 20))  # fmt: skip
    loads = Counter(str(one["consignment"]) for one in packed)
    stage = serial % 4 if day.until < time(15) else 4
    if stage >= 1:
        day.record(nurse, [w.act("seal", {"consignment": one}, {"seal": day.seal()}, at=at(10, 25)) for one in loads],
                   at(10, 26))  # fmt: skip
    if stage >= 2:
        _ride(day, loads, courier, giver=nurse, since=at(10, 30), start=town)
    if stage >= 3:
        _deliver(day, loads, courier, f"lab-{county.removeprefix('H')}", county, at(11, 20))
        known = {str(one["specimen"]): str(one["consignment"]) for one in packed}
        _decide(day, county, known if stage == 4 else dict(list(known.items())[::2]), tests, whole=stage == 4)
    return [one for n, one in enumerate(tubes) if n % CITY_EVERY == 0 and stage == 4 and n % 50 not in {7, 11}]


def _ride(day: Day, loads: Mapping[str, int], courier: str, *, giver: str, since: datetime, start: str) -> None:
    day.record(courier, [_hand_over(one, count, giver, start, since) for one, count in loads.items()], since)


def _hand_over(consignment: str, count: int, giver: str, site: str, at: datetime) -> w.Act:
    payload: dict[str, object] = {"other": giver, "pin": people.PIN, "count": count}
    return w.act("hand_over", {"consignment": consignment}, payload, site, at=at)


def _deliver(day: Day, loads: Mapping[str, int], courier: str, desk: str, site: str, at: datetime) -> None:
    day.record(courier, [w.act("arrive", {}, {}, site, at=at)], at)
    later = at + timedelta(minutes=5)
    day.record(desk, [_hand_over(one, count, courier, site, later) for one, count in loads.items()], later)


def _decide(day: Day, site: str, known: dict[str, str], tests: dict[str, list[str]], *, whole: bool) -> None:
    """Received and decided at the county centre: of fifty tubes one is rejected, one accepted with concession."""
    desk = f"lab-{site.removeprefix('H')}"
    at = day.at
    day.record(desk, [w.act("receive", {"specimen": one, "consignment": load}, {"condition": "good"}, at=at(11, 40))
                      for one, load in known.items()], at(11, 45))  # fmt: skip
    if not whole:
        return
    acts = []
    for one in known:
        n = int(one[-3:])
        if n % CITY_EVERY == 0 and n % 50 not in {7, 11}:
            continue  # goes on to the city, which decides
        if n % 50 == 7:
            acts.append(w.act("reject", {"specimen": one}, {"reason": "HAEMOLYSED"}, at=at(12, 10)))
        elif n % 50 == 11:
            acts.append(w.act("accept", {"specimen": one}, {"reason": "LIPAEMIC"}, at=at(12, 10)))
        else:
            acts.append(w.act("accept", {"specimen": one}, at=at(12, 10)))
    day.record(desk, acts, at(12, 15))
    loads = sorted(set(known.values()))
    day.record(desk, [w.act("close_receipt", {"consignment": one}, at=at(12, 20)) for one in loads], at(12, 20))


def _trunk(day: Day, county: str, tubes: Sequence[str]) -> None:
    """From the county centre to the city, in one box."""
    desk, city, at = f"lab-{county.removeprefix('H')}", day.network.city, day.at
    box = f"BXH{county.removeprefix('H')[-7:]}0"
    packed = day.record(
        desk, [w.act("pack", {"specimen": one, "box": box}, at=at(12, 40)) for one in tubes], at(12, 45)
    )
    loads = Counter(str(one["consignment"]) for one in packed)
    day.record(desk, [w.act("seal", {"consignment": one}, {"seal": day.seal()}, at=at(12, 50)) for one in loads],
               at(12, 50))  # fmt: skip
    courier = f"courier-city-{1 + hash_of(county) % people.TRUNK_COURIERS}"
    _ride(day, loads, courier, giver=desk, since=at(13), start=county)
    _deliver(day, loads, courier, "lab-city", city, at(14))
    receive = [w.act("receive", {"specimen": str(one["specimen"]), "consignment": str(one["consignment"])},
                     {"condition": "good"}, at=at(14, 10)) for one in packed]  # fmt: skip
    day.record("lab-city", receive, at(14, 15))
    day.record("lab-city", [w.act("accept", {"specimen": one}, at=at(14, 20)) for one in tubes], at(14, 30))
    day.record("lab-city", [w.act("close_receipt", {"consignment": one}, at=at(14, 40)) for one in loads], at(14, 40))


def hash_of(text: str) -> int:
    """The same small number in every process."""
    return sum(map(ord, text))


def _courier(day: Day, county: str, serial: int) -> str:
    return f"courier-{county.removeprefix('H')}-{1 + serial % people.COURIERS_PER_COUNTY}"


def _measured(day: Day) -> None:
    """Temperatures of every box and positions of every courier during the round."""
    since = datetime.combine(day.on, ROUND_FROM, ZONE)
    until = datetime.combine(day.on, min(ROUND_UNTIL, day.until), ZONE)
    readings, positions = [], []
    with transaction() as session:
        devices = session.scalars(select(Device.code).where(Device.code.like("LGBXH%"))).all()
        at = since
        while at < until:
            wave = (at.minute % 20) / 10
            readings += [{"device_code": code, "probe": 1, "at": at, "temp_c": 4.0 + wave, "recorded_at": at}
                         for code in devices]  # fmt: skip
            at += READING_EVERY
        names = [f"courier-{county.removeprefix('H')}-{n}" for county in day.network.towns
                 for n in range(1, people.COURIERS_PER_COUNTY + 1)]  # fmt: skip
        at = since
        while at < until:
            positions += [{"username": name, "at": at, "lat": 29.8, "lon": 114.3} for name in names]
            at += POSITION_EVERY
        session.execute(insert(ReadingRow), readings)
        session.execute(insert(CourierPosition), positions)
