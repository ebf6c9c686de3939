"""Mail with STARTTLS and TLS against a real server: the certificate is checked before a word of the alert is said."""

from __future__ import annotations

import base64
import contextlib
import socketserver
import ssl
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from logistics.errors import Invalid, Unavailable
from logistics.services import alert_channels
from tests import certificates
from tests.servers import serving

LOCAL = ("127.0.0.0/8", "::1/128", "localhost")
MESSAGE = {
    "title": "转运箱 BX-C 温度异常",
    "text": "line\nhttps://x/alerts/1",
    "dedup_id": "1:1:raised",
    "critical": True,
    "allowed_hosts": LOCAL,
}


@dataclass
class Mail:
    """A mail server: what it heard in the clear, what under TLS, and the messages."""

    port: int = 0
    clear: list[str] = field(default_factory=list)
    secured: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)


@contextmanager
def mail_server(
    mode: str, files: tuple[Path, Path], *, offers: bool = True, refuses: Collection[str] = ()
) -> Iterator[Mail]:
    """``mode``: starttls | ssl. ``offers``: says that it can STARTTLS. ``refuses``: these receivers."""
    mail = Mail()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)

    class Session(socketserver.StreamRequestHandler):
        def say(self, *lines: str) -> None:
            self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())

        def secure(self) -> None:
            self.connection = context.wrap_socket(self.connection, server_side=True)
            self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", buffering=0)

        def handle(self) -> None:
            with contextlib.suppress(OSError):  # a client that does not trust us hangs up
                self.talk()

        def talk(self) -> None:
            secured = mode == "ssl"
            if secured:
                self.secure()
            self.say("220 test")
            while line := self.rfile.readline().decode().strip():
                (mail.secured if secured else mail.clear).append(line)
                word = line.partition(" ")[0].upper()
                if word == "EHLO":
                    self.say("250-test", "250-STARTTLS" if offers and not secured else "250-8BITMIME", "250 AUTH PLAIN")
                elif word == "STARTTLS":
                    self.say("220 go on" if offers else "502 no")
                    self.secure()
                    secured = True
                elif word == "DATA":
                    self.say("354 go on")
                    lines = []
                    while (data := self.rfile.readline()) not in {b".\r\n", b""}:
                        lines.append(data.decode())
                    mail.messages.append("".join(lines))
                    self.say("250 kept")
                elif word == "RCPT" and any(one in line for one in refuses):
                    self.say("550 nobody of that name")
                elif word == "QUIT":
                    self.say("221 bye")
                    return
                else:
                    self.say("235 welcome" if word == "AUTH" else "250 ok")

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session)
    mail.port = server.server_address[1]
    with serving(server):
        yield mail


def config(secure: str, port: int, host: str = "127.0.0.1") -> dict[str, Any]:
    found = {"host": host, "port": str(port), "secure": secure, "user": "lab", "password": "pw-secret-1",
             "from": "lab@example.org", "to": "a@example.org, b@example.org"}  # fmt: skip
    assert alert_channels.check_config("mail", found) == host
    return found


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """A certificate of an authority that this machine trusts, as the operator has set it."""
    made = certificates.make(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(made[0]))
    return made


@pytest.mark.parametrize("secure", ["starttls", "ssl"])
def test_an_alert_goes_out_under_tls(secure: str, files: tuple[Path, Path]) -> None:
    """User, password, receivers and text are said after the handshake only, and the message arrives at both."""
    with mail_server(secure, files) as mail:
        alert_channels.send("mail", config(secure, mail.port), **MESSAGE)
    assert [line.partition(" ")[0].upper() for line in mail.clear] == (
        2 * ["EHLO", "STARTTLS"] if secure == "starttls" else []
    )
    said = base64.b64encode(b"\0lab\0pw-secret-1").decode()
    assert f"AUTH PLAIN {said}" in mail.secured
    assert len(mail.messages) == 2
    assert all("X-Labrelay-Delivery: 1:1:raised" in message for message in mail.messages)


@pytest.mark.parametrize("secure", ["starttls", "ssl"])
@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ("authority", "channel_certificate_unknown"),
        ("name", "channel_certificate_name"),
        ("expired", "channel_certificate_expired"),
        ("early", "channel_certificate_early"),
    ],
)
def test_a_certificate_that_does_not_fit_gets_nothing(
    secure: str, wrong: str, code: str, files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of an authority that nobody here trusts, for another name, too old or too new: not sent, no password said, to be
    tried again; and what is wrong has a code of its own with a sentence in both languages."""
    if wrong == "authority":
        (tmp_path / "other").mkdir()
        monkeypatch.setenv("SSL_CERT_FILE", str(certificates.make(tmp_path / "other")[0]))
    if wrong in ("expired", "early"):
        files = certificates.make(tmp_path, valid_from=timedelta(days=-3 if wrong == "expired" else 1))
    host = "localhost" if wrong == "name" else "127.0.0.1"
    with mail_server(secure, files) as mail, pytest.raises(Unavailable) as caught:
        alert_channels.send("mail", config(secure, mail.port, host), **MESSAGE)
    assert caught.value.code == code
    assert caught.value.params["detail"]
    assert (mail.secured, mail.messages) == ([], [])
    assert not any("AUTH" in line for line in mail.clear)


def test_a_server_that_hides_starttls_gets_nothing(files: tuple[Path, Path]) -> None:
    """Somebody on the way who takes STARTTLS out of the answer does not get the alert in the clear."""
    with mail_server("starttls", files, offers=False) as mail, pytest.raises(Unavailable):
        alert_channels.send("mail", config("starttls", mail.port), **MESSAGE)
    assert mail.messages == []
    assert not any(word in line for line in mail.clear for word in ("AUTH", "MAIL", "RCPT"))


def test_the_usual_ports_follow_the_encryption() -> None:
    """An empty port means 587, 465 or 25; a word that is none of the three is named."""
    for secure, port in (("starttls", 587), ("ssl", 465), ("insecure", 25)):
        fields = alert_channels._mail_fields({**config(secure, 1), "port": ""}, "x")
        assert (fields["port"], fields["secure_mode"]) == (port, secure)


def test_who_has_it_is_not_written_to_again(files: tuple[Path, Path]) -> None:
    """One of two receivers is refused: the other has the mail, is named, and a second try goes to the first alone."""
    with mail_server("starttls", files, refuses=["a@example.org"]) as mail:
        form = config("starttls", mail.port)
        with pytest.raises(alert_channels.PartlySent) as caught:
            alert_channels.send("mail", form, **MESSAGE)
        assert (caught.value.code, caught.value.accepted) == ("channel_not_accepted", ("b@example.org",))
        assert len(mail.messages) == 1
        with pytest.raises(Unavailable) as again:
            alert_channels.send("mail", form, **MESSAGE, accepted=caught.value.accepted)
        assert not isinstance(again.value, alert_channels.PartlySent)
        assert len(mail.messages) == 1
    assert sum("RCPT" in line.upper() and "b@example.org" in line for line in mail.secured) == 1


def test_a_password_is_not_said_in_the_clear() -> None:
    """Without encryption a password may go to this machine alone; the form is told at its field."""
    form = {**config("starttls", 25), "secure": "insecure"}
    assert alert_channels.check_config("mail", form) == "127.0.0.1"
    assert alert_channels.check_config("mail", {**form, "host": "mail.example.org", "password": ""})
    with pytest.raises(Invalid) as caught:
        alert_channels.check_config("mail", {**form, "host": "mail.example.org"})
    assert (caught.value.code, caught.value.field) == ("channel_password_in_the_clear", "secure")
