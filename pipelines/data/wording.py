"""Parts of a data error's line: what there is to choose from, and which of it was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

SHOWN = 12


def options(names: Iterable[object]) -> str:
    """`one of a, b, c`; after twelve names the number of the others."""
    listed = [str(name) for name in names]
    more = f" and {len(listed) - SHOWN} more" if len(listed) > SHOWN else ""
    return f"one of {', '.join(listed[:SHOWN])}{more}" if listed else "none, as there is none"


def meant(name: object, names: Iterable[object]) -> str:
    """`did you mean 'late'?` for the nearest name; "" when none is near."""
    near = difflib.get_close_matches(str(name), [str(other) for other in names], n=1)
    return f"did you mean {near[0]!r}?" if near else ""
