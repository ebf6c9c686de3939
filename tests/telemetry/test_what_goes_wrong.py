"""What devices do wrong, row by row, through the whole pipeline: nothing is lost or taken for what it is not."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.errors import Forbidden, Invalid
from logistics.models import Alert
from telemetry import devices, http, routes, topics
from telemetry.ingest import BatchResult, Incoming, store_batch
from telemetry.models import DeadLetter, Device, QuarantinedReading, ReadingRow
from telemetry.reading import DeadReason
from tests import factories as f
from tests.factories import START
from tests.telemetry.test_ingest import count, message, send
from tests.telemetry.test_sparkplug import BIRTH, MS, metric, payload

pytestmark = pytest.mark.both_databases
FRAMES = Path(__file__).parents[1] / "data" / "codecs"
MINUTE = timedelta(minutes=1)
LATER = START + timedelta(hours=6)


@pytest.fixture
def world(session: Session) -> Session:
    """LG-1 in the cold box of TOWN since an hour before START, which carries two tubes."""
    f.world(session)
    before = START - timedelta(hours=1)
    devices.register(session, "LG-1", now=before)
    devices.bind(session, "LG-1", "BX-C", at=before, now=before)
    f.sealed(session)
    return session


def entries(*given: dict[str, Any], every: int = 5) -> Incoming:
    readings = [{"at": (START + n * every * MINUTE).isoformat(), **one} for n, one in enumerate(given)]
    return Incoming(topics.readings("LG-1"), json.dumps({"readings": readings}).encode())


def letters(session: Session) -> list[str]:
    return list(session.scalars(select(DeadLetter.reason).order_by(DeadLetter.id)))


def alerts(session: Session, kind: str) -> list[Alert]:
    session.expire_all()
    return list(session.scalars(select(Alert).where(Alert.kind == kind).order_by(Alert.id)))


def arrive(session: Session, topic: str, name: str, **values: Any) -> BatchResult:
    body = {**json.loads((FRAMES / name).read_text()), **values}
    return send(session, Incoming(topic, json.dumps(body).encode()))


def registered(session: Session, code: str, codec: str, topic: str, **options: Any) -> None:
    devices.register(session, code, now=START - timedelta(days=1), codec=codec, options=options, topics=[topic])
    session.commit()


def test_a_foreign_format_comes_over_its_own_topic(world: Session) -> None:
    """The register's topic leads to the device; the same event twice is one row; another topic is nobody's."""
    registered(world, "LW-1", "chirpstack", "application/+/device/a84041000181af4f/event/+")
    topic = "application/17c8/device/a84041000181af4f/event/up"
    first = arrive(world, topic, "chirpstack_up.json")
    again = arrive(world, topic, "chirpstack_up.json")
    assert (first.stored, again.stored, again.duplicates) == (1, 0, 1)
    assert world.scalars(select(ReadingRow.device_code)).all() == ["LW-1"]
    assert first.receipts == []  # it numbers nothing: no promise
    arrive(world, "application/17c8/device/0000/event/up", "chirpstack_up.json")
    assert letters(world) == ["bad_topic"]


def test_two_gateways_hear_one_tag(world: Session) -> None:
    """The same measurement a second later by another gateway, and redelivered: one reading, in one batch or two."""
    registered(world, "RT-1", "ruuvi", "ruuvi/+/CB:B8:33:4C:88:4F")
    body = json.loads((FRAMES / "ruuvi_mqtt.json").read_text())
    heard = [
        Incoming(f"ruuvi/{gateway}/CB:B8:33:4C:88:4F", json.dumps({**body, "ts": ts}).encode())
        for gateway, ts in (("A", "1773019215"), ("B", "1773019216"))
    ]
    assert send(world, *heard).stored == 1
    assert send(world, *heard).stored == 0
    assert count(world, ReadingRow) == 1


def test_sparkplug_data_waits_for_its_birth(world: Session) -> None:
    """Data before the birth is kept; after the birth the aliases are known, also to the next message of a batch."""
    registered(world, "SP-1", "sparkplug_b", "spBv1.0/Xianning/+/township-7/box-731")
    topic = "spBv1.0/Xianning/{}/township-7/box-731"
    data = payload(metric(alias=3, at=MS + 60_000, value=4.5))
    send(world, Incoming(topic.format("DDATA"), data))
    assert letters(world) == ["unknown_alias"]
    result = send(world, Incoming(topic.format("DBIRTH"), BIRTH), Incoming(topic.format("DDATA"), data))
    assert result.stored == 2


def test_a_clock_that_is_ahead(world: Session) -> None:
    """More than five minutes ahead waits in quarantine, five minutes are lag; the rest of the message counts."""
    result = send(world, message([5, 5, 5], start=START, every=5), now=START + timedelta(minutes=4, seconds=59))
    assert (result.stored, result.outcomes[0].quarantined) == (2, 1)
    [held] = world.scalars(select(QuarantinedReading)).all()
    assert (held.reason, held.at, held.state) == ("in_future", START + 10 * MINUTE, "held")


def test_a_clock_that_was_never_set(world: Session) -> None:
    """1970 is before the device was commissioned: in quarantine, once, however often it is sent."""
    for _ in range(2):
        result = send(world, message([5], start=START.replace(year=1970)))
    assert (result.stored, count(world, QuarantinedReading), count(world, ReadingRow)) == (0, 1, 0)


def test_a_gateway_that_stamps_a_burst_alike(world: Session) -> None:
    """Four values for one instant: one can be right. The others are set aside with their values, none is lost."""
    burst = [message([temp_c]) for temp_c in (5.0, 6.1, 7.2, 5.0)]
    result = send(world, *burst)
    again = send(world, *burst)
    assert (result.stored, result.duplicates, sum(one.quarantined for one in result.outcomes)) == (1, 1, 2)
    assert again.stored == 0
    held = world.scalars(select(QuarantinedReading).order_by(QuarantinedReading.temp_c)).all()
    assert [(one.reason, one.temp_c) for one in held] == [("restamped", 6.1), ("restamped", 7.2)]


def test_undecodable_bytes_cost_themselves_alone(world: Session) -> None:
    """Noise between good messages: kept with its bytes and counted, the others are stored."""
    noise = Incoming(topics.readings("LG-1"), b"\xff\x00noise")
    result = send(world, message([5]), noise, message([6], start=START + 5 * MINUTE))
    send(world, noise)
    assert (result.stored, result.dead_letters) == (2, 1)
    [letter] = world.scalars(select(DeadLetter)).all()
    assert (letter.raw, letter.reason, letter.count, letter.part) == (noise.payload, "not_text", 2, False)


def test_a_device_that_nobody_registered(world: Session) -> None:
    """Kept with its bytes until somebody does."""
    send(world, message([5], device="LG-77"))
    [letter] = world.scalars(select(DeadLetter)).all()
    assert (letter.device_code, letter.reason) == ("LG-77", DeadReason.UNKNOWN_DEVICE)


@pytest.mark.parametrize(
    ("temp", "reason"),
    [("-127", "probe_disconnected"), ("85.0", "probe_power_on"), ("NaN", "not_finite"), ("Infinity", "not_finite"),
     ("-250", "out_of_range"), ("81", "out_of_range")],
)  # fmt: skip
def test_a_faulty_probe_is_no_temperature(world: Session, temp: str, reason: str) -> None:
    """Neither an excursion nor a reading: the entry alone is a dead letter; the other probe counts."""
    good = f'{{"at":"{START.isoformat()}","probe":2,"temp_c":4.6}}'
    bad = f'{{"at":"{START.isoformat()}","probe":1,"temp_c":{temp}}}'
    result = send(world, Incoming(topics.readings("LG-1"), f'{{"seq":1,"readings":[{bad},{good}]}}'.encode()))
    assert (result.stored, result.excursions) == (1, 0)
    [letter] = world.scalars(select(DeadLetter)).all()
    assert (letter.reason, letter.part) == (reason, True)
    assert result.receipts[0].stored_up_to == 1  # it is kept here, so the logger may forget it


def test_one_fault_is_no_alert_and_a_probe_that_is_off_is_one(world: Session) -> None:
    """85 °C once at power-up: nobody is told. −127 over two intervals: one alert, over when it measures again."""
    send(world, entries({"temp_c": 85.0}, {"temp_c": 5.0}))
    assert alerts(world, "probe") == []
    off = [{"temp_c": -127}] * 3
    send(world, entries({"temp_c": 85.0}, {"temp_c": 5.0}, *off))
    [alert] = alerts(world, "probe")
    assert (alert.state, alert.box_code, alert.occurred_at) == ("open", "BX-C", START + 10 * MINUTE)
    assert len(alert.specimen_ids) == 2
    send(world, entries(*[{"temp_c": 5.0}] * 2, *off, *[{"temp_c": 5.0}] * 3))
    [alert] = alerts(world, "probe")
    assert alert.state == "ended"
    assert world.get_one(Device, "LG-1").conditions == {}


def test_a_lid_that_stays_open(world: Session) -> None:
    """Fifteen minutes open with tubes in the box is one alert, ended when it is closed, learned late or not."""
    send(world, entries(*[{"temp_c": 5.0, "lid_open": True}] * 4))
    [alert] = alerts(world, "lid")
    assert (alert.state, alert.params["minutes"]) == ("open", 10)
    send(world, entries(*[{"temp_c": 5.0, "lid_open": True}] * 4, *[{"temp_c": 5.0, "lid_open": False}] * 2))
    assert [one.state for one in alerts(world, "lid")] == ["ended"]


def test_a_battery_is_told_once(world: Session) -> None:
    """Falling through 15 % tells once, over 25 % ends it; a late reading says nothing about it now."""
    send(world, message([5], start=START + 30 * MINUTE))
    late = [{"temp_c": 5.0, "battery_pct": 3}]
    send(world, entries(*late))
    assert alerts(world, "battery") == []
    for number, pct in enumerate((14, 13, 16, 14)):
        body = {"at": (START + (35 + 5 * number) * MINUTE).isoformat(), "temp_c": 5.0, "battery_pct": pct}
        send(world, Incoming(topics.readings("LG-1"), json.dumps({"readings": [body]}).encode()))
    [alert] = alerts(world, "battery")
    device = world.get_one(Device, "LG-1")
    assert (alert.state, device.battery_low, device.battery_pct) == ("open", True, 14)
    body = {"at": (START + 60 * MINUTE).isoformat(), "temp_c": 5.0, "battery_pct": 80}
    send(world, Incoming(topics.readings("LG-1"), json.dumps({"readings": [body]}).encode()))
    assert [one.state for one in alerts(world, "battery")] == ["ended"]
    assert not world.get_one(Device, "LG-1").battery_low


def test_a_battery_that_is_told_without_a_temperature(world: Session) -> None:
    """A Zigbee sensor says its battery alone: noted, and told when it is low."""
    registered(world, "ZB-1", "zigbee2mqtt", "zigbee2mqtt/box-731")
    devices.bind(world, "ZB-1", "BX-T", at=START, now=START)
    world.commit()
    send(world, Incoming("zigbee2mqtt/box-731", b'{"battery": 7}'))
    [alert] = alerts(world, "battery")
    assert (alert.box_code, alert.severity, alert.site_code) == ("BX-T", "info", f.COUNTY)  # empty: its home is told
    assert world.get_one(Device, "ZB-1").battery_pct == 7


def test_topics_of_the_register(world: Session) -> None:
    """The one with the fewest wildcards wins; ours and those that catch everything are refused; no two alike."""
    registered(world, "A", "ruuvi", "ruuvi/#")
    registered(world, "B", "ruuvi", "ruuvi/+/AA")
    found = routes.devices_of(world, ["ruuvi/G/AA", "ruuvi/G/BB", "other/G"])
    assert found == {"ruuvi/G/AA": "B", "ruuvi/G/BB": "A"}
    assert routes.filters(world) == ["ruuvi/#", "ruuvi/+/AA"]
    for bad in ("#", "+/x", "a/#/b", "a/b+", "labrelay/v1/+/readings", "$share/g/x", "x" * 300, "/x"):
        with pytest.raises(Exception, match="topic_bad"):
            routes.replace(world, "A", [bad])
    with pytest.raises(Exception, match="topic_taken"):
        routes.replace(world, "A", ["ruuvi/+/AA"])


def test_a_time_of_arrival_is_kept_when_it_is_decoded_again(world: Session) -> None:
    """The message's own time of arrival counts, not the time of the database's answer."""
    registered(world, "SH-1", "shelly", "sh/status/temperature:0", arrival=True)
    incoming = Incoming("sh/status/temperature:0", (FRAMES / "shelly_status.json").read_bytes(), received_at=START)
    store_batch(world, [incoming], now=LATER)
    store_batch(world, [incoming], now=LATER + MINUTE)
    world.commit()
    assert world.scalars(select(ReadingRow.at)).all() == [START]


def test_gateways_of_other_makers_post_their_own_bodies(world: Session) -> None:
    """ChirpStack's event and a Ruuvi Gateway's body are stored for the devices that the register has for them; for a
    device that is not the sender's, or nobody's, nothing is."""
    registered(world, "LW-1", "chirpstack", "application/+/device/a84041000181af4f/event/+")
    registered(world, "RG-1", "ruuvi", "ruuvi/C8:25:2D:8E:9C:2C/http", probes={"CB:B8:33:4C:88:4F": 1})
    for name in ("chirpstack_up.json", "ruuvi_http.json"):
        body = (FRAMES / name).read_bytes()
        with pytest.raises(Forbidden):
            http.store_body(world, body, now=LATER, allowed_devices=["LG-1"])
        with pytest.raises(Invalid, match="device_missing"):
            http.store_body(world, body.replace(b"a84041000181af4f", b"00").replace(b"9C:2C", b"9C:2D"), now=LATER)
        assert http.store_body(world, body, now=LATER, allowed_devices=["LW-1", "RG-1"])["messages"][0]["stored"] == 1
    world.commit()
    assert sorted(world.scalars(select(ReadingRow.device_code))) == ["LW-1", "RG-1"]
