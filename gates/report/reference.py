"""What there is to declare, in words: metrics and the keys of a gate. For `lockgate explain` and the docs."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from pydantic import BaseModel

from lockgate.gates.metrics.metric import Family, Method, Metric

_T = "Student's t"
INTERVALS: dict[Method, str] = {
    "mean": _T,
    "smooth": f"{_T} on influence values",
    "supremum": f"{_T} on influence values; of one model the low bound widened as Smirnov's",
    "proportion": f"Wilson; of a difference Tango, and McNemar's exact test at 0; {_T} with weights or clusters",
    "delong": f"DeLong, of one model on the logit scale; {_T} with weights or clusters",
    "quantile": "order statistics, Woodruff with weights or clusters; of a difference the bootstrap",
}
"""How a metric's interval is made, by its method; CR2 with clusters (see `lockgate.gates.metrics.estimate`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key of a gate: its type in words, and what stands for it where it is not given; empty where it must be."""

    name: str
    type: str
    default: str


def shown(found: Metric | Family) -> Metric:
    """The metric itself; of a family the one that stands where no number is written."""
    if isinstance(found, Metric):
        return found
    return found.make(found.low if found.default is None else found.default)


def written(found: Metric | Family) -> str:
    """How a policy writes the name: `auc`, `recall[@…]` with a number or without, `pinball@…` with one."""
    if isinstance(found, Metric):
        return found.name
    return f"{found.name}@…" if found.default is None else f"{found.name}[@…]"


def formula(metric: Metric) -> str:
    """What the metric is, its source included: the docstring of what computes it; empty without one."""
    for source in (metric.hits, metric.loss, metric.linearise):
        while isinstance(source, partial):
            source = source.func  # noqa: PLW2901 (a partial has the docstring of partial)
        if source is not None and (text := inspect.getdoc(source)) and text != inspect.getdoc(partial):
            return text
    return ""


def first_sentence(metric: Metric) -> str:
    """The first paragraph of `formula`, in one line."""
    return " ".join(formula(metric).split("\n\n")[0].split())


def direction(metric: Metric) -> str:
    """Which way is better."""
    return "higher is better" if metric.higher_is_better else "lower is better"


def extent(metric: Metric) -> str:
    """The range."""
    return f"{_number(metric.low)} … {_number(metric.high)}"


def _number(value: float) -> str:
    return f"{value:.12g}" if math.isfinite(value) else ("∞" if value > 0 else "−∞")


def number_of(family: Family) -> str:
    """What a family's number is."""
    kind = "a whole number" if family.whole else "a number"
    stands = ""
    if family.default is not None:
        inside = family.low <= family.default <= family.high
        stands = f"; {family.default:g} where none is written" if inside else "; it may be left out"
    return f"{family.parameter}: {kind} from {family.low:g} to {family.high:.12g}{stands}"


def keys(kind: type[BaseModel]) -> tuple[Key, ...]:
    """The keys of a kind of gate, in the order declared."""
    schema = kind.model_json_schema()
    definitions, required = schema.get("$defs", {}), schema.get("required", [])
    return tuple(
        Key(
            name=name,
            type=_type(held, definitions),
            default="" if name in required else _default(held.get("default")),
        )
        for name, held in schema["properties"].items()
    )


def _default(value: Any) -> str:
    return f"optional: {value}" if value not in (None, "", [], {}) else "optional"


def _type(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """A JSON Schema in words, as far as keys of gates need."""
    if "$ref" in schema:
        return _type(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if "const" in schema:
        return str(schema["const"])
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    branches = schema.get("anyOf") or schema.get("oneOf") or ()
    if branches:
        words = [_type(branch, definitions) for branch in branches if branch.get("type") != "null"]
        return " or ".join(dict.fromkeys(words))
    held = schema.get("type")
    if held == "array":
        items = _type(schema.get("items", {}), definitions)
        return f"list of ({items})" if " or " in items else f"list of {items}"
    if held == "object":
        inside = schema.get("additionalProperties")
        return f"mapping of name to {_type(inside, definitions)}" if isinstance(inside, dict) else "check"
    word = {"integer": "whole number", "number": "number", "string": "text", "boolean": "true | false"}.get(
        str(held), "value"
    )
    signs = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
    limits = [f"{sign} {schema[key]:.16g}" for key, sign in signs.items() if abs(schema.get(key, math.inf)) < 2**53 - 1]
    return " ".join([word, " and ".join(limits)]).strip()
