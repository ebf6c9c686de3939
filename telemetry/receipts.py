"""When receipts and requests go out: receipts at once to a logger that was not told lately, else together a moment
later; requests when a hole has stood for a while, since several processes that share a logger's messages store them
in any order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from telemetry.ingest import BatchResult, Receipt, Request

TOGETHER_S = 0.5
HOLE_STANDS_S = 3.0
# A hole in a device's numbers is asked for this often, then left to the page.
ASK_AGAIN_S = 30.0
ASK_MOST = 5
_REMEMBERED_MOST = 20_000


class Mail:
    """What is to be told to loggers. Times are seconds of any clock that only goes forward."""

    def __init__(self) -> None:
        self._told_s: dict[str, float] = {}
        self._receipts: dict[str, Receipt] = {}
        self._holes: dict[str, dict[Request, float]] = {}
        self._asked: dict[Request, tuple[int, float]] = {}

    def add(self, result: BatchResult, now_s: float) -> None:
        """Take over what a batch has to tell. The holes of a logger are those that its newest batch found."""
        holes: dict[str, dict[Request, float]] = {receipt.device: {} for receipt in result.receipts}
        for request in result.requests:
            before = self._holes.get(request.device, {})
            holes[request.device][request] = before.get(request, now_s + HOLE_STANDS_S)
        for receipt in result.receipts:
            self._holes.pop(receipt.device, None)
            if holes[receipt.device]:
                self._holes[receipt.device] = holes[receipt.device]
            waiting = self._receipts.get(receipt.device)
            stored = tuple(sorted({*waiting.stored, *receipt.stored})) if waiting else receipt.stored
            self._receipts[receipt.device] = replace(receipt, stored=stored)

    def receipts(self, now_s: float, *, all_of_them: bool = False) -> Iterator[Receipt]:
        """The receipts to send now; each is given once."""
        for device in list(self._receipts):
            if all_of_them or now_s - self._told_s.get(device, -TOGETHER_S) >= TOGETHER_S:
                self._told_s[device] = now_s
                yield self._receipts.pop(device)
        if len(self._told_s) > _REMEMBERED_MOST:
            self._told_s.clear()

    def requests(self, now_s: float) -> Iterator[Request]:
        """The requests to send now: each hole ASK_MOST times, ASK_AGAIN_S apart."""
        for holes in self._holes.values():
            for request, due_s in holes.items():
                times, last_s = self._asked.get(request, (0, 0.0))
                if due_s <= now_s and times < ASK_MOST and (times == 0 or now_s - last_s > ASK_AGAIN_S):
                    if len(self._asked) > _REMEMBERED_MOST:
                        self._asked.clear()
                    self._asked[request] = (times + 1, now_s)
                    yield request
