"""Formats of other makers: bytes to readings, and what is said about bytes that are none."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logistics.errors import Invalid
from telemetry.codecs import CODECS, Source, decode
from telemetry.codecs.options import checked
from telemetry.codecs.values import instant, lithium_pct
from telemetry.reading import DeadReason, Message, Reading, UndecodableError

FRAMES = Path(__file__).parents[1] / "data" / "codecs"
AT = datetime(2026, 3, 9, 1, 20, 15, tzinfo=UTC)
TAGS = {"cbb8334c884f": 1, "CB:B8:33:4C:88:50": 2, "CB:B8:33:4C:88:51": 3}


def frame(name: str) -> bytes:
    return (FRAMES / name).read_bytes()


def read(codec: str, payload: bytes, **more: Any) -> Message:
    return decode(codec, payload, device="LG-1", source=Source("LG-1", **more))


def changed(name: str, **values: Any) -> bytes:
    """A frame with other values on its first level; None takes one away."""
    body = {**json.loads(frame(name)), **values}
    return json.dumps({key: value for key, value in body.items() if value is not None}).encode()


def refusal(codec: str, payload: bytes, **more: Any) -> DeadReason:
    with pytest.raises(UndecodableError) as error:
        read(codec, payload, **more)
    return error.value.reason


def test_chirpstack_by_its_default_names() -> None:
    """Temperature, humidity and battery of a decoded uplink, at the event's time to the microsecond."""
    message = read("chirpstack", frame("chirpstack_up.json"))
    [reading] = message.readings
    assert (reading.temp_c, reading.rh_pct, reading.probe) == (4.7, 62.4, 1)
    assert reading.at == AT.replace(microsecond=775023)
    assert reading.battery_pct == lithium_pct(2.93)
    assert message.seq is None
    assert read("chirpstack", frame("chirpstack_up.json")).readings == message.readings


def test_chirpstack_by_a_saved_mapping() -> None:
    """Names of the maker are mapped: nested ones by dots, a second probe, a door, the logger's own clock."""
    fields = {"TempC_SHT": "temp_c", "probe.TempC": "temp_c@2", "door": "lid_open", "taken": "at"}
    body = json.loads(frame("chirpstack_up.json"))
    body["object"] |= {"taken": "2026-03-09 08:15:00", "door": "open"}
    message = read("chirpstack", json.dumps(body).encode(), options={"fields": fields, "zone": "Asia/Shanghai"})
    at = AT.replace(hour=0, minute=15, second=0)
    assert [(one.probe, one.temp_c, one.at, one.lid_open) for one in message.readings] == [
        (1, 4.7, at, True), (2, 5.1, at, True),
    ]  # fmt: skip


def test_chirpstack_without_time_takes_the_first_gateways() -> None:
    """No time of the event: the earliest of the gateways'."""
    [reading] = read("chirpstack", changed("chirpstack_up.json", time=None)).readings
    assert reading.at == AT.replace(microsecond=775023)


def test_chirpstack_that_measures_nothing() -> None:
    """Undecoded bytes and strange names are refused in so many words; other events and ports are only heard."""
    assert refusal("chirpstack", changed("chirpstack_up.json", object=None)) is DeadReason.NO_VALUES
    assert refusal("chirpstack", changed("chirpstack_up.json", object={"t": 4})) is DeadReason.NO_VALUES
    assert refusal("chirpstack", b'{"a": 1}') is DeadReason.WRONG_SHAPE
    assert read("chirpstack", frame("chirpstack_up.json"), options={"ports": [5]}).readings == ()
    joined = changed("chirpstack_up.json", object=None, fPort=None)
    assert read("chirpstack", joined) == Message("LG-1", None, ())
    status = read("chirpstack", changed("chirpstack_up.json", batteryLevel=81.5))
    assert (status.readings, status.battery_pct) == ((), 81.5)


def test_ruuvi_over_mqtt() -> None:
    """A tag's measurement at the time when the gateway heard it, not when it passed it on."""
    [reading] = read("ruuvi", frame("ruuvi_mqtt.json")).readings
    assert reading == Reading("LG-1", 1, AT, 4.7, 58.35, lithium_pct(2.935))


@pytest.mark.parametrize(
    ("vector", "temp_c", "rh_pct", "fault"),
    [
        ("0512FC5394C37C0004FFFC040CAC364200CDCBB8334C884F", 24.3, 53.49, None),
        ("057FFFFFFEFFFE7FFF7FFF7FFFFFDEFEFFFECBB8334C884F", None, None, DeadReason.OUT_OF_RANGE),  # 163.835 °C
        ("058001000000008001800180010000000000CBB8334C884F", None, None, DeadReason.OUT_OF_RANGE),  # −163.835 °C
        ("058000FFFFFFFF800080008000FFFFFFFFFFFFFFFFFFFFFF", None, None, DeadReason.PROBE_DISCONNECTED),
    ],
)
def test_the_makers_own_vectors(vector: str, temp_c: float | None, rh_pct: float, fault: DeadReason | None) -> None:
    """Valid, highest, lowest, and 'not available', as the maker writes them."""
    message = read("ruuvi", changed("ruuvi_mqtt.json", data=f"0201061BFF9904{vector}"))
    if fault is None:
        [reading] = message.readings
        assert (reading.temp_c, reading.rh_pct) == (temp_c, rh_pct)
    else:
        assert [(part.reason, part.probe, part.at) for part in message.bad] == [(fault, 1, AT)]


def test_ruuvi_heard_twice_is_one_measurement() -> None:
    """A second gateway a second later says the same number: dropped. The next number and the same bytes pass."""
    first = read("ruuvi", frame("ruuvi_mqtt.json"))
    assert first.learnt == {"1": [118, AT.isoformat()]}
    learnt = first.learnt or {}
    later = changed("ruuvi_mqtt.json", ts="1773019216", gw_mac="AA:BB:CC:DD:EE:FF")
    assert read("ruuvi", later, learnt=learnt).readings == ()
    assert len(read("ruuvi", frame("ruuvi_mqtt.json"), learnt=learnt).readings) == 1
    other = changed("ruuvi_mqtt.json", ts="1773019217",
                    data=json.loads(frame("ruuvi_mqtt.json"))["data"].replace("0076CB", "0077CB"))  # fmt: skip
    assert len(read("ruuvi", other, learnt=learnt).readings) == 1
    much_later = changed("ruuvi_mqtt.json", ts=str(1773019215 + 3600))
    assert len(read("ruuvi", much_later, learnt=learnt).readings) == 1


def test_ruuvi_gateway_with_many_tags() -> None:
    """Each tag that has a number is a probe; one without value, one of an old format and a stranger are named."""
    message = read("ruuvi", frame("ruuvi_http.json"), options={"probes": TAGS})
    assert [(one.probe, one.temp_c, one.at) for one in message.readings] == [(1, 4.7, AT)]
    assert {(part.reason, part.probe) for part in message.bad} == {
        (DeadReason.PROBE_DISCONNECTED, 2), (DeadReason.WRONG_SHAPE, 3), (DeadReason.UNKNOWN_PROBE, None),
    }  # fmt: skip
    [stranger] = [part for part in message.bad if part.reason is DeadReason.UNKNOWN_PROBE]
    assert stranger.raw == b"cbb8334c8852"  # the same bytes each time, so one dead letter


def test_ruuvi_gateway_itself_is_only_heard() -> None:
    """'online' measures nothing."""
    assert read("ruuvi", b'{"status": "online", "gw_mac": "C8:25:2D:8E:9C:2C"}').readings == ()
    assert refusal("ruuvi", b"{}") is DeadReason.WRONG_SHAPE
    assert refusal("ruuvi", b'{"data": "zz"}') is DeadReason.WRONG_SHAPE
    assert refusal("ruuvi", changed("ruuvi_mqtt.json", ts=None)) is DeadReason.NO_TIME


def test_shelly_notification() -> None:
    """The sensor itself is probe 1, the add-on's first probe 2; null is a probe that cannot be read."""
    message = read("shelly", frame("shelly_notify.json"))
    [reading] = message.readings
    assert (reading.probe, reading.temp_c, reading.rh_pct, reading.battery_pct) == (1, 4.8, 61.2, 66)
    assert abs(reading.at - AT) == timedelta(seconds=0.62)
    assert [(part.reason, part.probe) for part in message.bad] == [(DeadReason.PROBE_DISCONNECTED, 2)]
    only = read("shelly", frame("shelly_notify.json"), options={"probes": {"temperature:0": 7}})
    assert [one.probe for one in only.readings] == [7]
    assert only.bad == ()


def test_shelly_status_needs_leave_to_take_the_time_of_arrival() -> None:
    """A status has no time: refused, unless the device's options say that arrival will do."""
    payload = frame("shelly_status.json")
    now = AT + timedelta(milliseconds=412)
    assert refusal("shelly", payload, received_at=now) is DeadReason.NO_TIME
    [reading] = read("shelly", payload, received_at=now, options={"arrival": True}).readings
    assert (reading.at, reading.temp_c) == (AT, 4.8)
    battery = read("shelly", b'{"id": 0, "battery": {"V": 5.3, "percent": 9}}')
    assert (battery.readings, battery.battery_pct) == ((), 9)
    assert read("shelly", b'{"method": "NotifyEvent", "params": {}}').readings == ()
    assert refusal("shelly", b'{"tF": 40}') is DeadReason.WRONG_SHAPE


def test_tasmota_needs_its_zone() -> None:
    """Local time without a zone: refused, or read with the device's zone; °F becomes °C."""
    payload = frame("tasmota_one.json")
    assert refusal("tasmota", payload) is DeadReason.NO_ZONE
    [reading] = read("tasmota", payload, options={"zone": "Asia/Shanghai"}).readings
    assert (reading.at, reading.temp_c) == (AT, 4.722)


def test_tasmota_with_several_sensors() -> None:
    """Numbered by name, the second sensor without a number has no place; with ids each has its own."""
    zone = {"zone": "Asia/Shanghai"}
    plain = read("tasmota", frame("tasmota_three.json"), options=zone)
    assert [(one.probe, one.temp_c) for one in plain.readings] == [(1, 4.7)]
    assert [part.reason for part in plain.bad] == [DeadReason.UNKNOWN_PROBE, DeadReason.PROBE_POWER_ON]
    named = {"00000566CC39": 1, "000005C6A4B1": 2, "SHT3X": 3, "0000099999": 4}
    message = read("tasmota", frame("tasmota_three.json"), options={**zone, "probes": named})
    assert [(one.probe, one.temp_c) for one in message.readings] == [(1, 4.7), (3, 5.2)]
    assert [(part.reason, part.probe) for part in message.bad] == [
        (DeadReason.PROBE_POWER_ON, 2), (DeadReason.PROBE_DISCONNECTED, 4),
    ]  # fmt: skip


def test_tasmota_that_writes_nan() -> None:
    """Older versions wrote nan, which is no JSON: the probe gives no number."""
    payload = frame("tasmota_one.json").replace(b"40.5", b"nan")
    message = read("tasmota", payload, options={"zone": "Asia/Shanghai"})
    assert [part.reason for part in message.bad] == [DeadReason.NOT_FINITE]
    assert read("tasmota", b'{"Time": "2026-03-09T09:20:15", "POWER": "ON"}').readings == ()


def test_zigbee2mqtt() -> None:
    """last_seen as ISO with its offset and as milliseconds; its own percentage before the voltage."""
    [reading] = read("zigbee2mqtt", frame("zigbee2mqtt.json")).readings
    assert reading == Reading("LG-1", 1, AT, 4.73, 61.4, 74)
    [epoch] = read("zigbee2mqtt", changed("zigbee2mqtt.json", last_seen=1773019215000, battery=None)).readings
    assert (epoch.at, epoch.battery_pct) == (AT, lithium_pct(2.935))
    assert refusal("zigbee2mqtt", changed("zigbee2mqtt.json", last_seen=None)) is DeadReason.NO_TIME
    door = read("zigbee2mqtt", changed("zigbee2mqtt.json", contact=False))
    assert door.readings[0].lid_open is True
    alone = read("zigbee2mqtt", b'{"battery": 12, "linkquality": 60}')
    assert (alone.readings, alone.battery_pct) == ((), 12)


def test_a_number_that_is_none_is_named() -> None:
    """A text where the battery should be: that field is a dead letter, the temperature counts."""
    message = read("zigbee2mqtt", changed("zigbee2mqtt.json", battery="full"))
    assert message.readings[0].temp_c == 4.73
    assert [(part.reason, part.detail) for part in message.bad] == [(DeadReason.WRONG_SHAPE, "battery")]


@pytest.mark.parametrize("codec", sorted(CODECS))
@given(payload=st.one_of(st.binary(max_size=200), st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["data", "tags", "params", "method", "ts", "Time", "object", "deviceInfo", "fPort", "tC", "id",
                         "temperature", "last_seen", "time", "rxInfo", "battery", "readings", "at", "temp_c", "DS18B20",
                         "Temperature", "batteryLevel"]), inner, max_size=5),
    max_leaves=12).map(lambda value: json.dumps(value).encode())))  # fmt: skip
def test_no_bytes_break_a_codec(codec: str, payload: bytes) -> None:
    """Whatever comes: a message, or UndecodableError with a reason."""
    source = Source("LG-1", "spBv1.0/g/DDATA/n/d", AT, {"arrival": True, "zone": "Asia/Shanghai"}, {"1": [1, "x"]})
    try:
        message = decode(codec, payload, device="LG-1", source=source)
    except UndecodableError:
        return
    assert all(-100 <= one.temp_c <= 80 for one in message.readings)


def test_a_frame_cut_anywhere_is_refused() -> None:
    """A message that broke off is no message: refused at every length."""
    whole = frame("chirpstack_up.json")
    for length in range(0, len(whole) - 2, 37):
        assert refusal("chirpstack", whole[:length]) in (DeadReason.NOT_JSON, DeadReason.NOT_TEXT)


def test_times_in_every_spelling() -> None:
    """Seconds, milliseconds and text are the same instant; without a zone only a set one helps."""
    for value in (1773019215, "1773019215", 1773019215000, "2026-03-09T01:20:15Z", "2026-03-09T09:20:15+08:00"):
        assert instant(value) == AT
    for value, reason in (("soon", DeadReason.TIME_UNREADABLE), (10**30, DeadReason.TIME_UNREADABLE),
                          ("2026-03-09 01:20:15", DeadReason.NO_ZONE), (True, DeadReason.TIME_UNREADABLE)):  # fmt: skip
        with pytest.raises(UndecodableError) as error:
            instant(value)
        assert error.value.reason is reason


def test_options_are_checked_before_they_are_stored() -> None:
    """Unknown names, targets that are none, a zone that does not exist, probes out of range."""
    known = frozenset({"fields", "zone", "probes", "arrival", "ports"})
    good = {"fields": {"a.b": "temp_c@2"}, "zone": "Asia/Shanghai", "probes": {"x": 0}, "arrival": True, "ports": [2]}
    assert checked(good, known) == good
    for bad, code in (
        ({"colour": 1}, "option_unknown"), ([], "option_shape"), ({"fields": {"a": "warmth"}}, "option_target"),
        ({"fields": {"a": "rh_pct@2"}}, "option_target"), ({"fields": {"a": "temp_c@900"}}, "option_target"),
        ({"zone": "Mars/Olympus"}, "zone_unknown"), ({"zone": "../etc/passwd"}, "zone_unknown"),
        ({"probes": {"x": 256}}, "option_value"), ({"arrival": "yes"}, "option_value"),
        ({"ports": [0]}, "option_value"), ({"fields": []}, "option_value"),
    ):  # fmt: skip
        with pytest.raises(Invalid) as error:
            checked(bad, known)
        assert error.value.code == code, bad


def test_a_cell_is_worth_less_the_lower_its_voltage() -> None:
    """Never more than 100 or less than 0, and falling."""
    steps = [lithium_pct(volts / 100) for volts in range(150, 400)]
    assert steps == sorted(steps)
    assert (steps[0], steps[-1], lithium_pct(2.5)) == (0.0, 100.0, 15.0)
