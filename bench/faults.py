"""What kill −9 costs: ingest, broker and PostgreSQL die at random moments under load, and nothing receipted is lost.

``python -m bench.faults`` starts PostgreSQL (every commit synced), Mosquitto and two ``labrelay ingest`` that share
the messages, lets loggers send from another process (bench/fault_clients.py), and kills each of the three ``--kills``
times. The loggers' ledger lies outside and is fsynced; afterwards it is compared with the table. Then the database is
away for ``--outage-minutes`` (30 in full) at ``--outage-rate`` messages a second. What was found is printed whatever
ends the run, SIGTERM of a time limit included. ``--alert-kills`` runs the part of the alert worker alone
(bench/alert_kills.py).
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC
from pathlib import Path

import psycopg

from bench import alert_kills
from bench import ingest_world as w
from bench.acts import verdict
from bench.ending import orderly
from bench.fault_clients import Progress, loggers
from tests import servers
from web.settings import Settings

LOGGERS = 20
RECOVERED_S = 90.0
DRAINED_S = 240.0


class Victim:
    """A process that is killed and started again with the same command."""

    def __init__(self, name: str, start: Callable[[], subprocess.Popen[bytes]], pid: int | None = None) -> None:
        self.name, self._start, self._pid = name, start, pid
        self._process: subprocess.Popen[bytes] | None = None if pid else start()

    def kill(self) -> None:
        pid = self._process.pid if self._process else self._pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        if self._process:
            self._process.wait(10)
        else:
            os.waitpid(pid, 0)
        self._process = None

    def start(self) -> None:
        self._process = self._start()

    def watch(self) -> None:
        """What ``labrelay up`` and compose do: start it again when it ended by itself."""
        if self._process is not None and self._process.poll() is not None:
            self.start()

    def close(self) -> None:
        if self._process:
            servers.stop(self._process, signal_first=signal.SIGINT)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--kills", type=int, default=20, help="of each: ingest, broker, database")
    options.add_argument("--rate", type=float, default=200.0, help="messages a second while there are kills")
    options.add_argument("--outage-minutes", type=float, default=1.0, help="without a database (30 in full)")
    options.add_argument("--outage-rate", type=float, default=500.0)
    options.add_argument(
        "--alert-kills", type=int, default=None, help="of the alert worker before and after sending; alone"
    )
    options.add_argument("--seed", type=int, default=1)
    asked = options.parse_args()
    orderly()
    if asked.alert_kills is not None:
        with tempfile.TemporaryDirectory() as folder, servers.postgresql(durable=True) as url:
            alert_kills.run(asked.alert_kills, asked.seed, url, folder)
        return
    with (
        tempfile.TemporaryDirectory() as folder,
        servers.postgresql(durable=True) as url,
        servers.mosquitto() as broker,
    ):
        settings = w.settings_for(url, folder, broker)
        w.prepare(settings, {"LG": LOGGERS, "LN": LOGGERS})
        with connect(settings) as connection:
            connection.execute("UPDATE device SET receipts = false WHERE code LIKE 'LN-%'")
        victims = {one.name: one for one in everybody(settings, Path(folder))}
        try:
            time.sleep(6)
            if asked.kills > 0:
                kills(settings, victims, Path(folder, "ledger"), asked)
            if asked.outage_minutes > 0:
                outage(settings, victims["database"], Path(folder, "ledger2"), asked)
        except RuntimeError:
            print(Path(folder, "ingest.log").read_text()[-3000:])
            raise
        finally:
            for victim in reversed(victims.values()):
                victim.close()


def connect(settings: Settings) -> psycopg.Connection:
    return psycopg.connect(settings.database_url.replace("+psycopg", ""))


def everybody(settings: Settings, folder: Path) -> list[Victim]:
    """Database, broker and two ingest processes, in the order in which they were started."""
    with connect(settings) as connection:
        row = connection.execute("SHOW data_directory").fetchone()
    assert row is not None
    database = int(Path(row[0], "postmaster.pid").read_text().split()[0])
    broker = next(pid for pid in _children() if _command(pid)[0].endswith("mosquitto"))
    database_command, broker_command = _command(database), _command(broker)
    environ = os.environ | {
        "LABRELAY_VAR_DIR": str(settings.var_dir),
        "LABRELAY_DATABASE_URL": settings.database_url,
        "LABRELAY_SECRET_KEY": settings.secret_key,
        "LABRELAY_MQTT_URL": settings.mqtt_url or "",
        "LABRELAY_MQTT_SHARE_GROUP": "bench",
        "LABRELAY_LOG_LEVEL": "ERROR",
    }

    def labrelay() -> subprocess.Popen[bytes]:
        return servers.start([sys.executable, "-m", "web.cli", "ingest"], log=folder / "ingest.log", env=environ)

    return [
        Victim("database", lambda: _postgres(settings, database_command, folder), database),
        Victim("broker", lambda: servers.start(broker_command, log=folder / "mosquitto.log"), broker),
        Victim("ingest", labrelay),
        Victim("ingest 2", labrelay),
    ]


def _children() -> list[int]:
    found = []
    for task in Path(f"/proc/{os.getpid()}/task").glob("*/children"):
        found += [int(pid) for pid in task.read_text().split()]
    return found


def _command(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/cmdline").read_text().strip("\0").split("\0")


def _postgres(settings: Settings, command: list[str], folder: Path) -> subprocess.Popen[bytes]:
    """The database again; it refuses as long as an orphan of the killed one lives."""
    user = "postgres" if os.geteuid() == 0 else None
    log = Path(command[command.index("-D") + 1]).parent / "log"
    until = time.monotonic() + RECOVERED_S
    while time.monotonic() < until:
        process = servers.start(command, log=log, user=user)
        while process.poll() is None and time.monotonic() < until:
            try:
                connect(settings).close()
            except psycopg.Error:
                time.sleep(0.1)
            else:
                return process
        time.sleep(0.2)
    raise RuntimeError(f"the database did not come back: {log.read_text()[-500:]}")


def wait_for(what: str, check: Callable[[], bool], within_s: float) -> float:
    """Seconds until ``check`` holds. The time in which this machine or this process was stopped does not count."""
    waited, last = 0.0, time.monotonic()
    while not check():
        if waited > within_s:
            raise RuntimeError(f"{what} did not happen within {within_s:.0f} s")
        time.sleep(0.05)
        now = time.monotonic()
        waited, last = waited + min(now - last, 1.0), now
    return waited


def _more(progress: Progress, count: int, watched: list[Victim]) -> Callable[[], bool]:
    def check() -> bool:
        for victim in watched:
            victim.watch()
        return progress.receipted.value > count

    return check


def kills(settings: Settings, victims: dict[str, Victim], ledger: Path, asked: argparse.Namespace) -> None:
    rnd = random.Random(asked.seed)
    order = [name for name in ("ingest", "broker", "database") for _ in range(asked.kills)]
    rnd.shuffle(order)
    slowest = dict.fromkeys(order, 0.0)
    done = 0
    try:
        with loggers(settings.mqtt_url or "", LOGGERS, asked.rate, ledger) as progress:
            wait_for("the first receipt", lambda: progress.receipted.value > 0, RECOVERED_S)
            for name in order:
                time.sleep(rnd.uniform(0.2, 2.0))
                slowest[name] = max(slowest[name], _one_kill(rnd, victims, name, progress))
                done += 1
                if done % 10 == 0:
                    print(f"  {done} kills, {progress.receipted.value:,} messages receipted", flush=True)
            drain(progress)
    finally:  # also when the time limit, or a wait that had no end, broke it off
        print(f"kill -9, {done} of {len(order)}: longest wait for the next receipt "
              + ", ".join(f"{name} {seconds:.1f} s" for name, seconds in slowest.items()))  # fmt: skip
        settle(settings, ledger, f"{done} kills")


def _one_kill(rnd: random.Random, victims: dict[str, Victim], name: str, progress: Progress) -> float:
    """Kill and start again; seconds until the next receipt."""
    watched = [victims["ingest"], victims["ingest 2"]]
    for one in watched:
        one.watch()
    victim = victims[rnd.choice(["ingest", "ingest 2"]) if name == "ingest" else name]
    before = progress.receipted.value
    victim.kill()
    victim.start()
    after = max(before, progress.receipted.value)
    return wait_for(f"a receipt after {name}", _more(progress, after, watched), RECOVERED_S)


def outage(settings: Settings, database: Victim, ledger: Path, asked: argparse.Namespace) -> None:
    """The database is away for a long time under load; the broker and the loggers hold what comes."""
    with connect(settings) as connection:
        connection.execute("TRUNCATE reading, probe_state; UPDATE device SET seq_spans = '[]', last_seq = NULL")
    short = "" if asked.outage_minutes >= 30 else " (shortened: 30 min in full)"
    print(f"database away for {asked.outage_minutes:.0f} min at {asked.outage_rate:.0f} messages/s{short}")
    away = False
    try:
        with loggers(settings.mqtt_url or "", LOGGERS, asked.outage_rate, ledger) as progress:
            wait_for("the first receipt", lambda: progress.receipted.value > 0, RECOVERED_S)
            database.kill()
            away = True
            memory = _minutes_away(asked.outage_minutes)
            database.start()
            away = False
            before = progress.receipted.value
            seconds = drain(progress, within_s=max(DRAINED_S, 60 * asked.outage_minutes))
            took = progress.receipted.value - before
            print(f"  {took:,} messages with receipts waited, all receipted {seconds:.0f} s after its return")
            print(f"  memory at most: {memory}; ledger {ledger.stat().st_size / 1e6:.0f} MB on the disk")
    finally:
        if away:
            database.start()
        settle(settings, ledger, "the outage")


def _minutes_away(minutes: float) -> str:
    """Wait; the most memory that the loggers and the broker took meanwhile."""
    until = time.monotonic() + 60 * minutes
    most = {"loggers": 0.0, "broker": 0.0}
    while time.monotonic() < until:
        time.sleep(min(10.0, max(0.1, until - time.monotonic())))
        for pid in _children():
            name = {"mosquitto": "broker"}.get(Path(_command(pid)[0]).name)
            name = name or ("loggers" if "multiprocessing.spawn" in " ".join(_command(pid)) else None)
            if name:
                most[name] = max(most[name], _resident_mb(pid))
    return ", ".join(f"{name} {megabytes:.0f} MB" for name, megabytes in most.items())


def _resident_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(float(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def drain(progress: Progress, within_s: float = DRAINED_S) -> float:
    """Let the loggers send until each has all its receipts."""
    progress.quiet.set()
    time.sleep(1)
    return wait_for("a receipt for everything", lambda: progress.receipted.value == progress.sent.value, within_s)


class Ledger:
    """What the loggers wrote down: readings (logger, instant) sent, those among them with a receipt, and those of
    loggers without receipts that the broker acknowledged."""

    def __init__(self, text: str) -> None:
        numbered: dict[str, list[str]] = {}
        receipts: list[tuple[str, int]] = []
        self.acknowledged: set[tuple[str, str]] = set()
        for line in text.splitlines():
            kind, name, rest = line.split(" ")
            if kind == "S":
                numbered.setdefault(name, []).append(rest)  # a logger numbers its messages from 1 on
            elif kind == "R":
                receipts.append((name, int(rest)))
            else:
                self.acknowledged.add((name, rest))
        self.sent = {(name, at) for name, instants in numbered.items() for at in instants}
        self.receipted = {(name, numbered[name][number - 1]) for name, number in receipts}


def settle(settings: Settings, ledger: Path, after: str) -> None:
    """Compare the ledger with the table, whatever state they are in."""
    known = Ledger(ledger.read_text())
    try:
        with connect(settings) as connection:
            rows = connection.execute("SELECT device_code, at FROM reading").fetchall()
    except psycopg.Error as error:
        print(f"no verdict after {after}: the database is away ({type(error).__name__})", flush=True)
        return
    stored = [(name, at.astimezone(UTC).isoformat()) for name, at in rows]
    found = set(stored)
    lost, doubled = len(known.receipted - found), len(stored) - len(found)
    waiting = len(known.sent - known.receipted)
    measured = (
        f"{lost} lost, {doubled} doubled of {len(known.receipted):,} receipted, {waiting:,} still with the loggers"
    )
    verdict(f"readings with receipts after {after}", measured, "0, 0 and 0", lost + doubled + waiting == 0)
    print(f"  bound on the share that is lost (3/N, 95 %): {3 / max(1, len(known.receipted)):.1e}")
    gone, all_ = len(known.acknowledged - found), len(known.acknowledged)
    share = gone / max(1, all_)
    print(
        f"  without receipts: {gone:,} of {all_:,} that the broker had acknowledged are lost ({share:.2%})", flush=True
    )


if __name__ == "__main__":
    main()
