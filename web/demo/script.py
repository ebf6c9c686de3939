"""What goes wrong on the simulated day, as data, and how much work there is."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Asia/Shanghai")
DAY_BEGINS = time(7, 30)
DAY_ENDS = time(20, 30)
RATE = 60.0  # simulated seconds a real second

TUBES_LOW, TUBES_HIGH = 5, 12
# (tests on one tube, weight): mostly routine, now and then one that only the city performs.
TESTS = (
    (("CBC",), 32),
    (("LFT", "RFT", "LIPID"), 16),
    (("GLU",), 10),
    (("HBA1C",), 9),
    (("TFT",), 7),
    (("COAG4",), 8),
    (("GLU-NAF",), 5),
    (("HBV5",), 5),
    (("UA",), 3),
    (("HBVDNA",), 9),
    (("CEA", "AFP"), 7),
)
COUNTY = "421281"  # Chibi: where the incidents happen, and where the demo logins work


@dataclass(frozen=True, slots=True)
class Incidents:
    """Who meets which trouble today. Townships and couriers are those of Chibi, where the demo logins are."""

    warm_box_site: str = "421281101"
    silent_logger_site: str = "421281102"
    missing_tube_site: str = "421281103"
    rejected_tube_site: str = "421281104"
    late_courier: str = "courier-421281-2"
    late_by: timedelta = timedelta(minutes=55)
    urgent_site: str = "421281105"
    send_out_site: str = "421281100"
    urgent_at: time = time(11, 15)
    silent_from: time = time(10, 30)
    silent_until: time = time(13, 0)
    found_at: time = time(15, 30)


def local(day: date, at: time) -> datetime:
    """A time of the local day as an instant."""
    return datetime.combine(day, at, ZONE)


def chance(day: date, name: str) -> random.Random:
    """The same chance for the same day and person, whatever else happens."""
    return random.Random(f"{day.isoformat()}:{name}")
