"""Read a policy that was judged by: from the promotion log, or from an export. People's files go to `Policy.parse`."""

from __future__ import annotations

from typing import Any

from lockgate.gates.errors import PolicyError
from lockgate.gates.policy.policy import Policy
from lockgate.gates.policy.upgrades import FIRST_SHAPE, SHAPE_KEY, current_shape, upgrade_document


def read_archived(document: Any, *, where: str = "policy") -> Policy:
    """The policy in a document that lockgate kept, of this shape or an older one, as this version would say it.

    Its `digest` is the one that the decisions of its time name.

    Args:
        document: what `lockgate.gates.log.policies.policy_bytes` wrote, as JSON values.

    Raises:
        PolicyError: it is of a newer shape, or no policy of the shape that it names.
    """
    if not isinstance(document, dict):
        raise PolicyError([f"{type(document).__name__} is no policy; expected a mapping @ {where}"])
    shape, newest = document.get(SHAPE_KEY, FIRST_SHAPE), current_shape()
    if not isinstance(shape, int) or isinstance(shape, bool) or shape < FIRST_SHAPE:
        raise PolicyError([f"got {str(shape)[:80]!r}; expected the number of a shape @ {where}.{SHAPE_KEY}"])
    if shape > newest:
        problem = f"a newer lockgate kept this policy: it is of shape {shape}; expected {newest} or less @ {where}"
        raise PolicyError([f"{problem} (install a newer lockgate)"])
    keys = {name: value for name, value in document.items() if name != SHAPE_KEY}
    return Policy.parse(upgrade_document(keys, shape), where=where)
