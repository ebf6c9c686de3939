"""The network as alerts may see it: the very address that was checked is the one that is connected to.

Apprise resolves the host of a channel itself, after we have. A name server that answers otherwise the second time
would lead us into our own network. So while a message is sent, every resolution in this context goes through
:func:`guarded`: the answer is checked, and exactly this answer is used. It also keeps what the other side said, because
chat robots refuse with HTTP 200 and a code in the body.
"""

from __future__ import annotations

import functools
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from logistics.errors import Invalid

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
NAT64 = ipaddress.ip_network("64:ff9b::/96")
_KEPT_BYTES = 4000


class Allowed:
    """What an installation allows: names, and networks in CIDR notation. Nothing listed: public addresses alone."""

    def __init__(self, listed: Iterable[str]) -> None:
        self.names: set[str] = set()
        self.networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
        for one in listed:
            try:
                self.networks.append(ipaddress.ip_network(one.strip(), strict=False))
            except ValueError:
                self.names.add(one.strip().lower())

    def __bool__(self) -> bool:
        return bool(self.names or self.networks)

    def check_name(self, host: str) -> bool:
        """True when the name alone settles it. Raises Invalid when nothing that it resolves to could be allowed."""
        if host.lower() in self.names:
            return True
        if self.names and not self.networks:
            raise refused(host)
        return False

    def check(self, host: str, addresses: Iterable[str]) -> None:
        """Raises Invalid('channel_host_refused') unless every address is allowed."""
        if self.check_name(host):
            return
        for text in addresses:
            address = _real(ipaddress.ip_address(text.partition("%")[0]))
            fits = any(address.version == network.version and address in network for network in self.networks)
            if not fits and (self.networks or not is_public(address)):
                raise refused(host)


def refused(host: str) -> Invalid:
    return Invalid("channel_host_refused", field="host", host=host)


def is_public(address: Address) -> bool:
    return address.is_global and not address.is_multicast


def _real(address: Address) -> Address:
    """The address that packets go to: IPv4 inside IPv6 is judged as IPv4."""
    if isinstance(address, ipaddress.IPv6Address):
        inside = address.ipv4_mapped or address.sixtofour
        if inside is not None:
            return inside
        if address in NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


CERTIFICATE_CODES = {
    9: "channel_certificate_early",
    10: "channel_certificate_expired",
    18: "channel_certificate_unknown",  # signed by itself
    19: "channel_certificate_unknown",  # the authority is sent along, and nobody here knows it
    20: "channel_certificate_unknown",
    21: "channel_certificate_unknown",
    23: "channel_certificate_revoked",
    62: "channel_certificate_name",
    64: "channel_certificate_name",
}
"""X509_V_ERR_… of OpenSSL → what an administrator can do something about."""


@dataclass
class Guard:
    """What happened while one message was sent. ``certificate``: the code for why the other side's was not trusted,
    and what the TLS library said."""

    allowed: Allowed
    refused_host: str = ""
    certificate: tuple[str, str] | None = None
    answers: list[bytes] = field(default_factory=list)


_guard: ContextVar[Guard | None] = ContextVar("labrelay_alert_guard", default=None)
_lock = threading.Lock()
_installed: list[bool] = []


@contextmanager
def guarded(allowed: Allowed) -> Iterator[Guard]:
    """Check every resolution in this context; elsewhere nothing changes."""
    _install()
    guard = Guard(allowed)
    token = _guard.set(guard)
    try:
        yield guard
    finally:
        _guard.reset(token)


def _install() -> None:
    """Once a process, and only in one that sends."""
    with _lock:
        if _installed:
            return
        from requests.adapters import HTTPAdapter  # heavy: only workers that send pay for it

        socket.getaddrinfo = _checking(socket.getaddrinfo)
        HTTPAdapter.send = _keeping(HTTPAdapter.send)  # type: ignore[method-assign]
        ssl.SSLSocket.do_handshake = _noting(ssl.SSLSocket.do_handshake)  # type: ignore[method-assign]
        _installed.append(True)


def _checking(resolve: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(resolve)
    def getaddrinfo(host: Any, *args: Any, **more: Any) -> Any:
        found = resolve(host, *args, **more)
        guard = _guard.get()
        if guard is not None and host is not None:
            name = host.decode() if isinstance(host, bytes) else str(host)
            try:
                guard.allowed.check(name, sorted({str(one[4][0]) for one in found}))
            except Invalid:
                guard.refused_host = name
                raise socket.gaierror(socket.EAI_FAIL, "address refused by this installation") from None
        return found

    return getaddrinfo


def _noting(handshake: Callable[..., None]) -> Callable[..., None]:
    """Apprise says of a certificate that it does not trust what it says of any failure: keep the reason."""

    def do_handshake(self: Any, *args: Any, **more: Any) -> None:
        try:
            handshake(self, *args, **more)
        except ssl.SSLCertVerificationError as error:
            guard = _guard.get()
            if guard is not None:
                code = CERTIFICATE_CODES.get(error.verify_code, "channel_certificate_refused")
                guard.certificate = (code, error.verify_message)
            raise

    return do_handshake


def _keeping(send: Callable[..., Any]) -> Callable[..., Any]:
    def send_and_keep(self: Any, *args: Any, **more: Any) -> Any:
        answer = send(self, *args, **more)
        guard = _guard.get()
        if guard is not None:
            guard.answers.append(answer.content[:_KEPT_BYTES])
        return answer

    return send_and_keep
