"""What is printed, looked at as paper is: drawn by poppler, read back by decoders that are not ours."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import zxingcpp
from PIL import Image


def render(pdf: bytes, folder: Path, *, dpi: int = 203) -> list[Path]:
    """The pages of a PDF as PNG files, at the resolution of the common label printers."""
    source = folder / "out.pdf"
    source.write_bytes(pdf)
    subprocess.run(["pdftoppm", "-r", str(dpi), "-png", str(source), str(folder / "page")], check=True)
    return sorted(folder.glob("page*.png"))


def zbar(pages: Sequence[Path]) -> list[str]:
    """What zbarimg reads, as TYPE:text."""
    run = subprocess.run(["zbarimg", "-q", *map(str, pages)], capture_output=True, text=True, check=False)
    return run.stdout.split()


def dmtx(page: Path) -> str:
    """What dmtxread (libdmtx) reads of one page."""
    command = ["dmtxread", "-N", "1", "-m", "5000", str(page)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def zxing(pages: Sequence[Path]) -> list[str]:
    return [code.text for page in pages for code in zxingcpp.read_barcodes(Image.open(page))]


def words(pdf: bytes, folder: Path) -> str:
    """The text of a PDF as a reader would copy it."""
    source = folder / "text.pdf"
    source.write_bytes(pdf)
    run = subprocess.run(["pdftotext", "-layout", str(source), "-"], capture_output=True, text=True, check=True)
    return run.stdout
