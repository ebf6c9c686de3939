"""The transport manifest (转运单): one A4 document a sealed consignment, with every tube and both signatures."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import BaseDocTemplate, Frame, KeepTogether, LongTable, PageTemplate, Spacer, Table
from reportlab.platypus.paragraph import Paragraph

from logistics.errors import Invalid
from logistics.labels import fonts
from logistics.labels.codes import checked
from logistics.labels.fonts import CANDIDATES, FontFile
from logistics.labels.pdf import draw_qr
from logistics.labels.texts import (
    LOCAL_ZONE,
    Translate,
    local_minute,
    local_short,
    priority_text,
    same,
    temp_class_text,
)

MARGIN_MM = 14.0
HEAD_MM = 47.0
FOOT_MM = 14.0
HANDOVER_HEADS = (
    "Handover no.", "Time of handover", "Place of handover", "Given by (name)", "Taken by (name)",
    "Box temp.", "Damage or leak",
)  # fmt: skip
LEGS = 3  # handover rows to sign by hand when fewer are recorded
GREY = colors.Color(0.35, 0.35, 0.35)
LINE = colors.Color(0.6, 0.6, 0.6)
RED = colors.Color(0.75, 0.1, 0.1)


@dataclass(frozen=True, slots=True)
class ManifestLine:
    """One tube. Names come in the manifest's language; ``received`` is empty until the laboratory checked it."""

    accession: str
    specimen: str
    tests: tuple[str, ...] = ()
    priority: str = "routine"
    collected_at: datetime | None = None
    use_by_at: datetime | None = None
    received: str = ""


@dataclass(frozen=True, slots=True)
class Signature:
    """One handover: printed names, time and meaning of both signatures; empty fields are left to the pen."""

    place: str = ""
    at: datetime | None = None
    given_by: str = ""
    taken_by: str = ""
    meaning: str = ""
    box_temp_c: float | None = None
    damage: str = ""


@dataclass(frozen=True, slots=True)
class Manifest:
    """A locked version of a consignment's list. Holds tube numbers, never a patient's name."""

    number: str
    version: int
    origin: str
    destination: str
    box: str
    temp_class: str
    seal: str
    sealed_at: datetime | None
    sealed_by: str
    lines: tuple[ManifestLine, ...]
    signatures: tuple[Signature, ...] = ()
    priority: str = "routine"
    departed_at: datetime | None = None
    arrived_at: datetime | None = None
    remarks: str = ""
    in_force: int = 0  # the newest version, where this one is older


def manifest_pdf(
    manifest: Manifest,
    *,
    printed_at: datetime,
    printed_by: str,
    translate: Translate = same,
    zone: ZoneInfo = LOCAL_ZONE,
    candidates: Iterable[FontFile] = CANDIDATES,
) -> bytes:
    """The manifest as PDF, A4, with 'page x of y' and the QR code of the number on every page.

    Raises Invalid ``manifest_empty`` or ``label_code_unprintable``; Unavailable ``cjk_font_missing``.
    """
    if not manifest.lines:
        raise Invalid("manifest_empty", field="lines", consignment=manifest.number)
    checked(manifest.number, field="number")
    page = _Page(manifest, fonts.font_name(candidates), translate, zone)
    printed = f"{translate('Printed on')} {local_minute(printed_at, zone)} {printed_by}"
    counted = page.build(printed, pages=None)
    return page.build(printed, pages=counted.count).data


@dataclass(frozen=True, slots=True)
class _Built:
    data: bytes
    count: int


class _Page:
    """Lays the manifest out. Built twice: the first pass only counts the pages."""

    def __init__(self, manifest: Manifest, font: str, translate: Translate, zone: ZoneInfo) -> None:
        self.manifest = manifest
        self.font = font
        self.t = translate
        self.zone = zone
        self.cell = ParagraphStyle("cell", fontName=font, fontSize=9, leading=11.5, wordWrap="CJK")
        self.latin = ParagraphStyle("latin", parent=self.cell, wordWrap=None)
        self.head = ParagraphStyle("head", parent=self.latin, fontSize=8.5, textColor=GREY)
        self.tick = ParagraphStyle("tick", parent=self.cell, fontSize=15, leading=13)

    def build(self, printed: str, *, pages: int | None) -> _Built:
        out = io.BytesIO()
        width, height = A4
        frame = Frame(
            MARGIN_MM * mm,
            FOOT_MM * mm,
            width - 2 * MARGIN_MM * mm,
            height - (FOOT_MM + HEAD_MM + 6) * mm,
            leftPadding=0,
            rightPadding=0,
            topPadding=0,
            bottomPadding=0,
        )

        def furniture(canvas: Canvas, document: Any) -> None:
            self._furniture(canvas, printed, int(document.page), pages)

        document = BaseDocTemplate(out, pagesize=A4, title=self.manifest.number, author="Labrelay", invariant=1)
        document.addPageTemplates([PageTemplate(frames=[frame], onPage=furniture)])
        document.build([self._tubes(), Spacer(1, 5 * mm), KeepTogether(self._handovers())])
        return _Built(out.getvalue(), int(document.page))

    def _furniture(self, canvas: Canvas, printed: str, page: int, pages: int | None) -> None:
        width, height = A4
        left, right, top = MARGIN_MM * mm, width - MARGIN_MM * mm, height - 10 * mm
        manifest = self.manifest
        draw_qr(
            canvas,
            manifest.number,
            left_mm=(right / mm) - 30,
            bottom_mm=(top / mm) - 31,
            side_mm=32,
        )
        canvas.setFont(self.font, 17)
        canvas.drawString(left, top - 6 * mm, self.t("Specimen transport manifest"))
        canvas.setFont(self.font, 13)
        number = f"{manifest.number}   {self.t('Manifest version')} {manifest.version}"
        if manifest.priority != "routine":
            number += f"   {priority_text(manifest.priority, self.t)}"
        canvas.drawString(left, top - 13 * mm, number)
        if manifest.in_force > manifest.version:
            words = self.t("No longer in force: replaced by version %(version)s") % {"version": manifest.in_force}
            canvas.setFillColor(RED)
            canvas.setFont(self.font, 11)
            canvas.drawString(left, top - 0.5 * mm, words)
            canvas.setFillGray(0)
        for row, facts in enumerate(self._facts()):
            for column, (name, value) in enumerate(facts):
                self._fact(canvas, left + column * 76 * mm, top - (20 + row * 5.6) * mm, name, value)
        canvas.setStrokeColor(LINE)
        canvas.line(left, FOOT_MM * mm - 2 * mm, right, FOOT_MM * mm - 2 * mm)
        canvas.setFillColor(GREY)
        canvas.setFont(self.font, 8)
        foot = FOOT_MM * mm - 6 * mm
        canvas.drawString(left, foot, self.t("Tube numbers only: this manifest carries no patient names."))
        of = self.t("Page %(page)s of %(pages)s") % {"page": page, "pages": pages if pages else page}
        canvas.drawRightString(right, foot, f"{printed}   {of}")
        canvas.setFillGray(0)

    def _facts(self) -> list[list[tuple[str, str]]]:
        m, t = self.manifest, self.t
        sealed = f"{local_minute(m.sealed_at, self.zone)} {m.sealed_by}".strip()
        return [
            [(t("From site"), m.origin), (t("To site"), m.destination)],
            [(t("Box number"), m.box), (t("Temperature class"), temp_class_text(m.temp_class, t))],
            [(t("Seal number"), m.seal), (t("Sealed on"), sealed)],
            [(t("Departed on"), self._time(m.departed_at)), (t("Arrived on"), self._time(m.arrived_at))],
        ]

    def _time(self, at: datetime | None) -> str:
        return local_minute(at, self.zone) or "____________"

    def _fact(self, canvas: Canvas, x: float, y: float, name: str, value: str) -> None:
        canvas.setFillColor(GREY)
        canvas.setFont(self.font, 8.5)
        canvas.drawString(x, y, name)
        canvas.setFillGray(0)
        canvas.setFont(self.font, 10)
        indent = max(18 * mm, fonts.width_pt(name, self.font, 8.5) + 6)
        canvas.drawString(x + indent, y, fonts.fit(value, self.font, 10, 74 * mm - indent))

    def _tubes(self) -> LongTable:
        t = self.t
        names = (
            "#",
            t("Specimen (tube)"),
            "",
            t("Tests ordered"),
            t("Urgency"),
            t("Collected on"),
            t("Use-by time"),
            t("Received (tick)"),
        )
        heads = [Paragraph(name, self.head) for name in names]
        rows: list[list[Any]] = [heads]
        for number, line in enumerate(self.manifest.lines, start=1):
            rows.append(
                [
                    self._text(str(number)),
                    self._text(line.accession),
                    self._text(line.specimen),
                    self._text(fonts.enumeration(line.tests)),
                    self._text("" if line.priority == "routine" else priority_text(line.priority, t)),
                    self._text(local_short(line.collected_at, self.zone)),
                    self._text(local_short(line.use_by_at, self.zone)),
                    self._text(line.received) if line.received else Paragraph("□", self.tick),
                ]
            )
        widths = [8, 28, 31, 45, 15, 20, 20, 15]
        table = LongTable(rows, colWidths=[width * mm for width in widths], repeatRows=1)
        table.setStyle(
            [
                ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
                ("LINEBELOW", (0, 0), (-1, 0), 0.9, colors.black),
                ("LINEBELOW", (0, 1), (-1, -1), 0.35, LINE),
                ("LEFTPADDING", (0, 0), (-1, -1), 2),
                ("RIGHTPADDING", (0, 0), (-1, -1), 2),
                ("TOPPADDING", (0, 0), (-1, -1), 2.2),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 2.8),
                ("RIGHTPADDING", (3, 0), (3, -1), 6),
                ("SPAN", (1, 0), (2, 0)),
            ]
        )
        return table

    def _handovers(self) -> list[Any]:
        t = self.t
        count = t("%(count)s tubes") % {"count": len(self.manifest.lines)}
        names = HANDOVER_HEADS
        rows: list[list[Any]] = [[Paragraph(t(name), self.head) for name in names]]
        blank = [Signature()] * max(0, LEGS - len(self.manifest.signatures))
        for number, signed in enumerate((*self.manifest.signatures, *blank), start=1):
            rows.append(self._handover(number, signed))
        widths = [22, 21, 32, 32, 32, 20, 23]
        table = Table(rows, colWidths=[width * mm for width in widths], rowHeights=[None] + [13 * mm] * (len(rows) - 1))
        table.setStyle(
            [
                ("GRID", (0, 0), (-1, -1), 0.4, LINE),
                ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
                ("LEFTPADDING", (0, 0), (-1, -1), 3),
                ("RIGHTPADDING", (0, 0), (-1, -1), 2),
            ]
        )
        total = Paragraph(count, ParagraphStyle("total", parent=self.cell, fontSize=11, leading=16))
        remarks = Paragraph(f"{t('Remarks')}: {_plain(self.manifest.remarks)}", self.cell)
        return [total, Spacer(1, 2 * mm), table, Spacer(1, 3 * mm), remarks]

    def _handover(self, number: int, signed: Signature) -> list[Any]:
        temp = "" if signed.box_temp_c is None else f"{signed.box_temp_c:.1f} °C"
        return [
            self._text(f"{number}  {signed.meaning}".strip()),
            self._text(local_short(signed.at, self.zone)),
            self._text(signed.place),
            self._text(signed.given_by),
            self._text(signed.taken_by),
            self._text(temp),
            self._text(signed.damage),
        ]

    def _text(self, text: str) -> Paragraph:
        chinese = any("\u4e00" <= character <= "\u9fff" for character in text)
        return Paragraph(_plain(text), self.cell if chinese else self.latin)


def _plain(text: str) -> str:
    """Keep what users typed from being read as markup."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
