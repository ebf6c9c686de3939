"""Commands about translations."""

from __future__ import annotations

import sys

import click


@click.group()
def i18n() -> None:
    """Check and compile the translations."""


@i18n.command()
def compile() -> None:
    """Merge the area files into the catalogue that the application reads."""
    from web.i18n import compile_catalogs

    compile_catalogs()


@i18n.command()
def check() -> None:
    """Name every text that is not translated, translated twice or not used; exit 1 when there is one."""
    from web.i18n import problems

    found = problems()
    for line in found:
        click.echo(line)
    click.echo(f"{len(found)} problems")
    sys.exit(1 if found else 0)
