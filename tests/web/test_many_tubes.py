"""The page of an excursion with many tubes: what it costs must not grow with them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, select
from sqlalchemy.orm import Session

from logistics import db as db_module
from logistics.clock import FixedClock
from logistics.db import db
from logistics.domain.acts import Act, Status
from logistics.models import Box
from logistics.services import custody, network
from telemetry.models import ExcursionRow
from tests import factories as f
from tests import warm_box
from tests.factories import COUNTY, PIN, START, TOWN, act

Login = Callable[[FlaskClient, str], FlaskClient]
MINUTE = timedelta(minutes=1)


def record(session: Session, username: str, acts: list[Act]) -> list[dict[str, Any]]:
    """Acts of one person in one go; all must succeed."""
    actor = f.user(session, username)
    scope = network.scope_of_user(session, actor)
    session.commit()
    reading = db_module._read_only.set(False)
    try:
        answers = custody.record(session, acts, actor=actor, scope=scope, now=max(one.occurred_at for one in acts))
        session.commit()
    finally:
        db_module._read_only.reset(reading)
    assert all(one.status is Status.DONE for one in answers), answers
    return [dict(one.result) for one in answers]


def warm(session: Session, box: str, tubes: int) -> int:
    """``tubes`` in one warm box, every second one rejected a minute after the other. Gives the excursion's number."""
    session.add(Box(code=box, temp_class="cold_2_8", capacity=50, home_code=TOWN, location_code=TOWN))
    session.commit()
    warm_box.logger(session, code=f"LG-{box}", box=box)
    names = [f"{box[-1]}2112{number:04d}" for number in range(tubes)]
    tests = {"tests": ["CBC", "CBC-DIFF"], "patient_ref": "张**"}
    record(session, "nurse", [act("register", {"specimen": name}, tests) for name in names])
    record(session, "nurse", [act("collect", {"specimen": name}) for name in names])
    packed = record(session, "nurse", [act("pack", {"specimen": name, "box": box}) for name in names])
    number = packed[0]["consignment"]
    record(session, "nurse", [act("seal", {"consignment": number}, {"seal": f"SL{box[-1]}"})])
    count = {"count": tubes, "box_temp_c": "4.6", "pin": PIN}
    record(session, "courier", [act("hand_over", {"consignment": number}, {"other": "nurse", **count}, site=TOWN)])
    later = {"site": COUNTY, "at": START + 60 * MINUTE}
    record(session, "courier", [act("arrive", {}, **later)])
    record(session, "receiver", [act("hand_over", {"consignment": number}, {"other": "courier", **count}, **later)])
    warm_box.readings(session, [5.0, 5.1, *[12.0] * 11, 5.2, 5.0], device=f"LG-{box}")
    at = START + 65 * MINUTE
    good = {"condition": "good"}
    record(
        session,
        "receiver",
        [act("receive", {"specimen": name, "consignment": number}, good, at=at) for name in names],
    )
    why = {"reason": "HAEMOLYSED"}
    record(
        session,
        "receiver",
        [act("reject", {"specimen": name}, why, at=at + n * MINUTE) for n, name in enumerate(names[::2], 1)],
    )
    found = session.scalars(select(ExcursionRow.id).where(ExcursionRow.box_code == box)).first()
    session.expunge_all()
    session.rollback()
    assert found
    return found


@contextmanager
def statements() -> Iterator[list[str]]:
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)

    engine = db.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


def test_what_the_page_asks_the_database_does_not_grow_with_tubes(
    app: Flask, session: Session, client: FlaskClient, login: Login, app_clock: FixedClock
) -> None:
    """Two tubes and eight, half of them decided at minutes of their own: as many statements, and every tube has its
    row with verdict, rule and state."""
    f.world(session)
    few, many = warm(session, "BX-1", 2), warm(session, "BX-2", 8)
    app_clock.set(START + timedelta(minutes=90))
    login(client, "manager")
    asked = {}
    for excursion in (few, many):
        address = f"/manager/excursions/{excursion}?lang=en"
        client.get(address)  # what a process keeps is kept now
        with statements() as seen:
            page = client.get(address).get_data(as_text=True)
        asked[excursion] = seen
    assert len(asked[many]) == len(asked[few]), asked[many]
    assert len(asked[many]) <= 30, asked[many]
    rows = re.findall(r"<tr data-tube=.*?</tr>", page, re.DOTALL)
    assert len(rows) == 8
    assert all("2 to 8 °C: 48 h" in row and ">Fit<" in row and "Site TOWN" in row for row in rows), rows[0]
    assert sum(">Rejected<" in row for row in rows) == 4
