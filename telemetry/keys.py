"""Keys of loggers and gateways: one secret that is the MQTT password of its account and the bearer of its HTTP posts.

An account is a logger's code, or a gateway's name (``Device.gateway``), which may speak for all its loggers. Only
hashes are kept; a new key replaces the one before. The register alone says who may send: ``labrelay broker-files``
writes Mosquitto's files from it.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.errors import Invalid, NotFound
from telemetry import routes, topics
from telemetry.models import Device, DeviceKey

PREFIX = "lrd_"
RESERVED = frozenset({"ingest", "gateway"})
_ITERATIONS = 20_000
_FORBIDDEN = set(":/+#$ \n")


def issue(session: Session, account: str, *, now: datetime) -> str:
    """A new secret for a logger or a gateway; it is returned once. Raises NotFound or Invalid."""
    if not account.isprintable() or _FORBIDDEN & set(account) or account in RESERVED:
        raise Invalid("key_account_bad", field="account", account=account[:40])
    if not devices_of(session, account):
        raise NotFound("key_account_unknown", field="account", account=account)
    secret = PREFIX + secrets.token_urlsafe(24)
    key = session.get(DeviceKey, account) or DeviceKey(account=account)
    key.issued_at, key.revoked_at = now, None
    key.secret_sha256, key.mqtt_hash = digest(secret), password_hash(secret)
    session.add(key)
    session.flush()
    return secret


def revoke(session: Session, account: str, *, now: datetime) -> None:
    """The account may send nothing any more. Raises NotFound when it has no key."""
    key = session.get(DeviceKey, account)
    if key is None or key.revoked_at is not None:
        raise NotFound("key_account_unknown", field="account", account=account)
    key.revoked_at = now


def devices_of(session: Session, account: str) -> list[str]:
    """The active loggers that an account may speak for: itself, or those of the gateway of that name."""
    own = select(Device.code).where(Device.active, (Device.code == account) | (Device.gateway == account))
    return list(session.scalars(own.order_by(Device.code)))


def allowed_devices(session: Session, secret: str) -> list[str] | None:
    """The loggers that the holder of this secret may speak for; None when it is no key of ours."""
    key = session.scalars(
        select(DeviceKey).where(DeviceKey.secret_sha256 == digest(secret), DeviceKey.revoked_at.is_(None))
    ).first()
    return devices_of(session, key.account) if key is not None else None


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def password_hash(password: str, salt: bytes | None = None) -> str:
    """What Mosquitto's password file holds after the account: PBKDF2-HMAC-SHA512, as ``mosquitto_passwd`` makes it."""
    salt = salt or secrets.token_bytes(12)
    derived = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ITERATIONS)
    encoded = (base64.b64encode(part).decode() for part in (salt, derived))
    return f"$7${_ITERATIONS}${'$'.join(encoded)}"


@dataclass(frozen=True, slots=True)
class Account:
    """An account as the broker's files need it."""

    name: str
    mqtt_hash: str
    devices: tuple[str, ...]
    topics: tuple[str, ...] = ()  # of other makers: where these loggers publish


def accounts(session: Session) -> list[Account]:
    """Everybody who has a key, with the loggers that he may speak for."""
    keys = session.scalars(select(DeviceKey).where(DeviceKey.revoked_at.is_(None)).order_by(DeviceKey.account)).all()
    found = []
    for key in keys:
        mine = devices_of(session, key.account)
        foreign = [pattern for code in mine for pattern in routes.of_device(session, code)]
        found.append(Account(key.account, key.mqtt_hash, tuple(mine), tuple(sorted(foreign))))
    return found


def acl_lines(account: Account) -> list[str]:
    """What Mosquitto's ACL file says of an account: its loggers' own topics, those that the register has for them, and
    nothing else."""
    lines = ["", f"user {account.name}"]
    for device in account.devices:
        lines.append(f"topic write {topics.readings(device)}")
        lines += [f"topic read {topics.receipt(device)}", f"topic read {topics.request(device)}"]
    lines += [f"topic write {pattern}" for pattern in account.topics]
    return lines
