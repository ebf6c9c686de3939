"""Tables of telemetry: loggers and their boxes, readings, excursions, and what could not be used.

Readings are written by the batch in SQL (telemetry.ingest); a gap in time is not a row here: it is the
absence of one.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

from sqlalchemy import BigInteger, Double, ForeignKey, Index, Integer, LargeBinary, SmallInteger, Table, text
from sqlalchemy.orm import Mapped, mapped_column

import telemetry.registry_models  # noqa: F401  # tables that those below point to
from logistics.db import Base
from telemetry import months

BigId = BigInteger().with_variant(Integer, "sqlite")


class Device(Base):
    """A logger or a gateway's sensor. ``code`` is the name in its MQTT topic and on its label."""

    __tablename__ = "device"

    code: Mapped[str] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(default="")
    serial: Mapped[str] = mapped_column(default="")  # the maker's number, as it stands in the logger's own files
    site_code: Mapped[str | None] = mapped_column(ForeignKey("site.code"))  # whose it is; None: the network's
    type_code: Mapped[str | None] = mapped_column(ForeignKey("device_type.code"))
    codec: Mapped[str] = mapped_column(default="labrelay")
    own_options: Mapped[dict[str, Any]] = mapped_column(default=dict)  # over its type's (telemetry.codecs.options)
    options: Mapped[dict[str, Any]] = mapped_column(default=dict)  # both together, so that ingest reads one row
    interval_s: Mapped[int] = mapped_column(default=300)  # between two readings
    gateway: Mapped[str | None]  # several loggers silent behind one gateway are one incident
    receipts: Mapped[bool] = mapped_column(default=True)  # keeps readings until told that they are stored
    commissioned_at: Mapped[datetime | None]
    calibration_due: Mapped[datetime | None]
    calibration_certificate: Mapped[str] = mapped_column(default="")
    active: Mapped[bool] = mapped_column(default=True)

    last_seen_at: Mapped[datetime | None]  # when we last heard of it
    last_reading_at: Mapped[datetime | None]  # event time of its newest reading
    last_seq: Mapped[int | None] = mapped_column(BigInteger)  # up to here without a hole: what a receipt says
    seq_spans: Mapped[list[Any]] = mapped_column(default=list)  # [[first, last], …]; between two: missing
    battery_pct: Mapped[float | None] = mapped_column(Double)
    battery_low: Mapped[bool] = mapped_column(default=False)
    silent_since: Mapped[datetime | None]
    silence_alerted: Mapped[bool] = mapped_column(default=False)
    learnt: Mapped[dict[str, Any]] = mapped_column(default=dict)  # what its codec needs of earlier messages
    conditions: Mapped[dict[str, Any]] = mapped_column(default=dict)  # what is wrong with it (telemetry.condition)


class DeviceBinding(Base):
    """Which box a probe was in, and when. The newest has no end."""

    __tablename__ = "device_binding"
    __table_args__ = (Index("ix_device_binding_box_from", "box_code", "bound_from"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    device_code: Mapped[str] = mapped_column(ForeignKey("device.code"), index=True)
    probe: Mapped[int] = mapped_column(SmallInteger, default=1)
    box_code: Mapped[str] = mapped_column(ForeignKey("box.code"))
    bound_from: Mapped[datetime]
    bound_to: Mapped[datetime | None]


class ReadingRow(Base):
    """One measurement. The key makes a redelivered reading the same row."""

    __tablename__ = "reading"
    __table_args__ = (
        Index("ix_reading_recorded", "recorded_at", postgresql_using="brin"),
        # Months are partitions (telemetry.storage).
        {"sqlite_with_rowid": False, "postgresql_partition_by": "RANGE (at)"},
    )

    device_code: Mapped[str] = mapped_column(primary_key=True)  # no foreign key: checked once a batch instead
    probe: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    at: Mapped[datetime] = mapped_column(primary_key=True)
    temp_c: Mapped[float] = mapped_column(Double)
    rh_pct: Mapped[float | None] = mapped_column(Double)
    battery_pct: Mapped[float | None] = mapped_column(Double)
    lid_open: Mapped[bool | None]
    lat: Mapped[float | None] = mapped_column(Double)
    lon: Mapped[float | None] = mapped_column(Double)
    recorded_at: Mapped[datetime]


months.attach(cast(Table, ReadingRow.__table__))


class ReadingHour(Base):
    """An hour of a probe: its extremes are those of the readings, so that a long view hides no breach. Written anew
    whenever a reading of that hour comes, however late (telemetry.storage.roll_up)."""

    __tablename__ = "reading_hour"
    __table_args__ = (Index("ix_reading_hour_computed", "computed_at"), {"sqlite_with_rowid": False})

    device_code: Mapped[str] = mapped_column(primary_key=True)
    probe: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    hour: Mapped[datetime] = mapped_column(primary_key=True)  # its begin, UTC
    reading_count: Mapped[int]
    min_c: Mapped[float] = mapped_column(Double)
    max_c: Mapped[float] = mapped_column(Double)
    sum_c: Mapped[float] = mapped_column(Double)
    computed_at: Mapped[datetime]


class ProbeState(Base):
    """How far a probe has been evaluated: lets a batch of ordinary readings pass without reading history.

    The row is locked while its probe is evaluated, so that several ingest processes agree.
    """

    __tablename__ = "probe_state"

    device_code: Mapped[str] = mapped_column(primary_key=True)
    probe: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    newest_at: Mapped[datetime]
    newest_c: Mapped[float | None] = mapped_column(Double)
    # Here no run was under way, and all is clear since, in one box: more of that changes nothing. None: not known.
    quiet_since: Mapped[datetime | None]


class ExcursionRow(Base):
    """A run outside the limits of one rule, with the profile as it was. Later readings may change or end
    it."""

    __tablename__ = "excursion"
    __table_args__ = (
        Index(
            "uq_excursion_standing",
            "device_code", "probe", "rule_code", "start_at", "box_code",
            unique=True,
            sqlite_where=text("state <> 'withdrawn'"),
            postgresql_where=text("state <> 'withdrawn'"),
        ),
        Index("ix_excursion_box_start", "box_code", "start_at"),
        Index(
            "ix_excursion_open",
            "device_code", "probe",
            sqlite_where=text("end_at IS NULL"),
            postgresql_where=text("end_at IS NULL"),
        ),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    box_code: Mapped[str] = mapped_column(ForeignKey("box.code"))
    device_code: Mapped[str] = mapped_column(ForeignKey("device.code"))
    probe: Mapped[int] = mapped_column(SmallInteger)
    rule_code: Mapped[str]
    rule_key: Mapped[str] = mapped_column(default="")  # the same rule, also after its figures were edited
    kind: Mapped[str]  # consecutive | cumulative | immediate | rate
    side: Mapped[str]  # upper | lower
    limit_c: Mapped[float] = mapped_column(Double)
    profile: Mapped[dict[str, Any]]  # snapshot of the version valid at triggered_at
    start_at: Mapped[datetime]
    triggered_at: Mapped[datetime]
    last_at: Mapped[datetime]
    end_at: Mapped[datetime | None]
    ended_by: Mapped[str | None]  # cleared | gap
    state: Mapped[str] = mapped_column(default="open")  # open | ended | withdrawn by late readings
    min_c: Mapped[float] = mapped_column(Double)
    max_c: Mapped[float] = mapped_column(Double)
    mean_c: Mapped[float] = mapped_column(Double)
    peak: Mapped[float | None] = mapped_column(Double)  # the worst level; of a rate rule the change in °C
    minutes: Mapped[float] = mapped_column(Double)
    area_c_min: Mapped[float] = mapped_column(Double)
    reading_count: Mapped[int]
    gap_count: Mapped[int] = mapped_column(default=0)
    revision: Mapped[int] = mapped_column(default=1)
    recorded_at: Mapped[datetime]  # when we first knew
    updated_at: Mapped[datetime]
    acknowledged_at: Mapped[datetime | None]
    acknowledged_by: Mapped[str | None]
    comment: Mapped[str] = mapped_column(default="")


class ExcursionChange(Base):
    """What late or new readings changed about an excursion. ``detail``: its figures from then on; of merged rows
    ``from``: [ids], of a part that split off ``of``: id, of one that went into another ``into``: id."""

    __tablename__ = "excursion_change"

    id: Mapped[int] = mapped_column(primary_key=True)
    excursion_id: Mapped[int] = mapped_column(ForeignKey("excursion.id", ondelete="CASCADE"), index=True)
    at: Mapped[datetime]
    what: Mapped[str]  # raised | one of telemetry.standing.RECORDED | withdrawn | assessed
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict)


class ProfileVersion(Base):
    """A version of an alarm profile: for a temperature class, or for a site, box or logger of it. Never changed."""

    __tablename__ = "profile_version"
    __table_args__ = (Index("ix_profile_version_line", "temp_class", "scope", "scope_code", "valid_from"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    stamp: Mapped[str] = mapped_column(unique=True)  # drawn at random: tells processes to look again
    temp_class: Mapped[str]
    scope: Mapped[str] = mapped_column(default="")  # "": the network | site | box | device
    scope_code: Mapped[str] = mapped_column(default="")
    valid_from: Mapped[datetime]
    body: Mapped[dict[str, Any] | None]  # telemetry.profile.Profile.snapshot; None: given up
    reason: Mapped[str]
    created_at: Mapped[datetime]
    created_by: Mapped[str]


class BoxForecast(Base):
    """Where the newest readings of a box under way lead: when it will cross a limit. One row a box."""

    __tablename__ = "box_forecast"

    box_code: Mapped[str] = mapped_column(ForeignKey("box.code"), primary_key=True)
    device_code: Mapped[str]
    probe: Mapped[int] = mapped_column(SmallInteger)
    newest_at: Mapped[datetime]  # event time of the newest reading that was looked at
    computed_at: Mapped[datetime]
    side: Mapped[str | None]  # upper | lower; None: no crossing is in sight
    limit_c: Mapped[float | None] = mapped_column(Double)
    crosses_at: Mapped[datetime | None]
    error_s: Mapped[float | None] = mapped_column(Double)
    chance: Mapped[float] = mapped_column(Double, default=0.0)
    warned: Mapped[bool] = mapped_column(default=False)  # a warning stands
    contrary_since: Mapped[datetime | None]  # telemetry.forecast.State


class DeadLetter(Base):
    """Bytes that could not be used, with the reason; never discarded by itself. ``digest`` makes a
    redelivery one row, ``count`` says how often it came. ``part``: one entry of a message, not the whole."""

    __tablename__ = "dead_letter"
    __table_args__ = (Index("ix_dead_letter_state", "state", "id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    received_at: Mapped[datetime] = mapped_column(index=True)
    device_code: Mapped[str | None]  # as the topic says; may be unknown
    topic: Mapped[str]
    raw: Mapped[bytes] = mapped_column(LargeBinary)
    reason: Mapped[str]
    detail: Mapped[str] = mapped_column(default="")
    digest: Mapped[str] = mapped_column(unique=True)
    state: Mapped[str] = mapped_column(default="kept")  # kept | discarded | replayed
    count: Mapped[int] = mapped_column(default=1)
    part: Mapped[bool] = mapped_column(default=False)
    note: Mapped[str] = mapped_column(default="")  # why it was discarded, or why it still cannot be read
    decided_by: Mapped[str | None]
    decided_at: Mapped[datetime | None]


class QuarantinedReading(Base):
    """A readable reading with an impossible time; can be released with a time offset."""

    __tablename__ = "quarantined_reading"
    __table_args__ = (
        Index("uq_quarantined_reading_key", "device_code", "probe", "at", "temp_c", unique=True),
        Index("ix_quarantined_reading_state", "state", "id"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    device_code: Mapped[str] = mapped_column(ForeignKey("device.code"))
    probe: Mapped[int] = mapped_column(SmallInteger)
    at: Mapped[datetime]
    temp_c: Mapped[float] = mapped_column(Double)  # several readings may carry the same wrong time
    body: Mapped[dict[str, Any]]  # the reading as it was decoded
    reason: Mapped[str]
    received_at: Mapped[datetime] = mapped_column(index=True)
    state: Mapped[str] = mapped_column(default="held")  # held | released | discarded
    offset_s: Mapped[float | None] = mapped_column(Double)
    decided_by: Mapped[str | None]
    decided_at: Mapped[datetime | None]
    note: Mapped[str] = mapped_column(default="")


class DeviceKey(Base):
    """What a logger or a gateway proves itself with (telemetry.keys). The secret itself is kept nowhere."""

    __tablename__ = "device_key"

    account: Mapped[str] = mapped_column(primary_key=True)  # a logger's code or a gateway's name
    secret_sha256: Mapped[str] = mapped_column(unique=True)  # HTTP
    mqtt_hash: Mapped[str]  # as Mosquitto's password file has it
    issued_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class IngestHeartbeat(Base):
    """One row per ingest process: whether it is connected and how far behind it is. Real time throughout."""

    __tablename__ = "ingest_heartbeat"

    name: Mapped[str] = mapped_column(primary_key=True)
    beat_at: Mapped[datetime]
    started_at: Mapped[datetime]
    connected: Mapped[bool] = mapped_column(default=False)
    waiting: Mapped[int] = mapped_column(default=0)  # messages taken but not yet stored
    messages: Mapped[int] = mapped_column(BigInteger, default=0)
    readings: Mapped[int] = mapped_column(BigInteger, default=0)
    duplicates: Mapped[int] = mapped_column(BigInteger, default=0)
    dead_letters: Mapped[int] = mapped_column(BigInteger, default=0)
    last_commit_at: Mapped[datetime | None]
    failing_since: Mapped[datetime | None]  # since when it has been without broker or database
    backlog_since: Mapped[datetime | None]  # since when the broker has had more than this process could take
