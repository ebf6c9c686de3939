"""Labels and manifests: dataclasses in, PDF bytes out. Pure: no database, no framework, no clock.

Words come through a ``translate`` callable (``flask_babel.gettext`` fits); sizes of label stock are data.
"""

from logistics.labels.box import BoxLabel, ConsignmentLabel, box_labels, consignment_labels
from logistics.labels.commands import CommandCode, command_sheet
from logistics.labels.fonts import FontFile, find_font
from logistics.labels.manifest import Manifest, ManifestLine, Signature, manifest_pdf
from logistics.labels.sizes import BOX_STOCKS, CONSIGNMENT_STOCKS, SPECIMEN_STOCKS, STOCKS, Stock, stock
from logistics.labels.specimen import SpecimenLabel, specimen_labels

__all__ = [
    "BOX_STOCKS",
    "CONSIGNMENT_STOCKS",
    "SPECIMEN_STOCKS",
    "STOCKS",
    "BoxLabel",
    "CommandCode",
    "ConsignmentLabel",
    "FontFile",
    "Manifest",
    "ManifestLine",
    "Signature",
    "SpecimenLabel",
    "Stock",
    "box_labels",
    "command_sheet",
    "consignment_labels",
    "find_font",
    "manifest_pdf",
    "specimen_labels",
    "stock",
]  # fmt: skip
