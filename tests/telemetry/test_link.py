"""paho's client that reads by the block: every message comes once and whole, however the bytes are cut."""

from __future__ import annotations

import random
import socket
import struct
import threading

import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion

from telemetry.link import Link, Packet


def length(value: int) -> bytes:
    found = b""
    while True:
        value, low = divmod(value, 128)
        found += bytes([low | (0x80 if value else 0)])
        if not value:
            return found


def publish(topic: bytes, payload: bytes, mid: int, qos: int, properties: bytes | None = None) -> bytes:
    body = struct.pack("!H", len(topic)) + topic + (struct.pack("!H", mid) if qos else b"")
    body += (length(len(properties)) + properties if properties is not None else b"") + payload
    return bytes([0x30 | qos << 1]) + length(len(body)) + body


def connected(protocol: MQTTProtocolVersion, got: list[Packet]) -> tuple[Link, socket.socket]:
    """A link on a socket whose other end is ours."""
    link = Link(
        got.extend, callback_api_version=CallbackAPIVersion.VERSION2, client_id="t", protocol=protocol, manual_ack=True
    )
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    link._sock = theirs
    return link, ours


@pytest.mark.parametrize("protocol", [MQTTProtocolVersion.MQTTv311, MQTTProtocolVersion.MQTTv5])
def test_every_message_comes_once_and_whole(protocol: MQTTProtocolVersion) -> None:
    """Messages of all sizes among other packets, cut at random places: as they were sent, in their order."""
    rnd = random.Random(11)
    v5 = protocol is MQTTProtocolVersion.MQTTv5
    wire, want = b"", []
    for number in range(1, 400):
        payload = rnd.randbytes(rnd.choice([0, 5, 130, 300, 20_000]))
        one = Packet(f"labrelay/v1/LG-{number}/readings".encode(), payload, number, 1 if number % 5 else 0)
        want.append(Packet(one.topic, one.payload, number if one.qos else 0, one.qos))
        properties = rnd.choice([b"", b"\x02\x00\x00\x00\x3c"]) if v5 else None  # a message expiry interval
        wire += publish(one.topic, payload, number, one.qos, properties)
        if number % 7 == 0:
            wire += b"\xd0\x00"  # PINGRESP
    got: list[Packet] = []
    link, ours = connected(protocol, got)

    def send() -> None:
        place = 0
        while place < len(wire):
            step = rnd.choice([1, 2, 3, 700, 70_000])
            ours.sendall(wire[place : place + step])
            place += step

    thread = threading.Thread(target=send)
    thread.start()
    while len(got) < len(want):
        link._sock.setblocking(True)  # type: ignore[union-attr]
        link._sock.recv(1, socket.MSG_PEEK)  # type: ignore[union-attr, call-arg]
        link._sock.setblocking(False)  # type: ignore[union-attr]
        assert link.loop_read() == MQTTErrorCode.MQTT_ERR_SUCCESS
    thread.join()
    ours.close()
    link._sock.close()  # type: ignore[union-attr]
    link._sock = None
    assert got == want


def test_acknowledgements_go_out_in_one_piece() -> None:
    """Three PUBACKs in the order of the batch; none when there is nothing to acknowledge."""
    link, ours = connected(MQTTProtocolVersion.MQTTv311, [])
    link.ack_all([7, 8, 65_535])
    link.ack_all([])
    link.loop_write()
    assert ours.recv(100) == b"\x40\x02\x00\x07\x40\x02\x00\x08\x40\x02\xff\xff"
    ours.close()
    link._sock.close()  # type: ignore[union-attr]
    link._sock = None
