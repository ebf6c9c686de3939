"""Typed channels of alerts: what each form holds, where it may lead, and how Apprise sends through it.

Nobody types an Apprise address: a channel is one of five kinds with named fields, and the host it leads to is
resolved and checked each time before something is sent (an installation must not be made to call its own
network).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import socket
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import unquote, urlsplit

from logistics.clock import wall_now
from logistics.errors import Invalid, LabrelayError, Unavailable
from logistics.services.alert_network import Allowed, guarded, refused

KINDS = ("mail", "http", "wecom", "dingtalk", "feishu")
ROBOT_HOSTS = {"wecom": "qyapi.weixin.qq.com", "dingtalk": "oapi.dingtalk.com", "feishu": "open.feishu.cn"}
MAIL_PORTS = {"insecure": 25, "starttls": 587, "ssl": 465}
ROBOT_BYTES = 2040  # WeCom takes 2,048 bytes of text, title and line break included; the others take more
ROBOT_WORD = re.compile(r"[A-Za-z0-9_-]+")
DEDUP_HEADER = "X-Labrelay-Delivery"
CONNECT_S, READ_S = 5.0, 10.0
RECEIVERS_S = 15.0
"""After this no further receiver of a mail is begun with: a slow server must not outlast the lease of the message."""

Resolve = Callable[[str], Iterable[str]]


class PartlySent(Unavailable):
    """Some receivers of a mail have it (``accepted``); the code says why the others do not."""

    def __init__(self, why: LabrelayError, accepted: Iterable[str]) -> None:
        super().__init__(why.code, field=why.field, **why.params)
        self.accepted = tuple(accepted)


def resolve(host: str) -> list[str]:
    """The addresses of a host. Raises Unavailable('channel_host_unresolved'): trying again later may help."""
    try:
        return sorted({str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)})
    except OSError:
        raise Unavailable("channel_host_unresolved", field="host", host=host) from None


def check_host(host: str, allowed_hosts: Iterable[str], *, resolver: Resolve = resolve) -> None:
    """Whether alerts may be sent to ``host``: what the installation lists (names, or networks as 10.1.0.0/16), else
    public addresses only. ``send`` checks again the very address that it connects to.

    Raises Invalid('channel_host_refused') for what is private, loopback or not on the list.
    """
    allowed = Allowed(allowed_hosts)
    if not allowed.check_name(host):
        allowed.check(host, resolver(host))


def check_config(kind: str, config: Mapping[str, Any]) -> str:
    """Check a channel's form; returns the host it leads to. Raises Invalid naming the field."""
    if kind not in KINDS:
        raise Invalid("channel_kind_unknown", field="kind", kind=str(kind)[:40])
    if kind in ROBOT_HOSTS:
        for field in ("key", "secret") if config.get("secret") else ("key",):
            if not ROBOT_WORD.fullmatch(_word(config, field)):
                raise Invalid("field_malformed", field=field)
        return ROBOT_HOSTS[kind]
    if kind == "http":
        return str(_http_address(config)["host"])
    for field in ("from", "to"):
        for address in _addresses(config, field):
            if not all(address.partition("@")[::2]) or any(c.isspace() for c in address):
                raise Invalid("channel_mail_malformed", field=field)
    host, secure = _word(config, "host"), config.get("secure", "starttls")
    if secure not in MAIL_PORTS:
        raise Invalid("field_malformed", field="secure")
    if secure == "insecure" and config.get("password") and not _on_this_machine(host):
        raise Invalid("channel_password_in_the_clear", field="secure")
    return host


def _on_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def send(
    kind: str,
    config: Mapping[str, Any],
    *,
    title: str,
    text: str,
    dedup_id: str,
    critical: bool,
    allowed_hosts: Iterable[str],
    accepted: Collection[str] = (),
) -> None:
    """Send one message; a mail to each of its receivers by itself, but for those who have ``accepted`` it already.

    Raises Unavailable('channel_not_accepted') when the other side did not take it, or PartlySent when some receivers
    did; Unavailable('channel_certificate_…') when its certificate is not to be trusted (alert_network says why),
    Unavailable('channel_robot_refused') when a robot said no in its answer, Invalid('channel_host_refused').
    """
    if kind != "mail":
        _send(kind, config, title, text, dedup_id, critical, allowed_hosts)
        return
    begun = time.monotonic()
    taken: list[str] = []
    failed: LabrelayError | None = None
    for receiver in without(config, accepted):
        if time.monotonic() - begun > RECEIVERS_S:
            failed = failed or Unavailable("channel_slow", field="channel")
            break
        try:
            _send(kind, {**config, "to": receiver}, title, text, dedup_id, critical, allowed_hosts)
        except LabrelayError as error:
            failed = error
        else:
            taken.append(receiver)
    if failed is not None:
        raise PartlySent(failed, taken) if taken else failed


def without(config: Mapping[str, Any], accepted: Collection[str]) -> list[str]:
    """The receivers of a mail channel who are not among those that have it."""
    return [one for one in _addresses(config, "to") if one not in accepted]


def _send(
    kind: str,
    config: Mapping[str, Any],
    title: str,
    text: str,
    dedup_id: str,
    critical: bool,
    allowed_hosts: Iterable[str],
) -> None:
    """Every address that is connected to is checked when it is resolved."""
    import apprise  # heavy: only workers that send pay for it

    asset = apprise.AppriseAsset(http_redirects=False, app_id="Labrelay", app_desc="Labrelay", app_url="")
    service: Any = apprise.Apprise.instantiate(_apprise_fields(kind, config, dedup_id), asset=asset)
    if service is None:
        raise Invalid("channel_malformed", field="config", kind=kind)
    if kind in ROBOT_HOSTS:
        text = fitted(title, text, dedup_id, ROBOT_BYTES)
    secret = _secret(config)
    if kind == "dingtalk" and secret:
        service.get_signature = _encoded_once(service.get_signature)
    level = apprise.NotifyType.FAILURE if critical else apprise.NotifyType.WARNING
    with guarded(Allowed(allowed_hosts)) as guard:
        if kind == "feishu" and secret:  # Apprise cannot sign for it
            taken = _post(service.notify_url.format(token=service.token), _feishu_signed(f"{title}\n{text}", secret))
        else:
            taken = service.notify(body=text, title=title, notify_type=level)
    if guard.refused_host:
        raise refused(guard.refused_host)
    if guard.certificate:
        code, said = guard.certificate
        raise Unavailable(code, field="channel", detail=said)
    if not taken:
        raise Unavailable("channel_not_accepted", field="channel")
    if kind in ROBOT_HOSTS:
        _check_answer(guard.answers)


def _encoded_once(sign: Callable[[], tuple[str, str]]) -> Callable[[], tuple[str, str]]:
    """Apprise hands over a signature that is encoded for the address, and it is encoded again on the way: DingTalk
    would see another one."""

    def signature() -> tuple[str, str]:
        timestamp, encoded = sign()
        return timestamp, unquote(encoded)

    return signature


def _feishu_signed(text: str, secret: str) -> dict[str, Any]:
    """The body for a Feishu robot that asks for a signature: time in seconds and secret are the key, of nothing."""
    seconds = int(wall_now().timestamp())
    digest = hmac.new(f"{seconds}\n{secret}".encode(), b"", hashlib.sha256).digest()
    sign = base64.b64encode(digest).decode()
    return {"timestamp": str(seconds), "sign": sign, "msg_type": "text", "content": {"text": text}}


def _post(url: str, body: Mapping[str, Any]) -> bool:
    import requests  # heavy: only workers that send pay for it

    try:
        answer = requests.post(url, json=body, timeout=(CONNECT_S, READ_S), allow_redirects=False)
    except requests.RequestException:
        return False
    return answer.status_code == requests.codes.ok


def _check_answer(answers: Iterable[bytes]) -> None:
    """Robots answer HTTP 200 also when they refuse (wrong key, too many messages): the code in the body counts."""
    for raw in answers:
        try:
            said = json.loads(raw)
        except ValueError:
            continue
        code = next((said[name] for name in ("errcode", "code", "StatusCode") if name in said), 0) if said else 0
        if code not in (0, "0"):
            raise Unavailable("channel_robot_refused", field="channel", answer=str(code)[:20])


def fitted(title: str, text: str, dedup_id: str, limit: int) -> str:
    """The text so that with the title it has at most ``limit`` bytes. The link, its last line, and the id stay whole:
    what is too long is cut before them."""
    body, _, link = text.rpartition("\n")
    tail = f"\n{link}\n#{dedup_id}"
    room = limit - len(f"{title}\r\n{tail}".encode())
    return shorten(body, room) + tail


def shorten(text: str, limit: int) -> str:
    """At most ``limit`` bytes of UTF-8, cut between characters."""
    raw = text.encode()
    return text if len(raw) <= limit else raw[: max(0, limit - 3)].decode(errors="ignore") + "…"


def _apprise_fields(kind: str, config: Mapping[str, Any], dedup_id: str) -> dict[str, Any]:
    timeouts = {"cto": CONNECT_S, "rto": READ_S}
    if kind == "http":
        found = _http_address(config)
        return {
            **found,
            **timeouts,
            "headers": {DEDUP_HEADER: dedup_id},
            "payload": {"id": dedup_id},
        }
    if kind == "mail":
        return {**_mail_fields(config, dedup_id), **timeouts}
    key = _word(config, "key")
    if kind == "wecom":
        return {"schema": "wecombot", "key": key, **timeouts}
    if kind == "dingtalk":
        return {
            "schema": "dingtalk",
            "token": key,
            "secret": str(config.get("secret") or "").strip() or None,
            **timeouts,
        }
    return {"schema": "feishu", "token": key, **timeouts}


def _mail_fields(config: Mapping[str, Any], dedup_id: str) -> dict[str, Any]:
    secure = str(config.get("secure", "starttls"))
    sender = _addresses(config, "from")[0]
    return {
        "schema": "mailto" if secure == "insecure" else "mailtos",
        "host": sender.rpartition("@")[2],
        "smtp_host": _word(config, "host"),
        "port": int(config.get("port") or MAIL_PORTS[secure]),
        "user": config.get("user") or None,
        "password": config.get("password") or None,
        "from_addr": sender,
        "targets": _addresses(config, "to"),
        "secure_mode": secure,
        "headers": {DEDUP_HEADER: dedup_id},
        "format": "text",
    }


def _http_address(config: Mapping[str, Any]) -> dict[str, Any]:
    address = _word(config, "url")
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise Invalid("channel_url_malformed", field="url") from None
    if parts.scheme not in {"http", "https"} or not host:
        raise Invalid("channel_url_malformed", field="url")
    return {
        "schema": "jsons" if parts.scheme == "https" else "json",
        "host": host,
        "port": port,
        "user": unquote(parts.username) if parts.username else None,
        "password": unquote(parts.password) if parts.password else None,
        "fullpath": parts.path or "/",
        "params": dict(pair.partition("=")[::2] for pair in parts.query.split("&") if pair),
    }


def _addresses(config: Mapping[str, Any], field: str) -> list[str]:
    value = config.get(field)
    found = value if isinstance(value, list) else str(value or "").replace(";", ",").split(",")
    addresses = [str(one).strip() for one in found if str(one).strip()]
    if not addresses:
        raise Invalid("field_missing", field=field)
    return addresses


def _secret(config: Mapping[str, Any]) -> str:
    return str(config.get("secret") or "").strip()


def _word(config: Mapping[str, Any], field: str) -> str:
    value = config.get(field)
    if not isinstance(value, str) or not value.strip():
        raise Invalid("field_missing", field=field)
    return value.strip()
