"""Reading CSV and xlsx files of unknown origin into rows of cells. Pure: bytes in, values out."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from logistics.errors import Invalid
from logistics.imports.cells import Limits, Row, Table, checked_row, quoted_text
from logistics.imports.xlsx import read_xlsx

ENCODINGS = ("utf-8", "gb18030")
SEPARATORS = (",", ";", "\t", "|")


def read_table(data: bytes, filename: str, *, encoding: str | None = None, limits: Limits | None = None) -> Table:
    """Read ``data``, a CSV (UTF-8, UTF-16 with BOM, GB18030) or xlsx file; the content decides, not the name.

    Raises Invalid ``import_empty``, ``import_too_large``, ``import_too_many_rows``, ``import_too_many_columns``,
    ``import_cell_too_long``, ``import_encoding``, ``import_old_excel``, ``import_not_a_table``,
    ``import_unsafe_archive``.
    """
    limits = limits or Limits()
    if len(data) > limits.max_bytes:
        raise Invalid("import_too_large", field="file", limit_mb=limits.max_bytes // 2**20)
    if not data.strip():
        raise Invalid("import_empty", field="file")
    if data.startswith(b"PK"):
        return read_xlsx(data, limits)
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        raise Invalid("import_old_excel", field="file", filename=filename[:80])
    if data[:512].lstrip().lower().startswith((b"<html", b"<!doctype", b"<table", b"<?xml", b"%pdf", b"{\\rtf")):
        raise Invalid("import_not_a_table", field="file", filename=filename[:80])
    return _read_csv(data, encoding, limits)


def decode(data: bytes, encoding: str | None = None) -> tuple[str, str]:
    """The text of a file and the encoding it was in. Raises Invalid ``import_encoding``."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        tries: tuple[str, ...] = ("utf-16",)
    elif data.startswith(b"\xef\xbb\xbf"):
        tries = ("utf-8-sig",)
    else:
        tries = (encoding,) if encoding else ENCODINGS
    for name in tries:
        try:
            text = data.decode(name)
        except (UnicodeDecodeError, LookupError):
            continue
        if "\x00" not in text:
            return text, name
    raise Invalid("import_encoding", field="file", tried=", ".join(tries))


def separator_of(text: str) -> str:
    """The separator that divides the first lines most evenly; a ``sep=;`` line, as Excel writes it, decides."""
    first = text.lstrip("\ufeff\r\n ").split("\n", 1)[0].strip()
    if first.lower().startswith("sep=") and len(first) == 5:
        return first[4]
    sample = text[:20_000]
    best, best_score = ",", 0.0
    for separator in SEPARATORS:
        widths = [len(row) for row, _ in zip(_parse(sample, separator), range(30), strict=False) if any(row)]
        if not widths:
            continue
        usual = max(set(widths), key=widths.count)
        if usual > 1:
            score = usual * widths.count(usual) / len(widths)
            if score > best_score:
                best, best_score = separator, score
    return best


def _parse(text: str, separator: str) -> Iterator[list[str]]:
    return csv.reader(io.StringIO(text, newline=""), delimiter=separator)


def _cell(text: str) -> str | None:
    quoted = quoted_text(text)
    return (text if quoted is None else quoted) or None


def _read_csv(data: bytes, encoding: str | None, limits: Limits) -> Table:
    text, used = decode(data, encoding)
    separator = separator_of(text)
    rows: list[Row] = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    ended = 0
    csv.field_size_limit(max(csv.field_size_limit(), limits.max_cell_characters * 4))
    try:
        for cells in reader:
            line, ended = ended + 1, reader.line_num
            if line == 1 and len(cells) <= 2 and cells and cells[0].lower().startswith("sep="):
                continue
            if any(cell.strip() for cell in cells):
                rows.append(checked_row(Row(line, tuple(map(_cell, cells))), len(rows), limits))
    except csv.Error:
        raise Invalid("import_not_a_table", field="file", filename="") from None
    if not rows:
        raise Invalid("import_empty", field="file")
    return Table(tuple(rows), encoding=used, separator=separator)
