"""Settings: what they read, what they refuse and what they never show."""

from __future__ import annotations

import stat
from datetime import timedelta
from pathlib import Path

import pytest

from logistics.clock import SharedClock, SystemClock
from web.settings import VARIABLES, Settings, SettingsError, unknown_variables

KEY = "k" * 40


def read(tmp_path: Path, **values: str) -> Settings:
    return Settings.from_env({"LABRELAY_VAR_DIR": str(tmp_path), **{f"LABRELAY_{k}": v for k, v in values.items()}})


def test_defaults_are_the_embedded_ones(tmp_path: Path) -> None:
    """With nothing set, everything runs on this machine alone."""
    settings = read(tmp_path)
    assert settings.database_url == f"sqlite:///{tmp_path}/labrelay.db"
    assert (settings.host, settings.port, settings.public_url) == ("127.0.0.1", 8731, "http://127.0.0.1:8731")
    assert settings.mqtt_url is None
    assert settings.celery_broker_url == "filesystem://"
    assert settings.embedded_database
    assert settings.embedded_tasks
    assert isinstance(settings.make_clock(), SystemClock)


def test_the_secret_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    """Two starts share one random key, kept in a file of mode 600."""
    first, second = read(tmp_path), read(tmp_path)
    assert first.secret_key == second.secret_key
    assert len(first.secret_key) >= 32
    assert stat.S_IMODE((tmp_path / "secret_key").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["secret_key"]


def test_a_given_key_wins_over_a_file(tmp_path: Path) -> None:
    """SECRET_KEY, then SECRET_KEY_FILE, then the key of our own."""
    (tmp_path / "key").write_text("f" * 40 + "\n")
    assert read(tmp_path, SECRET_KEY=KEY, SECRET_KEY_FILE=str(tmp_path / "key")).secret_key == KEY
    assert read(tmp_path, SECRET_KEY_FILE=str(tmp_path / "key")).secret_key == "f" * 40
    assert not (tmp_path / "secret_key").exists()


def test_secrets_do_not_show(tmp_path: Path) -> None:
    """Neither repr nor str shows a key or a URL that may hold a password."""
    settings = read(
        tmp_path,
        SECRET_KEY=KEY,
        DATABASE_URL="postgresql://labrelay:hunter2@db/labrelay",
        MQTT_URL="mqtt://ingest:hunter2@mqtt",
        CELERY_BROKER_URL="redis://:hunter2@redis/0",
        LIMITER_STORAGE_URL="redis://:hunter2@redis/1",
    )
    assert "hunter2" not in repr(settings) + str(settings)
    assert KEY not in repr(settings)


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("postgres://u@h/d", "postgresql+psycopg://u@h/d"),
        ("postgresql://u@h/d", "postgresql+psycopg://u@h/d"),
        ("sqlite:////tmp/x.db", "sqlite:////tmp/x.db"),
    ],
)
def test_database_urls(tmp_path: Path, given: str, taken: str) -> None:
    """PostgreSQL URLs as people write them mean psycopg 3."""
    assert read(tmp_path, DATABASE_URL=given).database_url == taken


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "80a"),
        ("PORT", "0"),
        ("PORT", "٨٠"),
        ("HTTP_THREADS", "-1"),
        ("DATABASE_URL", "mysql://hunter2@h/d"),
        ("MQTT_URL", "http://hunter2@h"),
        ("CELERY_BROKER_URL", "amqp://hunter2@h"),
        ("LIMITER_STORAGE_URL", "hunter2"),
        ("CLOCK", "fast"),
        ("CLOCK", "shared:"),
        ("DEMO", "perhaps"),
        ("LOGIN_LIMIT", "a few"),
        ("SESSION_IDLE_MINUTES", "0"),
        ("PUBLIC_URL", "labrelay.example"),
        ("OSRM_URL", "ftp://x"),
        ("TILE_URL", "https://tiles.example/1.png"),
        ("SECRET_KEY", "short"),
        ("SECRET_KEY_FILE", "/no/such/file"),
        ("LOG_LEVEL", "loud"),
        ("RETENTION_READINGS_DAYS", "forever"),
    ],
)
def test_a_wrong_value_names_its_variable_and_repeats_no_secret(tmp_path: Path, name: str, value: str) -> None:
    """The error says which variable, and never what a URL held."""
    with pytest.raises(SettingsError, match=f"^LABRELAY_{name}: ") as caught:
        read(tmp_path, **{name: value})
    assert "hunter2" not in str(caught.value)


def test_values_are_parsed(tmp_path: Path) -> None:
    """Numbers, flags, lists, durations and clocks become what the code works with."""
    settings = read(
        tmp_path,
        PORT="9000",
        DEMO="yes",
        COOKIE_SECURE="1",
        SESSION_IDLE_MINUTES="45",
        ALERT_ALLOWED_HOSTS="qyapi.weixin.qq.com, Hooks.Example ,",
        CLOCK=f"shared:{tmp_path}/clock.json",
        PUBLIC_URL="https://lab.example/",
        LOG_LEVEL="debug",
    )
    assert (settings.port, settings.demo, settings.cookie_secure) == (9000, True, True)
    assert settings.session_idle == timedelta(minutes=45)
    assert settings.alert_allowed_hosts == ("qyapi.weixin.qq.com", "hooks.example")
    assert settings.public_url == "https://lab.example"
    assert settings.log_level == "DEBUG"
    assert isinstance(settings.make_clock(), SharedClock)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """VAR_DIR below a file is refused in words."""
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match=r"^LABRELAY_VAR_DIR: cannot be written"):
        Settings.from_env({"LABRELAY_VAR_DIR": str(tmp_path / "file" / "var")})


def test_misspelt_variables_are_found() -> None:
    """A variable that means nothing is reported; other programs' variables are not ours."""
    assert unknown_variables({"LABRELAY_PROT": "1", "LABRELAY_PORT": "1", "PATH": ""}) == ["LABRELAY_PROT"]


def test_every_variable_is_in_the_operations_table() -> None:
    """docs/operations.md lists each variable, and none that does not exist."""
    table = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
    listed = {
        word.strip("`| ")
        for line in table.splitlines()
        if line.startswith("| `LABRELAY_")
        for word in [line.split("|")[1]]
    }
    assert listed == VARIABLES
