"""paho's client for many small messages: reads by the block, takes messages out of it itself, acknowledges by the
batch.

paho asks the kernel three times for every packet, walks through some fifteen of its own functions with it, and wakes
its thread once for every acknowledgement. Here one recv takes what is there (up to 64 KiB), whole PUBLISH packets of
QoS 0 and 1 are cut out of it at once, and the acknowledgements of a batch go out as one piece; everything else
(connecting, keeping alive, subscribing, sending) is paho's. What is overridden is private to paho: pyproject.toml keeps
its version within 2.x, and tests/telemetry/test_link.py fails when a new one has moved it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import paho.mqtt.client as paho
from paho.mqtt.enums import MQTTErrorCode, MQTTProtocolVersion

BLOCK_BYTES = 65_536
_PUBLISH, _PUBACK = 0x30, 0x40
_SHORT = struct.Struct("!H")
_ACK = struct.Struct("!BBH")
_MORE, _LENGTH_MOST = 0x80, 4


class Packet(msgspec.Struct, frozen=True, gc=False):
    """A message as it came. ``mid`` is 0 with QoS 0."""

    topic: bytes
    payload: bytes
    mid: int
    qos: int


class Link(paho.Client):
    """A :class:`paho.mqtt.client.Client` that hands messages to ``on_packets`` by the block. MQTT 3.1.1 and 5."""

    def __init__(self, on_packets: Callable[[list[Packet]], None], **options: Any) -> None:
        self._block = b""
        self._place = 0
        self._on_packets = on_packets
        super().__init__(**options)
        self._has_properties = options.get("protocol") == MQTTProtocolVersion.MQTTv5
        self.on_message = lambda _client, _data, message: on_packets(
            [Packet(message._topic, bytes(message.payload), message.mid, message.qos)]
        )

    def ack_all(self, mids: Iterable[int]) -> None:
        """Acknowledge messages of QoS 1, in this order."""
        packets = b"".join(_ACK.pack(_PUBACK, 2, mid) for mid in mids)
        if packets:
            self._packet_queue(_PUBACK, packets, 0, 1)

    def reconnect(self) -> MQTTErrorCode:
        self._block, self._place = b"", 0  # half a packet of the connection before
        return super().reconnect()

    def loop_read(self, max_packets: int = 1) -> MQTTErrorCode:
        """Take all packets that have come; select does not know of those that are in the block already."""
        result = super().loop_read(max_packets)
        while result == MQTTErrorCode.MQTT_ERR_SUCCESS and self._place < len(self._block):
            if self._in_packet["command"] != 0 or not self._cut():
                result = super().loop_read(max_packets)
        return result

    def _sock_recv(self, bufsize: int) -> bytes:
        if self._place >= len(self._block):
            self._block, self._place = super()._sock_recv(BLOCK_BYTES), 0
        part = self._block[self._place : self._place + bufsize]
        self._place += len(part)
        return part

    def _cut(self) -> bool:
        """Take the whole PUBLISH packets at the present place; False when there is none."""
        found: list[Packet] = []
        block, place = self._block, self._place
        while place < len(block) and block[place] & 0xF0 == _PUBLISH:
            qos = (block[place] >> 1) & 3
            begin, length = place + 2, block[place + 1] if place + 1 < len(block) else _MORE
            if length & _MORE:
                begin, length = _number(block, place + 1)
            if qos > 1 or begin < 0 or begin + length > len(block):
                break
            end = begin + length
            body = begin + 2 + _SHORT.unpack_from(block, begin)[0]
            topic, mid = block[begin + 2 : body], 0
            if qos:
                mid = _SHORT.unpack_from(block, body)[0]
                body += 2
            if self._has_properties:
                after, size = _number(block, body)
                body = after + size
            found.append(Packet(topic, block[body:end], mid, qos))
            place = end
        self._place = place
        if found:
            self._on_packets(found)
        return bool(found)


def _number(block: bytes, place: int) -> tuple[int, int]:
    """(place after it, value) of a length as MQTT writes it; place −1 when it is not whole."""
    value = 0
    for shift in range(_LENGTH_MOST):
        if place >= len(block):
            return -1, 0
        value |= (block[place] & ~_MORE) << (7 * shift)
        place += 1
        if not block[place - 1] & _MORE:
            return place, value
    return -1, 0
