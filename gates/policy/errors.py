"""pydantic's errors about a policy as lines, each at the path as the user wrote it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from pydantic_core import ErrorDetails

from lockgate.gates.kinds import KINDS
from lockgate.gates.mistakes import mistake

_SCHEDULES = {"fixed": ("kind", "looks"), "single": ("kind",), "open": ("kind",)}
_ALTERNATIVE = re.compile(r"str|float|int|bool|constrained-[a-z]+|.*[\[(].*", re.DOTALL)
"""How pydantic names an alternative of a value, such as `tuple[str, ...]`; keys of gates do not look like that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a mistake is: its path without what pydantic puts in, and what exists beside the last part of it."""

    path: tuple[str | int, ...]
    field: int  # how many parts of the path lead to the key of the policy, or of a check, that the mistake is in
    keys: tuple[str, ...]
    tags: tuple[str, ...]


def lines(details: Iterable[ErrorDetails], *, keys: tuple[str, ...], where: str) -> list[str]:
    """One line a mistake: `problem; expected … @ gate.checks.NAME.KEY`.

    A value that fits none of several alternatives is one mistake: that of the alternative which got furthest.

    Args:
        details: `ValidationError.errors(include_url=False)`.
        keys: the keys of a policy.
        where: what the policy is called.
    """
    found: dict[object, tuple[_Place, ErrorDetails]] = {}
    for number, detail in enumerate(details):
        place = _place(detail, keys)
        at = next((i for i, part in enumerate(place.path) if i >= place.field and _alternative(part)), None)
        if at is None or detail["type"] == "extra_forbidden":
            found[number] = place, detail
            continue
        value = place.path[:at]
        inside = replace(place, path=(*value, *place.path[at + 1 :]))
        if value not in found or len(found[value][0].path) < len(inside.path):
            found[value] = inside, detail
    said = [_line(place, detail, where) for place, detail in found.values()]
    return list(dict.fromkeys(said))


def _alternative(part: str | int) -> bool:
    return isinstance(part, str) and _ALTERNATIVE.fullmatch(part) is not None


def _place(detail: ErrorDetails, keys: tuple[str, ...]) -> _Place:
    path = [part for part in detail["loc"] if part != "[key]"]
    tags, at = tuple(KINDS), 1
    if path[:1] == ["schedule"]:
        tags = tuple(_SCHEDULES)
        if len(path) > 1:
            keys, at = _SCHEDULES[str(path.pop(1))], 2
    elif path[:1] == ["checks"]:
        # a union's tag comes after the name of a check; the checks of any_of have one too
        at = 2
        while len(path) > at and path[at] in KINDS:
            kind = str(path.pop(at))
            keys = tuple(KINDS[kind].model_fields)
            if not (kind == "any_of" and path[at : at + 1] == ["checks"] and len(path) > at + 1):
                at += 1
                break
            tags, at = tuple(name for name in KINDS if name != "any_of"), at + 2
    return _Place(path=tuple(path), field=at, keys=keys, tags=tags)


def _line(place: _Place, detail: ErrorDetails, where: str) -> str:
    context = detail.get("ctx", {})
    below = [context["below"]] if "below" in context else []
    path = ".".join([where, *map(str, place.path), *below])
    if detail["type"] == "union_tag_invalid" and context.get("tag") == "any_of":
        return f"any_of in any_of; expected one of {', '.join(place.tags)} @ {path}.kind"
    return mistake(detail, path=path, keys=place.keys, tags=place.tags)
