"""Tables of the register of loggers: types, topics, calibrations, files that were read in."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from logistics.db import Base


class DeviceType(Base):
    """A make of logger: its format and what is set for all of them. Changing it changes its devices."""

    __tablename__ = "device_type"

    code: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    codec: Mapped[str]
    options: Mapped[dict[str, Any]] = mapped_column(default=dict)  # telemetry.codecs.options
    interval_s: Mapped[int] = mapped_column(default=300)
    receipts: Mapped[bool] = mapped_column(default=False)


class DeviceTopic(Base):
    """Where a device publishes that knows no topics of ours. An MQTT filter; ``+`` and ``#`` are allowed."""

    __tablename__ = "device_topic"

    pattern: Mapped[str] = mapped_column(primary_key=True)
    device_code: Mapped[str] = mapped_column(ForeignKey("device.code"), index=True)


class Calibration(Base):
    """A certificate. The newest due date is the device's (``Device.calibration_due``)."""

    __tablename__ = "calibration"

    id: Mapped[int] = mapped_column(primary_key=True)
    device_code: Mapped[str] = mapped_column(ForeignKey("device.code"), index=True)
    number: Mapped[str]
    due_at: Mapped[datetime]
    added_at: Mapped[datetime]
    added_by: Mapped[str]
    file_name: Mapped[str] = mapped_column(default="")
    media_type: Mapped[str] = mapped_column(default="")
    data: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)


class FileMapping(Base):
    """Which column of a maker's CSV is what (telemetry.files.columns), kept by name."""

    __tablename__ = "file_mapping"

    code: Mapped[str] = mapped_column(primary_key=True)
    options: Mapped[dict[str, Any]]
    changed_at: Mapped[datetime]
    changed_by: Mapped[str]


class LoggerFile(Base):
    """A file of a logger that was read in, with what it said. The same file again is the same row."""

    __tablename__ = "logger_file"
    __table_args__ = (Index("uq_logger_file_content", "device_code", "sha256", unique=True),)

    id: Mapped[int] = mapped_column(primary_key=True)
    device_code: Mapped[str] = mapped_column(ForeignKey("device.code"))
    sha256: Mapped[str]
    file_name: Mapped[str]
    format: Mapped[str]
    imported_at: Mapped[datetime]
    imported_by: Mapped[str]
    summary: Mapped[dict[str, Any]]  # telemetry.files.summary, as JSON
