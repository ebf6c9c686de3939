"""What was set aside, on its pages: seen as text and bytes, explained, released after it was mended, or discarded."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.clock import FixedClock
from logistics.models import AuditEntry
from telemetry import devices, topics
from telemetry.ingest import Incoming
from telemetry.letters import as_hex, as_text
from telemetry.models import DeadLetter, Device, QuarantinedReading, ReadingRow
from tests import factories as f
from tests.factories import START
from tests.telemetry.test_ingest import count, message, send

pytestmark = pytest.mark.both_databases
Login = Callable[[FlaskClient, str], FlaskClient]
NOW = START + timedelta(hours=6)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def world(session: Session, app_clock: FixedClock) -> Session:
    """LG-1 in the cold box of TOWN, LG-2 in no box and nobody's; the manager of COUNTY sees the first."""
    f.world(session)
    app_clock.set(NOW)
    before = START - timedelta(hours=1)
    for code in ("LG-1", "LG-2"):
        devices.register(session, code, now=before)
    devices.bind(session, "LG-1", "BX-C", at=before, now=before)
    session.commit()
    return session


def text(client: FlaskClient, path: str) -> str:
    answer = client.get(f"{path}{'&' if '?' in path else '?'}lang=en")
    assert answer.status_code == 200, path
    return answer.get_data(as_text=True)


def states(session: Session, table: type = DeadLetter) -> list[str]:
    session.rollback()
    return list(session.scalars(select(table.state).order_by(table.id)))  # type: ignore[attr-defined]


def test_bytes_as_a_person_reads_them() -> None:
    """JSON is laid out, text stays text, the rest are dots; sixteen bytes a line with their letters."""
    assert as_text(b'{"a":[1]}') == '{\n  "a": [\n    1\n  ]\n}'
    assert as_text(b"\x00\x1bhi\n") == "··hi\n"
    assert as_hex(b"\x00AB\xff" + bytes(14)).splitlines() == [
        "0000  00 41 42 ff 00 00 00 00 00 00 00 00 00 00 00 00  ·AB·············",
        "0010  00 00                                            ··",
    ]


def test_messages_of_an_unknown_logger_are_read_after_it_is_registered(
    world: Session, client: FlaskClient, login: Login
) -> None:
    """Seen with the reason and what to do; registered with a past beginning, tried again: its readings are there."""
    send(world, message([5, 5], device="LG-7"), message([6], start=START + 30 * MINUTE, device="LG-7"), now=NOW)
    login(client, "admin")
    page = text(client, "/devices/letters")
    assert "The logger is not registered." in page
    [letter_id, _] = re.findall(r"/devices/letters/(\d+)", page)
    one = text(client, f"/devices/letters/{letter_id}")
    assert "Register the logger" in one
    assert "&#34;temp_c&#34;: 6" in one
    assert "7b 22 73 65 71" in one
    client.post("/devices/letters/release", data={"state": "kept"})
    assert states(world) == ["kept", "kept"]
    client.post("/devices/new", data={"code": "LG-7", "codec": "labrelay", "commissioned_at": "2026-03-01T00:00"})
    answer = client.post("/devices/letters/release?lang=en", data={"state": "kept"}, follow_redirects=True)
    assert "2 released, 0 still cannot be read." in answer.get_data(as_text=True)
    assert states(world) == ["replayed", "replayed"]
    assert count(world, ReadingRow) == 3
    entry = world.scalars(select(AuditEntry).where(AuditEntry.action == "letters_released")).all()[-1]
    assert (entry.username, entry.detail["released"]) == ("admin", 2)


def test_one_entry_is_read_again_as_an_entry(world: Session, client: FlaskClient, login: Login) -> None:
    """Of a message whose second entry had no zone, the first counts. The entry alone is a letter; it stays, refused."""
    body = {"readings": [{"at": START.isoformat(), "temp_c": 5}, {"at": "2026-03-09T02:00:00", "temp_c": 6}]}
    send(world, Incoming(topics.readings("LG-1"), json.dumps(body).encode()), now=NOW)
    [letter] = world.scalars(select(DeadLetter)).all()
    login(client, "manager")
    client.post("/devices/letters/release", data={"letter": str(letter.id)})
    world.rollback()
    world.expire_all()
    assert (letter.state, letter.note, letter.count) == ("kept", "no_zone", 1)
    assert count(world, DeadLetter) == 1
    letter.raw = letter.raw.replace(b"02:00:00", b"02:00:00Z")  # as if the format had been mended
    world.commit()
    client.post("/devices/letters/release", data={"letter": str(letter.id)})
    assert states(world) == ["replayed"]
    assert count(world, ReadingRow) == 2


def test_a_mapping_that_is_mended_frees_what_waited(world: Session, client: FlaskClient, login: Login) -> None:
    """A format's names are set at its type; what came before can be read then, at its own time."""
    devices.register(world, "ZB-1", now=START - 60 * MINUTE, codec="zigbee2mqtt", topics=["z/one"], site_code=f.TOWN)
    world.commit()
    sent = {"t_supply": 5.5, "last_seen": START.isoformat()}
    result = send(world, Incoming("z/one", json.dumps({**sent, "temperature": "?"}).encode()), now=NOW)
    assert (result.stored, states(world)) == (0, ["kept"])
    login(client, "admin")
    form = {"codec": "zigbee2mqtt", "fields": "t_supply = temp_c", "topics": "z/one", "active": "1"}
    assert client.post("/devices/ZB-1/change", data=form).status_code == 302
    client.post("/devices/letters/release", data={"state": "kept", "device": "ZB-1"})
    assert states(world) == ["replayed"]
    assert world.scalars(select(ReadingRow.at)).all() == [START]


def test_noise_is_discarded_with_a_reason(world: Session, client: FlaskClient, login: Login) -> None:
    """Without a reason nothing happens; the row and its bytes stay; nobody decides twice."""
    send(world, Incoming(topics.readings("LG-1"), b"noise"), now=NOW)
    [letter] = world.scalars(select(DeadLetter)).all()
    login(client, "manager")
    client.post("/devices/letters/discard", data={"letter": str(letter.id), "note": " "})
    assert states(world) == ["kept"]
    client.post("/devices/letters/discard", data={"letter": str(letter.id), "note": "test of the radio"})
    client.post("/devices/letters/release", data={"letter": str(letter.id)})
    world.expire_all()
    assert states(world) == ["discarded"]
    assert (letter.raw, letter.note, letter.decided_by) == (b"noise", "test of the radio", "manager")
    assert "test of the radio" in text(client, "/devices/letters?state=discarded")
    assert "No message fits" in text(client, "/devices/letters")


def test_everybody_decides_about_his_own(world: Session, client: FlaskClient, login: Login) -> None:
    """The manager neither sees nor frees nor discards what is another's; his 'all' leaves it alone."""
    send(world, Incoming(topics.readings("LG-2"), b"x"), message([5], start=START.replace(year=2031), device="LG-2"),
         now=NOW)  # fmt: skip
    letter = world.scalars(select(DeadLetter.id)).one()
    held = world.scalars(select(QuarantinedReading.id)).one()
    login(client, "manager")
    assert "LG-2" not in text(client, "/devices/letters")
    assert "LG-2" not in text(client, "/devices/quarantine")
    assert client.get(f"/devices/letters/{letter}").status_code == 404
    for path, form in (
        ("letters/release", {"letter": str(letter)}), ("letters/release", {}),
        ("letters/discard", {"letter": str(letter), "note": "x"}),
        ("quarantine/release", {"reading": str(held)}), ("quarantine/release", {"device": "LG-2"}),
        ("quarantine/discard", {"reading": str(held), "note": "x"}),
    ):  # fmt: skip
        client.post(f"/devices/{path}", data=form)
    assert states(world) == ["kept"]
    assert states(world, QuarantinedReading) == ["held"]


def test_a_wrong_clock_is_one_decision(world: Session, client: FlaskClient, login: Login) -> None:
    """A logger an hour ahead: the page proposes the hour, all its readings are released, judged and noted."""
    ahead = NOW + 60 * MINUTE
    send(world, message([12.0] * 8, start=ahead - 35 * MINUTE), now=NOW)
    login(client, "manager")
    page = text(client, "/devices/quarantine")
    assert "The time of the reading lies in the future" in page
    proposed = dict(re.findall(r'id="(days|hours|minutes|seconds)-1"[^>]* value="(\d+)"', page))
    assert proposed == {"days": "0", "hours": "1", "minutes": "0", "seconds": "0"}
    form = {"device": "LG-1", "reason": "in_future", "sign": "-", **proposed}
    client.post("/devices/quarantine/release", data=form)
    assert states(world, QuarantinedReading) == ["released"] * 8
    assert max(world.scalars(select(ReadingRow.at))) == NOW
    assert world.get_one(Device, "LG-1").last_reading_at == NOW
    row = world.scalars(select(QuarantinedReading)).first()
    assert row is not None
    assert (row.offset_s, row.decided_by) == (-3600, "manager")
    entry = world.scalars(select(AuditEntry).where(AuditEntry.action == "readings_released")).one()
    assert entry.detail == {"count": 8, "offset_s": -3600.0, "reason": "in_future"}


def test_a_burst_that_was_stamped_alike_is_spread(world: Session, client: FlaskClient, login: Login) -> None:
    """Three more values for one instant: with a spacing each has a time of its own; without, it is refused in words."""
    send(world, *(message([temp_c]) for temp_c in (5.0, 6.0, 7.0, 8.0)), now=NOW)
    login(client, "manager")
    form = {"device": "LG-1", "reason": "restamped", "minutes": "5"}
    answer = client.post("/devices/quarantine/release?lang=en", data=form, follow_redirects=True)
    assert "Give a spacing" in answer.get_data(as_text=True)
    assert states(world, QuarantinedReading) == ["held"] * 3
    client.post("/devices/quarantine/release", data={**form, "spacing_s": "300"})
    series = world.execute(select(ReadingRow.at, ReadingRow.temp_c).order_by(ReadingRow.at)).all()
    assert [(at - START, temp_c) for at, temp_c in series] == [(n * 5 * MINUTE, 5.0 + n) for n in range(4)]


def test_what_a_release_refuses(world: Session, client: FlaskClient, login: Login) -> None:
    """A time still to come, an instant that is taken, nothing at all: in words, and nothing is stored."""
    send(world, message([5.0], start=START), message([6.0], start=START.replace(year=2031)), now=NOW)
    login(client, "manager")
    for form, said in (
        ({"device": "LG-1"}, "would lie in the future"),
        ({"device": "LG-1", "sign": "-", "days": "1826"}, "one of these instants already"),
        ({"device": "LG-1", "days": "99999"}, "cannot be moved as far"),
        ({"device": "LG-1", "days": "x"}, "is not a number"),
        ({"device": "nobody"}, "not in quarantine"),
    ):
        answer = client.post("/devices/quarantine/release?lang=en", data=form, follow_redirects=True)
        assert said in answer.get_data(as_text=True), form
    assert count(world, ReadingRow) == 1
    client.post("/devices/quarantine/discard", data={"device": "LG-1", "note": "a test of the clock"})
    assert states(world, QuarantinedReading) == ["discarded"]


def test_pages_of_many(world: Session, client: FlaskClient, login: Login) -> None:
    """Fifty a page, newest first, with the reasons counted."""
    noise = [Incoming(topics.readings("LG-1"), f"noise {n}".encode()) for n in range(60)]
    send(world, *noise, now=NOW)
    login(client, "manager")
    first, second = text(client, "/devices/letters"), text(client, "/devices/letters?page=2")
    assert "noise 59" in first
    assert "noise 59" not in second
    assert "noise 0" in second
    assert "The message is not JSON. (60)" in first
