"""The house rules that a program can check: import arrows, pure rules, one clock, nothing opened at import."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LAYERS = ("routing", "logistics", "telemetry", "web")  # innermost first; each may import those before it
STDLIB = sys.stdlib_module_names

CLOCK_CALLS = {
    ("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today"),
    ("time", "time"), ("time", "time_ns"), ("time", "localtime"), ("time", "gmtime"), ("time", "ctime"),
    ("time", "strftime"), ("time", "asctime"),
}  # fmt: skip
CLOCK_SQL = {"current_timestamp", "localtimestamp", "func.now"}

# An import inside a function hides a dependency. These few load what most processes never need.
LATE_IMPORTS_ALLOWED = {
    "logistics/services/alert_channels.py",  # Apprise: a fifth of a second that only a sender of alerts spends
    "logistics/services/alert_network.py",  # requests, which Apprise sends through: the same
    "logistics/planning_job.py",  # the solver: half a second that only a worker spends
    "web/i18n.py",  # re: one helper of the check
    "web/migrations/__init__.py",  # Alembic: only when tables are brought up to date
    "web/processes.py",  # time: only when a process is stopped
    "web/serve.py",  # the application: in the server's workers, not in the process that watches them
    "web/settings.py",  # limits: only when a limit is given
}
# Assemblers of processes, where a late import makes the start of the other processes fast.
LATE_IMPORT_FOLDERS = ("web/cli/",)

MAX_LINES = 500
LONG_FILES: set[str] = set()  # name a file here only with a reason beside it


def sources(package: str) -> list[Path]:
    found = sorted((ROOT / package).rglob("*.py"))
    return [path for path in found if not {"versions", "node_modules", "__pycache__"} & set(path.parts)]


ALL = [path for package in LAYERS for path in sources(package)]


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def imported(node: ast.AST) -> Iterator[str]:
    """The modules that an import statement names, in full."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield alias.name
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, "relative imports are not used here"
        yield node.module or ""
        for alias in node.names:
            yield f"{node.module}.{alias.name}"


def imports(path: Path) -> set[str]:
    return {module for node in ast.walk(tree(path)) for module in imported(node)}


def tops(path: Path) -> set[str]:
    return {module.partition(".")[0] for module in imports(path)}


@pytest.mark.parametrize("package", LAYERS)
def test_arrows_point_inwards(package: str) -> None:
    """web → telemetry → logistics → routing: no package imports one that lies further out, late imports included."""
    outer = set(LAYERS[LAYERS.index(package) + 1 :])
    wrong = {name(path): sorted(tops(path) & outer) for path in sources(package) if tops(path) & outer}
    assert wrong == {}


def test_packages_do_not_import_tests_or_benches() -> None:
    """What runs at a hospital never needs the tests."""
    assert {name(path) for path in ALL if tops(path) & {"tests", "bench"}} == set()


def test_domain_is_pure() -> None:
    """logistics/domain imports the standard library, logistics.errors and itself, nothing else: no clock, no table."""
    wrong = {}
    for path in sources("logistics/domain"):
        outside = {
            module
            for module in imports(path)
            if module.partition(".")[0] not in STDLIB
            and not module.startswith(("logistics.domain", "logistics.errors"))
            and module != "logistics"
        }
        from_package = {module for module in imports(path) if module.startswith("logistics.")}
        outside |= {m for m in from_package if not m.startswith(("logistics.domain", "logistics.errors"))}
        if outside:
            wrong[name(path)] = sorted(outside)
    assert wrong == {}


def test_routing_knows_numbers_only() -> None:
    """routing has no web framework, no database and no word of specimens."""
    foreign = {"flask", "sqlalchemy", "flask_sqlalchemy", "celery", "redis", "paho", "logistics", "telemetry", "web"}
    assert {name(path): sorted(tops(path) & foreign) for path in sources("routing") if tops(path) & foreign} == {}


def test_logistics_and_telemetry_know_no_web_framework() -> None:
    """Flask is known in web; rules, services, queries and detectors never ask for a request or a session cookie."""
    web_only = {"flask", "flask_wtf", "flask_babel", "flask_limiter", "flask_migrate", "flask_login"}
    exceptions = {
        "logistics/models/network.py": {"flask_login"},  # the user table is what a login loads
        "logistics/tasks.py": {"flask"},  # edges, as thin as views: the settings of the application they run in
        "telemetry/tasks.py": {"flask"},
        "telemetry/mqtt.py": {"flask"},
    }
    wrong = {}
    for path in [*sources("logistics"), *sources("telemetry")]:
        found = (tops(path) & web_only) - exceptions.get(name(path), set())
        if found:
            wrong[name(path)] = sorted(found)
    assert wrong == {}


def test_one_file_imports_the_solver() -> None:
    """Only routing/model.py knows OR-Tools' routing library, so that it can be replaced in one place."""
    library = ("ortools.constraint_solver", "ortools.routing")
    users = {name(path) for path in ALL if any(module.startswith(library) for module in imports(path))}
    assert users <= {"routing/model.py"}
    assert {name(path) for path in ALL if "ortools" in tops(path)} <= {name(p) for p in sources("routing")}


def dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def clock_calls(path: Path) -> Iterator[str]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            parts = tuple(dotted(node.func).split("."))
            if parts[-2:] in CLOCK_CALLS or parts[-1].lower() in CLOCK_SQL or ".".join(parts[-2:]) in CLOCK_SQL:
                yield f"{name(path)}:{node.lineno}: {'.'.join(parts)}"
        if isinstance(node, ast.ImportFrom) and node.module == "time":
            taken = {alias.name for alias in node.names} & {call for module, call in CLOCK_CALLS if module == "time"}
            if taken:
                yield f"{name(path)}:{node.lineno}: from time import {sorted(taken)}"


def test_only_the_clock_reads_the_time_of_day() -> None:
    """Everything else asks logistics.clock, so that a simulated day is simulated everywhere (monotonic waits may)."""
    assert [call for path in ALL if name(path) != "logistics/clock.py" for call in clock_calls(path)] == []


def test_no_import_inside_a_function() -> None:
    """A late import dodges a cycle or hides a dependency. Commands may, to start fast."""
    late = set()
    for path in ALL:
        if name(path).startswith(LATE_IMPORT_FOLDERS) or name(path) in LATE_IMPORTS_ALLOWED:
            continue
        for function in ast.walk(tree(path)):
            if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
                for node in ast.walk(function):
                    if isinstance(node, (ast.Import, ast.ImportFrom)):
                        late.add(f"{name(path)}:{node.lineno}")
    assert late == set()


def calls_at_import(module: ast.Module) -> Iterator[ast.Call]:
    """Calls that run when the module is loaded: not inside functions, but in classes and module code."""
    waiting: list[ast.AST] = list(module.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            waiting.extend(getattr(node, "decorator_list", []))
            continue
        if isinstance(node, ast.Call):
            yield node
        waiting.extend(ast.iter_child_nodes(node))


def test_nothing_is_opened_at_import() -> None:
    """No engine, connection, thread, process or log handler is made while a module loads."""
    opens = {"create_engine", "connect", "sessionmaker", "Redis", "from_url", "Client", "Thread", "Popen", "run",
             "basicConfig", "addHandler", "StreamHandler", "FileHandler", "open", "urlopen", "create_app"}  # fmt: skip
    # The programs that a server starts: making the application is what they are for.
    programs = {"web/wsgi.py", "web/cli/__main__.py", "routing/__main__.py", "web/migrations/env.py"}
    found = [
        f"{name(path)}:{call.lineno}: {dotted(call.func)}"
        for path in ALL
        if name(path) not in programs
        for call in calls_at_import(tree(path))
        if dotted(call.func).rpartition(".")[2] in opens
    ]
    assert found == []


def test_services_never_commit() -> None:
    """A service takes a session and leaves the commit to the edge; transaction() is opened by edges alone."""
    # Sends over the network between two transactions: an edge that has no view.
    edges = {"logistics/services/delivery.py"}
    found = []
    for path in [*sources("logistics/services"), *sources("logistics/queries"), *sources("logistics/domain")]:
        if name(path) in edges:
            continue
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call) and dotted(node.func).rpartition(".")[2] in {"commit", "transaction"}:
                found.append(f"{name(path)}:{node.lineno}")
    assert found == []


def test_no_file_is_a_house() -> None:
    """A file of more than 500 lines wants to be two."""
    long = {name(path) for path in ALL if len(path.read_text(encoding="utf-8").splitlines()) > MAX_LINES}
    assert long == LONG_FILES
