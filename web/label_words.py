"""Words of labels: kinds, states, codes, outputs, and the reasons for voiding and printing again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask_babel import lazy_gettext as _l

KINDS: Mapping[str, Any] = {
    "specimen": _l("Specimen labels"), "box": _l("Box labels"), "consignment": _l("Consignment labels"),
}  # fmt: skip
NUMBER_KINDS: Mapping[str, Any] = {
    "accession": _l("Tube numbers (LR…)"), "seal": _l("Seal numbers (SL…)"), "box": _l("Box numbers (BX…)"),
}  # fmt: skip
STATES: Mapping[str, tuple[Any, str, str]] = {
    "printed": (_l("Not used yet"), "neutral", "barcode"),
    "used": (_l("Used"), "ok", "check"),
    "voided": (_l("Voided"), "danger", "cross-circle"),
}
"""state → (word, tone, icon)"""
SYMBOLOGIES: Mapping[str, str] = {"code128": "Code 128", "qr": "QR", "datamatrix": "DataMatrix"}
OUTPUTS: Mapping[str, Any] = {
    "pdf": _l("PDF, any printer"),
    "zpl": _l("Zebra (ZPL), codes drawn by the printer"),
    "zpl_graphic": _l("Zebra (ZPL), as one picture"),
}
VOID_REASONS: Mapping[str, Any] = {
    "misprinted": _l("Misprinted"), "damaged": _l("Damaged"), "lost": _l("Lost"), "test_print": _l("Test print"),
    "other": _l("Something else"),
}  # fmt: skip
REPRINT_REASONS: Mapping[str, Any] = {
    "damaged": _l("Damaged"), "misprinted": _l("Misprinted"), "jammed": _l("Printer jammed"), "lost": _l("Lost"),
    "fell_off": _l("Fell off"), "second_copy": _l("Second copy wanted"), "other": _l("Something else"),
}  # fmt: skip
PRINT_KINDS: Mapping[str, Any] = {
    "specimen_label": _l("Specimen label"), "item_label": _l("Label of a load item"), "box_label": _l("Box label"),
    "consignment_label": _l("Consignment label"), "manifest": _l("Manifest"), "command_sheet": _l("Command barcodes"),
    "number_label": _l("Pre-printed number"), "register": _l("Transport register"),
}  # fmt: skip
"""What the print log calls its entries."""
