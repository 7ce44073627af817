"""Slices as a policy declares them: the list of their values, or a text that names one of them alone."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, cast

from pydantic import Field
from pydantic_core import PydanticCustomError

from lockgate.gates.gate.check import Text
from lockgate.gates.gate.grouped import Grouped
from lockgate.gates.metrics.slice_names import read_slice_name, slice_name
from lockgate.gates.strictness import Finding, Members, Place

Slice = Text | Annotated[tuple[Text, ...], Field(min_length=1, strict=False)]
_MAX_EXCERPT = 80


def slice_key(declared: Slice, columns: Sequence[str]) -> tuple[str, ...]:
    """The values that a declared slice has, one of each column. Raises PydanticCustomError where it has others."""
    if not isinstance(declared, str):
        if len(declared) != len(columns):
            problem = f"has {len(declared)} value{'s' * (len(declared) != 1)}"
            raise _no_slice(problem, declared, _one_for_each(columns))
        return declared
    keys = read_slice_name(declared, len(columns))
    if not keys:
        expected = f"{_one_for_each(columns)}, as in {json.dumps(['…'] * len(columns), ensure_ascii=False)}"
        raise _no_slice(f"is no text of {len(columns)} values", declared, expected)
    if len(keys) > 1:
        lists = ", ".join(json.dumps(key, ensure_ascii=False) for key in keys)
        raise _no_slice("may mean two", declared, f"one of {lists}")
    return keys[0]


def _one_for_each(columns: Sequence[str]) -> str:
    return f"one value of {columns[0]}" if len(columns) == 1 else f"one value for each of {' and '.join(columns)}"


def _no_slice(problem: str, declared: Slice, expected: str) -> PydanticCustomError:
    excerpt = json.dumps(declared, ensure_ascii=False)[:_MAX_EXCERPT]
    return PydanticCustomError(
        "slice",
        "slice {shown} {problem}; expected {expected}",
        {"problem": problem, "shown": excerpt, "expected": expected},
    )


@dataclass(frozen=True, slots=True)
class DeclaredSlices:
    """A rule for names, of slices: a text that becomes the list of the same values is no change."""

    names: Members

    def compare(self, before: Sequence[Slice], after: Sequence[Slice], place: Place) -> Iterator[Finding]:
        old, new = (
            [slice_name(slice_key(declared, cast(Grouped, check).columns)) for declared in slices]
            for slices, check in ((before, place.before), (after, place.after))
        )
        yield from self.names.compare(old, new, place)
