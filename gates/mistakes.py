"""pydantic's errors as lines that a user can act on: `problem; expected … @ path`."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from pydantic_core import ErrorDetails

SHOWN = 80
_NUMBERS = {"finite_number", "float_type", "float_parsing", "int_type", "int_parsing", "int_from_float"}
_MAPPINGS = {"dict_type", "mapping_type", "model_type", "model_attributes_type", "is_instance_of"}


def nearest(got: str, options: Iterable[str]) -> str:
    """` (did you mean 'x'?)`, or nothing where no option is near."""
    near = difflib.get_close_matches(got, list(options), n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def mistake(detail: ErrorDetails, *, path: str, keys: Iterable[str] = (), tags: Iterable[str] = ()) -> str:
    """One mistake as a line.

    Args:
        detail: one of `ValidationError.errors(include_url=False)`.
        path: where it is, as the user wrote it.
        keys: the keys that exist beside an unknown one.
        tags: the kinds that exist beside an unknown one.
    """
    kind, context = detail["type"], detail.get("ctx", {})
    got = repr(detail["input"])[:SHOWN]
    message = detail["msg"].removeprefix("Value error, ")
    if kind == "extra_forbidden":
        name = path.rpartition(".")[2][:SHOWN]
        return f"unknown key {name!r}; expected one of {', '.join(keys)} @ {path}{nearest(name, keys)}"
    if kind == "missing":
        return f"nothing given; expected a value @ {path}"
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        tag = str(context.get("tag", ""))[:SHOWN]
        said = f"unknown kind {tag!r}" if tag else "no kind is given"
        return f"{said}; expected one of {', '.join(tags)} @ {path}.kind{nearest(tag, tags)}"
    if kind == "literal_error":
        return f"got {got}; expected {context['expected']} @ {path}"
    if kind == "too_short":
        least = context["min_length"]
        return f"got {got}; expected at least {least} {'entry' if least == 1 else 'entries'} @ {path}"
    if kind in ("tuple_type", "list_type"):
        return f"got {got}; expected a list @ {path}"
    if kind == "none_required":
        return f"got {got}; expected no value @ {path}"
    if kind in _MAPPINGS:
        return f"got {got}; expected a mapping @ {path}"
    if kind in _NUMBERS:
        return f"got {got}; expected a finite {'whole ' if kind.startswith('int') else ''}number @ {path}"
    if "; expected" in message or not message.startswith("Input should"):
        return f"{message} @ {path}"
    return f"got {got}; expected {message.removeprefix('Input should be ').removeprefix('Input should ')} @ {path}"
