"""Names of slices of several columns. Code compares slices by the tuple of their values, and names are for people.

Only a policy names slices by such a text, and the text has to mean exactly one slice.
"""

from __future__ import annotations

import json
import re

SEPARATOR = ", "
_VALUE = re.compile(r'("(?:[^"\\]|\\.)*"|[^",]*)(, |\Z)', re.DOTALL)


def slice_name(values: tuple[str, ...]) -> str:
    """A name such as `EWR, UA`; different values of equally many columns have different names.

    A single value is its own name. Among several, a value is quoted as in JSON if it is empty, contains a comma, a
    quote or a character that does not print, or begins or ends with a space.
    """
    if len(values) == 1:
        return values[0]
    return SEPARATOR.join(value if _is_plain(value) else json.dumps(value, ensure_ascii=False) for value in values)


def read_slice_name(text: str, columns: int) -> tuple[tuple[str, ...], ...]:
    """The slices that a text may mean: as split at each ", ", and as written by `slice_name`."""
    if columns == 1:
        return ((text,),)
    meanings = (tuple(text.split(SEPARATOR)), _unquote(text))
    return tuple(dict.fromkeys(values for values in meanings if len(values) == columns))


def _is_plain(value: str) -> bool:
    return bool(value) and value.isprintable() and value == value.strip() and not {",", '"'} & set(value)


def _unquote(text: str) -> tuple[str, ...]:
    """The values whose `slice_name` is `text`; none if there are no such values."""
    values: list[str] = []
    start = 0
    while match := _VALUE.match(text, start):
        value, separator = match.groups()
        if value.startswith('"'):
            try:
                value = json.loads(value)
                value.encode()
            except ValueError:  # no JSON, or half a surrogate pair
                return ()
        values.append(value)
        if not separator:
            return tuple(values)
        start = match.end()
    return ()
