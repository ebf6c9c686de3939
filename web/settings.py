"""Everything that an installation may choose, read once from ``LABRELAY_*`` variables into one frozen object.

    Settings.from_env(os.environ)

A wrong value raises :class:`SettingsError`, which names the variable and what it may hold. Secrets (keys,
URLs that may carry a password) never show in ``repr``. The table for people is in docs/operations.md.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from logistics.clock import Clock, SharedClock, SystemClock

PREFIX = "LABRELAY_"
TRUE_WORDS = frozenset({"1", "true", "yes", "on"})
FALSE_WORDS = frozenset({"0", "false", "no", "off", ""})
MIN_SECRET_LENGTH = 32

T = TypeVar("T")


class SettingsError(Exception):
    """A variable holds what cannot be used. ``str()`` is a sentence for whoever set it."""

    def __init__(self, variable: str, problem: str) -> None:
        self.variable = variable
        super().__init__(f"{variable}: {problem}")


@dataclass(frozen=True)
class Settings:
    """One installation's choices; see docs/operations.md for each. Build it with :meth:`from_env`."""

    var_dir: Path
    """Where this machine keeps its files: embedded database, broker store, task folder, secret key."""
    database_url: str = field(repr=False)
    """SQLAlchemy URL; ``postgresql://`` is taken as psycopg 3."""
    secret_key: str = field(repr=False)
    signing_key_file: Path = Path("var/signing_key")
    """The private key that signs the daily digests of the custody log; made once. Copies of the digests lie beside."""
    mqtt_url: str | None = field(default=None, repr=False)
    """``mqtt://[user:password@]host[:1883]`` or ``mqtts://…``; None: this process has no MQTT broker."""
    mqtt_share_group: str | None = None
    """``$share`` group when several ingest processes divide the load (needs a broker that supports it)."""
    mqtt_ca_file: Path | None = None
    """The authority that signed the broker's certificate, when it is none of the public ones (mqtts)."""
    celery_broker_url: str = field(default="filesystem://", repr=False)
    limiter_storage_url: str = field(default="memory://", repr=False)
    host: str = "127.0.0.1"
    port: int = 8731
    public_url: str = "http://127.0.0.1:8731"
    """What people type; stands in alerts and QR codes. No slash at the end."""
    http_workers: int = 1
    http_threads: int = 16
    proxy_hops: int = 0
    """How many proxies of ours stand in front and set X-Forwarded-*; 0: such headers are not believed."""
    clock: str = "system"
    """``system`` or ``shared:PATH`` (the simulated day)."""
    demo: bool = False
    session_idle: timedelta = timedelta(minutes=30)
    session_absolute: timedelta = timedelta(hours=12)
    login_limit: str = "10 per minute; 60 per hour"
    cookie_secure: bool = False
    alert_allowed_hosts: tuple[str, ...] = ()
    """Hosts that alert channels may be sent to; empty: every public address, no private one."""
    tile_url: str | None = None
    """Map tiles, ``https://…/{z}/{x}/{y}.png``; None: the map draws sites and roads without tiles."""
    tile_attribution: str = ""
    osrm_url: str | None = None
    """A road router for travel times; None: straight distances with a detour factor."""
    unsent_after: timedelta = timedelta(hours=6)
    """Collected tubes that have not left their site for longer raise an alert."""
    retention_readings: timedelta = timedelta(days=730)
    retention_positions: timedelta = timedelta(days=30)
    log_level: str = "INFO"

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Settings:
        """Read and check every variable. Creates ``var_dir/secret_key`` when no key is given.

        Raises SettingsError naming the first variable that cannot be used.
        """
        read = _Reader(environ)
        var_dir = read("VAR_DIR", lambda text: Path(text).expanduser().resolve(), Path("var").resolve())
        host = read("HOST", _text, cls.host)
        port = read("PORT", _number(1, 65535), cls.port)
        return cls(
            var_dir=var_dir,
            database_url=read("DATABASE_URL", _database_url, f"sqlite:///{var_dir / 'labrelay.db'}"),
            secret_key=_secret_key(environ, var_dir),
            signing_key_file=read(
                "SIGNING_KEY_FILE", lambda text: Path(text).expanduser().resolve(), var_dir / "signing_key"
            ),
            mqtt_url=read("MQTT_URL", _url("mqtt", "mqtts"), None),
            mqtt_share_group=read("MQTT_SHARE_GROUP", _text, None),
            mqtt_ca_file=read("MQTT_CA_FILE", lambda text: Path(text).expanduser().resolve(), None),
            celery_broker_url=read(
                "CELERY_BROKER_URL", _url("filesystem", "redis", "rediss", "unix+redis"), "filesystem://"
            ),
            limiter_storage_url=read(
                "LIMITER_STORAGE_URL", _url("memory", "redis", "rediss", "redis+unix"), "memory://"
            ),
            host=host,
            port=port,
            public_url=read("PUBLIC_URL", _base_url, f"http://{host}:{port}"),
            http_workers=read("HTTP_WORKERS", _number(1, 64), cls.http_workers),
            http_threads=read("HTTP_THREADS", _number(1, 128), cls.http_threads),
            proxy_hops=read("PROXY_HOPS", _number(0, 5), 0),
            clock=read("CLOCK", _clock, "system"),
            demo=read("DEMO", _flag, False),
            session_idle=timedelta(minutes=read("SESSION_IDLE_MINUTES", _number(1, 24 * 60), 30)),
            session_absolute=timedelta(hours=read("SESSION_HOURS", _number(1, 24 * 7), 12)),
            login_limit=read("LOGIN_LIMIT", _limit, cls.login_limit),
            cookie_secure=read("COOKIE_SECURE", _flag, False),
            alert_allowed_hosts=read("ALERT_ALLOWED_HOSTS", _hosts, ()),
            tile_url=read("TILE_URL", _tile_url, None),
            tile_attribution=read("TILE_ATTRIBUTION", _text, ""),
            osrm_url=read("OSRM_URL", _base_url, None),
            unsent_after=timedelta(hours=read("UNSENT_HOURS", _number(1, 24 * 14), 6)),
            retention_readings=timedelta(days=read("RETENTION_READINGS_DAYS", _number(1, 36500), 730)),
            retention_positions=timedelta(days=read("RETENTION_POSITIONS_DAYS", _number(1, 36500), 30)),
            log_level=read("LOG_LEVEL", _one_of("DEBUG", "INFO", "WARNING", "ERROR"), cls.log_level),
        )

    @property
    def embedded_database(self) -> bool:
        return self.database_url.startswith("sqlite")

    @property
    def embedded_tasks(self) -> bool:
        return self.celery_broker_url.startswith("filesystem")

    def make_clock(self) -> Clock:
        """The clock that ``clock`` names. Until a shared clock's file appears it runs as real time."""
        if self.clock == "system":
            return SystemClock()
        return SharedClock(Path(self.clock.removeprefix("shared:")))


VARIABLES = frozenset(
    PREFIX + name
    for name in [
        "VAR_DIR",
        "DATABASE_URL",
        "SECRET_KEY",
        "SECRET_KEY_FILE",
        "SIGNING_KEY_FILE",
        "MQTT_URL",
        "MQTT_SHARE_GROUP",
        "MQTT_CA_FILE",
        "CELERY_BROKER_URL",
        "LIMITER_STORAGE_URL",
        "HOST",
        "PORT",
        "PUBLIC_URL",
        "HTTP_WORKERS",
        "HTTP_THREADS",
        "PROXY_HOPS",
        "CLOCK",
        "DEMO",
        "SESSION_IDLE_MINUTES",
        "SESSION_HOURS",
        "LOGIN_LIMIT",
        "COOKIE_SECURE",
        "ALERT_ALLOWED_HOSTS",
        "TILE_URL",
        "TILE_ATTRIBUTION",
        "OSRM_URL",
        "UNSENT_HOURS",
        "RETENTION_READINGS_DAYS",
        "RETENTION_POSITIONS_DAYS",
        "LOG_LEVEL",
    ]
)


def unknown_variables(environ: Mapping[str, str]) -> list[str]:
    """``LABRELAY_*`` variables that mean nothing, probably misspelt; sorted."""
    return sorted(name for name in environ if name.startswith(PREFIX) and name not in VARIABLES)


class _Reader:
    """Takes one variable: parsed when it is set and not blank, else the default."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def __call__(self, name: str, parse: Callable[[str], T], default: T | None) -> T:
        text = self._environ.get(PREFIX + name, "").strip()
        if not text:
            return default  # type: ignore[return-value]  # the fields that may be None say so themselves
        try:
            return parse(text)
        except ValueError as error:
            raise SettingsError(PREFIX + name, str(error)) from None


def _text(text: str) -> str:
    return text


def _flag(text: str) -> bool:
    word = text.lower()
    if word in TRUE_WORDS:
        return True
    if word in FALSE_WORDS:
        return False
    raise ValueError("use 1 or 0")


def _number(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
            raise ValueError(f"use a whole number from {low} to {high}")
        return int(text)

    return parse


def _one_of(*words: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text.upper() not in words:
            raise ValueError(f"use one of {', '.join(words)}")
        return text.upper()

    return parse


def _url(*schemes: str) -> Callable[[str], str]:
    """A URL of one of these schemes. The message never repeats the value: it may hold a password."""

    def parse(text: str) -> str:
        if urlsplit(text).scheme not in schemes:
            raise ValueError(f"use a URL that starts with {' or '.join(f'{name}://' for name in schemes)}")
        return text

    return parse


def _database_url(text: str) -> str:
    scheme, _, rest = text.partition("://")
    if scheme in {"postgres", "postgresql", "postgresql+psycopg"}:
        return f"postgresql+psycopg://{rest}"
    if scheme == "sqlite":
        return text
    raise ValueError("use a URL that starts with postgresql:// or sqlite:///")


def _base_url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise ValueError("use a URL that starts with http:// or https://")
    return text.rstrip("/")


def _tile_url(text: str) -> str:
    _base_url(text)
    if not all(mark in text for mark in ("{z}", "{x}", "{y}")):
        raise ValueError("the URL needs {z}, {x} and {y}")
    return text


def _hosts(text: str) -> tuple[str, ...]:
    return tuple(host.strip().lower() for host in text.split(",") if host.strip())


def _clock(text: str) -> str:
    if text == "system" or (text.startswith("shared:") and len(text) > len("shared:")):
        return text
    raise ValueError("use system or shared:PATH")


def _limit(text: str) -> str:
    from limits import parse_many

    try:
        parse_many(text)
    except ValueError:
        raise ValueError("use a limit such as '10 per minute; 60 per hour'") from None
    return text


def _secret_key(environ: Mapping[str, str], var_dir: Path) -> str:
    """The given key, else the given file's, else one made once (``var_dir/secret_key``, mode 600)."""
    variable = PREFIX + "SECRET_KEY"
    key = environ.get(variable, "").strip()
    if not key and (path := environ.get(variable + "_FILE", "").strip()):
        variable += "_FILE"
        try:
            key = Path(path).read_text().strip()
        except OSError as error:
            raise SettingsError(variable, f"cannot be read ({error.strerror})") from None
    if not key and not variable.endswith("_FILE"):
        return _own_key(var_dir)
    if len(key) < MIN_SECRET_LENGTH:
        raise SettingsError(variable, f"the key needs at least {MIN_SECRET_LENGTH} characters")
    return key


def _own_key(var_dir: Path) -> str:
    path = var_dir / "secret_key"
    try:
        var_dir.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            # Linked into place whole, so that two processes starting together use the same key.
            temporary = path.with_name(f"secret_key.{os.getpid()}")
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_urlsafe(48))
            try:
                os.link(temporary, path)
            except FileExistsError:
                pass
            finally:
                temporary.unlink()
        return path.read_text().strip()
    except OSError as error:
        raise SettingsError(PREFIX + "VAR_DIR", f"cannot be written ({error.strerror}: {path})") from None
