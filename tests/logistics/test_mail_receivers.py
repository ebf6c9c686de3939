"""A mail to several receivers through the outbox: who has it is not written to again, and the log says who has not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.clock import wall_now
from logistics.errors import Unavailable
from logistics.models import Delivery
from logistics.services import alert_channels
from tests import certificates
from tests import factories as f
from tests.logistics.test_delivery import channel, deliver, raised
from tests.logistics.test_mail_tls import Mail, mail_server

pytestmark = pytest.mark.both_databases
Login = Callable[[FlaskClient, str], FlaskClient]
TO = "a@example.org, b@example.org, c@example.org"


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    return certificates.make(tmp_path)


@pytest.fixture
def world(session: Session) -> Session:
    f.world(session)
    return session


def form(mail: Mail) -> dict[str, Any]:
    sender = {"from": "lab@example.org", "to": TO}
    return {"host": "127.0.0.1", "port": str(mail.port), "secure": "insecure", **sender}


def written(mail: Mail) -> Iterator[str]:
    """The receivers that the server was asked for, in order."""
    return (line.partition("<")[2].partition(">")[0] for line in mail.clear if line.upper().startswith("RCPT"))


def test_only_who_has_it_not_is_written_to_again(
    app: Flask, world: Session, client: FlaskClient, login: Login, files: tuple[Path, Path]
) -> None:
    """One of three is refused twice and then taken: three tries on record, the other two get one mail each, and the
    page names who is still without it."""
    refuses = ["b@example.org"]
    with mail_server("clear", files, refuses=refuses) as mail:
        channel(world, "mail", form(mail))
        raised(world)
        now = [wall_now() + timedelta(seconds=5)]
        for _ in range(2):
            assert deliver(app, wall=lambda: now[0]) == 0
            world.rollback()
            row = world.scalars(select(Delivery)).one()
            assert (row.state, row.error) == ("waiting", "channel_not_accepted")
            assert row.accepted == ["a@example.org", "c@example.org"]
            now[0] = row.next_try_at
        world.rollback()
        login(client, "manager")
        page = client.get("/manager/deliveries?lang=en").get_data(as_text=True)
        assert "still without it: b@example.org<" in page
        refuses.clear()
        assert deliver(app, wall=lambda: now[0]) == 1
    assert list(written(mail)) == ["a@example.org", "b@example.org", "c@example.org", "b@example.org", "b@example.org"]
    assert len(mail.messages) == 3
    assert "still without it" not in client.get("/manager/deliveries?lang=en").get_data(as_text=True)


@pytest.mark.parametrize("lang", ["zh_CN", "en"])
def test_the_log_says_what_is_wrong_with_a_certificate(
    app: Flask, world: Session, client: FlaskClient, login: Login, files: tuple[Path, Path], lang: str
) -> None:
    """Signed by itself: the log and the alert's page say so in the reader's language, with nothing left to fill in."""
    with mail_server("ssl", files) as mail:
        channel(world, "mail", {**form(mail), "secure": "ssl"})
        number = raised(world).id
        assert deliver(app, wall=lambda: wall_now() + timedelta(seconds=5)) == 0
    world.rollback()
    login(client, "manager")
    said = {"zh_CN": "本机不认识签发对方证书的机构", "en": "Nobody here knows the authority"}[lang]
    for path in ("/manager/deliveries", f"/manager/alerts/{number}"):
        page = client.get(f"{path}?lang={lang}").get_data(as_text=True)
        assert said in page
        assert "%(" not in page


def test_a_slow_server_does_not_outlast_the_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each mail takes six seconds: a third is begun with, a fourth is not, and those three are told of."""
    now_s = [0.0]
    sent: list[str] = []

    def slow(_kind: str, config: dict[str, Any], *_: Any) -> None:
        now_s[0] += 6.0
        sent.append(config["to"])

    monkeypatch.setattr(alert_channels, "_send", slow)
    monkeypatch.setattr(time, "monotonic", lambda: now_s[0])
    many = {"to": ", ".join(f"{one}@example.org" for one in "abcde")}
    with pytest.raises(alert_channels.PartlySent) as caught:
        alert_channels.send("mail", many, title="", text="", dedup_id="", critical=False, allowed_hosts=())
    assert isinstance(caught.value, Unavailable)
    assert (caught.value.code, list(caught.value.accepted)) == ("channel_slow", sent)
    assert sent == ["a@example.org", "b@example.org", "c@example.org"]
