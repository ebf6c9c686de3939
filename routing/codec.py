"""JSON in and out for problems and plans (docs/formats/problem.md and plan.md)."""

from __future__ import annotations

import dataclasses
import re
import types
from collections.abc import Mapping
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from routing.plan import Plan
from routing.problem import Problem, ProblemError
from routing.validate import validate

T = TypeVar("T")

_PATH = re.compile(r" - at `\$?\.?(?P<path>[^`]*)`$")
_MISSING = re.compile(r"missing required field `(?P<name>[^`]+)`")
_TYPES = re.compile(r"Expected `(?P<expected>[^`]+)`, got `(?P<got>[^`]+)`")


def problem_from_json(data: bytes | str) -> Problem:
    """Read and check a problem.

    Raises :class:`ProblemError` with the code and the path of the field, also for a field nobody knows:
    a misspelt optional field must not be ignored in silence.
    """
    problem = _decode(data, Problem)
    validate(problem)
    return problem


def plan_from_json(data: bytes | str) -> Plan:
    """Read a plan. Raises :class:`ProblemError` when it has not the shape of one."""
    return _decode(data, Plan)


def to_json(value: Problem | Plan, *, indent: int = 0) -> bytes:
    """UTF-8 JSON, sets in order, so that equal values give equal bytes."""
    data = msgspec.json.encode(value, order="deterministic")
    return msgspec.json.format(data, indent=indent) if indent else data


def to_builtins(value: object) -> Any:
    """The same shape as the JSON, as dicts and lists: for a JSON column or a message."""
    return msgspec.to_builtins(value, order="deterministic")


def from_builtins(data: object, kind: type[T]) -> T:
    """Inverse of :func:`to_builtins` for any class of ``routing.problem`` and ``routing.plan``."""
    _refuse_unknown(data, kind, "")
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        raise _explained(error) from error


def _decode(data: bytes | str, kind: type[T]) -> T:
    try:
        raw = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise ProblemError("not_json", "", detail=str(error)) from error
    return from_builtins(raw, kind)


def _explained(error: msgspec.ValidationError) -> ProblemError:
    text = str(error)
    found = _PATH.search(text)
    path = found["path"] if found else ""
    missing = _MISSING.search(text)
    if missing:
        return ProblemError("missing_field", f"{path}.{missing['name']}".lstrip("."))
    wrong = _TYPES.search(text)
    if wrong:
        return ProblemError("wrong_type", path, expected=wrong["expected"], got=wrong["got"])
    return ProblemError("bad_value", path, detail=_PATH.sub("", text))


def _refuse_unknown(data: object, kind: Any, path: str) -> None:
    """Walk the data beside the declared types; wrong types are left for msgspec to name."""
    origin = get_origin(kind)
    if origin in {Union, types.UnionType}:
        for option in get_args(kind):
            if dataclasses.is_dataclass(option):
                _refuse_unknown(data, option, path)
    elif origin in {tuple, list} and isinstance(data, list):
        for index, item in enumerate(data):
            _refuse_unknown(item, get_args(kind)[0], f"{path}[{index}]")
    elif dataclasses.is_dataclass(kind) and isinstance(data, Mapping):
        hints = get_type_hints(kind)
        for name, item in data.items():
            where = f"{path}.{name}".lstrip(".")
            if name not in hints:
                raise ProblemError("unknown_field", where)
            _refuse_unknown(item, hints[name], where)
