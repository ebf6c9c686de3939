"""Which version of which profile judges a probe, and writing new versions.

A line is what a profile is for: a temperature class in the whole network, or at one site and below, in one box,
with one logger. The narrowest line that has a version counts; where no version is stored the built-in defaults do.
Versions are never changed: a later one takes over from its ``valid_from`` on, and an empty one gives the line up.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import URL, ScalarSelect, select, update
from sqlalchemy.orm import Session

from logistics.errors import Invalid, NotFound
from logistics.models import Box, Site
from logistics.models.catalogue import TEMP_CLASSES
from logistics.services import reference
from telemetry.models import Device, DeviceBinding, ProbeState, ProfileVersion
from telemetry.profile import COLD, FROM_THE_BEGINNING, PROFILES, Profile, Versions, read_snapshot
from telemetry.profile_check import check

NETWORK, SITE, BOX, DEVICE = "", "site", "box", "device"
SCOPES = (NETWORK, SITE, BOX, DEVICE)
MAX_REASON = 500


@dataclass(frozen=True, slots=True, order=True)
class Line:
    """What a profile is for. ``scope``: one of SCOPES, ``code`` the site, box or logger."""

    temp_class: str
    scope: str = NETWORK
    code: str = ""


@dataclass(frozen=True, slots=True)
class Stored:
    """A stored version; ``profile`` None gives the line up from then on."""

    id: int
    valid_from: datetime
    profile: Profile | None


@dataclass(slots=True)
class Catalogue:
    """All versions, and who stands above whom. ``versions`` is asked for every probe of a batch, so it remembers."""

    lines: dict[Line, list[Stored]]
    parents: Mapping[str, str | None]
    _known: dict[tuple[str, str, str, str, int], Versions] = field(default_factory=dict)

    def versions(
        self, temp_class: str, home_code: str, box_code: str, device_code: str, interval_s: int = 300
    ) -> Versions:
        """What judges a logger that records every ``interval_s``, in a box whose home is a site."""
        key = (temp_class, home_code, box_code, device_code, interval_s)
        found = self._known.get(key)
        if found is None:
            found = self._resolve(temp_class, home_code, box_code, device_code)
            found = self._known[key] = found.for_interval(timedelta(seconds=interval_s))
        return found

    def _resolve(self, temp_class: str, home_code: str, box_code: str, device_code: str) -> Versions:
        default = PROFILES.get(temp_class, COLD)
        lines = [self.lines[line] for line in self._narrowest(temp_class, home_code, box_code, device_code)]
        starts = sorted({FROM_THE_BEGINNING, *(one.valid_from for stored in lines for one in stored)})
        kept: list[tuple[datetime, Profile]] = []
        for start in starts:
            profile = next((p for stored in lines if (p := valid_at(stored, start)) is not None), default)
            if not kept or kept[-1][1] != profile:
                kept.append((start, profile))
        return Versions(tuple(start for start, _ in kept), tuple(profile for _, profile in kept))

    def _narrowest(self, temp_class: str, home_code: str, box_code: str, device_code: str) -> list[Line]:
        wanted = [Line(temp_class, DEVICE, device_code), Line(temp_class, BOX, box_code)]
        site: str | None = home_code
        while site is not None and Line(temp_class, SITE, site) not in wanted:
            wanted.append(Line(temp_class, SITE, site))
            site = self.parents.get(site)
        return [line for line in [*wanted, Line(temp_class)] if line in self.lines]


def valid_at(stored: Sequence[Stored], instant: datetime) -> Profile | None:
    """The profile of a line at an instant. Of two versions from the same instant the later written one counts."""
    begun = [one for one in stored if one.valid_from <= instant]
    return max(begun, key=lambda one: (one.valid_from, one.id)).profile if begun else None


_Key = tuple[URL, str, int | None]
_kept: dict[_Key, Catalogue] = {}


def stamp() -> ScalarSelect[str]:
    """What tells one state of the versions from another, as a column of another query: see ``catalogue_of``."""
    return select(ProfileVersion.stamp).order_by(ProfileVersion.id.desc()).limit(1).scalar_subquery()


def catalogue_of(session: Session, profile_stamp: str | None, reference_stamp: int | None) -> Catalogue:
    """The versions as they stand at these stamps; a process keeps the newest it has seen."""
    key = (session.get_bind().engine.url, profile_stamp or "", reference_stamp)
    found = _kept.get(key)
    if found is None:
        lines: dict[Line, list[Stored]] = {}
        if profile_stamp is not None:
            for row in session.scalars(select(ProfileVersion).order_by(ProfileVersion.id)):
                line = Line(row.temp_class, row.scope, row.scope_code)
                lines.setdefault(line, []).append(Stored(row.id, row.valid_from, profile_of(row)))
        parents = reference.parents(session) if any(line.scope == SITE for line in lines) else {}
        found = Catalogue(lines, parents)
        _kept.clear()
        _kept[key] = found
    return found


def catalogue(session: Session) -> Catalogue:
    """The versions as they stand now."""
    row = session.execute(select(stamp(), reference.stamp())).one()
    return catalogue_of(session, row[0], row[1])


def profile_of(row: ProfileVersion) -> Profile | None:
    return None if row.body is None else read_snapshot(row.body, version=row.id)


def of_box(session: Session, box: Box, *, at: datetime) -> Profile:
    """What judges a box with the logger that is in it, at an instant."""
    bound = session.execute(
        select(DeviceBinding.device_code, Device.interval_s)
        .join(Device, Device.code == DeviceBinding.device_code)
        .where(DeviceBinding.box_code == box.code, DeviceBinding.bound_to.is_(None))
        .order_by(DeviceBinding.probe)
        .limit(1)
    ).first()
    device, seconds = bound or ("", 300)
    return catalogue(session).versions(box.temp_class, box.home_code, box.code, device, seconds).at(at)


def save(
    session: Session,
    line: Line,
    profile: Profile | None,
    *,
    valid_from: datetime,
    reason: str,
    username: str,
    now: datetime,
) -> ProfileVersion:
    """Write a version of a line. ``profile`` None gives an override up. Raises Invalid naming the field.

    It counts for readings from ``valid_from`` on, which is not before now: what was judged stays judged.
    """
    known(session, line)
    if profile is None and line.scope == NETWORK:
        raise Invalid("profile_needed", field="rules")
    if profile is not None:
        check(profile)
    if valid_from < now:
        raise Invalid("profile_backdated", field="valid_from")
    if not reason.strip():
        raise Invalid("field_missing", field="reason")
    row = ProfileVersion(
        stamp=secrets.token_hex(16),
        temp_class=line.temp_class,
        scope=line.scope,
        scope_code=line.code,
        valid_from=valid_from,
        body=None if profile is None else profile.snapshot(),
        reason=reason.strip()[:MAX_REASON],
        created_at=now,
        created_by=username,
    )
    session.add(row)
    session.flush()
    _look_again(session, line.temp_class)
    return row


def known(session: Session, line: Line) -> None:
    """Raises NotFound or Invalid unless class and site, box or logger exist."""
    if line.temp_class not in TEMP_CLASSES:
        raise NotFound("temp_class_unknown", field="temp_class")
    if line.scope not in SCOPES or (line.scope == NETWORK) != (line.code == ""):
        raise Invalid("profile_scope_bad", field="code")
    tables = {SITE: Site, BOX: Box, DEVICE: Device}
    if line.scope != NETWORK and session.get(tables[line.scope], line.code) is None:
        raise NotFound("profile_scope_unknown", field="code", what=line.code[:40])


def _look_again(session: Session, temp_class: str) -> None:
    """The next reading of each probe concerned is judged from its last quiet instant: a batch that read the old
    versions while this was being written has locked these rows, and comes before."""
    boxes = select(Box.code).where(Box.temp_class == temp_class)
    probes = select(DeviceBinding.device_code).where(
        DeviceBinding.bound_to.is_(None), DeviceBinding.box_code.in_(boxes)
    )
    session.execute(update(ProbeState).where(ProbeState.device_code.in_(probes)).values(quiet_since=None))


def history(session: Session, line: Line) -> list[ProfileVersion]:
    """The versions of a line, the latest to begin first."""
    query = select(ProfileVersion).where(
        ProfileVersion.temp_class == line.temp_class,
        ProfileVersion.scope == line.scope,
        ProfileVersion.scope_code == line.code,
    )
    return list(session.scalars(query.order_by(ProfileVersion.valid_from.desc(), ProfileVersion.id.desc())))


def in_force(session: Session, line: Line, *, at: datetime) -> Profile:
    """What a line holds at an instant; where it has nothing, what the network or the installation holds."""
    lines = catalogue(session).lines
    for each in (line, Line(line.temp_class)):
        found = valid_at(lines.get(each, []), at)
        if found is not None:
            return found
    return PROFILES.get(line.temp_class, COLD)
