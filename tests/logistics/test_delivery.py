"""The outbox of alerts against real receivers: a mail server, a web server, and workers that are killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
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
from logistics.db import db, transaction
from logistics.errors import Invalid, Unavailable
from logistics.models import Alert, AlertNote, Channel, Delivery
from logistics.services import alert_channels, alerts, delivery, escalation
from tests import factories as f
from tests.conftest import Assembly
from tests.factories import START
from tests.servers import serving
from web.worker import SCHEDULE_S

pytestmark = pytest.mark.both_databases
LOCAL = ("127.0.0.1", "localhost")


@pytest.fixture
def world(session: Session) -> Session:
    f.world(session)
    return session


def raised(session: Session, *, key: str = "excursion:BX-C:1", severity: str = "critical") -> Alert:
    alert = alerts.raise_alert(
        session,
        kind="excursion",
        severity=severity,
        site_code=f.COUNTY,
        origin_code=f.TOWN,
        box_code="BX-C",
        incident_key=key,
        params={
            "box": "BX-C",
            "side": "upper",
            "value_c": 11.2,
            "limit_c": 8.0,
            "minutes": 40,
            "rule": "above_8_for_30",
        },
        occurred_at=START,
        now=START + timedelta(minutes=40),
    )
    session.commit()
    return alert


def channel(session: Session, kind: str, config: dict[str, Any], **more: Any) -> Channel:
    made = Channel(
        name=f"{kind} of the laboratory", kind=kind, site_code=more.pop("site", f.COUNTY), config=config, **more
    )
    session.add(made)
    session.commit()
    return made


def deliver(app: Flask, *, allowed: tuple[str, ...] = LOCAL, **more: Any) -> int:
    return delivery.deliver_due(app.extensions["labrelay.render_alert"], allowed_hosts=allowed, **more)


def rows(session: Session) -> list[Delivery]:
    session.rollback()
    return list(session.scalars(select(Delivery).order_by(Delivery.id).execution_options(populate_existing=True)))


@contextmanager
def web_server(answers: list[int] | None = None) -> Iterator[tuple[str, list[tuple[dict[str, str], dict[str, Any]]]]]:
    """A web server that keeps what is posted; ``answers``: status codes to give first, then 200."""
    kept: list[tuple[dict[str, str], dict[str, Any]]] = []
    waiting = list(answers or [])

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status = waiting.pop(0) if waiting else 200
            if status == 200:
                kept.append((dict(self.headers), body))
            self.send_response(status)
            if status in {301, 302}:
                self.send_header("Location", "http://127.0.0.1:1/elsewhere")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as port:
        yield f"http://127.0.0.1:{port}/hook", kept


@contextmanager
def mail_server() -> Iterator[tuple[int, list[str]]]:
    """An SMTP server (RFC 5321, as much as a sender needs) that keeps the messages it accepted."""
    kept: list[str] = []
    loop = asyncio.new_event_loop()

    async def session(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 test\r\n")
        while line := await reader.readline():
            word = line[:4].upper()
            if word == b"DATA":
                writer.write(b"354 go on\r\n")
                kept.append((await reader.readuntil(b"\r\n.\r\n")).decode())
                writer.write(b"250 kept\r\n")
            elif word == b"QUIT":
                writer.write(b"221 bye\r\n")
                break
            else:
                writer.write(b"250 ok\r\n")
            await writer.drain()
        writer.close()

    server = loop.run_until_complete(asyncio.start_server(session, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1], kept
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()


def test_an_alert_reaches_a_web_address_once(app: Flask, world: Session) -> None:
    """JSON is posted with the sentence, the link and the dedup id; a second round sends nothing."""
    with web_server() as (url, kept):
        channel(world, "http", {"url": url})
        raised(world)
        assert (deliver(app), deliver(app)) == (1, 0)
    headers, body = kept[0]
    row = rows(world)[0]
    assert (row.state, row.attempts, body["id"], headers["X-Labrelay-Delivery"]) == (
        "sent",
        1,
        row.dedup_id,
        row.dedup_id,
    )
    assert "BX-C" in body["title"]
    assert "11.2 °C" in body["message"]
    assert "/manager/alerts/" in body["message"]
    notes = world.scalars(select(AlertNote.kind).order_by(AlertNote.id)).all()
    assert notes == ["raised", "delivered"]


def test_an_alert_reaches_a_mailbox(app: Flask, world: Session) -> None:
    """A real SMTP conversation: sender, receivers, Chinese by default, the dedup id as a header."""
    with mail_server() as (port, kept):
        config = {
            "host": "127.0.0.1",
            "port": port,
            "secure": "insecure",
            "from": "lab@example.org",
            "to": "a@example.org",
        }
        channel(world, "mail", config)
        raised(world)
        assert deliver(app) == 1
    assert "X-Labrelay-Delivery: " + rows(world)[0].dedup_id in kept[0]
    assert "a@example.org" in kept[0]


def test_each_channel_has_its_language(app: Flask, world: Session) -> None:
    """The same alert in Chinese and in English."""
    with web_server() as (url, kept):
        channel(world, "http", {"url": url}, locale="zh_CN")
        channel(world, "http", {"url": url}, locale="en")
        raised(world)
        assert deliver(app) == 2
    titles = [body["title"] for _, body in kept]
    assert titles == ["转运箱 BX-C 温度异常", "Temperature excursion in box BX-C"]


def test_what_is_refused_is_tried_again_later(app: Flask, world: Session) -> None:
    """Two errors of the other side: each attempt is on record, waits grow, the third goes through."""
    now = [wall_now() + timedelta(seconds=5)]
    with web_server([500, 503]) as (url, kept):
        channel(world, "http", {"url": url})
        raised(world)
        waits = []
        for _ in range(2):
            assert deliver(app, wall=lambda: now[0]) == 0
            row = rows(world)[0]
            waits.append(row.next_try_at - now[0])
            assert (row.state, row.error, row.lease_until) == ("waiting", "channel_not_accepted", None)
            assert deliver(app, wall=lambda: now[0]) == 0  # not due yet
            now[0] = row.next_try_at
        assert deliver(app, wall=lambda: now[0]) == 1
    assert waits == [timedelta(seconds=15), timedelta(seconds=30)]
    assert (len(kept), rows(world)[0].attempts) == (1, 3)
    failed = world.scalars(select(AlertNote).where(AlertNote.kind == "delivery_failed")).all()
    assert [note.params["attempt"] for note in failed] == [1, 2]


def test_private_addresses_are_refused_unless_listed(app: Flask, world: Session) -> None:
    """Loopback without the installation's word: nothing is sent, the row says why and is not tried again."""
    with web_server() as (url, kept):
        channel(world, "http", {"url": url})
        raised(world)
        assert deliver(app, allowed=()) == 0
        assert kept == []
    row = rows(world)[0]
    assert (row.state, row.error) == ("failed", "channel_host_refused")


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["10.0.0.7"], ["169.254.169.254"], ["93.184.216.34", "192.168.1.1"], ["::1"], ["fd00::1"]],
)
def test_a_public_name_with_a_private_address_is_refused(dialect: str, addresses: list[str]) -> None:
    """The name is resolved before sending, and one private address among several is enough to refuse."""
    with pytest.raises(Invalid):
        alert_channels.check_host("hooks.example.org", (), resolver=lambda _: addresses)
    alert_channels.check_host("hooks.example.org", ("hooks.example.org",), resolver=lambda _: addresses)
    alert_channels.check_host("hooks.example.org", (), resolver=lambda _: ["93.184.216.34"])
    with pytest.raises(Invalid):  # a list means: nothing else
        alert_channels.check_host("other.example.org", ("hooks.example.org",), resolver=lambda _: ["93.184.216.34"])


def test_a_redirect_is_not_followed(app: Flask, world: Session) -> None:
    """An allowed host cannot lead us on to another."""
    with web_server([302]) as (url, kept):
        channel(world, "http", {"url": url})
        raised(world)
        assert deliver(app) == 0
        assert kept == []
    assert rows(world)[0].error == "channel_not_accepted"


def test_typed_forms_name_the_wrong_field(dialect: str) -> None:
    """Each kind says what it lacks; robots lead to their maker's host."""
    wrong = [
        ("http", {"url": "ftp://x"}, "url"),
        ("http", {}, "url"),
        ("mail", {"host": "h", "from": "a@b", "to": "nobody"}, "to"),
        ("mail", {"from": "a@b", "to": "c@d"}, "host"),
        ("wecom", {}, "key"),
        ("apprise", {"url": "json://x"}, "kind"),
    ]
    for kind, config, field in wrong:
        with pytest.raises(Invalid) as caught:
            alert_channels.check_config(kind, config)
        assert caught.value.field == field, kind
    assert alert_channels.check_config("dingtalk", {"key": "k"}) == "oapi.dingtalk.com"
    assert len(alert_channels.shorten("温" * 1000, 2000).encode()) <= 2000


def test_a_host_that_is_away_is_waited_for(app: Flask, world: Session) -> None:
    """A name that does not resolve now may resolve later: the row waits."""

    def away(host: str) -> list[str]:
        raise Unavailable("channel_host_unresolved", host=host)

    channel(world, "http", {"url": "http://hooks.example.org/x"})
    raised(world)
    assert deliver(app, allowed=(), resolver=away) == 0
    assert (rows(world)[0].state, rows(world)[0].error) == ("waiting", "channel_host_unresolved")


def test_twenty_a_minute(app: Flask, world: Session) -> None:
    """A robot gets at most twenty messages a minute; the rest waits for the next minute and is not lost."""
    now = [wall_now()]
    sent: list[str] = []

    def keep(*_: Any, dedup_id: str, **__: Any) -> None:
        sent.append(dedup_id)

    channel(world, "wecom", {"key": "k"})
    for number in range(25):
        raised(world, key=f"excursion:BX-C:{number}")
    more = {"wall": lambda: now[0], "send": keep, "allowed": ("qyapi.weixin.qq.com",)}
    now[0] += timedelta(seconds=5)
    assert deliver(app, **more) == 20
    assert deliver(app, **more) == 0
    now[0] += timedelta(seconds=61)
    assert deliver(app, **more) == 5
    assert len(set(sent)) == len(sent) == 25


def test_a_channel_that_does_not_answer_holds_up_nobody(app: Flask, world: Session) -> None:
    """Of three alerts to a dead channel one is tried a round; all others reach the other channel in the same round,
    more of them than are fetched at once."""
    tried: list[str] = []

    def send(kind: str, config: dict[str, Any], **_: Any) -> None:
        tried.append(config["url"])
        if config["url"].endswith("/dead"):
            raise Unavailable("channel_not_accepted")

    channel(world, "http", {"url": "http://127.0.0.1:9/dead"})
    for number in range(3):
        raised(world, key=f"dead:{number}")
    world.scalars(select(Channel)).one().active = False
    for number in range(delivery.BATCH // 15 + 1):
        channel(world, "http", {"url": f"http://127.0.0.1:9/{number}"})
    for number in range(15):
        raised(world, key=f"living:{number}")
    world.scalars(select(Channel).order_by(Channel.id)).first().active = True  # type: ignore[union-attr]
    world.commit()
    sent = deliver(app, send=send)
    assert sent == 15 * (delivery.BATCH // 15 + 1) > delivery.BATCH
    assert sum(url.endswith("/dead") for url in tried) == 1


def test_two_workers_send_a_message_once(app: Flask, world: Session) -> None:
    """Both find the row; one takes it."""
    sent: list[str] = []
    ready = threading.Barrier(2, timeout=20)

    def slow(*_: Any, dedup_id: str, **__: Any) -> None:
        sent.append(dedup_id)

    channel(world, "http", {"url": "http://127.0.0.1:9/x"})
    raised(world)

    def work() -> None:
        with app.app_context():
            ready.wait()
            deliver(app, send=slow)
            db.session.remove()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(sent) == 1


KILLED = """
import os, signal, sys
from logistics.services import delivery
from web.app import create_app
from web.settings import Settings
app = create_app(Settings.from_env(os.environ))
def die(*args, **fields):
    if sys.argv[1] == "after":
        from logistics.services import alert_channels
        alert_channels.send(*args, **fields)
    os.kill(os.getpid(), signal.SIGKILL)
with app.app_context():
    delivery.deliver_due(app.extensions["labrelay.render_alert"], allowed_hosts=["127.0.0.1"], send=die)
"""


@pytest.mark.parametrize(("moment", "times"), [("before", 1), ("after", 2)])
def test_a_killed_worker_loses_nothing(app: Flask, assembly: Assembly, world: Session, moment: str, times: int) -> None:
    """kill −9 between lease and sending, and between sending and marking: nothing is lost, and a repetition has the
    same dedup id. Until the lease runs out nobody else sends."""
    with web_server() as (url, kept):
        channel(world, "http", {"url": url})
        raised(world)
        world.rollback()
        settings = assembly.settings
        environ = {
            **os.environ,
            "LABRELAY_VAR_DIR": str(settings.var_dir),
            "LABRELAY_DATABASE_URL": settings.database_url,
            "LABRELAY_SECRET_KEY": settings.secret_key,
        }
        worker = subprocess.run([sys.executable, "-c", KILLED, moment], env=environ, check=False, timeout=60)
        assert worker.returncode == -signal.SIGKILL
        assert deliver(app) == 0
        row = rows(world)[0]
        assert (row.state, row.attempts) == ("waiting", 1)
        assert row.lease_until is not None
        later = row.lease_until + timedelta(seconds=1)
        assert deliver(app, wall=lambda: later) == 1
    assert [body["id"] for _, body in kept] == [row.dedup_id] * times


def test_what_a_dead_worker_left_is_sent_within_a_minute(dialect: str) -> None:
    """Its lease, the next round of the outbox and ten seconds for a new worker to start; no sending takes as long as
    the lease."""
    rounds = timedelta(seconds=SCHEDULE_S["logistics.tasks.deliver_outbox"])
    assert delivery.LEASE + rounds + timedelta(seconds=10) <= timedelta(minutes=1)
    assert 2 * timedelta(seconds=alert_channels.CONNECT_S + alert_channels.READ_S) < delivery.LEASE


def test_a_lost_lease_marks_nothing(app: Flask, world: Session) -> None:
    """A worker that was away longer than its lease does not mark what another has taken meanwhile."""
    channel(world, "http", {"url": "http://127.0.0.1:9/x"})
    raised(world)
    world.rollback()
    start = wall_now() + timedelta(seconds=1)
    render = app.extensions["labrelay.render_alert"]
    row_id = rows(world)[0].id
    with transaction() as session:
        first = delivery.lease(session, row_id, render, now=start)
    late = start + delivery.LEASE + timedelta(seconds=1)
    with transaction() as session:
        second = delivery.lease(session, row_id, render, now=late)
    assert first is not None
    assert second is not None
    with transaction() as session:
        assert delivery.mark_sent(session, first, now=late, at=START) == 0
        assert delivery.mark_sent(session, second, now=late, at=START) == 1


def test_nobody_answers_and_the_city_is_told(app: Flask, world: Session) -> None:
    """After thirty minutes the site above hears, once; an acknowledgement stops the climb."""
    channel(world, "http", {"url": "http://127.0.0.1:9/county"}, site=f.COUNTY)
    channel(world, "http", {"url": "http://127.0.0.1:9/city"}, site=f.CITY)
    alert = raised(world)
    answered = raised(world, key="other")
    alerts.acknowledge(world, answered.id, word="on it", username="manager", scope=_scope(world), now=alert.raised_at)
    world.commit()
    assert _told(world, alert) == ["/county"]
    assert escalation.sweep(world, now=alert.raised_at + timedelta(minutes=29)) == []
    later = alert.raised_at + timedelta(minutes=31)
    assert escalation.sweep(world, now=later) == [alert.id]
    assert escalation.sweep(world, now=later) == []
    world.commit()
    assert _told(world, alert) == ["/county", "/city"]
    assert world.get_one(Alert, alert.id).level == 1


def _told(session: Session, alert: Alert) -> list[str]:
    found = session.execute(
        select(Channel.config).join(Delivery).where(Delivery.alert_id == alert.id).order_by(Delivery.id)
    ).scalars()
    return [str(config["url"]).removeprefix("http://127.0.0.1:9") for config in found]


def _scope(session: Session) -> Any:
    from logistics.models import User
    from logistics.services import network

    return network.scope_of_user(session, session.scalars(select(User).where(User.username == "manager")).one())


def test_where_a_laboratory_has_no_channel_the_next_above_hears_at_once(app: Flask, world: Session) -> None:
    """Nothing is told to nobody; a channel that wants other kinds or only grave ones stays quiet."""
    channel(world, "http", {"url": "http://127.0.0.1:9/battery"}, site=f.COUNTY, kinds=["battery"])
    channel(world, "http", {"url": "http://127.0.0.1:9/grave"}, site=f.COUNTY, min_severity="critical")
    channel(world, "http", {"url": "http://127.0.0.1:9/city"}, site=f.CITY)
    assert _told(world, raised(world, severity="warning")) == ["/city"]
    assert _told(world, raised(world, key="grave")) == ["/grave"]


def test_a_closed_port_is_an_error_like_others(app: Flask, world: Session) -> None:
    """Nobody listens: the row waits."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    channel(world, "http", {"url": f"http://127.0.0.1:{port}/x"})
    raised(world)
    assert deliver(app) == 0
    assert rows(world)[0].error == "channel_not_accepted"
