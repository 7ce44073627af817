"""What the tests over all kinds of gate find in the tests of one kind, `tests/gates/kinds/test_KIND.py`. All optional:

- `VARIANTS`: changes of the kind's example that the golden record tries as well.
- `EDGES`: verdicts at edges of `test_edges.py` where the kind differs from the others that read the same.
- `failing(make)`: evidence on which the example fails, where a worse challenger does not make it fail.
"""

from __future__ import annotations

import importlib
from typing import Any


def from_own_tests(kind: str, name: str, default: Any) -> Any:
    """What the tests of a kind say under `name`; the default where they say nothing, or are not written yet."""
    try:
        module = importlib.import_module(f"tests.gates.kinds.test_{kind}")
    except ModuleNotFoundError as err:
        if err.name != f"tests.gates.kinds.test_{kind}":
            raise
        return default
    return getattr(module, name, default)
