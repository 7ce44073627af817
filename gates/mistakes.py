"""pydantic's errors as lines that a user can act on: `problem; expected … @ path`."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic_core import ErrorDetails

from lockgate.gates.foreign import show_foreign

MAX_SHOWN_CHARS = 80
_NUMBERS = {"finite_number", "float_type", "float_parsing", "int_type", "int_parsing", "int_from_float"}
_MAPPINGS = {"dict_type", "mapping_type", "model_type", "model_attributes_type", "is_instance_of"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """Where in the user's input a mistake is, and what is allowed there."""

    path: tuple[str | int, ...]  # keys and indices, as the user wrote them
    keys: tuple[str, ...] = ()  # that the mapping around the last part of the path may have
    tags: tuple[str, ...] = ()  # kinds that the value at the path may have
    union: int | None = None  # how many parts of the path lead to a value that may be of several types, if one does


def locate(parts: Sequence[str | int], schema: Mapping[str, Any]) -> Location:
    """The location of a mistake without the parts that pydantic adds to it.

    Where a value may be of several types, pydantic adds which of them it tried: a tag, or its own name of a type such
    as `function-after[…]`. Either could be a key of the user's as well, so it is found by its place in the schema.

    Args:
        parts: `loc` of one of `ValidationError.errors()`.
        schema: `TypeAdapter(…).core_schema` of the type that was validated.
    """
    return _locate(tuple(parts), schema, {})


_Schema = Mapping[str, Any]
_HAVE_PARTS = {"model-fields", "dict", "tuple"}


def _locate(parts: tuple[str | int, ...], schema: _Schema, definitions: dict[str, _Schema]) -> Location:
    schema = _unwrap(schema, definitions)
    if schema["type"] == "tagged-union":
        choices = {str(tag): choice for tag, choice in schema["choices"].items()}
        if parts and parts[0] in choices:
            return _locate(parts[1:], choices[str(parts[0])], definitions)
        return Location(path=parts, tags=tuple(choices))
    if not parts:
        return Location(path=())
    if schema["type"] == "union":
        types = [choice[0] if isinstance(choice, tuple) else choice for choice in schema["choices"]]
        fitting = [choice for choice in types if _unwrap(choice, definitions)["type"] in _HAVE_PARTS or not parts[1:]]
        return replace(_locate(parts[1:], (fitting or types)[0], definitions), union=0)
    keys, value = _step(schema, parts[0])
    if value is None or (schema["type"] == "dict" and parts[1:] == ("[key]",)):  # pydantic's mark of a mistaken key
        return Location(path=parts if value is None else parts[:1], keys=keys)
    inside = _locate(parts[1:], value, definitions)
    return replace(
        inside,
        path=(parts[0], *inside.path),
        keys=inside.keys if inside.path else keys,
        union=None if inside.union is None else inside.union + 1,
    )


def _unwrap(schema: _Schema, definitions: dict[str, _Schema]) -> _Schema:
    """The schema inside validators, defaults and the like, which add no part to a location."""
    while "schema" in schema or schema["type"] == "definition-ref":
        definitions |= {definition["ref"]: definition for definition in schema.get("definitions", ())}
        schema = schema["schema"] if "schema" in schema else definitions[schema["schema_ref"]]
    return schema


def _step(schema: _Schema, part: str | int) -> tuple[tuple[str, ...], _Schema | None]:
    """The keys that exist beside `part`, and the schema of its value; None where the schema does not know it."""
    if schema["type"] == "model-fields":
        return tuple(schema["fields"]), schema["fields"].get(part)
    if schema["type"] == "dict":
        return (), schema.get("values_schema")
    if schema["type"] == "tuple" and isinstance(part, int):
        items, repeated = schema["items_schema"], schema.get("variadic_item_index")
        return (), items[part if repeated is None else min(part, repeated)]
    return (), None


def suggest(word: str, options: Iterable[str]) -> str:
    """` (did you mean 'x'?)`, or an empty text where no option is close."""
    matches = difflib.get_close_matches(word, list(options), n=1)
    return f" (did you mean {matches[0]!r}?)" if matches else ""


def describe_mistake(detail: ErrorDetails, location: Location, *, where: str) -> str:
    """One mistake as a line.

    Args:
        detail: one of `ValidationError.errors(include_url=False)`.
        location: `locate` of its `loc`.
        where: what the location's path starts from, such as `gate`; "" for the whole input.
    """
    path = ".".join(map(str, [*([where] if where else []), *location.path]))
    keys, tags = location.keys, location.tags
    kind, context = detail["type"], detail.get("ctx", {})
    shown_input = show_foreign(detail["input"], max_chars=MAX_SHOWN_CHARS)
    message = detail["msg"].removeprefix("Value error, ")
    if kind == "extra_forbidden":
        name = path.rpartition(".")[2][:MAX_SHOWN_CHARS]
        return f"unknown key {name!r}; expected one of {', '.join(keys)} @ {path}{suggest(name, keys)}"
    if kind == "missing":
        return f"nothing given; expected a value @ {path}"
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        tag = str(context.get("tag", ""))[:MAX_SHOWN_CHARS]
        problem = f"unknown kind {tag!r}" if tag else "no kind is given"
        return f"{problem}; expected one of {', '.join(tags)} @ {path}.kind{suggest(tag, tags)}"
    if kind == "literal_error":
        return f"got {shown_input}; expected {context['expected']} @ {path}"
    if kind == "too_short":
        count = context["min_length"]
        return f"got {shown_input}; expected at least {count} {'entry' if count == 1 else 'entries'} @ {path}"
    if kind in ("tuple_type", "list_type"):
        return f"got {shown_input}; expected a list @ {path}"
    if kind == "none_required":
        return f"got {shown_input}; expected no value @ {path}"
    if kind in _MAPPINGS:
        return f"got {shown_input}; expected a mapping @ {path}"
    if kind in _NUMBERS:
        return f"got {shown_input}; expected a finite {'whole ' if kind.startswith('int') else ''}number @ {path}"
    if "; expected" in message or not message.startswith("Input should"):
        return f"{message} @ {path}"
    return (
        f"got {shown_input}; expected {message.removeprefix('Input should be ').removeprefix('Input should ')} @ {path}"
    )
