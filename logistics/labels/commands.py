"""A sheet of command barcodes for a desk that is worked by scanner alone."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas

from logistics.errors import Invalid
from logistics.labels import fonts
from logistics.labels.codes import checked
from logistics.labels.fonts import CANDIDATES, FontFile
from logistics.labels.pdf import draw_code128

COLUMNS, ROWS = 2, 12
MARGIN_MM, HEAD_MM = 12.0, 14.0
MODULE_MM = 0.3


@dataclass(frozen=True, slots=True)
class CommandCode:
    """One command: the text of its barcode, what it does, and the key that does the same."""

    code: str
    name: str
    key: str | int = ""


def command_sheet(commands: Sequence[CommandCode], *, title: str, candidates: Iterable[FontFile] = CANDIDATES) -> bytes:
    """A PDF on A4 with the commands in two columns, far enough apart that a scanner takes one at a time.

    Raises Invalid ``label_none`` or ``label_code_unprintable``; Unavailable ``cjk_font_missing``.
    """
    if not commands:
        raise Invalid("label_none", field="commands")
    font = fonts.font_name(candidates)
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=A4, pageCompression=1, invariant=1)
    canvas.setTitle("Labrelay")
    cell_width = (210 - 2 * MARGIN_MM) / COLUMNS
    cell_height = (297 - 2 * MARGIN_MM - HEAD_MM) / ROWS
    for place, command in enumerate(commands):
        on_page = place % (COLUMNS * ROWS)
        if on_page == 0:
            if place:
                canvas.showPage()
            canvas.setFont(font, 15)
            canvas.drawString(MARGIN_MM * mm, (297 - MARGIN_MM - 5) * mm, title)
        row, column = divmod(on_page, COLUMNS)
        left = MARGIN_MM + column * cell_width
        bottom = 297 - MARGIN_MM - HEAD_MM - (row + 1) * cell_height
        _draw(canvas, command, font, left, bottom, cell_width, cell_height)
    canvas.save()
    return out.getvalue()


def _draw(
    canvas: Canvas, command: CommandCode, font: str, left: float, bottom: float, width: float, height: float
) -> None:
    text = f"{command.key}  {command.name}".strip()
    canvas.setFont(font, 10)
    canvas.drawCentredString((left + width / 2) * mm, (bottom + height - 5) * mm, fonts.fit(text, font, 10, width * mm))
    draw_code128(
        canvas,
        checked(command.code, field="code"),
        centre_mm=left + width / 2,
        bottom_mm=bottom + 3,
        height_mm=height - 10,
        module=MODULE_MM,
    )
