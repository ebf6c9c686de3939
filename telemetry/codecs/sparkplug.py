"""Sparkplug B (``spBv1.0/<group>/<type>/<node>[/<device>]``), protobuf.

Births name the metrics and give each an alias; data carries the alias alone. The aliases of the newest birth are kept
with the device (``learnt``); data that came before any birth is kept as a dead letter and can be decoded again after
one. A metric's own time counts, else the payload's. Historical metrics are late readings like all others, but say
nothing about the battery now. Source: Eclipse Sparkplug 3.0, chapter 6 and sparkplug_b.proto (field numbers).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from telemetry.codecs.base import Codec, Source
from telemetry.codecs.values import Values, instant, message, pick
from telemetry.reading import BadPart, DeadReason, Message, UndecodableError

FIELDS: Mapping[str, str] = {
    "Temperature": "temp_c", "temperature": "temp_c", "Temperature2": "temp_c@2", "Humidity": "rh_pct",
    "humidity": "rh_pct", "Battery": "battery_pct", "battery": "battery_pct", "LidOpen": "lid_open",
}  # fmt: skip
_TYPE_LEVEL = 2
_BIRTHS = frozenset({"NBIRTH", "DBIRTH"})
_DATA = frozenset({"NDATA", "DDATA"})
# Signed whole numbers travel as their two's complement: datatype → bits.
_SIGNED_BITS = {1: 8, 2: 16, 3: 32, 4: 64}

_Type = descriptor_pb2.FieldDescriptorProto
# Name, number and type of the fields that are read here; a parser passes over all others.
_PAYLOAD = (("timestamp", 1, _Type.TYPE_UINT64), ("seq", 3, _Type.TYPE_UINT64))
_METRIC = (
    ("name", 1, _Type.TYPE_STRING), ("alias", 2, _Type.TYPE_UINT64), ("timestamp", 3, _Type.TYPE_UINT64),
    ("datatype", 4, _Type.TYPE_UINT32), ("is_historical", 5, _Type.TYPE_BOOL), ("is_null", 7, _Type.TYPE_BOOL),
)  # fmt: skip
_VALUES = (
    ("int_value", 10, _Type.TYPE_UINT32), ("long_value", 11, _Type.TYPE_UINT64), ("float_value", 12, _Type.TYPE_FLOAT),
    ("double_value", 13, _Type.TYPE_DOUBLE), ("boolean_value", 14, _Type.TYPE_BOOL),
    ("string_value", 15, _Type.TYPE_STRING),
)  # fmt: skip


@cache
def payload_class() -> Any:
    """The message class, made of the field numbers above: no generated file to keep in step with the library."""
    file = descriptor_pb2.FileDescriptorProto(
        name="labrelay/sparkplug_b.proto", package="labrelay.sparkplug", syntax="proto2"
    )
    payload = file.message_type.add(name="Payload")
    metric = payload.nested_type.add(name="Metric")
    metric.oneof_decl.add(name="value")
    for made, fields in ((payload, _PAYLOAD), (metric, _METRIC)):
        for name, number, kind in fields:
            made.field.add(name=name, number=number, type=kind, label=_Type.LABEL_OPTIONAL)
    for name, number, kind in _VALUES:
        metric.field.add(name=name, number=number, type=kind, label=_Type.LABEL_OPTIONAL, oneof_index=0)
    payload.field.add(
        name="metrics", number=2, type=_Type.TYPE_MESSAGE, label=_Type.LABEL_REPEATED,
        type_name=".labrelay.sparkplug.Payload.Metric",
    )  # fmt: skip
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("labrelay.sparkplug.Payload"))


def decode(payload: bytes, source: Source) -> Message:
    """Raises UndecodableError for bytes that are no payload and for a topic that names no type."""
    levels = source.topic.split("/")
    kind = levels[_TYPE_LEVEL] if len(levels) > _TYPE_LEVEL else ""
    if kind not in _BIRTHS | _DATA:
        if kind.endswith(("DEATH", "CMD")):
            return Message(source.device, None, ())
        raise UndecodableError(DeadReason.BAD_TOPIC, source.topic[:80])
    body = payload_class()()
    try:
        body.ParseFromString(payload)
    except DecodeError:
        raise UndecodableError(DeadReason.WRONG_SHAPE, "no protobuf") from None
    learnt = None
    aliases: Mapping[str, str] = source.learnt.get("aliases", {})
    if kind in _BIRTHS:
        aliases = {str(metric.alias): metric.name for metric in body.metrics if metric.HasField("alias")}
        learnt = {**source.learnt, "aliases": aliases}
    groups, strange = _by_time(body, aliases)
    fields = source.options.get("fields") or FIELDS
    bad = [BadPart(payload, DeadReason.UNKNOWN_ALIAS, str(strange[0]))] if strange else []
    return message(source, payload, [_at(values, at, old, fields) for (at, old), values in groups.items()],
                   bad=bad, learnt=learnt)  # fmt: skip


_Groups = dict[tuple[datetime | None, bool], dict[str, Any]]


def _by_time(body: Any, aliases: Mapping[str, str]) -> tuple[_Groups, list[int]]:
    """The values by (time, historical), and the aliases that no birth has named."""
    groups: _Groups = defaultdict(dict)
    strange: list[int] = []
    for metric in body.metrics:
        name = metric.name or aliases.get(str(metric.alias), "")
        if not name:
            strange.append(metric.alias)
            continue
        stamp = metric.timestamp or body.timestamp
        at = instant(stamp) if stamp else None
        groups[at, metric.is_historical][name] = _value(metric)
    return groups, strange


def _value(metric: Any) -> Any:
    given = metric.WhichOneof("value")
    if metric.is_null or given is None:
        return None
    value = getattr(metric, given)
    bits = _SIGNED_BITS.get(metric.datatype)
    if bits and given in ("int_value", "long_value"):
        value &= (1 << bits) - 1
        return value - (1 << bits) if value >> (bits - 1) else value
    if given == "float_value":
        return round(value, 4)  # 4.6 as a float is 4.599999904632568
    return value


def _at(given: Mapping[str, Any], at: datetime | None, historical: bool, fields: Mapping[str, str]) -> Values:
    values = pick(given, fields)
    values.at = values.at or at
    if historical and not values.temps_c:
        values.battery_pct = None
    return values


CODEC = Codec(
    "sparkplug_b", decode, options=frozenset({"fields", "arrival"}), topic="spBv1.0/Xianning/+/township-7/box-731"
)
