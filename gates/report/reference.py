"""What a policy can declare, in words: metrics and the keys of gates. For `lockgate explain` and the docs."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from pydantic import BaseModel

from lockgate.gates.metrics.metric import Family, Method, Metric

_STUDENT = "Student's t"
INTERVALS: dict[Method, str] = {
    "mean": _STUDENT,
    "smooth": f"{_STUDENT} on influence values",
    "supremum": f"{_STUDENT} on influence values; for one model the low bound is widened as Smirnov's",
    "proportion": f"Wilson; for a difference Tango, and McNemar's exact test at 0; {_STUDENT} with weights or clusters",
    "delong": f"DeLong, for one model on the logit scale; {_STUDENT} with weights or clusters",
    "quantile": "order statistics, Woodruff with weights or clusters; for a difference the bootstrap",
}
"""How a metric's interval is computed, by its method; CR2 with clusters (see `lockgate.gates.metrics.estimate`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateKey:
    """A key of a gate."""

    name: str
    type: str  # in words
    default: str  # "optional", with its default value if it has one; empty for a required key


def resolve_family(metric: Metric | Family) -> Metric:
    """The metric itself; of a family its default member, or else the one with the lowest number."""
    if isinstance(metric, Metric):
        return metric
    return metric.make(metric.low if metric.default is None else metric.default)


def format_name(metric: Metric | Family) -> str:
    """The name as a policy writes it: `auc`; `recall[@…]` if the number is optional, `pinball@…` if it is not."""
    if isinstance(metric, Metric):
        return metric.name
    return f"{metric.name}@…" if metric.default is None else f"{metric.name}[@…]"


def read_formula(metric: Metric) -> str:
    """The definition of a metric and its source: the docstring of the function that computes it, or empty."""
    for source in (metric.hits, metric.loss, metric.linearise):
        while isinstance(source, partial):
            source = source.func  # noqa: PLW2901 (a partial has the docstring of partial)
        if source is not None and (text := inspect.getdoc(source)) and text != inspect.getdoc(partial):
            return text
    return ""


def summarise_formula(metric: Metric) -> str:
    """The first paragraph of `read_formula`, in one line."""
    return " ".join(read_formula(metric).split("\n\n")[0].split())


def describe_direction(metric: Metric) -> str:
    """Which direction is better, in words."""
    return "higher is better" if metric.higher_is_better else "lower is better"


def format_range(metric: Metric) -> str:
    """The range of a metric's values."""
    return f"{_number(metric.low)} … {_number(metric.high)}"


def _number(value: float) -> str:
    return f"{value:.12g}" if math.isfinite(value) else ("∞" if value > 0 else "−∞")


def describe_parameter(family: Family) -> str:
    """What the number of a family is: its name, range and default."""
    kind = "a whole number" if family.whole else "a number"
    stands = ""
    if family.default is not None:
        inside = family.low <= family.default <= family.high
        stands = f"; {family.default:g} by default" if inside else "; optional"
    return f"{family.parameter}: {kind} from {family.low:g} to {family.high:.12g}{stands}"


def list_keys(kind: type[BaseModel]) -> tuple[GateKey, ...]:
    """The keys of a kind of gate, in the order of their declaration."""
    schema = kind.model_json_schema()
    definitions, required = schema.get("$defs", {}), schema.get("required", [])
    return tuple(
        GateKey(
            name=name,
            type=_type(value, definitions),
            default="" if name in required else _default(value.get("default")),
        )
        for name, value in schema["properties"].items()
    )


def _default(value: Any) -> str:
    return f"optional: {value}" if value not in (None, "", [], {}) else "optional"


def _type(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """A JSON Schema in words; covers what keys of gates use."""
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
    type_name = schema.get("type")
    if type_name == "array":
        items = _type(schema.get("items", {}), definitions)
        return f"list of ({items})" if " or " in items else f"list of {items}"
    if type_name == "object":
        inside = schema.get("additionalProperties")
        return f"mapping of name to {_type(inside, definitions)}" if isinstance(inside, dict) else "check"
    word = {"integer": "whole number", "number": "number", "string": "text", "boolean": "true | false"}.get(
        str(type_name), "value"
    )
    signs = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
    limits = [f"{sign} {schema[key]:.16g}" for key, sign in signs.items() if abs(schema.get(key, math.inf)) < 2**53 - 1]
    return " ".join([word, " and ".join(limits)]).strip()
