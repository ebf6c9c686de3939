"""Specimen labels: Code128 of the accession number, the number in clear, and what a nurse checks by eye."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas

from logistics.errors import Invalid
from logistics.labels import fonts
from logistics.labels.codes import checked, draw_code128, module_mm
from logistics.labels.fonts import CANDIDATES, FontFile
from logistics.labels.sizes import STOCKS, Stock
from logistics.labels.texts import Translate, priority_text, same

TEMP_SHORT = {"cold_2_8": "2–8 °C", "ambient_15_25": "15–25 °C", "frozen": "≤ −20 °C"}
MARGIN_MM = 1.5
DESIGN_MM = (50.0, 30.0)  # the sizes below are for this label; larger ones scale up


@dataclass(frozen=True, slots=True)
class SpecimenLabel:
    """What stands on one tube. Names of site, specimen type, container and tests come in the label's language.

    ``patient_ref`` is the masked name (张*) with at most sex and age; a full name is refused.
    """

    accession: str
    site: str
    specimen_type: str
    container: str = ""
    tests: tuple[str, ...] = ()
    priority: str = "routine"
    temp_class: str = ""
    patient_ref: str = ""


def specimen_labels(
    labels: Sequence[SpecimenLabel],
    *,
    stock: Stock = STOCKS["roll_50x30"],
    translate: Translate = same,
    skip: int = 0,
    candidates: Iterable[FontFile] = CANDIDATES,
) -> bytes:
    """A PDF with one label each, in order; on a sheet the first ``skip`` places stay empty (used before).

    Raises Invalid ``label_none``, ``label_code_unprintable``, ``label_code_too_long``, ``label_name_not_masked``;
    Unavailable ``cjk_font_missing``.
    """
    if not labels:
        raise Invalid("label_none", field="labels")
    font = fonts.font_name(candidates)
    for label in labels:
        _check(label, stock)
    out = io.BytesIO()
    page = (stock.page_width_mm * mm, stock.page_height_mm * mm)
    canvas = Canvas(out, pagesize=page, pageCompression=1, invariant=1)
    canvas.setTitle("Labrelay")
    corners = stock.corners_mm()
    place = skip % stock.per_page
    for number, label in enumerate(labels):
        left, bottom = corners[place]
        canvas.saveState()
        canvas.translate(left * mm, bottom * mm)
        _draw(canvas, label, stock, font, translate)
        canvas.restoreState()
        place += 1
        if place == stock.per_page and number + 1 < len(labels):
            canvas.showPage()
            place = 0
    canvas.save()
    return out.getvalue()


def _check(label: SpecimenLabel, stock: Stock) -> None:
    module_mm(checked(label.accession, field="accession"), stock, stock.width_mm)
    name = label.patient_ref.split()[0] if label.patient_ref.split() else ""
    if len(name) > 1 and "*" not in name:
        raise Invalid("label_name_not_masked", field="patient_ref")


def _draw(canvas: Canvas, label: SpecimenLabel, stock: Stock, font: str, translate: Translate) -> None:
    scale = min(stock.width_mm / DESIGN_MM[0], stock.height_mm / DESIGN_MM[1])
    left, right = MARGIN_MM * scale * mm, (stock.width_mm - MARGIN_MM * scale) * mm
    room = right - left
    small = 6.8 * scale
    line = 8.6 * scale
    y = stock.height_mm * mm - MARGIN_MM * scale * mm - small

    mark = "" if label.priority == "routine" else priority_text(label.priority, translate)
    mark_width = _draw_mark(canvas, mark, font, right, y, small * 1.1) if mark else 0.0
    canvas.setFont(font, small)
    canvas.drawString(left, y, fonts.fit(label.site, font, small, room - mark_width - 2))

    y -= line
    temp = TEMP_SHORT.get(label.temp_class, "")
    canvas.drawRightString(right, y, temp)
    temp_width = fonts.width_pt(temp, font, small)
    kind = " ".join(part for part in (label.specimen_type, label.container) if part)
    head = "  ".join(part for part in (label.patient_ref, kind) if part)
    canvas.drawString(left, y, fonts.fit(head, font, small, room - temp_width - 4))

    canvas.setFont(font, small)
    for text in fonts.wrap(fonts.enumeration(label.tests), font, small, room, lines=2):
        y -= line
        canvas.drawString(left, y, text)

    number_pt = fonts.size_to_fit(label.accession, font, 10 * scale, 6 * scale, room)
    number_y = MARGIN_MM * scale * mm
    canvas.setFont(font, number_pt)
    canvas.drawCentredString(stock.width_mm * mm / 2, number_y + number_pt * 0.15, label.accession)

    bars_bottom = number_y / mm + number_pt * 1.12 / mm
    bars_top = y / mm - 1.2 * scale
    module = module_mm(label.accession, stock, stock.width_mm)
    draw_code128(
        canvas,
        label.accession,
        centre_mm=stock.width_mm / 2,
        bottom_mm=bars_bottom,
        height_mm=bars_top - bars_bottom,
        module=module,
    )


def _draw_mark(canvas: Canvas, mark: str, font: str, right: float, y: float, size: float) -> float:
    """White on black at the right edge, so that it is seen on a thermal label. Returns its width in points."""
    width = fonts.width_pt(mark, font, size) + size * 0.7
    canvas.setFillGray(0)
    canvas.rect(right - width, y - size * 0.28, width, size * 1.3, stroke=0, fill=1)
    canvas.setFillGray(1)
    canvas.setFont(font, size)
    canvas.drawCentredString(right - width / 2, y, mark)
    canvas.setFillGray(0)
    return width
