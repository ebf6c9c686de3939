"""Labels, manifests and registers: dataclasses in, PDF bytes, ZPL text or xlsx out. Pure: no database, no framework, no
clock.

Words come through a ``translate`` callable (``flask_babel.gettext`` fits); sizes of label stock are data. A label is
laid out once (``drawing.py``) and goes to whatever prints it: PDF pages, a bitmap, ZPL II.
"""

from logistics.labels.box import (
    BoxLabel,
    ConsignmentLabel,
    box_drawings,
    box_labels,
    consignment_drawings,
    consignment_labels,
)
from logistics.labels.commands import CommandCode, command_sheet
from logistics.labels.drawing import Drawing
from logistics.labels.fonts import FontFile, find_font
from logistics.labels.manifest import Manifest, ManifestLine, Signature, manifest_pdf
from logistics.labels.sizes import BOX_STOCKS, CONSIGNMENT_STOCKS, SPECIMEN_STOCKS, STOCKS, Stock, stock
from logistics.labels.specimen import SpecimenLabel, specimen_drawings, specimen_labels

__all__ = [
    "BOX_STOCKS",
    "CONSIGNMENT_STOCKS",
    "SPECIMEN_STOCKS",
    "STOCKS",
    "BoxLabel",
    "CommandCode",
    "ConsignmentLabel",
    "Drawing",
    "FontFile",
    "Manifest",
    "ManifestLine",
    "Signature",
    "SpecimenLabel",
    "Stock",
    "box_drawings",
    "box_labels",
    "command_sheet",
    "consignment_drawings",
    "consignment_labels",
    "find_font",
    "manifest_pdf",
    "specimen_drawings",
    "specimen_labels",
    "stock",
]  # fmt: skip
