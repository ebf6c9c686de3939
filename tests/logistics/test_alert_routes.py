"""Who is told: routing table, ladder with a deputy, quiet hours, putting off, and trying routes on last week."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.clock import wall_now
from logistics.domain.alert_kinds import KINDS
from logistics.domain.alert_routes import (
    SEVERITIES,
    Past,
    Route,
    Rung,
    in_window,
    quiet_for,
    told,
    would_have_told,
)
from logistics.errors import Conflict, Invalid, NotFound
from logistics.models import Alert, AlertLadder, AlertRoute, Channel, Delivery, User
from logistics.queries import alerts as inbox
from logistics.services import alert_routing, alerts, escalation, network
from tests import factories as f
from tests.factories import START
from web import alert_texts

MINUTE = timedelta(minutes=1)


def scope(session: Session, username: str = "manager") -> Any:
    return network.scope_of_user(session, session.scalars(select(User).where(User.username == username)).one())


@pytest.fixture
def world(session: Session) -> Session:
    f.world(session)
    return session


def channel(session: Session, name: str, site: str = f.COUNTY, **more: Any) -> Channel:
    made = Channel(name=name, kind="http", site_code=site, config={"url": "http://127.0.0.1:9/x"}, **more)
    session.add(made)
    session.commit()
    return made


def route(session: Session, to: Channel, **more: Any) -> AlertRoute:
    row = AlertRoute(site_code=more.pop("site", f.COUNTY), channel_id=to.id, **more)
    session.add(row)
    session.commit()
    return row


def raised(session: Session, key: str = "k", **more: Any) -> Alert:
    alert = alerts.raise_alert(
        session, kind=more.pop("kind", "excursion"), severity=more.pop("severity", "warning"),
        site_code=more.pop("site", f.COUNTY), incident_key=key, params=more.pop("params", {}), occurred_at=START,
        now=more.pop("now", START),
    )  # fmt: skip
    session.commit()
    return alert


def names(session: Session, alert: Alert) -> list[str]:
    query = select(Channel.name).join(Delivery).where(Delivery.alert_id == alert.id).order_by(Delivery.id)
    return list(session.scalars(query))


# --- pure ---

times = st.datetimes(min_value=START.replace(tzinfo=None)).map(lambda at: at.replace(tzinfo=START.tzinfo))
routes = st.builds(
    Route, st.integers(1, 5), st.frozensets(st.sampled_from(sorted(KINDS)), max_size=3), st.sampled_from(SEVERITIES),
    st.frozensets(st.integers(1, 7), max_size=3), st.integers(0, 1439), st.integers(0, 1439),
)  # fmt: skip
ladders = st.lists(st.lists(routes, max_size=3).map(lambda found: Rung("X", "manager", found)), min_size=1, max_size=4)


@given(ladders, st.integers(0, 3), st.sampled_from(sorted(KINDS)), st.sampled_from(SEVERITIES), times)
def test_nobody_is_told_twice_and_somebody_if_anybody_wants_it(
    ladder: list[Rung], level: int, kind: str, severity: str, at: Any
) -> None:
    """No channel twice; whenever any rung takes the alert somebody is told; a higher level tells at least as many."""
    found = told(ladder, level, kind=kind, severity=severity, at=at)
    assert len({one.channel_id for one in found}) == len(found)
    wanted = any(each.takes(kind, severity, at) for rung in ladder for each in rung.routes)
    assert bool(found) == wanted
    higher = told(ladder, level + 1, kind=kind, severity=severity, at=at)
    assert {one.channel_id for one in found} <= {one.channel_id for one in higher}


@given(times, st.integers(0, 1439), st.integers(0, 1439))
def test_quiet_hours_end_outside_of_them(at: Any, begins: int, ends: int) -> None:
    """What waits goes out at the first instant that is not quiet, within a day; critical alerts never wait."""
    wait = quiet_for(at, "warning", begins, ends)
    assert timedelta(0) <= wait < timedelta(days=1)
    assert quiet_for(at + wait, "warning", begins, ends) == timedelta(0)
    assert quiet_for(at, "critical", begins, ends) == timedelta(0)


def test_a_window_may_go_over_midnight() -> None:
    """20:00 to 08:00; equal ends are the whole day."""
    assert [in_window(minute, 20 * 60, 8 * 60) for minute in (20 * 60, 0, 8 * 60 - 1, 8 * 60, 12 * 60)] == [
        True, True, True, False, False,
    ]  # fmt: skip
    assert in_window(5, 60, 60)


def test_last_week_is_played_again() -> None:
    """Told at once, the deputy after half an hour without an answer, nobody after the answer; quiet hours delay."""
    ladder = [Rung("L", "manager", [Route(1)]), Rung("L", "deputy", [Route(2)]), Rung("C", "manager", [Route(3)])]
    past = [
        Past(7, "silence", [(START, "warning", "raised")], START + 45 * MINUTE),
        Past(8, "battery", [(START, "info", "raised")], START + 900 * MINUTE),
    ]
    found = would_have_told(past, ladder, step=30 * MINUTE, quiet={1: (8 * 60, 12 * 60)})
    sent = [(one.channel_id, (one.sent_at - START) / MINUTE, one.reason) for one in found.messages]
    assert sent == [(1, 180.0, "raised"), (1, 150.0 + 30, "escalated"), (2, 30.0, "escalated")]
    assert found.told_to_nobody == [8]


# --- in the database ---


@pytest.mark.both_databases
def test_a_route_takes_the_place_of_the_standard(world: Session) -> None:
    """By kind, severity and time of day: the night robot by night, the day robot by day."""
    day, night = channel(world, "day"), channel(world, "night")
    assert names(world, raised(world, "standard")) == ["day", "night"]
    route(world, day, from_min=8 * 60, until_min=20 * 60)
    route(world, night, from_min=20 * 60, until_min=8 * 60, kinds=["excursion"])
    assert names(world, raised(world, "morning")) == ["day"]
    late = START + timedelta(hours=12)  # 21:00 in Xianning
    assert names(world, raised(world, "evening", now=late)) == ["night"]
    assert names(world, raised(world, "other", now=late, kind="battery")) == []


@pytest.mark.both_databases
def test_manager_deputy_city(world: Session) -> None:
    """Nobody answers: after the site's ten minutes the deputy, after twenty the city; an answer stops it, and what is
    only a notice climbs nowhere."""
    route(world, channel(world, "manager"))
    route(world, channel(world, "deputy"), rung="deputy")
    channel(world, "city", site=f.CITY)
    world.add(AlertLadder(site_code=f.COUNTY, step_min=10))
    world.commit()
    alert, answered = raised(world), raised(world, "answered")
    notice = raised(world, "notice", severity="info", kind="battery")
    told_at = []
    for minute in (9, 10, 19, 20, 60):
        now = START + minute * MINUTE
        escalation.sweep(world, now=now)
        world.commit()
        told_at.append((minute, len(names(world, alert))))
        if minute == 10:
            alerts.acknowledge(world, answered.id, word="ok", username="manager", scope=scope(world), now=now)
            world.commit()
    assert told_at == [(9, 1), (10, 2), (19, 2), (20, 3), (60, 3)]
    assert names(world, alert) == ["manager", "deputy", "city"]
    assert names(world, answered) == ["manager", "deputy"]
    assert names(world, notice) == []
    assert alert.level == 2
    assert [n.params["site"] for n in alert.notes if n.kind == "escalated"] == [f.COUNTY, f.CITY]


@pytest.mark.both_databases
def test_quiet_hours_wait_and_critical_goes_through(world: Session) -> None:
    """At nine in the morning with quiet hours until ten: an hour later; the same alert grown critical: at once."""
    channel(world, "c", quiet_from_min=8 * 60, quiet_until_min=10 * 60)
    alert = raised(world)
    [row] = world.scalars(select(Delivery)).all()
    assert timedelta(minutes=58) < row.next_try_at - wall_now() <= timedelta(hours=1)
    raised(world, severity="critical", params={"value_c": 30.0})
    [row] = world.scalars(select(Delivery).execution_options(populate_existing=True)).all()
    assert row.next_try_at <= wall_now()
    assert alert.severity == "critical"


@pytest.mark.both_databases
def test_putting_off_has_an_end(world: Session) -> None:
    """It leaves the list and climbs nowhere; at the end it is told again; what grows worse comes back at once."""
    channel(world, "c")
    mine = scope(world)
    alert, worse = raised(world), raised(world, "worse")
    for one in world.scalars(select(Delivery)):
        one.state = "sent"
    for one in (alert, worse):
        alerts.snooze(world, one.id, minutes=60, word="box is at the door", username="manager", scope=mine, now=START)
    world.commit()
    soon, later = START + 59 * MINUTE, START + 61 * MINUTE
    assert escalation.sweep(world, now=soon) == []
    assert inbox.counts(world, mine, now=soon) == {"open": 0, "snoozed": 2, "acknowledged": 0, "ended": 0, "all": 2}
    raised(world, "worse", severity="critical", params={"value_c": 30.0}, now=soon)
    assert [e.alert.incident_key for e in inbox.inbox(world, mine, now=soon)] == ["worse"]
    escalation.sweep(world, now=later)
    world.commit()
    assert [n.kind for n in alert.notes][-2:] == ["snoozed", "woken"]
    assert len(names(world, alert)) == 2
    assert {e.alert.incident_key for e in inbox.inbox(world, mine, now=later)} == {"k", "worse"}


@pytest.mark.both_databases
def test_what_cannot_be_put_off(world: Session) -> None:
    """Without a word, for too long, what is critical for more than an hour, what somebody answers for, what is over,
    what is another laboratory's."""
    mine = scope(world)
    grave, over = raised(world, severity="critical"), raised(world, "over")
    taken = raised(world, "taken")
    alerts.acknowledge(world, taken.id, word="ok", username="manager", scope=mine, now=START)
    alerts.end_alert(world, "over", now=START)
    more: dict[str, Any] = {"username": "manager", "scope": mine, "now": START}
    for alert, minutes, word, field in (
        (grave, 30, " ", "word"), (grave, 61, "x", "minutes"), (grave, 1, "x", "minutes"), (over, 1500, "x", "minutes"),
    ):  # fmt: skip
        with pytest.raises(Invalid) as caught:
            alerts.snooze(world, alert.id, minutes=minutes, word=word, **more)
        assert caught.value.field == field
    for alert in (taken, over):
        with pytest.raises(Conflict):
            alerts.snooze(world, alert.id, minutes=30, word="x", **more)
    with pytest.raises(NotFound):
        alerts.snooze(
            world, grave.id, minutes=30, word="x", username="manager2", scope=scope(world, "manager2"), now=START
        )


@pytest.mark.both_databases
def test_routes_are_checked_and_belong_to_their_laboratory(world: Session) -> None:
    """A channel of this laboratory or above it, a known kind, an own site; another laboratory's route is not found."""
    own, city = channel(world, "own"), channel(world, "city", site=f.CITY)
    theirs = channel(world, "theirs", site=f.OTHER_COUNTY)
    good = {
        "site_code": f.COUNTY, "channel_id": own.id, "rung": "manager", "kinds": ["silence"], "weekdays": [1],
        "min_severity": "info", "from_min": 0, "until_min": 0,
    }  # fmt: skip
    mine = scope(world)
    row = alert_routing.add(world, good, scope=mine)
    alert_routing.add(world, {**good, "channel_id": city.id}, scope=mine)
    for change, field in (
        ({"channel_id": theirs.id}, "channel_id"), ({"channel_id": None}, "channel_id"), ({"rung": "god"}, "rung"),
        ({"kinds": ["gossip"]}, "kinds"), ({"weekdays": [8]}, "weekdays"), ({"site_code": f.OTHER_COUNTY}, "site_code"),
        ({"min_severity": "loud"}, "min_severity"),
    ):  # fmt: skip
        with pytest.raises(Invalid) as caught:
            alert_routing.add(world, {**good, **change}, scope=mine)
        assert caught.value.field == field
    with pytest.raises(NotFound):
        alert_routing.remove(world, row.id, scope=scope(world, "manager2"))
    with pytest.raises(Invalid):
        alert_routing.set_step(world, f.COUNTY, 1, scope=mine)
    alert_routing.remove(world, row.id, scope=mine)


@pytest.mark.both_databases
def test_a_draft_is_tried_and_not_kept(world: Session) -> None:
    """Last week's alerts against the table with a route that is not in it."""
    own = channel(world, "own")
    raised(world, kind="silence")
    raised(world, "other", kind="battery")
    before, known = alert_routing.preview(world, None, now=START + timedelta(days=1))
    assert (len(known), {one.alert_id for one in before.messages}) == (2, set(known))
    tried = AlertRoute(
        site_code=f.COUNTY, channel_id=own.id, rung="manager", kinds=["silence"], min_severity="warning", weekdays=[],
        from_min=0, until_min=0, active=True,
    )  # fmt: skip
    after, _ = alert_routing.preview(world, None, now=START + timedelta(days=1), draft=tried)
    assert len(after.told_to_nobody) == 1
    assert world.scalars(select(AlertRoute)).all() == []
    assert alert_routing.preview(world, {f.OTHER_COUNTY}, now=START + timedelta(days=1))[1] == {}
    assert alert_routing.preview(world, None, now=START + timedelta(days=9))[1] == {}


def test_every_kind_is_known_once() -> None:
    """What has words has a severity and the other way round."""
    assert set(KINDS) == set(alert_texts.KINDS)
    assert {kind.severity for kind in KINDS.values()} <= set(SEVERITIES)
