"""Documents that somebody changed with an eye for their structure: values, keys, texts, bytes, members of archives.

All are drawn from a seed: `Mutator(Random(f"entry 17"))` always makes the same.
"""

from __future__ import annotations

import copy
import io
import json
import random
import tarfile
from collections.abc import Iterator, Mapping
from typing import Any


class Raw(str):
    """A piece of JSON, or of what passes for it, as it stands."""

    __slots__ = ()


def _nest(depth: int, opening: str = "[", closing: str = "]") -> Raw:
    return Raw(opening * depth + closing * depth)


ODD_VALUES: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    1,
    2,
    2**31,
    2**53,
    2**63,
    2**64,
    Raw("1" + "0" * 400),
    Raw("-0"),
    0.5,
    -0.0,
    Raw("1e-400"),
    Raw("1e400"),
    Raw("1E5"),
    Raw("NaN"),
    Raw("-Infinity"),
    Raw("0x10"),
    Raw("010"),
    Raw("1_000"),
    "",
    " ",
    "\x00",
    "\n",
    "\u202e\u2028",
    "\ud800",
    "\U0001f3f3",
    "null",
    "true",
    "1",
    "nan",
    "../../etc/passwd",
    "${oc.env:HOME}",
    "=" * 4,
    "A" * 88,
    "a" * 64,
    "x" * 20_000,
    "9999-12-31T23:59:59-14:00",
    "0001-01-01T00:00:00+14:00",
    "2024-02-30T00:00:00Z",
    "2024-05-01T12:00:00",
    "99999d",
    "2013-13",
    [],
    {},
    [[]],
    [None],
    {"": None},
    {"kind": "threshold"},
    _nest(100),
    _nest(5000),
    Raw('{"a":' * 5000 + "1" + "}" * 5000),
    Raw("[" * 5000),
    Raw('{"a":1,"a":2}'),
]


def format_value(value: Any) -> str:
    """Compact JSON with sorted keys, as canonical JSON has it, but for pieces that are to stand as they are."""
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, Mapping):
        pairs = sorted(value.items(), key=lambda pair: str(pair[0]))
        return "{" + ",".join(f"{format_value(str(key))}:{format_value(item)}" for key, item in pairs) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(format_value, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


class Mutator:
    """Changes documents, by lots."""

    def __init__(self, lots: random.Random) -> None:
        self.lots = lots

    def change_tree(self, tree: Any) -> Any:
        """A copy of plain values with one to four of them changed, removed, added, repeated or swapped."""
        tree = copy.deepcopy(tree)
        for _ in range(self.lots.choice((1, 1, 1, 2, 4))):
            tree = self._change_once(tree)
        return tree

    def change_document(self, tree: Any) -> bytes:
        """JSON of a changed tree; one in ten has its bytes changed as well."""
        blob = format_value(self.change_tree(tree)).encode(errors="surrogatepass")
        return self.change_bytes(blob) if self.lots.random() < 0.1 else blob

    def change_bytes(self, blob: bytes) -> bytes:
        """Cut off, flipped, doubled, or with something in between."""
        if not blob:
            return b"\x00"
        start, end = sorted(self.lots.randrange(len(blob) + 1) for _ in range(2))
        match self.lots.randrange(6):
            case 0:
                return blob[:start]
            case 1:
                return blob[:start] + blob[end:]
            case 2:
                return blob[:start] + self.lots.randbytes(self.lots.choice((1, 8, 512))) + blob[start:]
            case 3:
                return blob[:end] + blob[start:]
            case 4:
                return blob[:start] + b"\xff\xfe" + blob[start:]
            case _:
                changed = bytearray(blob)
                for _ in range(self.lots.choice((1, 1, 3, 20))):
                    changed[self.lots.randrange(len(blob))] ^= 1 << self.lots.randrange(8)
                return bytes(changed)

    def change_text(self, text: str) -> str:
        """A line of YAML removed, repeated, indented, or with something that means more than text."""
        lines = text.splitlines()
        index = self.lots.randrange(len(lines))
        extra = self.lots.choice(
            (
                "&a",
                "*a",
                "<<: *a",
                "!!python/name:os.system",
                "? a",
                "---",
                "...",
                "\t",
                "%YAML 1.1",
                ": :",
                "- -",
                "{",
                "'",
            )
        )
        match self.lots.randrange(5):
            case 0:
                del lines[index]
            case 1:
                lines.insert(self.lots.randrange(len(lines)), lines[index])
            case 2:
                lines[index] = self.lots.choice((" ", "  ", "\t")) + lines[index]
            case 3:
                lines.insert(index, extra)
            case _:
                lines[index] += f" {extra}"
        return "\n".join(lines) + "\n"

    def change_archive(self, files: Mapping[str, bytes]) -> bytes:
        """A tar archive with members that are odd, or missing, or whose headers lie; or with its bytes changed."""
        members = [(name, blob, tarfile.REGTYPE) for name, blob in files.items()]
        index = self.lots.randrange(len(members))
        name, blob, _ = members[index]
        odd_types = (
            tarfile.SYMTYPE,
            tarfile.LNKTYPE,
            tarfile.DIRTYPE,
            tarfile.FIFOTYPE,
            tarfile.CHRTYPE,
            b"S",
            b"x",
            b"L",
        )
        odd_names = ("", "..", "/etc/passwd", f"../{name}", f"./{name}", "x" * 300, f"{name}\x00y", "é\n", name.upper())
        way = self.lots.randrange(7)
        match way:
            case 0:
                del members[index]
            case 1:
                members.append(members[index])
            case 2:
                members[index] = (name, blob, self.lots.choice(odd_types))
            case 3:
                members[index] = (self.lots.choice(odd_names), blob, tarfile.REGTYPE)
            case 4:
                members[index] = (name, self.change_bytes(blob), tarfile.REGTYPE)
            case 5:
                self.lots.shuffle(members)
        archive = bytearray(_pack(members))
        if way == 6:
            _claim_size(archive, self.lots.choice((0, 1, len(blob) + 1, 2**31, 2**33 - 1, -1)))
        return self.change_bytes(bytes(archive)) if self.lots.random() < 0.2 else bytes(archive)

    def _change_once(self, tree: Any) -> Any:
        places = list(_places(tree))
        if not places or self.lots.random() < 0.02:
            return self.lots.choice(ODD_VALUES)
        parent, key = self.lots.choice(places)
        value = parent[key]
        match self.lots.randrange(9):
            case 0 | 1 | 2:
                parent[key] = copy.deepcopy(self.lots.choice(ODD_VALUES))
            case 3:
                del parent[key]
            case 4:
                other, other_key = self.lots.choice(places)
                parent[key] = copy.deepcopy(other[other_key])
            case 5 if isinstance(parent, dict):
                parent[self.lots.choice(("", "mine", "kind", "__class__", "_target_", "x" * 300, str(key) + " "))] = (
                    value
                )
            case 6 if isinstance(parent, list):
                parent.extend(copy.deepcopy(parent[: self.lots.choice((1, 3))]) * self.lots.choice((1, 50)))
            case _:
                parent[key] = self._change_value(value)
        return tree

    def _change_value(self, value: Any) -> Any:
        if isinstance(value, str) and value and not isinstance(value, Raw):
            index = self.lots.randrange(len(value))
            return self.lots.choice(
                (value[:index], value[:index] + "é" + value[index:], value.swapcase(), value + value[-1])
            )
        if isinstance(value, int | float):
            return self.lots.choice((-value, value + 1, value * 10**6, value / 7, str(value), [value]))
        return [value]


def _places(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Where a value stands: its parent, and the key or index there."""
    waiting = [tree]
    while waiting:
        parent = waiting.pop()
        keys: Any = list(parent) if isinstance(parent, dict) else range(len(parent)) if isinstance(parent, list) else ()
        for key in keys:
            yield parent, key
            waiting.append(parent[key])


def _pack(members: list[tuple[str, bytes, bytes]]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, blob, kind in members:
            member = tarfile.TarInfo(name)
            member.size, member.type, member.linkname = len(blob), kind, "/etc/passwd"
            archive.addfile(member, io.BytesIO(blob))
    return out.getvalue()


def _claim_size(archive: bytearray, size: int) -> None:
    """Have the first header say that its file has so many bytes, and put its checksum right."""
    archive[124:136] = b"%011o\x00" % size if size >= 0 else b"\xff" * 12
    archive[148:156] = b" " * 8
    archive[148:156] = b"%06o\x00 " % sum(archive[:512])
