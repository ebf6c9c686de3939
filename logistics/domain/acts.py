"""An act: what somebody did, as their device tells it; and the answer they get."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from datetime import datetime
from enum import StrEnum
from typing import Any

SECRETS = frozenset({"pin", "seal_tail"})  # shown to prove presence, never kept
HOWS = ("scanned", "typed", "ticked", "imported")
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)
_ANSWER_ENCODER = json.JSONEncoder(sort_keys=True, ensure_ascii=False, default=str)


class Status(StrEnum):
    """What became of an act. ``duplicate`` repeats the first answer."""

    DONE = "done"
    DUPLICATE = "duplicate"
    REFUSED = "refused"
    REVIEW = "review"


@dataclass(frozen=True, slots=True)
class Act:
    """One act. ``id`` is a UUID made where it happened; ``subject`` holds codes from labels.

    ``offline`` says that nobody waits for the answer any more: what no longer fits is then kept for review
    instead of being refused.
    """

    id: str
    type: str
    occurred_at: datetime
    subject: Mapping[str, Any] = dataclass_field(default_factory=dict)
    payload: Mapping[str, Any] = dataclass_field(default_factory=dict)
    device: str = ""
    seq: int | None = None
    how: str = "typed"
    site: str | None = None
    lat: str | None = None
    lon: str | None = None
    offline: bool = False

    def kept_text(self) -> str:
        """Canonical JSON of everything but secrets: stored, and compared when the same UUID comes again."""
        body = {
            "device": self.device,
            "how": self.how,
            "id": self.id,
            "lat": self.lat,
            "lon": self.lon,
            "occurred_at": self.occurred_at.isoformat(),
            "payload": {key: value for key, value in self.payload.items() if key not in SECRETS},
            "seq": self.seq,
            "site": self.site,
            "subject": dict(self.subject),
            "type": self.type,
        }
        return _ENCODER.encode(body)

    @classmethod
    def from_kept(cls, text: str, **more: Any) -> Act:
        """The act again from its ``kept_text``."""
        body = json.loads(text)
        return cls(**{**body, "occurred_at": datetime.fromisoformat(body["occurred_at"]), **more})


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def body_sha256(act: Act, username: str) -> str:
    """The hash of an act and of who sent it."""
    return text_sha256(act.kept_text(), username)


def answer_sha256(act_id: str, status: str, answer: str) -> str:
    """What binds an answer and its status to its act."""
    return hashlib.sha256(f"{act_id}\n{status}\n{answer}".encode()).hexdigest()


def text_sha256(kept_text: str, username: str) -> str:
    """The same of its ``kept_text``."""
    return digest(f"{username}\n{kept_text}")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the sender is told. ``code`` and ``params`` make the sentence; ``result`` is the state after it."""

    id: str
    status: Status
    code: str = "done"
    params: Mapping[str, Any] = dataclass_field(default_factory=dict)
    field: str | None = None
    result: Mapping[str, Any] = dataclass_field(default_factory=dict)
    # Not for the sender: whether it is the record that stands against it, and which signatures were proven before.
    unfit: bool = dataclass_field(default=False, compare=False)
    proofs: tuple[str, ...] = dataclass_field(default=(), compare=False)

    def to_text(self) -> str:
        body = {
            "code": self.code,
            "field": self.field,
            "params": dict(self.params),
            "result": dict(self.result),
            "status": self.status.value,
            **({"proofs": self.proofs} if self.proofs else {}),
        }
        return _ANSWER_ENCODER.encode(body)

    @classmethod
    def from_text(cls, act_id: str, text: str) -> Answer:
        body = json.loads(text)
        return cls(act_id, Status(body["status"]), body["code"], body["params"], body["field"], body["result"])

    def repeated(self) -> Answer:
        """The same answer for the second time of asking. A refusal stays a refusal."""
        return replace(self, status=Status.DUPLICATE) if self.status is Status.DONE else self
