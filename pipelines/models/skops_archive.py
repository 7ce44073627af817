"""What bytes of format skops have to be before skops loads them: an archive without surprises, of listed types only.

skops by itself loads every estimator of scikit-learn and every type of NumPy and SciPy. Some of these run for ever, ask
for memory without end or start processes, all of it by numbers in a file. So a file is refused that holds a type which
no model of this package is made of.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Collection, Iterator
from io import BytesIO
from typing import Any

MAX_MEMBERS = 100_000
MAX_NODES = 2_000_000
"""Entries of the schema, each of which takes some microseconds."""

LOADERS = frozenset(
    (
        "DTypeNode",
        "DictNode",
        "FunctionNode",
        "JsonNode",
        "ListNode",
        "LossNode",
        "NdArrayNode",
        "ObjectNode",
        "PartialNode",
        "RandomGeneratorNode",
        "SliceNode",
        "TupleNode",
        "TypeNode",
    )
)
"""How skops makes objects of what it reads: the ways that models of this package need."""

_SCHEMA = "schema.json"
_ARRAY = re.compile(r"[0-9]{1,20}\.npy")
_ONE_PROCESS = ("null", "1")


def check_archive(blob: bytes, types: Collection[str]) -> None:
    """Raise ValueError unless `blob` is a skops archive whose objects are all of `types`.

    Nothing in it is compressed, so that it cannot be larger than it is; nothing in it asks for more than one process.
    """
    with zipfile.ZipFile(BytesIO(blob)) as archive:
        members = archive.infolist()
        if len(members) > MAX_MEMBERS:
            raise ValueError(f"it has {len(members):,} members; expected at most {MAX_MEMBERS:,}")
        if len({member.filename for member in members}) != len(members):
            raise ValueError("a member is in it twice")
        for member in members:
            if member.filename != _SCHEMA and not _ARRAY.fullmatch(member.filename):
                raise ValueError(f"it has a member {member.filename[:80]!r}; expected {_SCHEMA} and arrays")
            if member.compress_type != zipfile.ZIP_STORED or member.compress_size != member.file_size:
                raise ValueError(f"its member {member.filename} is compressed; expected none that is")
        if (declared := sum(member.file_size for member in members)) > len(blob):
            raise ValueError(f"it unpacks to {declared:,} bytes, and has {len(blob):,}")
        schema = json.loads(archive.read(_SCHEMA))
    _check_nodes(schema, types)


def _check_nodes(schema: Any, types: Collection[str]) -> None:
    for count, node in enumerate(_list_nodes(schema)):
        if count == MAX_NODES:
            raise ValueError(f"its schema has more than {MAX_NODES:,} entries")
        if "__class__" in node:
            name = f"{node.get('__module__')}.{node['__class__']}"
            if name not in types:
                raise ValueError(f"it holds the type {name[:200]}, which no model here is made of")
            if node.get("__loader__") not in LOADERS:
                raise ValueError(f"its {name} is loaded by {str(node.get('__loader__'))[:80]}")
        if "n_jobs" in node:
            jobs = node["n_jobs"]
            if not isinstance(jobs, dict) or jobs.get("content") not in _ONE_PROCESS:
                raise ValueError("it asks for several processes; expected n_jobs to be None or 1")


def _list_nodes(schema: Any) -> Iterator[dict[str, Any]]:
    """All mappings in a JSON document."""
    waiting = [schema]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            yield value
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
