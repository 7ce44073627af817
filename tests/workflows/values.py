"""Values of expressions: what is true, equal, less, how one is printed, and the functions that need no context."""

from __future__ import annotations

import json
import math
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

Functions = Mapping[str, Callable[..., Any]]


class Filtered(list[Any]):
    """What `.*` gave: a further property is taken of each."""


def truthy(value: Any) -> bool:
    return not (value is None or value is False or value == "" or (is_number(value) and (value == 0 or value != value)))


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def number(value: Any) -> float:
    if value is None or value == "" or value is False:
        return 0
    if value is True:
        return 1
    if is_number(value):
        return float(value)
    if not isinstance(value, str):
        return math.nan
    text = value.strip()
    try:
        return float(int(text, 0)) if re.fullmatch(r"[-+]?0[xo][0-9a-fA-F]+", text) else float(text)
    except ValueError:
        return math.nan


def _alike(left: Any, right: Any) -> tuple[Any, Any]:
    if isinstance(left, str) and isinstance(right, str):
        return left.upper(), right.upper()
    compound = Mapping | list
    if isinstance(left, compound) and isinstance(right, compound):
        return left, right
    return number(left), number(right)


def equal(left: Any, right: Any) -> bool:
    left, right = _alike(left, right)
    return left is right if isinstance(left, Mapping | list) else bool(left == right)


def ordered(sign: str, left: Any, right: Any) -> bool:
    left, right = _alike(left, right)
    if isinstance(left, Mapping | list):
        return False
    return bool(getattr(operator, {"<": "lt", "<=": "le", ">": "gt", ">=": "ge"}[sign])(left, right))


def property_of(value: Any, name: Any) -> Any:
    if isinstance(value, Filtered):
        found = [property_of(one, name) for one in value]
        return Filtered(one for one in found if one is not None)
    if isinstance(value, Mapping):
        wanted = printed(name).lower()
        return next((held for key, held in value.items() if str(key).lower() == wanted), None)
    if isinstance(value, list):
        at = number(name)
        return value[int(at)] if at >= 0 and at == at and int(at) < len(value) else None
    return None


def printed(value: Any) -> str:
    """A value in a text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if is_number(value):
        if not math.isfinite(value):
            return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(float(value))]
        return str(int(value)) if value == int(value) and abs(value) < 1e15 else f"{value:.15g}"
    return "Object" if isinstance(value, Mapping) else "Array" if isinstance(value, list) else str(value)


def contains(where: Any, what: Any) -> bool:
    if isinstance(where, list):
        return any(equal(one, what) for one in where)
    return printed(what).lower() in printed(where).lower()


def format_(text: Any, *given: Any) -> str:
    def one(found: re.Match[str]) -> str:
        if found[0] in ("{{", "}}"):
            return found[0][0]
        if found[1] is None:
            raise ValueError(f"a brace alone in {text!r}")
        return printed(given[int(found[1])])

    return re.sub(r"\{\{|\}\}|\{(\d+)\}|[{}]", one, printed(text))


def join(what: Any, by: Any = ",") -> str:
    return printed(by).join(map(printed, what)) if isinstance(what, list) else printed(what)


BUILT_IN: Functions = {
    "contains": contains,
    "startswith": lambda text, start: printed(text).lower().startswith(printed(start).lower()),
    "endswith": lambda text, end: printed(text).lower().endswith(printed(end).lower()),
    "format": format_,
    "join": join,
    "tojson": lambda value: json.dumps(value, indent=2),
    "fromjson": lambda text: json.loads(printed(text)),
}
