"""The register of loggers: adding and changing one, and which box each probe is in, also told afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from logistics.errors import Conflict, Invalid, NotFound
from logistics.models import Box, Site
from logistics.services import cold_chain
from telemetry import routes
from telemetry.codecs import CODECS, DEFAULT_CODEC, options
from telemetry.evaluate import bindings, rederive_binding
from telemetry.models import Device, DeviceBinding, ExcursionChange, ExcursionRow, ProbeState
from telemetry.registry_models import DeviceType
from telemetry.standing import fact, is_open

_FORBIDDEN = set("/+#$\0")  # characters of MQTT topics
HIGHEST_PROBE = 255


def register(
    session: Session,
    code: str,
    *,
    now: datetime,
    interval_s: int | None = None,
    codec: str | None = None,
    type_code: str | None = None,
    options: Mapping[str, Any] | None = None,
    topics: Iterable[str] = (),
    model: str = "",
    serial: str = "",
    gateway: str | None = None,
    site_code: str | None = None,
    receipts: bool | None = None,
    calibration_due: datetime | None = None,
    commissioned_at: datetime | None = None,
) -> Device:
    """Add a logger. ``interval_s``: seconds between two readings; what is None is its type's.

    ``topics``: where it publishes, if not under its own code (telemetry.routes). Raises Invalid, NotFound or Conflict.
    """
    code = code.strip()
    if not code or _FORBIDDEN & set(code):
        raise Invalid("device_code_bad", field="code", device=code[:40])
    kind = _type(session, type_code)
    if session.get(Device, code) is not None:
        raise Conflict("device_exists", field="code", device=code)
    device = Device(
        code=code,
        type_code=type_code,
        codec=known_codec(codec or (kind.codec if kind else DEFAULT_CODEC)),
        interval_s=checked_interval(_first(interval_s, kind.interval_s if kind else None, 300)),
        receipts=_first(receipts, kind.receipts if kind else None, CODECS[codec or DEFAULT_CODEC].receipts),
        model=model or (kind.name if kind else ""),
        serial=serial.strip(),
        gateway=gateway,
        site_code=_site(session, site_code),
        calibration_due=calibration_due,
        commissioned_at=commissioned_at or now,
        seq_spans=[],
    )
    set_options(device, options or {}, kind)
    session.add(device)
    session.flush()
    routes.replace(session, code, topics)
    return device


def change(session: Session, code: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Change what is named in ``values``. Returns {name: [before, after]} of what differs. Raises NotFound or Invalid.

    Names: those of ``register``, and ``active``. A new type brings its format and options; the interval stays.
    """
    device = known(session, code, lock=True)
    changed: dict[str, Any] = {}
    values = dict(values)
    if "type_code" in values:
        kind = _type(session, values["type_code"])
        if kind is not None:
            values["codec"] = kind.codec
    else:
        kind = _type(session, device.type_code)
    if "site_code" in values:
        _site(session, values["site_code"])
    if "codec" in values:
        known_codec(values["codec"])
    if "interval_s" in values:
        checked_interval(values["interval_s"])
    wanted = values.pop("options", None)
    topics = values.pop("topics", None)
    for name, value in values.items():
        before = getattr(device, name)
        if before != value:
            changed[name] = [_plain(before), _plain(value)]
            setattr(device, name, value)
    before_options = dict(device.own_options or {})
    set_options(device, before_options if wanted is None else wanted, kind)
    if device.own_options != before_options:
        changed["options"] = [before_options, device.own_options]
    if topics is not None:
        before_topics = routes.of_device(session, code)
        after_topics = routes.replace(session, code, topics)
        if before_topics != after_topics:
            changed["topics"] = [before_topics, after_topics]
    session.flush()
    return changed


def set_options(device: Device, own: Mapping[str, Any], kind: DeviceType | None) -> None:
    """The device's own options over those of its type; both together are what ingest reads. Raises Invalid.

    A format that numbers no messages has no receipts, whatever was said.
    """
    device.receipts = bool(device.receipts and CODECS[device.codec].receipts)
    readable = CODECS[device.codec].options
    device.own_options = options.checked(own, readable)
    both = {**(kind.options if kind else {}), **device.own_options}
    device.options = {name: value for name, value in both.items() if name in readable}


def known(session: Session, code: str, *, lock: bool = False) -> Device:
    """Raises NotFound('device_unknown')."""
    device = session.get(Device, code, with_for_update=lock or None)
    if device is None:
        raise NotFound("device_unknown", field="device", device=code[:40])
    return device


def known_codec(name: str) -> str:
    if name not in CODECS:
        raise Invalid("codec_unknown", field="codec", codec=name[:40])
    return name


def checked_interval(interval_s: int) -> int:
    if not 1 <= interval_s <= 86_400:
        raise Invalid("interval_bad", field="interval_s", low=1, high=86_400)
    return interval_s


def _type(session: Session, code: str | None) -> DeviceType | None:
    if code is None:
        return None
    kind = session.get(DeviceType, code)
    if kind is None:
        raise NotFound("device_type_unknown", field="type_code", type=code[:40])
    return kind


def _site(session: Session, code: str | None) -> str | None:
    if code is not None and session.get(Site, code) is None:
        raise NotFound("site_unknown", field="site_code", site=code[:40])
    return code


def _first(*values: Any) -> Any:
    return next(value for value in values if value is not None)


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def bind(
    session: Session, device_code: str, box_code: str, *, at: datetime, now: datetime, probe: int = 1
) -> DeviceBinding:
    """Put a probe into a box from ``at`` on, which may lie in the past; it leaves the box it was in at that moment.

    Stored readings are judged again: excursions of the old box after ``at`` were the new one's. Raises NotFound for an
    unknown device or box, Conflict when a later binding exists, Invalid for a time to come.
    """
    known(session, device_code)
    if session.get(Box, box_code) is None:
        raise NotFound("box_unknown", field="box", box=box_code)
    if not 0 <= probe <= HIGHEST_PROBE:
        raise Invalid("probe_bad", field="probe", high=HIGHEST_PROBE)
    _past(at, now)
    _unsettle(session, device_code, probe)
    newest = _newest(session, device_code, probe)
    if newest is not None:
        if newest.bound_from > at or (newest.bound_to is not None and newest.bound_to > at):
            raise Conflict("device_bound_later", field="at", device=device_code, box=newest.box_code)
        if newest.bound_to is None:
            newest.bound_to = at
            _withdraw_after(session, newest, now)
    binding = DeviceBinding(device_code=device_code, probe=probe, box_code=box_code, bound_from=at)
    session.add(binding)
    session.flush()
    rederive(session, device_code, probe, at, now=now)
    return binding


def unbind(session: Session, device_code: str, *, at: datetime, now: datetime, probe: int = 1) -> None:
    """Take a probe out of its box at ``at``. Raises NotFound when it is in none, Invalid for a time to come."""
    _past(at, now)
    _unsettle(session, device_code, probe)
    binding = _newest(session, device_code, probe)
    if binding is None or binding.bound_to is not None:
        raise NotFound("device_not_bound", field="device", device=device_code)
    binding.bound_to = max(at, binding.bound_from)
    session.flush()
    _withdraw_after(session, binding, now)
    rederive(session, device_code, probe, at, now=now)


def swap(
    session: Session, old_code: str, new_code: str, *, at: datetime, now: datetime, probe: int = 1, new_probe: int = 1
) -> DeviceBinding:
    """Another logger in the same box from ``at`` on, also in the middle of a transport and told afterwards.

    Raises as ``bind`` and ``unbind`` do; Conflict for the same logger.
    """
    if (old_code, probe) == (new_code, new_probe):
        raise Conflict("device_same", field="new", device=old_code)
    binding = _newest(session, old_code, probe)
    if binding is None or binding.bound_to is not None:
        raise NotFound("device_not_bound", field="device", device=old_code)
    box_code = binding.box_code
    if at < binding.bound_from:
        raise Conflict("device_bound_later", field="at", device=old_code, box=box_code)
    unbind(session, old_code, at=at, now=now, probe=probe)
    return bind(session, new_code, box_code, at=at, now=now, probe=new_probe)


def _past(at: datetime, now: datetime) -> None:
    if at > now:
        raise Invalid("time_to_come", field="at")


def _newest(session: Session, device_code: str, probe: int) -> DeviceBinding | None:
    query = (
        select(DeviceBinding)
        .where(DeviceBinding.device_code == device_code, DeviceBinding.probe == probe)
        .order_by(DeviceBinding.bound_from.desc(), DeviceBinding.id.desc())
        .limit(1)
        .with_for_update()
    )
    return session.scalars(query).first()


def _unsettle(session: Session, device_code: str, probe: int) -> None:
    """Lock the probe against the ingest, and have its next reading looked at with its history: the box is another."""
    session.execute(
        update(ProbeState)
        .where(ProbeState.device_code == device_code, ProbeState.probe == probe)
        .values(quiet_since=None)
    )


def _withdraw_after(session: Session, binding: DeviceBinding, now: datetime) -> None:
    """The probe has left this box: what it measured afterwards is nothing that happened in it."""
    rows = session.scalars(
        select(ExcursionRow).where(
            ExcursionRow.device_code == binding.device_code,
            ExcursionRow.probe == binding.probe,
            ExcursionRow.box_code == binding.box_code,
            ExcursionRow.state != "withdrawn",
            ExcursionRow.start_at >= binding.bound_to,
        )
    ).all()
    for row in rows:
        row.state, row.updated_at, row.revision = "withdrawn", now, row.revision + 1
        session.add(ExcursionChange(excursion_id=row.id, at=now, what="withdrawn", detail={"binding": binding.id}))
    session.flush()
    box_open = is_open(session, binding.box_code) if rows else False
    for row in rows:
        cold_chain.excursion_changed(session, fact(row, box_open), now=now)


def rederive(session: Session, device_code: str, probe: int, since: datetime, *, now: datetime) -> int:
    """Judge a probe's stored readings again from ``since`` on, after its bindings changed."""
    return sum(
        rederive_binding(session, bound, max(since, bound.since), now=now)
        for bound in bindings(session, [device_code], since - timedelta(microseconds=1))
        if bound.probe == probe
    )
