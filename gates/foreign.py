"""Objects of other people's classes: the one place where whatever they raise becomes a LockgateError.

A data frame, a lazy column or a mapping may raise anything while it is converted, from its `__len__` on. What was
lockgate's own mistake stays one: nothing but the conversion of the object belongs into these functions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from lockgate.gates.errors import LockgateError

Converted = TypeVar("Converted")


def convert_foreign(convert: Callable[[], Converted], refuse: Callable[[Exception], LockgateError]) -> Converted:
    """What `convert` returns.

    Args:
        convert: reads an object of the caller's.
        refuse: makes the error of what was raised. What that says of itself may be anything; its type is safe to show.

    Raises LockgateError: as `convert`, or as `refuse` says where `convert` raised anything else.
    """
    try:
        return convert()
    except LockgateError:
        raise
    except Exception as err:
        raise refuse(err) from err


def show_foreign(value: object, *, max_chars: int) -> str:
    """`repr` of a value, cut; the name of its type where that raises."""
    try:
        return repr(value)[:max_chars]
    except Exception:  # noqa: BLE001 (the text is for a message about this value: what it raises is no news)
        return f"a {type(value).__name__}"[:max_chars]
