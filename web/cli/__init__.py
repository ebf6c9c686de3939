"""The ``labrelay`` command. Each command lives in its own module and is imported only when it is run."""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence

import click

from logistics.errors import LabrelayError
from web.settings import Settings, SettingsError

COMMANDS: dict[str, tuple[str, str]] = {
    # name: (module:command, one line for the list, so that --help imports nothing)
    "up": ("web.cli.run:up", "Start everything on this machine and stop it together."),
    "web": ("web.cli.run:web", "Serve pages and API (gunicorn)."),
    "worker": ("web.cli.run:worker", "Run background jobs."),
    "beat": ("web.cli.run:beat", "Send the periodic jobs (one per installation)."),
    "ingest": ("web.cli.run:ingest", "Store readings that arrive over MQTT."),
    "db": ("web.cli.run:db", "Create or upgrade the tables."),
    "broker-init": ("web.cli.broker:broker_init", "Write accounts and ACL for mosquitto on its first start."),
    "broker-files": ("web.cli.broker:broker_files", "Write mosquitto's accounts and ACL from the register of loggers."),
    "device-key": ("web.cli.broker:device_key", "Give loggers and gateways the key with which they send."),
    "setup-check": (
        "web.cli.check:setup_check",
        "Say whether this installation can work, and what is missing.",
    ),
    "init": ("web.cli.data:init", "Make an empty installation with one administrator."),
    "import": ("web.cli.import_:import_", "Import sites, tests, users or orders from CSV or xlsx."),
    "logger": ("web.cli.logger:logger", "Read the file of a logger that has no network."),
    "seed": ("web.cli.data:seed", "Fill an empty installation with the Xianning network."),
    "verify": ("web.cli.integrity:verify", "Prove that the custody record, or a bundle of it, is unedited."),
    "digest": ("web.cli.integrity:digest", "Sign the days of the custody log that are over."),
    "keys": ("web.cli.integrity:keys", "Show or replace the key that signs the custody log."),
    "export": ("web.cli.export:export", "Write a bundle that proves the custody of a consignment or tube."),
    "rebuild": ("web.cli.data:rebuild", "Replay the custody log into the projections, or compare them."),
    "plan": ("web.cli.plan:plan", "Plan couriers for a problem file; needs no installation."),
    "travel": ("web.cli.travel:travel", "Learn driving times from the drives that were recorded."),
    "network": ("web.cli.network:network", "Compare the network with the cheapest one: who serves which township."),
    "demo": ("web.cli.demo:demo", "Play a simulated day through the public doors."),
    "i18n": ("web.cli.i18n:i18n", "Check and compile the translations."),
}


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports one only to run it or to show its help."""

    def __init__(self, *args: object, lazy: dict[str, tuple[str, str]], **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self._lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._lazy:
            return None
        module, _, attribute = self._lazy[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)  # noqa: S101  # a mistake in the table above
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in self._lazy.items()])


@click.group(cls=LazyGroup, lazy=COMMANDS)
def labrelay() -> None:
    """Labrelay: specimen transport for regional laboratory networks.

    Settings come from LABRELAY_* variables: docs/operations.md.
    """


def settings() -> Settings:
    """The settings of this process; a wrong one ends the command with a sentence."""
    try:
        return Settings.from_env(os.environ)
    except SettingsError as error:
        raise click.ClickException(str(error)) from None


def main(args: Sequence[str] | None = None) -> None:
    """The console script. Errors with a code end in one line, not in a traceback."""
    try:
        labrelay.main(args=list(args) if args is not None else None, prog_name="labrelay")
    except (LabrelayError, SettingsError) as error:
        raise SystemExit(f"labrelay: {error}") from None
