"""docker-compose.yml says what was tried: each service's command runs as a process and serves.

PostgreSQL is the fixture's (its image has no command in the file); everything else is started with the command and
the environment that the file gives it, host names and container folders replaced by private ports and folders.
"""

from __future__ import annotations

import json
import re
import ssl
import subprocess
import time
import tomllib
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
import psycopg
import pytest

from tests import servers
from tests.web import compose
from tests.web.compose import Stage
from web import slots
from web.slots import take_slot

APPLICATION = ("web", "worker", "beat", "ingest")
DATABASE = "labrelay_compose"


def test_each_ingest_process_has_a_name_of_its_own(postgresql_url: str) -> None:
    """Names are the lowest free numbers, so that a replaced process finds its predecessor's session again."""
    assert [take_slot(postgresql_url) for _ in range(3)] == ["1", "2", "3"]
    slots._held.pop(-2)[0].close()
    assert take_slot(postgresql_url) == "2"
    while slots._held:
        slots._held.pop()[0].close()
    assert take_slot("sqlite:////tmp/x.db") == "1"


@pytest.fixture(scope="module")
def stage(postgresql_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """All services running, in the order that ``depends_on`` asks for."""
    folder = tmp_path_factory.mktemp("compose")
    ports = {name: servers.free_port() for name in ("redis", "mosquitto", "web", "http", "https")}
    _make_database(postgresql_url)
    environ = compose.new_env()
    postgres = urlsplit(postgresql_url)
    places = {
        "@postgres:5432": f"@127.0.0.1:{postgres.port}",
        "redis://redis:6379": f"redis://127.0.0.1:{ports['redis']}",
        "@mosquitto:1883": f"@127.0.0.1:{ports['mosquitto']}",
        "/mosquitto/config": str(folder / "config"),
        "/mosquitto/data": str(folder / "data"),
        "/etc/caddy/Caddyfile": str(folder / "Caddyfile"),
        "/tmp/labrelay": str(folder / "var"),
        "/keys": str(folder / "keys"),
        "127.0.0.1:8731": f"127.0.0.1:{ports['web']}",
    }
    (folder / "data").mkdir()
    document = compose.load(environ)
    for service in document["services"].values():
        variables = service.get("environment", {})
        if "LABRELAY_PORT" in variables:
            variables["LABRELAY_PORT"] = str(ports["web"])
            variables["LABRELAY_HOST"] = "127.0.0.1"
            variables["LABRELAY_DATABASE_URL"] = variables["LABRELAY_DATABASE_URL"].replace(
                "5432/labrelay", f"5432/{DATABASE}"
            )
    made = Stage(document, places, folder, ports)
    with ExitStack() as stack:
        _start_all(made, stack)
        yield made


def _make_database(url: str) -> None:
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {DATABASE}")
        connection.execute(f"CREATE DATABASE {DATABASE}")


def _start_all(stage: Stage, stack: ExitStack) -> None:
    ports = stage.ports

    def begin(service: str, process: subprocess.Popen[bytes]) -> None:
        stack.callback(servers.stop, process)
        if service in ports:
            port = ports[service]
            servers.wait_until(lambda: servers.accepts(port), service, process, stage.log(service))

    redis = [*stage.command("redis"), "--port", str(ports["redis"]), "--bind", "127.0.0.1", "--dir", str(stage.folder)]
    begin("redis", servers.start(redis, log=stage.log("redis")))
    stage.document["services"]["broker-init"]["command"][-1] = str(stage.folder.stat().st_uid)
    stage.run("broker-init")
    conf = stage.folder / "config" / "mosquitto.conf"
    moved = conf.read_text().replace("listener 1883 0.0.0.0", f"listener {ports['mosquitto']} 127.0.0.1")
    conf.write_text(moved + ("user root\n" if stage.folder.stat().st_uid == 0 else ""))
    begin("mosquitto", stage.start("mosquitto"))
    stage.run("migrate")
    for service in APPLICATION:
        begin(service, stage.start(service))
    # Verbatim but for the ports: a test may not take 80 and 443, nor install an authority on the machine.
    options = f"{{\n\thttp_port {ports['http']}\n\thttps_port {ports['https']}\n\tskip_install_trust\n\tadmin off\n}}\n"
    (stage.folder / "Caddyfile").write_text(options + (compose.ROOT / "deploy" / "Caddyfile").read_text())
    environment = stage.environment("caddy") | {
        "LABRELAY_UPSTREAM": f"127.0.0.1:{ports['web']}",
        "XDG_DATA_HOME": str(stage.folder / "caddy"),
        "XDG_CONFIG_HOME": str(stage.folder / "caddy"),
    }
    ports["caddy"] = ports["https"]
    begin("caddy", servers.start(stage.command("caddy"), log=stage.log("caddy"), env=environment))


def eventually(check: Callable[[], bool], what: Callable[[], str], timeout_s: float = 40.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not check():
        assert time.monotonic() < deadline, what()
        time.sleep(0.1)


def test_every_service_is_tried_here() -> None:
    """A service that is added to the file must be added to this test."""
    document = compose.load(compose.new_env())
    tried = {"postgres", "redis", "broker-init", "mosquitto", "migrate", *APPLICATION, "caddy"}
    assert set(document["services"]) == tried
    assert {name for name, body in document["services"].items() if "command" not in body} == {"postgres"}


def test_the_file_asks_for_secrets_and_holds_none() -> None:
    """Without a .env compose stops and says what to run; two .envs share no secret."""
    with pytest.raises(KeyError, match="run scripts/new-env first"):
        compose.load({})
    first, second = compose.new_env(), compose.new_env()
    assert {name for name in first if first[name] == second[name]} == {"LABRELAY_DOMAIN"}
    assert all(len(first[name]) >= 24 for name in first if name != "LABRELAY_DOMAIN")


def test_the_order_of_starting_is_what_the_file_says() -> None:
    """Nothing of ours starts before the tables are there; the broker not before its accounts."""
    services = compose.load(compose.new_env())["services"]
    for name in APPLICATION:
        assert services[name]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"
    assert services["mosquitto"]["depends_on"]["broker-init"]["condition"] == "service_completed_successfully"
    assert services["caddy"]["depends_on"]["web"]["condition"] == "service_healthy"


def test_pages_are_served_over_tls(stage: Stage) -> None:
    """Caddy's address answers /readyz under TLS, compressed, with HSTS; the session cookie is for TLS only."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # Caddy's own authority
    base = f"https://localhost:{stage.ports['https']}"

    def ask(path: str) -> tuple[int, dict[str, str], bytes]:
        with urllib.request.urlopen(base + path, context=context, timeout=10) as answer:
            return answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.read()

    def ready() -> bool:
        try:
            return ask("/readyz")[0] == 200
        except OSError:
            return False

    eventually(ready, lambda: stage.log("web").read_text()[-3000:] + stage.log("caddy").read_text()[-2000:])
    _, headers, _ = ask("/healthz")
    assert headers["strict-transport-security"] == "max-age=31536000"
    _, headers, _ = ask("/login")
    assert "Secure" in headers["set-cookie"]
    assert "HttpOnly" in headers["set-cookie"]


def test_the_health_check_of_the_file_works(stage: Stage) -> None:
    """The command that compose asks for web's health ends with 0, and with 1 for a wrong address."""
    test = stage.document["services"]["web"]["healthcheck"]["test"]
    assert test[:2] == ["CMD", "labrelay"]
    stage.document["services"]["health"] = {"command": test[1:]}
    try:
        assert "answers 200" in stage.run("health")
        stage.document["services"]["health"] = {"command": [*test[1:-1], "http://127.0.0.1:9/readyz"]}
        assert stage.start("health").wait(20) == 1
    finally:
        del stage.document["services"]["health"]


def test_beat_ticks_and_the_worker_works(stage: Stage) -> None:
    """The periodic tasks that beat sends through Redis are carried out by the worker, without an error."""

    def done() -> bool:
        return "logistics.tasks.deliver_outbox" in stage.log("worker").read_text()

    eventually(
        lambda: done() and "succeeded" in stage.log("worker").read_text(), lambda: _logs(stage, "worker", "beat")
    )
    assert "Traceback" not in stage.log("worker").read_text()
    assert "Traceback" not in stage.log("beat").read_text()


def test_a_message_of_the_gateway_reaches_the_ingest(stage: Stage) -> None:
    """The ingest is connected with its account: a message from the gateway's account is taken and stored somewhere.

    The device is unknown to the empty installation, so the message must stand in the dead letters.
    """
    password = [
        line.partition(": ")[2] for line in stage.log("broker-init").read_text().splitlines() if "gateway" in line
    ]
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, "gateway", protocol=mqtt.MQTTv311)
    client.username_pw_set("gateway", password[0])
    client.connect("127.0.0.1", stage.ports["mosquitto"])
    client.loop_start()
    eventually(client.is_connected, lambda: "the gateway's account was refused")
    database = stage.environment("ingest")["LABRELAY_DATABASE_URL"]

    def stored() -> bool:
        body = json.dumps({"seq": 1, "at": "2026-03-09T01:00:00Z", "temp_c": 4.5})
        client.publish("labrelay/v1/LG-NONE/readings", body, qos=1).wait_for_publish(5)
        with psycopg.connect(database) as connection:
            row = connection.execute("SELECT count(*) FROM dead_letter").fetchone()
            return bool(row and row[0])

    eventually(stored, lambda: _logs(stage, "ingest", "mosquitto"))
    client.disconnect()
    client.loop_stop()


def test_the_installation_checks_itself(stage: Stage) -> None:
    """``labrelay setup-check`` with the environment of web finds nothing missing."""
    stage.document["services"]["check"] = {
        "command": ["labrelay", "setup-check"],
        "environment": stage.document["services"]["web"]["environment"],
    }
    try:
        printed = stage.run("check")
    finally:
        del stage.document["services"]["check"]
    assert "MISSING" not in printed
    assert "database: PostgreSQL" in printed


def test_the_dockerfile_builds_from_the_locks() -> None:
    """Libraries come from both lock files; the process does not run as root; copied files exist."""
    text = (compose.ROOT / "Dockerfile").read_text()
    assert "--require-hashes -r requirements.lock" in text
    assert "npm ci" in text
    assert text.index("USER labrelay") > text.rindex("FROM ")
    for path in ("requirements.lock", "web/frontend/package-lock.json", "web/frontend/.npmrc", "scripts/frontend.py"):
        assert path in text
        assert (compose.ROOT / path).is_file()


def test_the_locks_hold_every_library_that_the_project_asks_for() -> None:
    """A library added to pyproject.toml must be locked too, or a fresh clone would not run."""
    project = tomllib.loads((compose.ROOT / "pyproject.toml").read_text())["project"]
    wanted = {
        "requirements.lock": project["dependencies"],
        "requirements-dev.lock": project["dependencies"] + project["optional-dependencies"]["dev"],
    }
    for name, requirements in wanted.items():
        locked = {
            line.partition("==")[0].lower() for line in (compose.ROOT / name).read_text().splitlines() if "==" in line
        }
        asked = {re.split(r"[^A-Za-z0-9_-]", requirement)[0].lower() for requirement in requirements}
        assert asked <= locked, f"make locks: {sorted(asked - locked)}"


def test_no_lock_file_names_a_registry() -> None:
    """Lock files pin versions and hashes; where to fetch them is the reader's own setting."""
    for name in ("requirements.lock", "requirements-dev.lock"):
        lines = (compose.ROOT / name).read_text().splitlines()
        assert all("://" not in line for line in lines)
        pinned = [line for line in lines if "==" in line]
        assert pinned
        assert sum("--hash=sha256:" in line for line in lines) >= len(pinned)
    lock = json.loads((compose.ROOT / "web/frontend/package-lock.json").read_text())
    packages = [body for path, body in lock["packages"].items() if path]
    assert all("resolved" not in body and body["integrity"].startswith("sha512-") for body in packages)


def _logs(stage: Stage, *services: str) -> str:
    return "\n".join(f"== {name}\n{Path(stage.log(name)).read_text()[-3000:]}" for name in services)
