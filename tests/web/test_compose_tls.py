"""deploy/mqtt-tls.yml over docker-compose.yml: the broker's second listener, as the two files' commands make it."""

from __future__ import annotations

import ssl
import threading
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest

from tests import certificates, servers
from tests.web import compose
from tests.web.compose import Stage

TLS = "deploy/mqtt-tls.yml"


def connected(port: int, password: str, ca_file: Path | None) -> bool:
    """Whether a gateway gets in that checks the certificate against this authority; None: without TLS."""
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, "gateway", protocol=mqtt.MQTTv311)
    client.username_pw_set("gateway", password)
    if ca_file:
        client.tls_set(str(ca_file))
    answered, good = threading.Event(), []

    def told(_client: object, _data: object, _flags: object, reason: mqtt.ReasonCode, _more: object) -> None:
        good.append(not reason.is_failure)
        answered.set()

    client.on_connect = told
    client.on_disconnect = lambda *_: answered.set()
    client.connect("127.0.0.1", port)
    client.loop_start()
    answered.wait(5)
    client.disconnect()
    client.loop_stop()
    return good == [True]


def test_the_broker_listens_with_tls(tmp_path: Path) -> None:
    """The files' commands: a key that its owner alone may read is copied for the broker; a gateway that knows the
    authority gets in with its password, not without TLS, not with another authority, not with a wrong password."""
    for name in ("data", "tls", "other"):
        (tmp_path / name).mkdir()
    authority, key = certificates.make(tmp_path / "tls", cert="fullchain.pem", key="privkey.pem")
    key.chmod(0o600)
    stranger, _ = certificates.make(tmp_path / "other")
    port, plain = servers.free_port(), servers.free_port()
    document = compose.load({**compose.new_env(), "LABRELAY_MQTT_TLS_DIR": str(tmp_path / "tls")}, TLS)
    document["services"]["broker-init"]["command"][-1] = str(tmp_path.stat().st_uid)
    places = {f"/mosquitto/{ours}": str(tmp_path / theirs) for ours, theirs in
              (("config", "config"), ("data", "data"), ("tls", "tls"))}  # fmt: skip
    stage = Stage(document, places, tmp_path, {})
    printed = stage.run("broker-init")
    password = next(line.partition(": ")[2] for line in printed.splitlines() if line.startswith("gateway"))
    conf = tmp_path / "config" / "mosquitto.conf"
    text = conf.read_text().replace("listener 1883 0.0.0.0", f"listener {plain} 127.0.0.1")
    text = text.replace("listener 8883 0.0.0.0", f"listener {port} 127.0.0.1")
    conf.write_text(text + ("user root\n" if tmp_path.stat().st_uid == 0 else ""))
    copied = tmp_path / "config" / "server.key"
    assert (copied.read_text(), copied.stat().st_mode & 0o777) == (key.read_text(), 0o600)
    process = stage.start("mosquitto")
    try:
        servers.wait_until(lambda: servers.accepts(port), "mosquitto", process, stage.log("mosquitto"))
        assert connected(port, password, authority)
        assert not connected(port, "wrong", authority)
        assert not connected(port, password, None)
        with pytest.raises(ssl.SSLCertVerificationError):
            connected(port, password, stranger)
    finally:
        servers.stop(process)


def test_the_second_file_opens_8883_and_asks_for_the_certificate() -> None:
    """Without a folder compose stops and says what it must hold; plain MQTT stays bound to this machine."""
    environ = compose.new_env()
    with pytest.raises(KeyError, match=r"fullchain\.pem and privkey\.pem"):
        compose.load(environ, TLS)
    services = compose.load({**environ, "LABRELAY_MQTT_TLS_DIR": "/etc/x"}, TLS)["services"]
    assert services["mosquitto"]["ports"] == ["127.0.0.1:1883:1883", "8883:8883"]
    assert services["broker-init"]["volumes"][-1] == "/etc/x:/mosquitto/tls:ro"
    plain = compose.load(environ)["services"]["broker-init"]["command"]
    assert [word for word in services["broker-init"]["command"] if "tls" not in word] == plain
