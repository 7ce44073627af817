"""Files of plain values, such as policies: JSON, and YAML that is read as it is in conf/. No key may occur twice.

A file becomes nothing but mappings, lists, texts, numbers, booleans and null, and its size is bounded.
"""

from __future__ import annotations

import base64
import json
import math
import os
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from lockgate.gates.errors import LockgateError, SettingsError, printable
from lockgate.gates.foreign import convert_foreign

if TYPE_CHECKING:
    from yaml import SafeLoader
    from yaml.nodes import Node

FilePath = str | os.PathLike[str]

MAX_YAML_BYTES = 64 * 1024
MAX_JSON_BYTES = 4 * 1024**2
MAX_YAML_VALUES = 20_000  # each alias counts as the values that it repeats
MAX_YAML_DEPTH = 20

_TAGS = frozenset(
    f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null", "map", "seq", "merge", "value")
)
_FLOAT = re.compile(
    r"""[-+]?[0-9]+(?:_[0-9]+)*\.[0-9_]*(?:[eE][-+]?[0-9]+)?
    |[-+]?[0-9]+(?:_[0-9]+)*(?:[eE][-+]?[0-9]+)
    |\.[0-9]+(?:_[0-9]+)*(?:[eE][-+][0-9]+)?
    |[-+]?[0-9]+(?:_[0-9]+)*(?::[0-5]?[0-9])+\.[0-9_]*
    |[-+]?\.(?:inf|Inf|INF)
    |\.(?:nan|NaN|NAN)""",
    re.VERBOSE,
)


_SPELLINGS = {  # what every reader of YAML takes for the same value
    "int": re.compile(r"[-+]?(0|[1-9][0-9]*)"),
    "float": re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"),
    "bool": re.compile(r"true|True|TRUE|false|False|FALSE"),
}
_OTHER_OCTAL = re.compile(r"[-+]?0o[0-7]+")
"""Of YAML 1.2; to YAML 1.1, which is read here, a text."""


def parse_path(path: object, error: Callable[..., LockgateError]) -> Path:
    """A path of the caller's. Raises `error` where it is none, or holds what no file name can."""
    if not isinstance(path, str | os.PathLike):
        raise error(f"{type(path).__name__} is not a path", expected="a text or a pathlib.Path")
    file: Path = convert_foreign(
        lambda: Path(path),
        lambda err: error(f"the path cannot be read ({type(err).__name__})", expected="a file's name"),
    )
    if "\0" in str(file):
        raise error("the path contains a NUL", expected="a file's name", where=str(file))
    return file


def read_document(file: Path) -> Any:
    """The values in a file: JSON if its name ends in `.json`, else YAML.

    Raises:
        SettingsError: it cannot be read, is too large, is not JSON or YAML, repeats a key, or has a tag.
    """
    where, is_json = str(file), file.suffix == ".json"
    max_bytes = MAX_JSON_BYTES if is_json else MAX_YAML_BYTES
    try:
        with file.open("rb") as opened:
            blob = opened.read(max_bytes + 1)
    except OSError as err:
        raise SettingsError(f"cannot read: {err.strerror}", where=where) from err
    if not is_json:
        return parse_yaml(blob, where=where)
    _check_bytes(blob, max_bytes, where)
    try:
        return parse_json(blob)
    except RepeatedKeyError as err:
        raise _repeated_key(err.key, where) from err
    except (ValueError, RecursionError) as err:
        raise SettingsError("the file is not JSON", expected="JSON, as its name says", where=where) from err


class RepeatedKeyError(ValueError):
    """A key that occurs twice in one JSON object."""

    def __init__(self, key: str) -> None:
        self.key = key
        super().__init__(f"{key[:60]!r} occurs twice")


def parse_json(blob: bytes, *, finite: bool = True) -> Any:
    """The values in UTF-8 bytes of JSON.

    Args:
        finite: whether numbers that are not finite are refused. Python and many tools write NaN where JSON has none.

    Raises:
        ValueError: not JSON, a key that occurs twice, or a number that is not finite.
        RecursionError: nested too deeply.
    """
    if not finite:
        return json.loads(blob.decode(), object_pairs_hook=_object)
    return json.loads(
        blob.decode(), object_pairs_hook=_object, parse_constant=_refuse_constant, parse_float=_parse_finite
    )


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, value in pairs:
        if key in values:
            raise RepeatedKeyError(key)
        values[key] = value
    return values


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _parse_finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:40]} is too large a number")
    return number


def decode_base64(text: str) -> bytes:
    """The bytes of a text that is exactly what encoding them gives. Raises ValueError for any other text.

    Python takes others for the same bytes: the last character before `=` has bits that it ignores.
    """
    content = base64.b64decode(text, validate=True)
    if base64.b64encode(content).decode() != text:
        raise ValueError("the base64 is not canonical")
    return content


def parse_yaml(blob: bytes, *, where: str) -> Any:
    """The values in one YAML document. Raises SettingsError as `read_document` does."""
    import yaml

    root = yaml_node(blob, where=where)
    if root is None:
        return None
    loader = _loader()("")
    try:
        return loader.construct_document(root)
    except (yaml.YAMLError, ValueError, RecursionError) as err:
        raise _yaml_error(err, where) from err
    finally:
        loader.dispose()


def yaml_node(blob: bytes, *, where: str) -> Node | None:
    """The checked root node of one YAML document, before anything is constructed from it; None if it is empty.

    Raises SettingsError as `read_document` does.
    """
    import yaml

    _check_bytes(blob, MAX_YAML_BYTES, where)
    try:
        root: Node | None = yaml.compose(blob.decode(), Loader=_loader())
    except (yaml.YAMLError, ValueError, RecursionError) as err:
        raise _yaml_error(err, where) from err
    if root is not None:
        _check_size(root, where)
        for node in _nodes(root):
            _check_node(node, where)
    return root


def children(node: Any) -> list[Any]:
    """The nodes directly below a node: keys and values, or members."""
    if node.id == "mapping":
        return [part for pair in node.value for part in pair]
    return list(node.value) if node.id == "sequence" else []


@cache
def _loader() -> type[SafeLoader]:
    """YAML as OmegaConf reads it: a number may have an exponent without a point, and nothing is a date."""
    from yaml import SafeLoader

    class Loader(SafeLoader):
        pass

    dates, floats = "tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:float"
    Loader.add_implicit_resolver(floats, re.compile(rf"^(?:{_FLOAT.pattern})$", re.VERBOSE), list("-+0123456789."))
    Loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != dates]
        for first, resolvers in Loader.yaml_implicit_resolvers.items()
    }
    return Loader


def _check_bytes(blob: bytes, max_bytes: int, where: str) -> None:
    if len(blob) > max_bytes:
        raise SettingsError("the file is too large", expected=f"at most {max_bytes:,} bytes", where=where)


def _check_size(root: Any, where: str) -> None:
    """Refuse too many nodes, counted with every alias written out, and too many levels."""
    sizes: dict[int, int] = {}
    open_nodes: set[int] = set()

    def size(node: Any, depth: int) -> int:
        if depth > MAX_YAML_DEPTH or id(node) in open_nodes:
            raise SettingsError(
                "the file is nested too deeply", expected=f"at most {MAX_YAML_DEPTH} levels", where=where
            )
        if id(node) not in sizes:
            open_nodes.add(id(node))
            sizes[id(node)] = 1 + sum(size(child, depth + 1) for child in children(node))
            open_nodes.remove(id(node))
        return sizes[id(node)]

    if size(root, 0) > MAX_YAML_VALUES:
        raise SettingsError("the file has too many values", expected=f"at most {MAX_YAML_VALUES:,}", where=where)


def _nodes(root: Any) -> Iterator[Any]:
    """Every node once, however many aliases refer to it."""
    waiting, visited = [root], {id(root)}
    while waiting:
        node = waiting.pop()
        yield node
        below = [child for child in children(node) if id(child) not in visited]
        visited |= {id(child) for child in below}
        waiting += below


def _check_node(node: Any, where: str) -> None:
    if node.tag not in _TAGS:
        raise SettingsError("a tag is not allowed", expected="plain values", where=where)
    if node.id == "scalar":
        _check_spelling(node, where)
    keys: set[object] = set()
    for key, _ in node.value if node.id == "mapping" else ():
        if key.id != "scalar" or key.tag.endswith(":null"):
            raise SettingsError("a key is not plain text", expected="plain keys", where=where)
        value = _read_scalar(key) if _spelling_of(key) else key.value  # 1, 1.0 and true are one key in Python
        if value in keys:
            raise _repeated_key(key.value, where)
        keys.add(value)


def _check_spelling(node: Any, where: str) -> None:
    """Refuse numbers and truth values that do not look like what they are read as: `0200` is 128, and `NO` is false."""
    spelling = _spelling_of(node)
    if spelling is not None and not spelling.fullmatch(node.value):
        reading = json.dumps(_read_scalar(node))
    elif node.style is None and _OTHER_OCTAL.fullmatch(node.value):
        reading = "a text, and elsewhere as a number"
    else:
        return
    raise SettingsError(
        f"{printable(node.value)[:60]} in line {node.start_mark.line + 1} is read as {reading}",
        expected="a number in decimal digits, true or false; or quotes around it, if it is a text",
        where=where,
    )


def _spelling_of(node: Any) -> re.Pattern[str] | None:
    return _SPELLINGS.get(node.tag.rpartition(":")[2])


def _read_scalar(node: Any) -> Any:
    """The value of a scalar; its text where YAML's own reader cannot make one of it."""
    try:
        return _loader()("").construct_object(node)
    except ValueError:
        return node.value


def _repeated_key(key: str, where: str) -> SettingsError:
    return SettingsError(
        f"{printable(key)[:60]!r} occurs twice",
        expected="each key once",
        where=where,
        hint="one of the two values would silently win",
    )


def _yaml_error(err: Exception, where: str) -> SettingsError:
    """What is wrong and in which line, if the YAML parser says so."""
    mark = getattr(err, "problem_mark", None)
    plain = "it is not UTF-8" if isinstance(err, UnicodeDecodeError) else str(err)
    plain = "it is nested too deeply" if isinstance(err, RecursionError) else plain
    problem = getattr(err, "problem", None) or plain
    line = f" in line {mark.line + 1}" if mark else ""
    return SettingsError(f"the file is not YAML: {printable(problem)[:160] or type(err).__name__}{line}", where=where)
