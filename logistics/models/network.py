"""Sites, the people who work there, and the vehicles."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask_login import UserMixin
from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column, relationship

from logistics.db import Base

TOWNSHIP, COUNTY_CENTRE, CITY_CENTRE, EXTERNAL = "township", "county_centre", "city_centre", "external"
TIERS = (TOWNSHIP, COUNTY_CENTRE, CITY_CENTRE, EXTERNAL)


class Site(Base):
    """A place that sends or tests specimens. Position WGS-84; times of day are minutes after local midnight."""

    __tablename__ = "site"

    code: Mapped[str] = mapped_column(primary_key=True)
    name_zh: Mapped[str]
    name_en: Mapped[str] = mapped_column(default="")
    tier: Mapped[str]
    parent_code: Mapped[str | None] = mapped_column(ForeignKey("site.code"), index=True)
    county_zh: Mapped[str] = mapped_column(default="")
    county_en: Mapped[str] = mapped_column(default="")
    lat: Mapped[float | None]
    lon: Mapped[float | None]
    terrain: Mapped[str] = mapped_column(default="mixed")  # plain | mixed | hills: road detour and speed
    opens_min: Mapped[int] = mapped_column(default=8 * 60)
    closes_min: Mapped[int] = mapped_column(default=17 * 60 + 30)
    pickup_from_min: Mapped[int] = mapped_column(default=8 * 60 + 30)
    pickup_to_min: Mapped[int] = mapped_column(default=11 * 60 + 30)
    cutoff_min: Mapped[int | None]  # laboratories: the last receipt that is still tested today
    service_min: Mapped[int] = mapped_column(default=3)
    contact_name: Mapped[str] = mapped_column(default="")
    contact_phone: Mapped[str] = mapped_column(default="")
    source: Mapped[str] = mapped_column(default="")
    active: Mapped[bool] = mapped_column(default=True)

    parent: Mapped[Site | None] = relationship(remote_side=[code])

    def name(self, locale: str) -> str:
        return self.name_en if locale == "en" and self.name_en else self.name_zh


class User(Base, UserMixin):  # type: ignore[misc]
    """A person or machine that may act. ``username`` stands in the custody log."""

    __tablename__ = "user_account"

    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(unique=True)
    name_zh: Mapped[str] = mapped_column(default="")
    name_en: Mapped[str] = mapped_column(default="")
    role: Mapped[str] = mapped_column(index=True)
    site_code: Mapped[str | None] = mapped_column(ForeignKey("site.code"), index=True)
    password_hash: Mapped[str] = mapped_column(default="")
    pin_hash: Mapped[str] = mapped_column(default="")  # the giver's confirmation on the taker's screen
    must_change_password: Mapped[bool] = mapped_column(default=False)
    session_version: Mapped[int] = mapped_column(default=1)  # raised to end every session of the user
    locale: Mapped[str] = mapped_column(default="zh_CN")
    active: Mapped[bool] = mapped_column(default=True)
    last_login_at: Mapped[datetime | None]

    site: Mapped[Site | None] = relationship()

    @property
    def is_active(self) -> bool:
        return self.active

    def get_id(self) -> str:
        return f"{self.id}.{self.session_version}"

    def name(self, locale: str) -> str:
        return (self.name_en if locale == "en" and self.name_en else self.name_zh) or self.username


class ApiToken(Base):
    """A machine's key. Only the SHA-256 of the secret part is kept (256 random bits need no slow hash)."""

    __tablename__ = "api_token"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"), index=True)
    name: Mapped[str]
    secret_sha256: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]

    user: Mapped[User] = relationship()


class Vehicle(Base):
    """What a courier drives; capacities in box slots."""

    __tablename__ = "vehicle"

    code: Mapped[str] = mapped_column(primary_key=True)
    name_zh: Mapped[str] = mapped_column(default="")
    name_en: Mapped[str] = mapped_column(default="")
    plate: Mapped[str] = mapped_column(default="")
    site_code: Mapped[str | None] = mapped_column(ForeignKey("site.code"), index=True)
    slots_cold: Mapped[int] = mapped_column(default=8)
    slots_ambient: Mapped[int] = mapped_column(default=8)
    slots_frozen: Mapped[int] = mapped_column(default=2)
    active: Mapped[bool] = mapped_column(default=True)


class Courier(Base):
    """A courier's working conditions; the person is the user of the same name. Minutes after local midnight."""

    __tablename__ = "courier"

    username: Mapped[str] = mapped_column(ForeignKey("user_account.username"), primary_key=True)
    vehicle_code: Mapped[str | None] = mapped_column(ForeignKey("vehicle.code"))
    start_site_code: Mapped[str] = mapped_column(ForeignKey("site.code"))
    end_site_code: Mapped[str] = mapped_column(ForeignKey("site.code"))
    shift_from_min: Mapped[int] = mapped_column(default=7 * 60 + 30)
    shift_to_min: Mapped[int] = mapped_column(default=17 * 60)
    phone: Mapped[str] = mapped_column(default="")
    skills: Mapped[list[Any]] = mapped_column(default=list)
    on_duty_since: Mapped[datetime | None]
    active: Mapped[bool] = mapped_column(default=True)

    user: Mapped[User] = relationship()
    vehicle: Mapped[Vehicle | None] = relationship()
