"""pydantic's errors about a policy as lines, each at the path as the user wrote it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from pydantic_core import ErrorDetails

from lockgate.gates.mistakes import Location, describe_mistake, locate
from lockgate.gates.policy.upgrades import explain_missing


def describe_mistakes(details: Iterable[ErrorDetails], *, schema: Mapping[str, Any], where: str) -> list[str]:
    """One line per mistake: `problem; expected … @ gate.checks.NAME.KEY`.

    A value that fits none of several types is one mistake: the one of the type that got furthest.

    Args:
        details: `ValidationError.errors(include_url=False)`.
        schema: `TypeAdapter(…).core_schema` of a policy.
        where: what the policy is called.
    """
    mistakes: dict[object, tuple[Location, ErrorDetails]] = {}
    for number, detail in enumerate(details):
        location = locate(detail["loc"], schema)
        value = number if location.union is None else location.path[: location.union]
        if value not in mistakes or len(mistakes[value][0].path) < len(location.path):
            mistakes[value] = location, detail
    lines = [_describe(location, detail, where) for location, detail in mistakes.values()]
    return list(dict.fromkeys(lines))


def _describe(location: Location, detail: ErrorDetails, where: str) -> str:
    context = detail.get("ctx", {})
    if detail["type"] == "union_tag_invalid" and context.get("tag") == "any_of":
        path = ".".join([where, *map(str, location.path)])
        return f"any_of in any_of; expected one of {', '.join(location.tags)} @ {path}.kind"
    if detail["type"] == "missing" and (hint := explain_missing(location.path, _kind_of(detail, location))):
        return f"{describe_mistake(detail, location, where=where)} ({hint})"
    if "below" in context:  # a validator of a whole check names the key that it is about
        location = replace(location, path=(*location.path, context["below"]))
    return describe_mistake(detail, location, where=where)


def _kind_of(detail: ErrorDetails, location: Location) -> str | None:
    """The kind of the gate that lacks a key; None where the policy does. pydantic's input is the mapping around it."""
    return str(detail["input"].get("kind")) if len(location.path) > 1 else None
