"""When loggers are told: receipts soon and not too often, requests only for holes that stay."""

from __future__ import annotations

from itertools import pairwise

from telemetry import topics
from telemetry.ingest import BatchResult, Receipt, Request
from telemetry.mqtt import BATCH_MESSAGES, Ingest
from telemetry.receipts import ASK_AGAIN_S, ASK_MOST, HOLE_STANDS_S, TOGETHER_S, Mail


def told(mail: Mail, now_s: float) -> list[tuple[int, tuple[int, ...]]]:
    return [(one.stored_up_to, one.stored) for one in mail.receipts(now_s)]


def test_receipts_that_follow_each_other_closely_go_out_together() -> None:
    """The first at once; those within half a second in one, with all their numbers; each number is told."""
    mail = Mail()
    mail.add(BatchResult(receipts=[Receipt("LG-1", 1, 1, (1,))]), 10.0)
    assert told(mail, 10.0) == [(1, (1,))]
    mail.add(BatchResult(receipts=[Receipt("LG-1", 1, 2, (2,))]), 10.1)
    assert told(mail, 10.1) == []
    mail.add(BatchResult(receipts=[Receipt("LG-1", 1, 3, (3,))]), 10.2)
    assert told(mail, 10.0 + TOGETHER_S) == [(3, (2, 3))]
    assert told(mail, 20.0) == []
    mail.add(BatchResult(receipts=[Receipt("LG-1", 1, 4, (4,))]), 20.0)
    assert [one.stored_up_to for one in mail.receipts(20.0, all_of_them=True)] == [4]


def test_only_a_hole_that_stays_is_asked_for() -> None:
    """Not at once: another process may hold what is missing. Not when it closed. Five times, half a minute apart."""
    mail = Mail()
    receipt, hole = Receipt("LG-1", 1, 4, (8,)), Request("LG-1", 5, 7)
    mail.add(BatchResult(receipts=[receipt], requests=[hole]), 0.0)
    assert list(mail.requests(1.0)) == []
    mail.add(BatchResult(receipts=[receipt]), 1.0)
    assert list(mail.requests(1.0 + HOLE_STANDS_S)) == []
    mail.add(BatchResult(receipts=[receipt], requests=[hole]), 10.0)
    asked = [at for at in range(10, 400) if list(mail.requests(float(at)))]
    assert asked[0] == 10 + HOLE_STANDS_S
    assert len(asked) == ASK_MOST
    assert all(later - earlier > ASK_AGAIN_S for earlier, later in pairwise(asked))


def test_nothing_is_asked_for_while_much_waits() -> None:
    """After an outage the missing numbers stand in the queue: asking for them would make it longer. Once it is short,
    they are asked for."""
    asked: list[str] = []
    ingest = Ingest("mqtt://127.0.0.1:1")
    ingest._send = lambda topic, body: asked.append(topic)  # type: ignore[method-assign]
    ingest._mail.add(BatchResult(requests=[Request("LG-1", 5, 7)], receipts=[Receipt("LG-1", 1, 4, (8,))]), -60.0)
    ingest._taken = BATCH_MESSAGES
    ingest._tell()
    assert asked == [topics.receipt("LG-1")]
    ingest.counters.messages = BATCH_MESSAGES
    ingest._tell()
    assert asked == [topics.receipt("LG-1"), topics.request("LG-1")]
