"""Words that stand on labels and manifests. Labels know no framework: the caller passes its ``translate``.

``TEXTS`` lists every English phrase that is looked up, so that the catalogue of translations can be checked.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

Translate = Callable[[str], str]

LOCAL_ZONE = ZoneInfo("Asia/Shanghai")

TEMP_CLASSES = {
    "cold_2_8": "Refrigerated 2–8 °C",
    "ambient_15_25": "Room temperature 15–25 °C",
    "frozen": "Frozen ≤ −20 °C",
}
PRIORITIES = {"routine": "Routine", "urgent": "URGENT", "stat": "STAT"}

MANIFEST_TEXTS = (
    "Specimen transport manifest",
    "Consignment number",
    "Manifest version",
    "No longer in force: replaced by version %(version)s",
    "From site",
    "To site",
    "Box number",
    "Seal number",
    "Temperature class",
    "Sealed on",
    "Specimen (tube)",
    "Tests ordered",
    "Collected on",
    "Urgency",
    "Received (tick)",
    "Use-by time",
    "Handover no.",
    "Given by (name)",
    "Taken by (name)",
    "Time of handover",
    "Place of handover",
    "Box temp.",
    "Departed on",
    "Arrived on",
    "Damage or leak",
    "Remarks",
    "Printed on",
    "Page %(page)s of %(pages)s",
    "%(count)s tubes",
    "Tube numbers only: this manifest carries no patient names.",
)
LABEL_TEXTS = (
    "Transport box",
    "Responsible person",
    "Biological Substance, Category B",
)
TEXTS = (*TEMP_CLASSES.values(), *PRIORITIES.values(), *MANIFEST_TEXTS, *LABEL_TEXTS)


def same(text: str) -> str:
    """The translation into English: the phrase itself."""
    return text


def temp_class_text(temp_class: str, translate: Translate) -> str:
    return translate(TEMP_CLASSES[temp_class]) if temp_class in TEMP_CLASSES else temp_class


def priority_text(priority: str, translate: Translate) -> str:
    return translate(PRIORITIES[priority]) if priority in PRIORITIES else priority


def local_minute(at: datetime | None, zone: ZoneInfo = LOCAL_ZONE) -> str:
    """``2026-03-02 08:05`` in local time; empty for None."""
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M}" if at is not None else ""


def local_short(at: datetime | None, zone: ZoneInfo = LOCAL_ZONE) -> str:
    """``03-02 08:05`` in local time; empty for None."""
    return f"{at.astimezone(zone):%m-%d %H:%M}" if at is not None else ""
