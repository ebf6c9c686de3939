"""A TrueType font with Chinese for PDF files; only the glyphs that a page uses are embedded.

ReportLab can embed TrueType outlines, not CFF ones: of Debian's fonts that means WenQuanYi, Droid Fallback and
AR PL, not Noto CJK.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFError, TTFont

from logistics.errors import Unavailable

PACKAGE = "fonts-wqy-microhei"


@dataclass(frozen=True, slots=True)
class FontFile:
    """A font and, for a collection (.ttc), the number of the face inside."""

    path: Path
    face: int = 0


CANDIDATES = (
    FontFile(Path("/usr/share/fonts/truetype/wqy/wqy-microhei.ttc")),
    FontFile(Path("/usr/share/fonts/wqy-microhei/wqy-microhei.ttc")),
    FontFile(Path("/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc")),
    FontFile(Path("/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf")),
    FontFile(Path("/usr/share/fonts/truetype/droid/DroidSansFallback.ttf")),
    FontFile(Path("/usr/share/fonts/truetype/arphic-gkai00mp/gkai00mp.ttf")),
    FontFile(Path("/usr/share/fonts/truetype/arphic/uming.ttc")),
    FontFile(Path("/Library/Fonts/Arial Unicode.ttf")),
    FontFile(Path("C:/Windows/Fonts/simhei.ttf")),
)

_lock = threading.Lock()
_registered: dict[FontFile, str] = {}


def find_font(candidates: Iterable[FontFile] = CANDIDATES) -> FontFile:
    """The first candidate that exists. Raises Unavailable ``cjk_font_missing`` naming the package to install."""
    for candidate in candidates:
        if candidate.path.is_file():
            return candidate
    raise Unavailable("cjk_font_missing", package=PACKAGE)


def font_name(candidates: Iterable[FontFile] = CANDIDATES) -> str:
    """The name under which ReportLab knows the font; it is read once a process.

    Raises Unavailable ``cjk_font_missing`` or ``cjk_font_unusable``.
    """
    font = find_font(candidates)
    with _lock:
        name = _registered.get(font)
        if name is None:
            name = f"LabrelayCJK{len(_registered)}"
            try:
                pdfmetrics.registerFont(TTFont(name, str(font.path), subfontIndex=font.face))
            except (TTFError, OSError) as error:
                raise Unavailable("cjk_font_unusable", file=font.path.name, package=PACKAGE) from error
            _registered[font] = name
    return name


def width_pt(text: str, name: str, size_pt: float) -> float:
    return float(pdfmetrics.stringWidth(text, name, size_pt))


def fit(text: str, name: str, size_pt: float, room_pt: float) -> str:
    """``text``, shortened with an ellipsis where it is wider than ``room_pt``."""
    if width_pt(text, name, size_pt) <= room_pt:
        return text
    kept = text
    while kept and width_pt(kept + "…", name, size_pt) > room_pt:
        kept = kept[:-1]
    return kept.rstrip() + "…" if kept else ""


def size_to_fit(text: str, name: str, largest_pt: float, smallest_pt: float, room_pt: float) -> float:
    """The largest size up to ``largest_pt`` at which ``text`` fits, never under ``smallest_pt``."""
    width = width_pt(text, name, largest_pt)
    return largest_pt if width <= room_pt else max(smallest_pt, largest_pt * room_pt / width)


def wrap(text: str, name: str, size_pt: float, room_pt: float, lines: int) -> list[str]:
    """``text`` on at most ``lines`` lines; the last is shortened.

    Breaks after a blank, comma or 、 where there is one in the line's second half, else anywhere (Chinese has
    no blanks).
    """
    out: list[str] = []
    rest = text
    while rest and len(out) < lines - 1:
        cut = len(rest)
        while cut > 1 and width_pt(rest[:cut], name, size_pt) > room_pt:
            cut -= 1
        if cut < len(rest):
            seam = max(rest.rfind(mark, cut // 2, cut) for mark in " 、，,") + 1
            cut = seam or cut
        out.append(rest[:cut].rstrip())
        rest = rest[cut:].lstrip()
    if rest:
        out.append(fit(rest, name, size_pt, room_pt))
    return out


def enumeration(names: Iterable[str]) -> str:
    """Names in a row, divided as their script does: 、 for Chinese, a comma else."""
    listed = list(names)
    chinese = any("\u4e00" <= character <= "\u9fff" for name in listed for character in name)
    return ("、" if chinese else ", ").join(listed)
