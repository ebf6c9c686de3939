"""Sending against real receivers: checked addresses, robots that refuse with 200, mass events as one message."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.clock import wall_now
from logistics.errors import Invalid, Unavailable
from logistics.models import Alert, AlertNote, Delivery, DeliveryAttempt
from logistics.services import alert_channels, alert_network, delivery
from logistics.services.alert_network import Allowed
from tests import factories as f
from tests.logistics.test_delivery import LOCAL, channel, deliver, raised, rows, web_server
from tests.servers import serving

MESSAGE = {"title": "t", "text": "line\nhttp://x/alerts/1", "dedup_id": "1:1:raised", "critical": False}


@pytest.fixture
def world(session: Session) -> Session:
    f.world(session)
    return session


@contextmanager
def robot(answer: dict[str, Any]) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """A chat gateway: always HTTP 200, the verdict in the body."""
    kept: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            kept.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as port:
        yield port, kept


def test_the_checked_address_is_the_one_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name server that answers a public address when asked first and our own network when the sender asks: refused at
    the second answer, and nothing arrives. The same name for others in this process resolves as ever."""
    with web_server() as (url, kept):
        port = int(url.rpartition(":")[2].partition("/")[0])
        with alert_network.guarded(Allowed(())):
            pass  # installed
        asked: list[str] = []
        real = socket.getaddrinfo.__wrapped__  # type: ignore[attr-defined]

        def lying(host: Any, *args: Any, **more: Any) -> Any:
            asked.append(str(host))
            return real("127.0.0.1" if host == "hooks.example.org" else host, *args, **more)

        monkeypatch.setattr(socket, "getaddrinfo", alert_network._checking(lying))
        alert_channels.check_host("hooks.example.org", (), resolver=lambda _: ["93.184.216.34"])
        config = {"url": f"http://hooks.example.org:{port}/hook"}
        with pytest.raises(Invalid) as caught:
            alert_channels.send("http", config, allowed_hosts=(), **MESSAGE)
        assert (caught.value.code, caught.value.params["host"]) == ("channel_host_refused", "hooks.example.org")
        assert kept == []
        assert asked == ["hooks.example.org"]
        alert_channels.send("http", config, allowed_hosts=("hooks.example.org",), **MESSAGE)
        assert len(kept) == 1
        assert socket.getaddrinfo("hooks.example.org", port)


@pytest.mark.parametrize(
    ("listed", "address", "good"),
    [
        ((), "93.184.216.34", True), ((), "224.0.0.1", False), ((), "::ffff:10.0.0.1", False),
        ((), "64:ff9b::a00:1", False), ((), "2002:0a00:0001::", False), ((), "100.64.1.1", False),
        (("10.1.0.0/16",), "10.1.2.3", True), (("10.1.0.0/16",), "10.2.2.3", False),
        (("10.1.0.0/16",), "93.184.216.34", False), (("mail.example.org",), "10.9.9.9", False),
        (("fd00::/8",), "fd00::5", True), (("x.example.org", "10.1.0.0/16"), "10.1.9.9", True),
    ],
)  # fmt: skip
def test_what_an_installation_allows(listed: tuple[str, ...], address: str, good: bool) -> None:
    """Networks and names; nothing listed means public addresses, however they are written."""
    allowed = Allowed(listed)
    if good:
        allowed.check("host.example.org", [address])
    else:
        with pytest.raises(Invalid):
            allowed.check("host.example.org", [address])


def test_a_robot_that_refuses_with_200_has_not_taken_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """WeCom answers a wrong key or too many messages with HTTP 200 and a code: not sent, to be tried again."""
    from apprise.plugins.wecombot import NotifyWeComBot

    for answer, good in (({"errcode": 0, "errmsg": "ok"}, True), ({"errcode": 45009, "errmsg": "limit"}, False)):
        with robot(answer) as (port, kept):
            monkeypatch.setattr(NotifyWeComBot, "notify_url", f"http://127.0.0.1:{port}/send?key={{key}}")
            if good:
                alert_channels.send("wecom", {"key": "k"}, allowed_hosts=LOCAL, **MESSAGE)
            else:
                with pytest.raises(Unavailable) as caught:
                    alert_channels.send("wecom", {"key": "k"}, allowed_hosts=LOCAL, **MESSAGE)
                assert (caught.value.code, caught.value.params["answer"]) == ("channel_robot_refused", "45009")
        assert len(kept) == 1


def test_a_robots_text_fits_and_keeps_link_and_id(monkeypatch: pytest.MonkeyPatch) -> None:
    """2,048 bytes as the robot counts them, title included; what is cut is the middle."""
    from apprise.plugins.wecombot import NotifyWeComBot

    text = "\n".join(["温度过高" * 40] * 40 + ["https://lab.example.org/manager/alerts/77"])
    with robot({"errcode": 0}) as (port, kept):
        monkeypatch.setattr(NotifyWeComBot, "notify_url", f"http://127.0.0.1:{port}/send?key={{key}}")
        alert_channels.send(
            "wecom", {"key": "k"}, title="转运箱 BX-C 温度异常", text=text, dedup_id="77:1:raised", critical=True,
            allowed_hosts=LOCAL,
        )  # fmt: skip
    content = kept[0]["text"]["content"]
    assert 1900 < len(content.encode()) <= 2048
    assert content.startswith("转运箱 BX-C 温度异常")
    assert content.endswith("https://lab.example.org/manager/alerts/77\n#77:1:raised")


def many(app: Flask, **more: Any) -> int:
    return deliver(app, render_many=app.extensions["labrelay.render_alerts"], **more)


@pytest.mark.both_databases
def test_a_mass_event_is_one_message(app: Flask, world: Session) -> None:
    """Thirty boxes at once: one message that names them, every alert's history says that it was told."""
    with web_server() as (url, kept):
        channel(world, "http", {"url": url}, locale="en")
        for number in range(30):
            raised(world, key=f"excursion:BX:{number}")
        assert (many(app), many(app)) == (1, 0)
    assert kept[0][1]["title"] == "30 alerts at once, 30 critical"
    assert kept[0][1]["message"].count("BX-C") == 30
    assert {row.state for row in rows(world)} == {"sent"}
    assert len({row.batch_id for row in rows(world)}) == 1
    told = world.scalars(select(AlertNote).where(AlertNote.kind == "delivered")).all()
    assert len(told) == 30
    assert len(world.scalars(select(DeliveryAttempt)).all()) == 1


@pytest.mark.both_databases
def test_a_mass_message_that_is_repeated_says_the_same_under_the_same_id(app: Flask, world: Session) -> None:
    """The first try fails, a new alert comes meanwhile: the repetition has the same id and the same alerts, and the new
    one goes out by itself."""
    now = [wall_now() + timedelta(seconds=5)]
    with web_server([503]) as (url, kept):
        channel(world, "http", {"url": url}, locale="en")
        for number in range(5):
            raised(world, key=f"excursion:BX:{number}")
        assert many(app, wall=lambda: now[0]) == 0
        raised(world, key="later")
        now[0] += timedelta(minutes=2)
        assert many(app, wall=lambda: now[0]) == 2
    found = rows(world)
    leader = found[0]
    assert {body["id"]: body["title"] for _, body in kept} == {
        leader.dedup_id: "5 alerts at once, 5 critical",
        found[5].dedup_id: "Temperature excursion in box BX-C",
    }
    assert [row.batch_id for row in found] == [leader.id] * 5 + [None]
    attempts = world.scalars(select(DeliveryAttempt)).all()
    assert {(one.delivery_id, one.number): one.outcome for one in attempts} == {
        (leader.id, 1): "channel_not_accepted", (leader.id, 2): "sent", (found[5].id, 1): "sent",
    }  # fmt: skip


@pytest.mark.both_databases
def test_a_dead_workers_attempt_is_on_record(app: Flask, world: Session) -> None:
    """Leased and never heard of again: an attempt without an end, then the next one."""
    with web_server() as (url, _kept):
        channel(world, "http", {"url": url})
        raised(world)
        world.rollback()
        now = wall_now() + timedelta(seconds=1)
        from logistics.db import transaction

        with transaction() as session:
            row = session.scalars(select(Delivery.id)).one()
            assert delivery.lease(session, row, app.extensions["labrelay.render_alert"], now=now) is not None
        assert deliver(app, wall=lambda: now + delivery.LEASE + timedelta(seconds=1)) == 1
    attempts = world.scalars(select(DeliveryAttempt).order_by(DeliveryAttempt.id)).all()
    assert [(one.number, one.outcome, one.ended_at is None) for one in attempts] == [(1, "", True), (2, "sent", False)]
    assert world.scalars(select(Alert)).one().notes[-1].kind == "delivered"
