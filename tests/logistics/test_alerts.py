"""Alerts: one per incident, told again only when it grows worse, and in words for every kind and language."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.errors import Conflict, Invalid, NotFound
from logistics.models import Alert, Channel, Delivery, User
from logistics.queries import alerts as queries
from logistics.services import alerts, network
from tests import factories as f
from tests.factories import START
from web import alert_texts

pytestmark = pytest.mark.both_databases


@pytest.fixture
def world(session: Session) -> Session:
    f.world(session)
    return session


def scope(session: Session, username: str) -> Any:
    return network.scope_of_user(session, session.scalars(select(User).where(User.username == username)).one())


def raised(session: Session, *, severity: str = "warning", tubes: tuple[int, ...] = (), **more: Any) -> Alert:
    alert = alerts.raise_alert(
        session,
        kind=more.pop("kind", "excursion"),
        severity=severity,
        site_code=more.pop("site", f.COUNTY),
        origin_code=f.TOWN,
        incident_key=more.pop("key", "k"),
        params=more.pop("params", {"value_c": 9.0}),
        specimen_ids=tubes,
        occurred_at=START,
        now=more.pop("now", START),
        **more,
    )
    session.commit()
    return alert


def sent(session: Session) -> None:
    """Whatever waits in the outbox has gone out."""
    for row in session.scalars(select(Delivery)):
        row.state = "sent"
    session.commit()


def test_an_incident_is_told_once_and_again_when_it_grows_worse(world: Session) -> None:
    """The same facts are silent, new facts are a note, a graver severity and a return are told again."""
    world.add(Channel(name="c", kind="http", site_code=f.COUNTY, config={"url": "http://x.example.org"}))
    world.commit()
    alert = raised(world)
    raised(world)
    raised(world, params={"value_c": 9.5}, tubes=(1,))
    assert len(world.scalars(select(Delivery)).all()) == 1
    sent(world)
    raised(world, severity="critical", params={"value_c": 26.0})
    raised(world, severity="warning", params={"value_c": 20.0})
    assert alert.severity == "critical"
    assert len(world.scalars(select(Delivery)).all()) == 2
    alerts.end_alert(world, "k", now=START)
    raised(world, severity="critical", params={"value_c": 21.5})
    assert len(world.scalars(select(Delivery)).all()) == 2  # what waits says what is known when it is sent
    sent(world)
    alerts.end_alert(world, "k", now=START)
    raised(world, severity="critical", params={"value_c": 21.0})
    assert [note.kind for note in alert.notes] == [
        "raised", "updated", "worse", "updated", "ended", "reopened", "ended", "reopened",
    ]  # fmt: skip
    assert len(world.scalars(select(Delivery)).all()) == 3
    assert world.scalars(select(Alert)).all() == [alert]


def test_an_acknowledgement_needs_a_word_and_happens_once(world: Session) -> None:
    """Without a word refused; the second person learns who was first; another county does not find it."""
    alert = raised(world)
    mine = scope(world, "manager")
    with pytest.raises(Invalid):
        alerts.acknowledge(world, alert.id, word="  ", username="manager", scope=mine, now=START)
    with pytest.raises(NotFound):
        alerts.acknowledge(world, alert.id, word="mine", username="manager2", scope=scope(world, "manager2"), now=START)
    alerts.acknowledge(world, alert.id, word="on it", username="manager", scope=mine, now=START)
    with pytest.raises(Conflict) as caught:
        alerts.acknowledge(world, alert.id, word="me too", username="receiver", scope=mine, now=START)
    assert caught.value.params["by"] == "manager"


def test_tabs_of_the_inbox(world: Session) -> None:
    """Unanswered alerts wait even when they are over; answered ones move on when they end. Counts agree."""
    mine = scope(world, "manager")
    for key in ("fresh", "over", "answered", "done"):
        raised(world, key=key)
    raised(world, key="theirs", site=f.OTHER_COUNTY)
    for key in ("answered", "done"):
        alert = world.scalars(select(Alert).where(Alert.incident_key == key)).one()
        alerts.acknowledge(world, alert.id, word="ok", username="manager", scope=mine, now=START)
    for key in ("over", "done"):
        alerts.end_alert(world, key, now=START + timedelta(minutes=5))
    world.commit()
    keys = {tab: [e.alert.incident_key for e in queries.inbox(world, mine, now=START, tab=tab)] for tab in queries.TABS}
    assert keys["open"] == ["fresh", "over"]
    assert (keys["acknowledged"], keys["ended"]) == (["answered"], ["done"])
    assert queries.counts(world, mine, now=START) == {"open": 2, "snoozed": 0, "acknowledged": 1, "ended": 1, "all": 4}
    assert len(queries.inbox(world, scope(world, "admin"), now=START, tab="all")) == 5


def test_the_version_moves_with_every_change(world: Session) -> None:
    """What wakes the pages: raising, acknowledging, ending each change it; reading does not."""
    seen = [queries.version(world)]
    alert = raised(world)
    seen.append(queries.version(world))
    alerts.acknowledge(world, alert.id, word="ok", username="manager", scope=scope(world, "manager"), now=START)
    seen.append(queries.version(world))
    alerts.end_alert(world, "k", now=START)
    seen.append(queries.version(world))
    assert len(set(seen)) == 4
    assert queries.version(world) == seen[-1]


@pytest.mark.parametrize("locale", ["zh_CN", "en"])
def test_every_kind_has_words(app: Flask, world: Session, locale: str) -> None:
    """Each kind that the code raises has a title and a sentence; no placeholder is left, and Chinese is Chinese."""
    root = Path(str(app.root_path)).parent
    raised_kinds = {
        kind
        for part in ("logistics", "telemetry")
        for path in (root / part).rglob("*.py")
        for kind in re.findall(r'kind="(\w+)",\n\s+severity', path.read_text())
    }
    assert {"excursion", "silence", "missing", "urgent_call"} <= raised_kinds <= set(alert_texts.KINDS)
    assert set(alert_texts.TITLES) == set(alert_texts.KINDS)
    render = app.extensions["labrelay.render_alert"]
    for kind in [*alert_texts.KINDS, "something_new"]:
        title, text = render(world, raised(world, kind=kind, key=kind), locale)
        assert title
        assert "%(" not in title + text, kind
        assert "/manager/alerts/" in text
        if locale == "zh_CN":
            assert re.search(r"[\u4e00-\u9fff]", title), title
            assert not re.search(r"[A-Za-z]{4,} [a-z]+ [a-z]+", text.rpartition("\n")[0]), text


def test_messages_hold_no_personal_data(app: Flask, world: Session) -> None:
    """The patient reference of a tube is in no title and no text."""
    tube = f.collected(world, "T1")
    alert = raised(world, tubes=(tube.id,))
    assert tube.patient_ref == "张**"
    for locale in ("zh_CN", "en"):
        assert "张" not in "".join(app.extensions["labrelay.render_alert"](world, alert, locale))


def test_dispatchers_answer_for_calls_and_late_boxes_alone(world: Session) -> None:
    """An excursion is the laboratory's to decide."""
    call, warm = raised(world, kind="urgent_call", key="a"), raised(world, key="b")
    assert queries.may_acknowledge("dispatcher", call)
    assert not queries.may_acknowledge("dispatcher", warm)
    assert queries.may_acknowledge("manager", warm)
    assert not queries.may_acknowledge("auditor", call)
