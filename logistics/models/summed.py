"""Which columns the sum of a row covers (``domain.sums``): all but those that change without an event, each with why.

A column that is added later belongs into a new version of the sum; rows whose last event is older keep the old one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from logistics.db import Base
from logistics.domain.sums import row_sum
from logistics.models.items import Item, ItemLine
from logistics.models.specimens import Specimen
from logistics.models.transport import Consignment, ConsignmentLine

VERSION = "1"
_HEAD = {"stream_seq": "compared with the log itself", "stream_head": "compared with the log itself"}
NOT_SUMMED: Mapping[type[Base], Mapping[str, str]] = {
    Specimen: {
        **_HEAD,
        "patient_ref": "personal data: compared with the signed act, so that nothing of it stands in the log",
        "labels_printed": "counts what the print log holds",
        "use_by_at": "worked out anew from readings",
        "use_by_test": "worked out anew from readings",
        "stability": "worked out anew from readings",
    },
    Consignment: {
        **_HEAD,
        "expected_at": "a forecast, moved by every plan",
        "priority": "the highest of the tubes inside: compared with them",
        "tube_count": "compared with its lines",
        "item_count": "compared with its lines",
    },
    Item: {**_HEAD, "labels_printed": "counts what the print log holds"},
    ConsignmentLine: {},
    ItemLine: {},
}


def _columns(model: type[Base]) -> tuple[str, ...]:
    return tuple(sorted(column.key for column in model.__table__.columns if column.key not in NOT_SUMMED[model]))


SUMMED: Mapping[type[Base], tuple[str, ...]] = {model: _columns(model) for model in NOT_SUMMED}


def sum_of(row: Any) -> str:
    """What a row of one of these tables adds up to now."""
    loaded, columns = row.__dict__, SUMMED[type(row)]
    try:
        return row_sum([loaded[name] for name in columns])
    except KeyError:  # a new row, where what was never set is not there yet
        return row_sum([getattr(row, name) for name in columns])


def after(row: Any) -> str:
    """The same as an event states it."""
    return f"{VERSION}:{sum_of(row)}"
