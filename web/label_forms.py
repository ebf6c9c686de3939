"""What the pages of labels share: words, sites, people, and the numbers that are scanned into their forms."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from flask import request
from flask_login import current_user
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.domain.access import COLLECTOR
from logistics.domain.numbers import Kind
from logistics.errors import Invalid
from logistics.labels.sizes import Stock
from logistics.models import Site, User
from web import label_words
from web.auth import scope
from web.rendering import locale


def words() -> dict[str, Any]:
    return {
        "kind_words": label_words.KINDS, "number_kinds": label_words.NUMBER_KINDS, "state_words": label_words.STATES,
        "symbology_words": label_words.SYMBOLOGIES, "output_words": label_words.OUTPUTS,
        "void_words": label_words.VOID_REASONS, "reprint_words": label_words.REPRINT_REASONS,
    }  # fmt: skip


def page_number() -> int:
    """``page`` of the address; the first when it is no number."""
    text = request.args.get("page", "")
    return max(1, int(text)) if text.isascii() and text.isdecimal() and len(text) < 6 else 1


def kind(text: str) -> Kind:
    try:
        return Kind(text)
    except ValueError:
        raise Invalid("label_kind_not_ahead", field="kind", kind=text[:20]) from None


def numbers(text: str) -> list[str]:
    """Numbers as a scanner types them: one a line, or with blanks or commas between."""
    return [part for part in re.split(r"[\s,，;；、]+", text[:40_000]) if part]


def sites(session: Session) -> list[tuple[str, str]]:
    """(code, name) of the sites for which one may make labels."""
    query = select(Site).where(Site.active).order_by(Site.code)
    own = scope()
    if current_user.role == COLLECTOR:
        query = query.where(Site.code == current_user.site_code)
    elif not own.everything:
        query = query.where(Site.code.in_(sorted(own.sites)))
    return [(one.code, one.name(locale())) for one in session.scalars(query)]


def stock_choices(stocks: Iterable[Stock]) -> list[tuple[str, str]]:
    """(name, title in the reader's language) of sizes."""
    return [(one.name, one.title(locale())) for one in stocks]


def people(session: Session, usernames: Iterable[str]) -> dict[str, str]:
    query = select(User).where(User.username.in_(sorted(set(usernames))))
    return {one.username: one.name(locale()) for one in session.scalars(query)}
