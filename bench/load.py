"""A load generator that costs little: prepared requests over kept connections, in a process of its own.

Each lane is one connection that sends its requests one after the other. Without ``rate`` a lane sends as soon as
it has its answer; with it the requests fall due at that pace whatever the server does, and an answer's time counts
from when its request was due, so that waiting in the queue is not left out.
"""

from __future__ import annotations

import multiprocessing
import os
import selectors
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

from bench.ending import with_bench

LONGEST_S = 300.0


@dataclass(frozen=True)
class Request:
    """One request as it goes over the wire, and how often ``mark`` must stand in its answer."""

    wire: bytes
    mark: bytes
    times: int = 1


@dataclass
class Result:
    """What a run gave: all answer times, and the first answers that were not as expected.

    ``busy_s`` and ``busy``: how long every lane had something to send, and how many answers came meanwhile. What comes
    after the first lane has ended says nothing about how much a server takes.
    """

    elapsed_s: float
    latencies_s: list[float]
    wrong: list[str] = field(default_factory=list)
    busy_s: float = 0.0
    busy: int = 0

    @property
    def rate(self) -> float:
        """Answers a second while every lane was busy."""
        return self.busy / self.busy_s

    def percentile_s(self, share: float) -> float:
        ordered = sorted(self.latencies_s)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def http(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    """A request with its headers. Underscores in header names become hyphens."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}"]
    if body:
        lines.append("Content-Type: application/json")
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def run(port: int, lanes: Sequence[Sequence[Request]], rate: float | None = None) -> Result:
    """Send everything from a second process and wait for it."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(os.getpid(), theirs, port, [list(lane) for lane in lanes], rate))
    process.start()
    try:
        if not ours.poll(LONGEST_S):
            raise RuntimeError("the load generator gave no result")
        result: Result = ours.recv()
    finally:
        process.join(5)
        process.kill()
    return result


def _serve(bench: int, pipe: Connection, port: int, lanes: list[list[Request]], rate: float | None) -> None:
    with_bench(bench)
    pipe.send(_drive(port, lanes, rate))


class _Lane:
    def __init__(self, port: int, requests: list[Request]) -> None:
        self.requests = requests
        self.place = 0
        self.sent_s = 0.0
        self.waiting = False
        self.buffer = b""
        self.port = port
        self.socket = self._connect()

    def _connect(self) -> socket.socket:
        made = socket.create_connection(("127.0.0.1", self.port))
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made

    def send(self, since_s: float) -> None:
        self.sent_s, self.waiting, self.buffer = since_s, True, b""
        self.socket.sendall(self.requests[self.place].wire)

    def answer(self) -> bytes | None:
        """The whole answer once it is here."""
        part = self.socket.recv(1 << 18)
        if not part:
            raise ConnectionError("the server closed the connection")
        self.buffer += part
        head, found, body = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return None
        length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        return self.buffer if len(body) >= length else None


def _drive(port: int, plans: list[list[Request]], rate: float | None) -> Result:
    lanes = [_Lane(port, plan) for plan in plans]
    selector = selectors.DefaultSelector()
    for lane in lanes:
        selector.register(lane.socket, selectors.EVENT_READ, lane)
    total = sum(len(lane.requests) for lane in lanes)
    result = Result(0.0, [])
    began = time.perf_counter()
    due = {id(lane): place / rate for place, lane in enumerate(lanes)} if rate else {}
    step = len(lanes) / rate if rate else 0.0
    while len(result.latencies_s) < total:
        now = time.perf_counter() - began
        soonest = now + 1.0
        for lane in lanes:
            if lane.waiting or lane.place == len(lane.requests):
                continue
            at = due[id(lane)] + lane.place * step if rate else now
            if at <= now:
                lane.send(began + at)
            else:
                soonest = min(soonest, at)
        timeout = max(0.0, soonest - (time.perf_counter() - began))
        for key, _ in selector.select(timeout):
            lane = key.data
            answer = lane.answer()
            if answer is None:
                continue
            result.latencies_s.append(time.perf_counter() - lane.sent_s)
            wanted = lane.requests[lane.place]
            if (not answer.startswith(b"HTTP/1.1 200") or answer.count(wanted.mark) != wanted.times) and len(
                result.wrong
            ) < 5:
                result.wrong.append(answer[:1200].decode(errors="replace"))
            lane.place, lane.waiting = lane.place + 1, False
            if not result.busy and lane.place == len(lane.requests):
                result.busy_s, result.busy = time.perf_counter() - began, len(result.latencies_s)
    result.elapsed_s = time.perf_counter() - began
    for lane in lanes:
        lane.socket.close()
    return result
