"""Which label stocks there are, and what each site prints a kind of label on.

setting = label_stocks.setting(session, "TOWN", SPECIMEN)       # stock, symbology, output
label_stocks.add(session, stock, by="admin", now=clock.now())
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.errors import Conflict, Invalid, NotFound
from logistics.labels import zpl
from logistics.labels.sizes import (
    BOX,
    CODE128,
    CONSIGNMENT,
    KINDS,
    QR,
    ROLL,
    SPECIMEN,
    STOCKS,
    SYMBOLOGIES,
    ZEBRA_DPI,
    Stock,
    check,
    stock,
)
from logistics.models import LabelStock, PrintSetting

PDF = "pdf"
OUTPUTS = (PDF, *zpl.MODES)
DEFAULTS: Mapping[str, tuple[str, str]] = {
    SPECIMEN: ("roll_50x30", CODE128), BOX: ("roll_100x150", QR), CONSIGNMENT: ("roll_60x40", QR),
}  # fmt: skip
CODE = re.compile(r"[a-z0-9][a-z0-9_]{2,31}")
_COPIED = tuple(field.name for field in fields(Stock) if field.name not in {"name", "name_zh", "name_en"})


@dataclass(frozen=True, slots=True)
class Setting:
    """What a label is printed on. ``output``: pdf, zpl or zpl_graphic."""

    stock: Stock
    symbology: str
    output: str


def known(session: Session) -> dict[str, Stock]:
    """Every stock that may be chosen: those of the catalogue and those that were added and not closed."""
    added = {row.code: _stock(row) for row in session.scalars(select(LabelStock).where(LabelStock.active))}
    return {**STOCKS, **added}


def added(session: Session) -> list[LabelStock]:
    return list(session.scalars(select(LabelStock).order_by(LabelStock.code)))


def _stock(row: LabelStock) -> Stock:
    return Stock(
        name=row.code, name_zh=row.name_zh, name_en=row.name_en, **{name: getattr(row, name) for name in _COPIED}
    )


def add(session: Session, one: Stock, *, by: str, now: datetime) -> LabelStock:
    """A new size.

    Raises Invalid (``label_stock_code``, ``field_missing``, those of ``sizes.check``) or Conflict ``code_taken``.
    """
    if not CODE.fullmatch(one.name):
        raise Invalid("label_stock_code", field="code", value=one.name[:40])
    if not one.name_zh.strip():
        raise Invalid("field_missing", field="name_zh")
    if one.name in STOCKS or session.get(LabelStock, one.name) is not None:
        raise Conflict("code_taken", field="code", value=one.name)
    check(one)
    row = LabelStock(
        code=one.name, name_zh=one.name_zh.strip()[:60], name_en=one.name_en.strip()[:60], created_at=now,
        created_by=by,
        **{name: getattr(one, name) for name in _COPIED},
    )  # fmt: skip
    session.add(row)
    session.flush()
    return row


def switch(session: Session, code: str, active: bool) -> None:
    """Close a size that was added, or open it again. Raises NotFound ``label_stock_unknown``."""
    row = session.get(LabelStock, code)
    if row is None:
        raise NotFound("label_stock_unknown", field="stock", value=code[:40], known="")
    row.active = active


def setting(session: Session, site: str | None, kind: str) -> Setting:
    """What the site chose for this kind of label, or the usual one. A size that was closed since is not used."""
    stocks = known(session)
    row = session.get(PrintSetting, (site, kind)) if site else None
    if row is not None and row.stock in stocks and stocks[row.stock].fits(kind):
        return Setting(stocks[row.stock], row.symbology, row.output)
    name, symbology = DEFAULTS[kind]
    return Setting(STOCKS[name], symbology, PDF)


def choose(
    session: Session, kind: str, *, stock_name: str, symbology: str, output: str, site: str | None = None
) -> Setting:
    """A choice that can be printed; empty parts are filled from the site's setting.

    Raises Invalid ``label_kind_unknown``, ``label_stock_unknown``, ``label_stock_small``, ``label_symbology_unknown``,
    ``label_output_unknown``, ``label_zpl_stock``.
    """
    if kind not in KINDS:
        raise Invalid("label_kind_unknown", field="kind", kind=kind[:20])
    usual = setting(session, site, kind)
    chosen = stock(stock_name, known(session)) if stock_name else usual.stock
    if not chosen.fits(kind):
        raise Invalid(
            "label_stock_too_small" if kind == BOX else "label_stock_small", field="stock", value=chosen.shown
        )
    wanted = symbology or (chosen.symbology if stock_name and kind == SPECIMEN else usual.symbology)
    if wanted not in SYMBOLOGIES:
        raise Invalid("label_symbology_unknown", field="symbology", value=wanted[:20])
    out = output or (usual.output if not stock_name else PDF)
    if out not in OUTPUTS:
        raise Invalid("label_output_unknown", field="output", value=out[:20])
    if out != PDF and (chosen.medium != ROLL or chosen.dpi not in ZEBRA_DPI or chosen.per_page != 1):
        raise Invalid("label_zpl_stock", field="output", value=chosen.shown)
    return Setting(chosen, wanted, out)


def change_setting(
    session: Session, site: str, kind: str, *, stock_name: str, symbology: str, output: str, by: str, now: datetime
) -> Setting:
    """Keep what a site prints on. Raises Invalid as ``choose`` does."""
    made = choose(session, kind, stock_name=stock_name, symbology=symbology, output=output, site=site)
    row = session.get(PrintSetting, (site, kind))
    if row is None:
        row = PrintSetting(site_code=site, kind=kind)
        session.add(row)
    row.stock, row.symbology, row.output = made.stock.name, made.symbology, made.output
    row.changed_at, row.changed_by = now, by
    return made
