"""DingTalk and Feishu robots against a server that checks what their makers check: body, time, signature."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from apprise.plugins.dingtalk import NotifyDingTalk
from apprise.plugins.feishu import NotifyFeishu

from logistics.errors import Invalid, Unavailable
from logistics.services import alert_channels
from tests.servers import serving

LOCAL = ("127.0.0.0/8",)
SECRET = "SEC5a3ecf88f2b3eb50"
LINK = "https://lab.example.org/manager/alerts/77"
TITLE = "转运箱 BX-C 温度异常"
MESSAGE = {"title": TITLE, "text": f"最高 12.0 °C\n{LINK}", "dedup_id": "77:1:raised", "critical": True}
SAID = f"最高 12.0 °C\n{LINK}\n#77:1:raised"


def signature(key: str, message: str) -> str:
    return base64.b64encode(hmac.new(key.encode(), message.encode(), hashlib.sha256).digest()).decode()


def dingtalk(path: str, body: dict[str, Any], secret: str) -> dict[str, Any]:
    """The verdict of DingTalk's server: the query decoded once, milliseconds, HMAC of time and secret by the secret."""
    query = {name: values[0] for name, values in parse_qs(urlsplit(path).query).items()}
    if query.get("access_token") != "token7":
        return {"errcode": 300005, "errmsg": "token is not exist"}
    fresh = abs(time.time() * 1000 - int(query.get("timestamp", 0))) < 3_600_000
    if secret and not (fresh and query.get("sign") == signature(secret, f"{query['timestamp']}\n{secret}")):
        return {"errcode": 310000, "errmsg": "sign not match"}
    good = body["msgtype"] == "text" and isinstance(body["text"]["content"], str)
    return {"errcode": 0, "errmsg": "ok"} if good else {"errcode": 40035, "errmsg": "missing parameter"}


def feishu(path: str, body: dict[str, Any], secret: str) -> dict[str, Any]:
    """The verdict of Feishu's server: seconds in the body, HMAC of nothing by time and secret."""
    if path.rstrip("/") != "/hook/token7":
        return {"code": 19001, "msg": "param invalid: incoming webhook access token invalid"}
    fresh = abs(time.time() - int(body.get("timestamp", 0))) < 3600
    if secret and not (fresh and body.get("sign") == signature(f"{body['timestamp']}\n{secret}", "")):
        return {"code": 19021, "msg": "sign match fail or timestamp is not within one hour from current time"}
    good = body["msg_type"] == "text" and isinstance(body["content"]["text"], str)
    return {"code": 0, "msg": "success", "data": {}} if good else {"code": 9499, "msg": "Bad Request"}


JUDGES = {"dingtalk": dingtalk, "feishu": feishu}


@contextmanager
def robot(kind: str, secret: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """The maker's server, HTTP 200 whatever it says; gives the bodies that it took."""
    taken: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            said = JUDGES[kind](self.path, body, secret)
            if not (said.get("errcode") or said.get("code")):
                taken.append(body)
            raw = json.dumps(said).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    base = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(NotifyDingTalk, "notify_url", base + "/robot/send?access_token={token}")
    monkeypatch.setattr(NotifyFeishu, "notify_url", base + "/hook/{token}/")
    with serving(server):
        yield taken


def config(kind: str, secret: str, key: str = "token7") -> dict[str, str]:
    found = {"key": key, **({"secret": secret} if secret else {})}
    assert alert_channels.check_config(kind, found) == alert_channels.ROBOT_HOSTS[kind]
    return found


@pytest.mark.parametrize("secret", ["", SECRET])
@pytest.mark.parametrize("kind", ["dingtalk", "feishu"])
def test_a_robot_takes_the_alert(kind: str, secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With and without a signature, many times, since a signature may hold characters that an address cannot."""
    with robot(kind, secret, monkeypatch) as taken:
        for _ in range(3):
            alert_channels.send(kind, config(kind, secret), allowed_hosts=LOCAL, **MESSAGE)
    assert len(taken) == 3
    text = taken[0]["text"]["content"] if kind == "dingtalk" else taken[0]["content"]["text"]
    assert text.splitlines() == [TITLE, *SAID.splitlines()]


@pytest.mark.parametrize(("secret", "key"), [("SECwrong", "token7"), ("", "token7"), (SECRET, "other")])
@pytest.mark.parametrize("kind", ["dingtalk", "feishu"])
def test_a_wrong_secret_or_key_is_not_sent(kind: str, secret: str, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The robot says no with HTTP 200: the message counts as not sent, with its code."""
    with robot(kind, SECRET, monkeypatch) as taken, pytest.raises(Unavailable) as caught:
        alert_channels.send(kind, config(kind, secret, key), allowed_hosts=LOCAL, **MESSAGE)
    wrong = {"dingtalk": ("310000", "300005"), "feishu": ("19021", "19001")}[kind]
    assert (caught.value.code, caught.value.params["answer"]) == ("channel_robot_refused", wrong[key == "other"])
    assert taken == []


@pytest.mark.parametrize("secret", ["", SECRET])
@pytest.mark.parametrize("kind", ["dingtalk", "feishu"])
def test_a_robot_in_our_own_network_is_refused(kind: str, secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The address that the name leads to is checked at the connection, signed or not."""
    with robot(kind, secret, monkeypatch) as taken, pytest.raises(Invalid) as caught:
        alert_channels.send(kind, config(kind, secret), allowed_hosts=(), **MESSAGE)
    assert caught.value.code == "channel_host_refused"
    assert taken == []


def test_a_whole_address_is_no_key() -> None:
    """Who pastes the address instead of its last part is told at the form which field is wrong."""
    for kind in alert_channels.ROBOT_HOSTS:
        for field in ("key", "secret"):
            with pytest.raises(Invalid) as caught:
                alert_channels.check_config(kind, {"key": "k", field: "https://oapi.dingtalk.com/robot/send?x=1"})
            assert (caught.value.code, caught.value.field) == ("field_malformed", field)
