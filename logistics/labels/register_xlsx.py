"""The transport register as a workbook: real dates and numbers, heads in both languages, safe against formulas."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

import xlsxwriter

from logistics.exports import safe_text
from logistics.labels.register import (
    SHEET_HEADS,
    TITLE,
    RegisterHead,
    RegisterLine,
    Words,
    both,
    covered,
    types_and_counts,
)
from logistics.labels.texts import LOCAL_ZONE, local_minute

HEAD_ROW = 3
FROZEN_COLUMNS = 2
WIDTHS = (
    11, 16, 10, 18, 12, 20, 16, 20, 16, 34, 8, 8, 8, 8, 8, 8, 8, 10, 10, 10, 10, 12, 16, 12, 12, 12, 12, 16, 12, 44, 44,
)  # fmt: skip
Cell = str | int | float | datetime | None


def register_xlsx(
    out: BinaryIO, head: RegisterHead, lines: Iterable[RegisterLine], words: Words, *, zone: ZoneInfo = LOCAL_ZONE
) -> int:
    """Write the register to ``out``, row by row in constant memory. Returns how many consignments it holds."""
    options = {
        "constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False,
        "nan_inf_to_errors": True,
    }  # fmt: skip
    with xlsxwriter.Workbook(out, options) as book:
        book.set_properties({"title": both(words, TITLE), "author": head.printed_by, "company": "Labrelay"})
        sheet = book.add_worksheet(words[TITLE][0][:31] or "Register")
        styles = _styles(book)
        _head(sheet, head, words, styles, zone)
        count = 0
        for count, line in enumerate(lines, start=1):
            for column, value in enumerate(cells(line, zone)):
                _write(sheet, HEAD_ROW + count, column, value, styles)
    return count


def cells(line: RegisterLine, zone: ZoneInfo = LOCAL_ZONE) -> list[Cell]:
    """One row; times are local and naive, as spreadsheets have them."""

    def local(at: datetime | None) -> datetime | None:
        return at.astimezone(zone).replace(tzinfo=None, microsecond=0) if at is not None else None

    departed = line.departed_at.astimezone(zone).replace(tzinfo=None, hour=0, minute=0, second=0, microsecond=0)
    return [
        departed, line.number, line.box, line.temp_class, line.seal, line.origin, local(line.departed_at),
        line.destination, local(line.arrived_at), types_and_counts(line), line.tube_count, line.item_count,
        line.damaged, line.leaked, line.missing, line.unexpected, line.left_behind, line.depart_temp_c,
        line.arrive_temp_c, line.min_c, line.max_c, line.given.name, local(line.given.at), line.given.meaning,
        line.courier.name, line.courier_at_end.name, line.received.name, local(line.received.at), line.received.meaning,
        "\n".join(line.events), "\n".join(line.actions),
    ]  # fmt: skip


def _styles(book: Any) -> dict[str, Any]:
    top = {"valign": "top"}
    return {
        "title": book.add_format({"bold": True, "font_size": 15}),
        "head": book.add_format(
            {"bold": True, "text_wrap": True, "valign": "vcenter", "bg_color": "#EDEDED", "border": 1}
        ),
        "text": book.add_format({**top, "text_wrap": True}),
        "day": book.add_format({**top, "num_format": "yyyy-mm-dd"}),
        "instant": book.add_format({**top, "num_format": "yyyy-mm-dd hh:mm"}),
        "whole": book.add_format({**top, "num_format": "0"}),
        "temp": book.add_format({**top, "num_format": "0.0"}),
    }


def _head(sheet: Any, head: RegisterHead, words: Words, styles: dict[str, Any], zone: ZoneInfo) -> None:
    sheet.freeze_panes(HEAD_ROW + 1, FROZEN_COLUMNS)
    sheet.set_landscape()
    sheet.set_paper(9)  # A4
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(HEAD_ROW)
    sheet.set_margins(left=0.3, right=0.3, top=0.5, bottom=0.6)
    sheet.set_footer("&L&8&F&R&8&P / &N")
    sheet.set_row(HEAD_ROW, 46)
    for column, width in enumerate(WIDTHS):
        sheet.set_column(column, column, width)
    sheet.write_string(0, 0, both(words, TITLE), styles["title"])
    sheet.write_string(1, 0, safe_text(covered(head, words)))
    printed = f"{both(words, 'Printed on and by')} {local_minute(head.printed_at, zone)}  {head.printed_by}"
    sheet.write_string(2, 0, safe_text(printed))
    for column, text in enumerate(SHEET_HEADS):
        sheet.write_string(HEAD_ROW, column, both(words, text, between="\n"), styles["head"])


def _write(sheet: Any, row: int, column: int, value: Cell, styles: dict[str, Any]) -> None:
    if value is None or value == "":
        return
    if isinstance(value, str):
        sheet.write_string(row, column, safe_text(value), styles["text"])
    elif isinstance(value, datetime):
        sheet.write_datetime(row, column, value, styles["day" if column == 0 else "instant"])
    else:
        sheet.write_number(row, column, value, styles["whole" if isinstance(value, int) else "temp"])
