"""Tables as files: what a spreadsheet would run is defused, memory stays constant, Excel reads them."""

from __future__ import annotations

import csv
import io
import tracemalloc
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook

from logistics import exports
from logistics.exports import Cell, csv_rows, safe_text, xlsx_rows

AT = datetime(2026, 3, 9, 1, 5, tzinfo=UTC)


def read_csv(pieces: Iterator[bytes]) -> list[list[str]]:
    return list(csv.reader(io.StringIO(b"".join(pieces).decode("utf-8-sig"))))


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "＋1", "－1", "＠A", "﹢1", "﹣1", "﹫A", "−1",
     "⁼1", "  =1", "\u200b=1", "\ufeff=1", "\x00=1", "\u3000＝1"],
)  # fmt: skip
def test_what_a_spreadsheet_would_run_is_defused(text: str) -> None:
    """Every known sign, its full-width and small forms, also behind blanks and invisible characters."""
    assert safe_text(text).startswith("'")
    assert read_csv(csv_rows(["a"], [[text]]))[1][0].startswith("'")


@pytest.mark.parametrize("text", ["", "LIS2611220047", "张**", "a=b", "2-8 ℃", "'quoted", "–", "…"])
def test_plain_texts_stay(text: str) -> None:
    """What nothing would run is written as it is."""
    assert safe_text(text) == text


@given(st.text(max_size=40))
def test_any_text(text: str) -> None:
    """No text at all comes out with a formula sign in front, and every one can be written."""
    row = read_csv(csv_rows(["a"], [[text, "end"]]))[1]
    assert row[-1] == "end"
    assert row[0].lstrip()[:1] not in {"=", "+", "-", "@", "＝", "＋", "－", "＠"}


def test_types() -> None:
    """Numbers stay numbers (negative ones too), instants become local time, Chinese survives Excel's reading of CSV."""
    row: list[Cell] = ["标本", -4.5, 7, None, AT, date(2026, 3, 9), True]
    raw = b"".join(csv_rows(["编号", "b", "c", "d", "e", "f", "g"], [row]))
    assert raw.startswith(b"\xef\xbb\xbf")
    assert read_csv(iter([raw]))[1] == ["标本", "-4.5", "7", "", "2026-03-09 09:05", "2026-03-09", "True"]
    book = load_workbook(io.BytesIO(b"".join(xlsx_rows(["编号", "b", "c", "d", "e", "f", "g"], [row], sheet="a/b"))))
    cells = [cell.value for cell in next(book.worksheets[0].iter_rows(min_row=2))]
    assert cells == ["标本", -4.5, 7, None, datetime(2026, 3, 9, 9, 5), datetime(2026, 3, 9), True]  # noqa: DTZ001
    with pytest.raises(ValueError, match="zone"):
        list(csv_rows(["a"], [[AT.replace(tzinfo=None)]]))


def test_workbook_runs_nothing() -> None:
    """A text in a workbook is a text cell, never a formula or a link, whatever it begins with."""
    texts = ["=1+1", '=HYPERLINK("http://x")', "http://example.org", "0012", "{=1}"]
    book = load_workbook(io.BytesIO(b"".join(xlsx_rows(["a"], [[one] for one in texts]))))
    cells = [row[0] for row in book.worksheets[0].iter_rows(min_row=2)]
    assert [cell.data_type for cell in cells] == ["s"] * len(texts)
    assert [cell.value for cell in cells] == ["'=1+1", '\'=HYPERLINK("http://x")', "http://example.org", "0012", "{=1}"]
    assert all(cell.hyperlink is None for cell in cells)


def test_long_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """More rows than a sheet holds go on in the next sheet, and the full one says where; a long text is cut."""
    monkeypatch.setattr(exports, "SHEET_ROWS", 5)
    for count in range(9):
        written = b"".join(xlsx_rows(["n"], [[n] for n in range(count)], sheet="a"))
        book = [[row[0].value for row in sheet.iter_rows()] for sheet in load_workbook(io.BytesIO(written))]
        assert [n for sheet in book for n in sheet if isinstance(n, int)] == list(range(count))
        assert len(book) == exports.sheets(count)
    assert book == [["n", 0, 1, 2, "→ a 2"], ["n", 3, 4, 5, "→ a 3"], ["n", 6, 7]]
    assert len(safe_text("=" * 40_000)) == exports.CELL_CHARACTERS


@pytest.mark.parametrize("write", [csv_rows, xlsx_rows])
def test_memory_is_constant(write: object) -> None:
    """8,000 rows take no more memory than 1,000: nothing is gathered."""

    def peak(rows: int) -> int:
        table: Iterator[Sequence[Cell]] = ([f"LIS26112200{n}", "样本" * 20, n] for n in range(rows))
        tracemalloc.start()
        for _ in write(["a", "b", "c"], table):  # type: ignore[operator]
            pass
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top

    assert peak(8_000) < peak(1_000) * 2 + 300_000
