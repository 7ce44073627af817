"""A slice of several columns is the tuple of its values. Its name is for people: nothing but a policy's text is read
as one, and that only where it can mean one slice."""

from __future__ import annotations

import json
import re

SEPARATOR = ", "
_VALUE = re.compile(r'("(?:[^"\\]|\\.)*"|[^",]*)(, |\Z)', re.DOTALL)


def slice_name(values: tuple[str, ...]) -> str:
    """`EWR, UA`; of other values of as many columns, another name.

    A value alone is its own name. Of several, one is quoted as in JSON that is empty, holds a comma, a quote or what
    does not print, or begins or ends with a space.
    """
    if len(values) == 1:
        return values[0]
    return SEPARATOR.join(value if _is_plain(value) else json.dumps(value, ensure_ascii=False) for value in values)


def readings(text: str, columns: int) -> tuple[tuple[str, ...], ...]:
    """The slices of so many columns that a text may mean: it as split at each ", ", and as `slice_name` writes it."""
    if columns == 1:
        return ((text,),)
    read = (tuple(text.split(SEPARATOR)), _unquoted(text))
    return tuple(dict.fromkeys(values for values in read if len(values) == columns))


def _is_plain(value: str) -> bool:
    return bool(value) and value.isprintable() and value == value.strip() and not {",", '"'} & set(value)


def _unquoted(text: str) -> tuple[str, ...]:
    """The values of which `text` is made as `slice_name` makes it; none where it is not."""
    values: list[str] = []
    start = 0
    while match := _VALUE.match(text, start):
        value, separator = match.groups()
        if value.startswith('"'):
            try:
                value = json.loads(value)
                value.encode()
            except ValueError:  # no JSON, or half of a character
                return ()
        values.append(value)
        if not separator:
            return tuple(values)
        start = match.end()
    return ()
