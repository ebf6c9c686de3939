"""A small world in which a box of two tubes grew warm on its way to the county laboratory."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy.orm import Session

from telemetry import devices
from telemetry.ingest import Incoming, store_batch
from tests import factories as f
from tests.factories import START, act, done

MINUTE = timedelta(minutes=1)
ACCESSIONS = ("2611220047", "2611220048")
ENDS = START + 70 * MINUTE
"""When the last reading came; clocks of tests stand here."""


def logger(session: Session, code: str = "LG-1", box: str = "BX-C") -> None:
    before = START - timedelta(hours=1)
    devices.register(session, code, now=before)
    devices.bind(session, code, box, at=before, now=before)
    session.commit()


def readings(session: Session, temps: Sequence[float], *, device: str = "LG-1", every_min: int = 5) -> None:
    """Store temperatures from START on, as the ingest does."""
    body = {
        "readings": [{"at": (START + n * every_min * MINUTE).isoformat(), "temp_c": t} for n, t in enumerate(temps)]
    }
    message = Incoming(f"labrelay/v1/{device}/readings", json.dumps(body).encode())
    store_batch(session, [message], now=START + (len(temps) - 1) * every_min * MINUTE)
    session.commit()


def build(session: Session, *, received: bool = True) -> str:
    """Two tubes packed, fetched, handed to the laboratory after an hour, received; 12 °C from minute 10 to minute 60.
    Gives the consignment's number."""
    f.world(session)
    logger(session)
    number = f.delivered(session, ACCESSIONS)
    readings(session, [5.0, 5.1, *[12.0] * 11, 5.2, 5.0])
    if received:
        for accession in ACCESSIONS:
            tube = act(
                "receive", {"specimen": accession, "consignment": number}, {"condition": "good"}, at=START + 65 * MINUTE
            )
            done(session, "receiver", tube)
    return number
