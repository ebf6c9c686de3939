"""Uploaded matrices: CSV and JSON give the same table; every mistake is named with its row and field."""

from __future__ import annotations

import pytest

from routing.travel import TravelError, read_matrix

GOOD = "from,to,travel_s,distance_m\nA,B,60,1000\nB,A,70,1100\n"
JSON = b'{"site_ids": ["A", "B"], "travel_s": [[0, 60], [70, 0]], "distance_m": [[0, 1000], [1100, 0]]}'


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (GOOD.encode(), "m.csv"),
        (b"\xef\xbb\xbf" + GOOD.replace(",", ";").replace("\n", "\r\n").encode(), "M.CSV"),
        (GOOD.encode() + b"A,A,0,0\n\n", ""),
        (JSON, "m.json"),
        (JSON, ""),
    ],
)
def test_both_forms_are_read(data: bytes, name: str) -> None:
    """With a byte order mark, semicolons, an empty line or the diagonal, too."""
    table = read_matrix(data, name)
    assert table.site_ids == ("A", "B")
    assert table.travel_s == ((0, 60), (70, 0))
    assert table.distance_m == ((0, 1000), (1100, 0))


@pytest.mark.parametrize(
    ("data", "code", "params"),
    [
        (b"from,to,travel_s\n", "matrix_missing_column", {"row": 1, "field": "distance_m"}),
        (GOOD + "A,,5,5\n", "matrix_empty_id", {"row": 4, "field": "to"}),
        (GOOD + "A,C,5.5,5\n", "matrix_bad_number", {"row": 4, "field": "travel_s", "value": "5.5"}),
        (GOOD + "A,C,5,-5\n", "matrix_bad_number", {"row": 4, "field": "distance_m", "value": "-5"}),
        (GOOD + "A,C,5\n", "matrix_bad_number", {"row": 4, "field": "distance_m", "value": ""}),
        (GOOD + "A,C,172801,5\n", "matrix_out_of_range", {"row": 4, "field": "travel_s", "max": 172_800}),
        (GOOD + "A,B,60,1000\n", "matrix_duplicate_pair", {"row": 4, "first": 2}),
        (GOOD + "A,A,1,0\n", "matrix_not_zero", {"row": 4, "field": "travel_s"}),
        (GOOD + "A,C,1,1\n", "matrix_missing_pair", {"origin": "B", "to": "C", "count": 3}),
        (b"from,to,travel_s,distance_m\n", "matrix_empty", {}),
        (b"\xff\xfe", "matrix_not_text", {"byte": 0}),
        (b"{", "matrix_not_json", {}),
        (b'{"site_ids": ["A"], "travel_s": [[0]]}', "matrix_missing_column", {"field": "distance_m"}),
        (JSON.replace(b'"B"', b'"A"'), "matrix_duplicate_site", {"row": 1, "first": 0}),
        (JSON.replace(b"[70, 0]", b"[70]"), "matrix_wrong_shape", {"row": 1, "field": "travel_s", "columns": 1}),
        (JSON.replace(b"1000", b"true"), "matrix_bad_number", {"row": 0, "field": "distance_m", "column": 1}),
        (JSON.replace(b"1000", b"99999999"), "matrix_out_of_range", {"row": 0, "field": "distance_m", "column": 1}),
        (JSON.replace(b"[[0, 60]", b"[[3, 60]"), "matrix_not_zero", {"row": 0, "field": "travel_s"}),
    ],
)
def test_a_mistake_is_named(data: bytes | str, code: str, params: dict[str, object]) -> None:
    """The code, and where: a row of the file (JSON: index) and a field."""
    with pytest.raises(TravelError) as caught:
        read_matrix(data.encode() if isinstance(data, str) else data)
    assert caught.value.code == code
    assert params.items() <= caught.value.params.items()
