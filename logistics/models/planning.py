"""Pickups asked for, plans made, stops driven, positions reported."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from logistics.db import Base
from logistics.models.network import Site


class Pickup(Base):
    """A request: fetch this load here, bring it there. Made by 'ready', by the fixed round, or by an urgent call."""

    __tablename__ = "pickup"
    __table_args__ = (Index("ix_pickup_day_site", "day", "site_code"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    day: Mapped[str]  # local date YYYY-MM-DD
    site_code: Mapped[str] = mapped_column(ForeignKey("site.code"))
    destination_code: Mapped[str] = mapped_column(ForeignKey("site.code"))
    kind: Mapped[str] = mapped_column(default="round")  # round | ready | urgent | trunk
    priority: Mapped[str] = mapped_column(default="routine")
    slots_cold: Mapped[int] = mapped_column(default=0)
    slots_ambient: Mapped[int] = mapped_column(default=0)
    slots_frozen: Mapped[int] = mapped_column(default=0)
    ready_at: Mapped[datetime]
    latest_at: Mapped[datetime]
    due_at: Mapped[datetime | None]  # at the laboratory
    max_ride_min: Mapped[int | None]
    state: Mapped[str] = mapped_column(default="open")  # open | planned | done | cancelled
    note: Mapped[str] = mapped_column(default="")
    created_by: Mapped[str]
    created_at: Mapped[datetime]
    consignment_number: Mapped[str | None] = mapped_column(ForeignKey("consignment.number"))

    site: Mapped[Site] = relationship(foreign_keys=[site_code])
    destination: Mapped[Site] = relationship(foreign_keys=[destination_code])


class Plan(Base):
    """All routes of a day for a county or the city; ``problem`` and ``result`` are the documented JSON formats."""

    __tablename__ = "plan"
    __table_args__ = (Index("ix_plan_day_scope", "day", "scope_code"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    day: Mapped[str]
    scope_code: Mapped[str] = mapped_column(ForeignKey("site.code"))
    name: Mapped[str] = mapped_column(default="")
    state: Mapped[str] = mapped_column(default="draft")  # draft | planning | ready | failed | published | superseded
    job_id: Mapped[str | None]
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    published_at: Mapped[datetime | None]
    published_by: Mapped[str | None]
    problem: Mapped[dict[str, Any]] = mapped_column(default=dict)
    result: Mapped[dict[str, Any]] = mapped_column(default=dict)
    distance_m: Mapped[int | None]
    duration_s: Mapped[int | None]
    unserved_count: Mapped[int | None]
    notice: Mapped[str] = mapped_column(default="")  # code: e.g. the travel provider fell back
    revision: Mapped[int] = mapped_column(default=0, server_default="0")  # grows with every change of a draft
    version: Mapped[int] = mapped_column(default=0, server_default="0")  # which PlanVersion the draft shows
    marks: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")  # pins, locks, tiers, odds
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("plan.id", ondelete="SET NULL"), index=True)
    group_id: Mapped[str | None] = mapped_column(index=True)  # plans that were ordered together

    stops: Mapped[list[Stop]] = relationship(cascade="all, delete-orphan", order_by="(Stop.courier, Stop.position)")


class PlanVersion(Base):
    """A draft after one edit: what undo and redo go to. ``problem`` is empty where the edit left it as it was."""

    __tablename__ = "plan_version"

    plan_id: Mapped[int] = mapped_column(ForeignKey("plan.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    by: Mapped[str]
    action: Mapped[str]
    params: Mapped[dict[str, Any]] = mapped_column(default=dict)
    problem: Mapped[dict[str, Any]] = mapped_column(default=dict)
    result: Mapped[dict[str, Any]] = mapped_column(default=dict)
    marks: Mapped[dict[str, Any]] = mapped_column(default=dict)


class Stop(Base):
    """One visit of a courier; the planned times stay, the actual ones are filled in."""

    __tablename__ = "stop"
    __table_args__ = (
        UniqueConstraint("plan_id", "courier", "position"),
        Index("ix_stop_courier_planned", "courier", "arrive_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    plan_id: Mapped[int] = mapped_column(ForeignKey("plan.id", ondelete="CASCADE"), index=True)
    courier: Mapped[str] = mapped_column(ForeignKey("user_account.username"))
    position: Mapped[int]
    site_code: Mapped[str] = mapped_column(ForeignKey("site.code"))
    kind: Mapped[str]  # start | pickup | delivery | both | end
    arrive_at: Mapped[datetime]
    depart_at: Mapped[datetime]
    window_from_at: Mapped[datetime | None]
    window_to_at: Mapped[datetime | None]
    distance_m: Mapped[int] = mapped_column(default=0)  # from the stop before
    pickup_ids: Mapped[list[Any]] = mapped_column(default=list)
    delivery_ids: Mapped[list[Any]] = mapped_column(default=list)
    state: Mapped[str] = mapped_column(default="planned")  # planned | arrived | done | skipped
    actual_arrive_at: Mapped[datetime | None]
    actual_depart_at: Mapped[datetime | None]
    seen_at: Mapped[datetime | None]
    eta_at: Mapped[datetime | None]

    site: Mapped[Site] = relationship()


class CourierPosition(Base):
    """Where a courier was while on duty (WGS-84)."""

    __tablename__ = "courier_position"
    __table_args__ = (Index("ix_courier_position_at", "at"),)

    username: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(primary_key=True)
    lat: Mapped[float]
    lon: Mapped[float]
    accuracy_m: Mapped[float | None]
