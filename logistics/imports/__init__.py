"""Reading files from laboratory systems: bytes in, typed rows and errors out. Pure: no database, no clock.

    table = read_table(data, "orders.xlsx")
    preview = parse(table, "orders", {"我院条码": "accession"})

Names are masked while they are read; columns with other personal data are not read at all.
"""

from logistics.imports.cells import Limits, Row, Table
from logistics.imports.errors import RowError
from logistics.imports.fields import Kind, fields_of
from logistics.imports.preview import Duplicate, Preview, parse
from logistics.imports.reading import read_table
from logistics.imports.rows import AnyRow, OrderRow, SiteRow, TestRow, UserRow

__all__ = [
    "AnyRow", "Duplicate", "Kind", "Limits", "OrderRow", "Preview", "Row", "RowError", "SiteRow", "Table",
    "TestRow", "UserRow", "fields_of", "parse", "read_table",
]  # fmt: skip
