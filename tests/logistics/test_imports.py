"""Reading files as laboratory systems write them: encodings, headings, dates, spoilt numbers, limits, privacy."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from openpyxl import Workbook

from logistics.errors import Invalid
from logistics.imports import Kind, Limits, OrderRow, SiteRow, TestRow, UserRow, parse, read_table
from logistics.imports.dates import Moment, read_moment, to_utc
from logistics.imports.errors import CellError
from logistics.imports.reading import separator_of
from logistics.imports.text import clean, identifier, items, key, mask_name
from logistics.imports.values import age, code, hours, minutes, priority, sex

DATA = Path(__file__).parents[1] / "data" / "imports"
AT = datetime(2026, 3, 2, 0, 5, tzinfo=UTC)


def xlsx(rows: list[list[Any]], *, title: str = "Sheet1") -> bytes:
    book = Workbook()
    assert book.active is not None
    book.active.title = title
    for row in rows:
        book.active.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def orders(text: str, **more: Any) -> Any:
    return parse(read_table(text.encode(), "orders.csv"), Kind.ORDERS, **more)


# --- text -------------------------------------------------------------------------------------------------------


@given(st.text())
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    """``clean`` is idempotent and leaves no blank at the ends."""
    once = clean(text)
    assert clean(once) == once
    assert once == once.strip()


@given(st.text(alphabet=st.characters(min_codepoint=0x21, max_codepoint=0x7E)))
def test_full_width_is_read_as_half_width(text: str) -> None:
    """What was typed with a Chinese input method in full width is the same number."""
    wide = "".join(chr(ord(character) + 0xFEE0) for character in text)
    assert clean(wide) == text
    assert identifier(wide) == identifier(text)


@given(st.text(alphabet="血常规肝功能糖化Ⅷ¹⁹①㎡"))
def test_chinese_and_raised_digits_stay(text: str) -> None:
    """Full NFKC would make 109 of 10⁹; only widths and blanks may change."""
    assert clean(text) == text


def test_control_characters_are_dropped() -> None:
    """A cell must not steer a terminal, turn text round or carry a NUL into the database."""
    assert clean("a\x1b[31mb\x00\u202ec\td") == "a[31mbc d"


def test_names_compare_without_marks_and_width() -> None:
    """Headings and names match whatever marks stand around them."""
    assert key("送检单位：") == key(" 送检单位* ") == key("送检　单位")
    assert key("TSH（定量）") == key("tsh(定量)")


@pytest.mark.parametrize(
    ("cell", "parts"),
    [
        ("血常规、糖化血红蛋白", ("血常规", "糖化血红蛋白")),
        ("血常规,肝功能；肾功能|血脂", ("血常规", "肝功能", "肾功能", "血脂")),
        ("血常规，血常规", ("血常规",)),
        ("粪便常规+隐血", ("粪便常规+隐血",)),
        (" ", ()),
    ],
)
def test_several_tests_in_one_cell(cell: str, parts: tuple[str, ...]) -> None:
    """All marks that laboratory systems use divide; a plus sign is left to who knows the tests."""
    assert items(cell) == parts


@pytest.mark.parametrize(
    ("name", "masked"),
    [
        ("张三", "张*"),
        ("张三丰", "张**"),
        ("欧阳修文", "欧***"),
        ("John Smith", "J*** S****"),
        ("张**", "张**"),
        ("李", "*"),
        ("", ""),
    ],
)
def test_names_are_masked(name: str, masked: str) -> None:
    """The first letter stays; what is masked already is left alone."""
    assert mask_name(name) == masked


@given(st.text(alphabet=st.characters(categories=("Lo", "Lu", "Ll")), min_size=2, max_size=12))
def test_a_masked_name_keeps_one_letter(name: str) -> None:
    """Never more than the first letter of a word survives."""
    masked = mask_name(name)
    assert masked.count("*") >= len(clean(name)) - 1
    assert mask_name(masked) == masked


# --- dates ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "written",
    [
        "2026年3月2日 8时5分", "2026年03月02日08时05分00秒", "2026/3/2 8:05", "2026-03-02 08:05:00", "2026.3.2 8:05",
        "20260302 0805", "202603020805", "20260302080500", "2026-03-02T08:05:00", "2026-03-02T00:05:00Z",
        "2026-03-02T08:05:00+08:00", "2026年3月2日 上午8:05", "２０２６年３月２日　８：０５", "2026/3/2 星期一 8:05", "2026-03-02 8点5分",  # noqa: E501
        "2026-03-02 08:05:00.000", "20260302 08:05", 46083.33680555556, "46083.336806", 202603020805,
        datetime(2026, 3, 2, 8, 5),  # noqa: DTZ001  # as openpyxl gives it
    ],
)  # fmt: skip
def test_dates_as_laboratories_write_them(written: Any) -> None:
    """Each of these is 08:05 in Xianning, 00:05 UTC."""
    moment = read_moment(written)
    assert moment is not None
    assert to_utc(moment) == AT


@pytest.mark.parametrize(
    ("written", "hour"),
    [
        ("2026-3-2 下午2:30", 14),
        ("2026-3-2 2:30 PM", 14),
        ("2026-3-2 凌晨12:30", 0),
        ("2026-3-2 14点半", 14),
        ("2026-3-2 中午12:30", 12),
    ],
)
def test_halves_of_the_day(written: str, hour: int) -> None:
    """上午, 下午, 半 and PM are understood."""
    moment = read_moment(written)
    assert moment is not None
    assert moment.clock == time(hour, 30)


@pytest.mark.parametrize(
    ("written", "wrong"),
    [
        ("2/3/2026 8:05", "date_ambiguous"), ("26/3/2 8:05", "date_ambiguous"), ("2026-13-02 8:05", "date_unreadable"),
        ("2026-02-30 8:05", "date_unreadable"), ("昨天上午", "date_unreadable"), ("2026-03-02 25:05", "date_unreadable"),  # noqa: E501
        ("1926-03-02 08:05", "date_out_of_range"), (12.5, "date_unreadable"), (True, "date_unreadable"),
    ],
)  # fmt: skip
def test_doubtful_dates_are_refused(written: Any, wrong: str) -> None:
    """Rather an error than a day that was not meant."""
    with pytest.raises(CellError) as caught:
        read_moment(written)
    assert caught.value.code == wrong


def test_a_day_alone_is_no_collection_time() -> None:
    """Stability is counted from the minute of collection."""
    with pytest.raises(CellError) as caught:
        to_utc(Moment(date(2026, 3, 2), None))
    assert caught.value.code == "time_of_day_missing"


STYLES = (
    "{:%Y-%m-%d %H:%M}",
    "{:%Y/%m/%d %H:%M}",
    "{:%Y年%m月%d日 %H时%M分}",
    "{:%Y%m%d %H%M}",
    "{:%Y%m%d%H%M%S}",
    "{:%Y.%m.%d %H:%M:%S}",
)


@given(
    st.datetimes(datetime(2000, 1, 2), datetime(2099, 12, 30)),  # noqa: DTZ001  # local wall times
    st.sampled_from(STYLES),
)
def test_every_minute_survives_every_style(at: datetime, style: str) -> None:
    """Written in any style and read again it is the same minute; Excel's serial number as well."""
    at = at.replace(second=0, microsecond=0)
    moment = read_moment(style.format(at))
    assert moment == Moment(at.date(), at.time())
    serial = (at - datetime(1899, 12, 30)) / timedelta(days=1)  # noqa: DTZ001
    assume(serial % 1)
    assert read_moment(serial) == moment


@given(st.text(max_size=30))
def test_no_text_breaks_the_reader(text: str) -> None:
    """Whatever stands in the cell: a moment, nothing, or an error with a code."""
    wrong = ""
    try:
        found = read_moment(text)
    except CellError as error:
        found, wrong = None, error.code
    assert found is None or isinstance(found, Moment)
    assert not wrong or wrong.startswith("date_")


# --- values -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "read"),
    [
        (261122000471.0, "261122000471"),
        (261122000471, "261122000471"),
        ("'0012345", "0012345"),
        ("２６１１ ２２", "261122"),
        (None, ""),
    ],
)
def test_barcodes_as_excel_hands_them_over(cell: Any, read: str) -> None:
    """Leading zeros stay, '.0', apostrophes and blanks go."""
    assert code(cell) == read


@pytest.mark.parametrize(
    ("cell", "wrong"),
    [
        ("2.61122E+11", "code_digits_lost"), (1234567890123456789, "code_digits_lost"), (12.5, "code_is_not_text"),
        (datetime(2026, 3, 2), "code_is_not_text"), ("标本一", "code_unprintable"), ("1" * 41, "code_too_long"),  # noqa: DTZ001
    ],
)  # fmt: skip
def test_spoilt_barcodes_are_refused(cell: Any, wrong: str) -> None:
    """A barcode that Excel has rounded must not become another tube's."""
    with pytest.raises(CellError) as caught:
        code(cell)
    assert caught.value.code == wrong


def test_words_become_codes() -> None:
    """Priority, sex, age, hours and times of day in the words of the field."""
    assert [priority(w) for w in ("", "普通", "急诊", "是", "特急", "STAT")] == [
        "routine",
        "routine",
        "urgent",
        "urgent",
        "stat",
        "stat",
    ]
    assert [sex(w) for w in ("男", "女性", 1, 2, "未知", "F")] == ["M", "F", "M", "F", "", "F"]
    assert [age(w) for w in (45.0, "45岁", "3 月", "1岁2个月")] == ["45", "45岁", "3月", "1岁2个月"]
    assert [hours(w) for w in ("24", "4小时", "3天")] == [24.0, 4.0, 72.0]
    assert minutes("08:30") == minutes(time(8, 30)) == minutes("8点半") == 510


# --- files ------------------------------------------------------------------------------------------------------

SMALL = "条码号,送检单位,检验项目\n261122001,石城镇卫生院,血常规\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_csv_in_every_encoding_and_separator(encoding: str, separator: str) -> None:
    """Excel in China saves GB18030 or UTF-16 with tabs, others UTF-8 with or without a mark."""
    table = read_table(SMALL.replace(",", separator).encode(encoding), "a.csv")
    row = parse(table, "orders").rows[0]
    assert isinstance(row, OrderRow)
    assert (row.accession, row.site, row.tests) == ("261122001", "石城镇卫生院", ("血常规",))


def test_excels_separator_line_is_understood() -> None:
    """``sep=;`` in the first line is an instruction, not a row."""
    table = read_table(("sep=;\n" + SMALL.replace(",", ";")).encode(), "a.csv")
    assert parse(table, "orders").header_line == 2


def test_commas_inside_quotes_do_not_divide() -> None:
    """A quoted list with commas is one cell, a quoted line end does not shift line numbers."""
    text = '条码号,检验项目,备注\n1001,"血常规,糖化","一\n二"\n1002,,\n'
    found = orders(text)
    assert found.rows[0].tests == ("血常规", "糖化")
    assert [(error.line, error.code) for error in found.errors] == [(4, "value_missing")]


def test_a_real_looking_export(tmp_path: Path) -> None:
    """A title, remarks in headings, full-width digits, Excel dates, two rows of one tube, dropped columns."""
    found = parse(read_table((DATA / "orders_gb18030.csv").read_bytes(), "x.csv"), "orders")
    assert found.personal == ("身份证号", "联系电话")
    assert found.unmapped == ("序号", "备注")
    assert not found.errors
    first, second = found.rows
    assert isinstance(first, OrderRow)
    assert first.accession == "261122001"
    assert first.tests == ("血常规", "糖化血红蛋白", "白细胞分类计数")
    assert first.lines == (3, 4)
    assert (first.patient_ref, first.sex, first.age, first.priority) == ("张**", "M", "45岁", "urgent")
    assert first.collected_at == AT
    assert isinstance(second, OrderRow)
    assert second.collected_at == AT + timedelta(minutes=25)
    assert [(d.line, d.first_line) for d in found.duplicates] == [(6, 5)]


def test_no_full_name_or_identity_number_survives() -> None:
    """Nothing in the preview, errors included, holds a full name or a column we do not need."""
    found = parse(read_table((DATA / "orders_gb18030.csv").read_bytes(), "x.csv"), "orders")
    said = repr(found)
    for secret in ("张三丰", "李小四", "422323", "1380715"):
        assert secret not in said
    formula = parse(
        read_table(xlsx([["条码号", "检验项目", "姓名"], ["1", "血常规", '=A1&"李四"']]), "a.xlsx"), "orders"
    )
    assert [(error.field, error.code, error.value) for error in formula.errors] == [("patient_ref", "formula", "")]


def test_xlsx_with_dates_numbers_and_an_empty_first_sheet() -> None:
    """Numbers as numbers and dates as dates, in the first sheet that holds something; lines as Excel counts them."""
    rows = [
        ["送检登记表"], [], ["条码号", "检验项目", "采集时间", "急诊"],
        [261122000471, "血常规", datetime(2026, 3, 2, 8, 5), "急"],  # noqa: DTZ001
        [None, None, None, None], [261122000472, "=B4", None, None],
    ]  # fmt: skip
    found = parse(read_table(xlsx(rows), "a.xlsx"), Kind.ORDERS)
    row = found.rows[0]
    assert isinstance(row, OrderRow)
    assert (row.line, row.accession, row.collected_at, row.priority) == (4, "261122000471", AT, "urgent")
    assert [(error.line, error.column, error.code) for error in found.errors] == [(6, "检验项目", "formula")]


def test_day_and_time_in_two_columns() -> None:
    """采集日期 and 采集时间 make one instant."""
    found = orders("条码号,检验项目,采集日期,采集时间\n1001,血常规,2026-3-2,8:05\n1002,血常规,2026-3-2,\n")
    assert found.rows[0].collected_at == AT
    assert [(error.line, error.code) for error in found.errors] == [(3, "time_of_day_missing")]


def test_an_explicit_mapping_decides() -> None:
    """A heading nobody knows, a recognised one overridden, a column left out."""
    text = "我院条码,条码号,检验项目,姓名\nA1,B1,血常规,张三\n"
    assert orders(text).rows[0].accession == "B1"
    mapped = orders(text, mapping={"我院条码": "accession", "姓名": ""})
    assert mapped.rows[0].accession == "A1"
    assert mapped.rows[0].patient_ref == ""
    for wrong, expected in (
        ({"我院条码": "nonsense"}, "import_mapping_field"),
        ({"没有": "tests"}, "import_mapping_column"),
    ):
        with pytest.raises(Invalid) as caught:
            orders(text, mapping=wrong)
        assert caught.value.code == expected


def test_contradicting_rows_are_named() -> None:
    """Two rows of one tube that disagree: the second is an error that names the first."""
    found = orders("条码号,检验项目,优先级\n1001,血常规,普通\n1001,糖化,急诊\n")
    assert [(e.line, e.column, e.code, e.params) for e in found.errors] == [
        (3, "优先级", "contradicts_line", {"other": 2})
    ]


def test_a_missing_column_and_a_tube_without_any_number() -> None:
    """What is missing is said once for the column, and for each row that cannot be told apart."""
    found = orders("条码号,送检单位\n1001,甲\n")
    assert [(e.field, e.code) for e in found.errors] == [("tests", "column_missing")]
    found = orders("条码号,检验项目\n,血常规\n")
    assert [(e.line, e.code) for e in found.errors] == [(2, "accession_or_order_missing")]


def test_sites_tests_and_users() -> None:
    """The other kinds, with their words for level, temperature and role."""
    sites = parse(
        read_table(
            "机构编码,机构名称,级别,上级机构,纬度,经度,上班时间\nT1,甲镇卫生院,乡镇卫生院,H1,29.5,114.0,8:00\n".encode(),
            "s",
        ),
        "sites",
    )
    row = sites.rows[0]
    assert isinstance(row, SiteRow)
    assert (row.tier, row.parent, row.lat, row.opens_min) == ("township", "H1", 29.5, 480)
    tests = parse(
        read_table(
            "项目编码,项目名称,标本类型,运输温度,报告时限,检测单位\nX1,某项,血清,冷藏,2天,甲、乙\n".encode(), "t"
        ),
        "tests",
    )
    test = tests.rows[0]
    assert isinstance(test, TestRow)
    assert (test.temp_class, test.turnaround_h, test.performing) == ("cold_2_8", 48.0, ("甲", "乙"))
    users = parse(read_table("用户名,姓名,角色,所属机构\nlihs,李护士,采样员,甲镇\nx,王,皇帝,\n".encode(), "u"), "users")
    user = users.rows[0]
    assert isinstance(user, UserRow)
    assert (user.username, user.role) == ("lihs", "collector")
    assert [(e.line, e.code) for e in users.errors] == [(3, "role_word")]


# --- limits and hostile files -----------------------------------------------------------------------------------


def archive(parts: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in parts.items():
            packed.writestr(name, content)
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "wrong"),
    [
        (b"", "import_empty"), (b"\r\n  \n", "import_empty"), (b",,,\n,,\n", "import_empty"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1xxxx", "import_old_excel"),
        (b"<html><table><tr><td>x</td></tr></table></html>", "import_not_a_table"), (b"%PDF-1.7 x", "import_not_a_table"),  # noqa: E501
        (b"PK\x03\x04 broken", "import_not_a_table"), (b"\x81\xff\xff\x00\x00", "import_encoding"),
        (archive({"readme.txt": b"x"}), "import_not_a_table"),
        (archive({"[Content_Types].xml": b"<x/>"}), "import_not_a_table"),
        (archive({"[Content_Types].xml": b"<!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>"}), "import_unsafe_archive"),
        (archive({"[Content_Types].xml": b"<x/>", "xl/a.xml": b" " * 50_000_000}), "import_unsafe_archive"),
    ],
)  # fmt: skip
def test_what_is_not_a_table_is_refused(data: bytes, wrong: str) -> None:
    """Each has its own code; a bomb is refused before it is unpacked."""
    with pytest.raises(Invalid) as caught:
        read_table(data, "file.xlsx")
    assert caught.value.code == wrong


@pytest.mark.parametrize(
    ("limits", "wrong"),
    [
        (Limits(max_bytes=10), "import_too_large"), (Limits(max_rows=1), "import_too_many_rows"),
        (Limits(max_columns=2), "import_too_many_columns"), (Limits(max_cell_characters=3), "import_cell_too_long"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("as_xlsx", [False, True])
def test_limits_hold(limits: Limits, wrong: str, as_xlsx: bool) -> None:
    """The same limits for CSV and xlsx."""
    rows: list[list[Any]] = [["条码号", "送检单位", "检验项目"], ["1001", "甲乙丙丁", "血常规"]]
    data = xlsx(rows) if as_xlsx else SMALL.encode()
    with pytest.raises(Invalid) as caught:
        read_table(data, "a", limits=limits)
    assert caught.value.code == wrong


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    """Any bytes give a table or a refusal with a code."""
    code_given = "import_"
    try:
        read_table(data, "x")
    except Invalid as error:
        code_given = error.code
    assert code_given.startswith("import_")


def test_separator_is_found_by_evenness() -> None:
    """A semicolon in one remark does not beat the commas of every line."""
    assert separator_of("a,b,c\n1,x;y,3\n4,5,6\n") == ","
    assert separator_of("a|b\n1|2\n") == "|"
