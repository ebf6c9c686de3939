"""The code that a giver's device shows and the taker's scans: which handover it is, of which consignments, and when.

    LRH1/<id, 32 hexadecimal digits>/<P|T|D>/<yymmddhhmm UTC>/<number>.<count>/…/<tag, 16 hexadecimal digits>

The tag is the beginning of an HMAC-SHA256 over what stands before its stroke, under a key that the server gave to the
giver's device together with the id. So neither the consignments nor the time can be altered by who scans it, and it is
made and read without a signal. The code signs nothing: the giver's half of the handover is his signature.
"""

from __future__ import annotations

import hmac
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from logistics.errors import Conflict, Invalid

GOOD_FOR = timedelta(minutes=30)
"""From the moment it was shown to the taker's signature; the giver's screen renews it every minute."""
SKEW = timedelta(minutes=10)
"""By which the clocks of two devices without a signal may differ."""
LETTERS = {"pickup": "P", "transfer": "T", "delivery": "D"}
MAX_LENGTH = 2000
_STAMP = "%y%m%d%H%M"
_TAG = 16
_CODE = re.compile(
    r"LRH1/(?P<id>[0-9A-F]{32})/(?P<meaning>[PTD])/(?P<at>\d{10})(?P<loads>(?:/[0-9A-Z-]{3,40}\.\d{1,4})+)"
    rf"/(?P<tag>[0-9A-F]{{{_TAG}}})",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Shown:
    """What a code says. ``id``: of the handover; ``counts``: tubes or items by consignment number."""

    id: str
    meaning: str
    at: datetime
    counts: Mapping[str, int]


def write(shown: Shown, key: str) -> str:
    """The text of the code. ``key``: hexadecimal, drawn with the id."""
    stamp = shown.at.astimezone(UTC).strftime(_STAMP)
    loads = "".join(f"/{number}.{count}" for number, count in shown.counts.items())
    signed = f"LRH1/{uuid.UUID(shown.id).hex.upper()}/{LETTERS[shown.meaning]}/{stamp}{loads}"
    return f"{signed}/{_tag(signed, key)}"


def read(text: str) -> Shown:
    """What the code says, its tag not looked at. Raises Invalid('offer_malformed')."""
    found = _CODE.fullmatch(text) if len(text) <= MAX_LENGTH else None
    try:
        if found is None:
            raise ValueError
        at = datetime.strptime(found["at"], _STAMP).replace(tzinfo=UTC)
    except ValueError:
        raise Invalid("offer_malformed", field="code") from None
    loads = (part.rsplit(".", 1) for part in found["loads"][1:].split("/"))
    meaning = next(word for word, letter in LETTERS.items() if letter == found["meaning"])
    return Shown(str(uuid.UUID(found["id"])), meaning, at, {number: int(count) for number, count in loads})


def require_genuine(text: str, key: str) -> None:
    """Raises Invalid('offer_altered') unless a device with this key has made it."""
    signed, _, tag = text.rpartition("/")
    if not key or not hmac.compare_digest(tag, _tag(signed, key)):
        raise Invalid("offer_altered", field="code")


def require_fresh(shown: Shown, at: datetime) -> None:
    """``at``: when the taker signed. Raises Conflict('offer_expired')."""
    if not shown.at - SKEW <= at <= shown.at + GOOD_FOR + SKEW:
        raise Conflict("offer_expired", field="code", minutes=int(GOOD_FOR.total_seconds() // 60))


def require_names(shown: Shown, number: str) -> None:
    """Raises Conflict('offer_of_others') unless the code was shown for this consignment."""
    if number not in shown.counts:
        raise Conflict("offer_of_others", field="code", consignment=number)


def _tag(signed: str, key: str) -> str:
    return hmac.digest(bytes.fromhex(key), signed.encode(), "sha256").hex()[:_TAG].upper()
