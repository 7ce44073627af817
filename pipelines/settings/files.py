"""Check the files of a conf/: what Hydra chose, and what somebody else wrote before Hydra reads it.

Of somebody else's, refused are files that are too many or too large, YAML that expands, tags, Hydra's own keys,
@package lines, and names of files that lead out of conf/ or read the environment. What remains are values and plain
choices of files of conf/.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from lockgate.gates.documents import children, yaml_node
from lockgate.gates.errors import SettingsError, printable

MAX_CONF_FILES = 200
ROOT_FILE = re.compile(r"conf/[A-Za-z0-9][A-Za-z0-9_-]*\.yaml")
CHOICE_FILE = re.compile(r"conf/([A-Za-z0-9_]+)/([A-Za-z0-9][A-Za-z0-9_-]*)\.yaml")
_PACKAGE = re.compile(rb"^\s*#\s*@package\s+(\S+)", re.MULTILINE)
_PACKAGES = (b"_global_",)
_CHOICE = re.compile(r"[A-Za-z0-9_-]+|\$\{[a-z_]+\}")
_GROUP = re.compile(r"((override|optional) )?/?[A-Za-z0-9_]+")


def write_conf(files: Mapping[str, bytes], folder: Path, *, name: str) -> Path:
    """Write every file that can be composed to `folder`, and return the directory conf/ in it.

    Only `conf/NAME.yaml` and `conf/GROUP/NAME.yaml` are written: no choice can lead to any other file.

    Raises:
        SettingsError: a file is refused, at `NAME: PATH`; `name` is what the version is called.
    """
    chosen = {
        path: content for path, content in files.items() if ROOT_FILE.fullmatch(path) or CHOICE_FILE.fullmatch(path)
    }
    if len(chosen) > MAX_CONF_FILES:
        raise SettingsError("too many files in conf/", expected=f"at most {MAX_CONF_FILES}", where=name)
    for path, content in sorted(chosen.items()):
        if path.startswith("conf/hydra"):
            raise SettingsError(
                "Hydra's own settings are not allowed", expected="no conf/hydra", where=f"{name}: {path}"
            )
        _check_file(content, f"{name}: {path}")
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder / "conf"


def check_chosen_files(conf: Path, config: str, choices: Mapping[str, str]) -> None:
    """Refuse what Hydra reads without a word: `0200`, which is 128, `NO`, which is false, and an empty experiment.

    Args:
        config: the file of conf/ that was composed.
        choices: the file that was chosen of each group; "None" for none.

    Raises:
        SettingsError: as `yaml_node`, or for an experiment without content.
    """
    waiting = [config, *(f"{group}/{choice}" for group, choice in choices.items() if choice != "None")]
    checked: set[str] = set()
    while waiting:
        name = waiting.pop()
        file = conf / f"{name}.yaml"
        if name in checked or not file.is_file():  # Hydra's own, as of logging
            continue
        checked.add(name)
        root, beside = _read_conf_file(file.read_bytes(), f"{conf.name}/{name}.yaml")
        waiting += [f"{name.rpartition('/')[0]}/{choice}".lstrip("/") for choice in beside]
        if name.startswith("experiment/") and (root is None or root.value in ("", "~", "null", [])):
            raise SettingsError("the experiment is empty", expected="what it changes", where=f"{conf.name}/{name}.yaml")


@lru_cache(maxsize=64)
def _read_conf_file(content: bytes, where: str) -> tuple[Any, tuple[str, ...]]:
    """The root node of a file, and the files beside it that its defaults name."""
    root: Any = yaml_node(content, where=where)
    pairs = root.value if root is not None and root.id == "mapping" else ()
    defaults = [value for key, value in pairs if key.value == "defaults" and value.id == "sequence"]
    return root, tuple(entry.value for entries in defaults for entry in entries.value if entry.id == "scalar")


def list_table_paths(conf: Path) -> set[str]:
    """The paths of tables in the files of conf/data. `conf` is what `write_conf` returned."""
    from yaml.nodes import MappingNode, ScalarNode

    roots = [yaml_node(file.read_bytes(), where=str(file)) for file in conf.glob("data/*.yaml")]
    pairs = [pair for root in roots if isinstance(root, MappingNode) for pair in root.value]
    return {str(value.value) for key, value in pairs if key.value == "path" and isinstance(value, ScalarNode)}


def _check_file(content: bytes, where: str) -> None:
    root = yaml_node(content, where=where)
    for package in _PACKAGE.findall(content):
        if package not in _PACKAGES:
            raise SettingsError("an @package line is not allowed", expected="no @package, or _global_", where=where)
    if root is None:
        return
    for node, path in _nodes(root):
        _check_node(node, path, where)


def _nodes(root: Any) -> Iterator[tuple[Any, str]]:
    """Every node, with the dotted path of the key that it is under."""
    waiting = [(root, "")]
    while waiting:
        node, path = waiting.pop()
        yield node, path
        if node.id == "mapping":
            for key, value in node.value:
                name = str(key.value) if key.id == "scalar" else ""
                waiting += [(key, f"{path}{name}="), (value, f"{path}.{name}".lstrip("."))]
        else:
            waiting += [(child, path) for child in children(node)]


def _check_node(node: Any, path: str, where: str) -> None:
    if node.id == "mapping":
        for key, value in node.value:
            if key.value.startswith("_target_") or (path == "" and key.value.partition("/")[0] == "hydra"):
                name = printable(key.value)[:60]
                raise SettingsError(f"{name!r} is not allowed", expected="lockgate's own keys", where=where)
            if path == "" and key.value == "defaults":
                _check_defaults(value, where)
    elif node.id == "scalar" and "${" in node.value and ":" in node.value.partition("${")[2]:
        raise SettingsError("a resolver is not allowed", expected="a plain value", where=where)


def _check_defaults(defaults: Any, where: str) -> None:
    """Raise unless the defaults are a list of `_self_`, names of files beside this one, and `GROUP: FILE`."""
    problem = SettingsError(
        "the defaults are not plain", expected="_self_, a file of conf/, or GROUP: FILE", where=where
    )
    if defaults.id != "sequence":
        raise problem
    for entry in defaults.value:
        if entry.id == "scalar" and _CHOICE.fullmatch(entry.value):
            continue
        if entry.id != "mapping" or len(entry.value) != 1:
            raise problem
        (group, choice) = entry.value[0]
        is_choice = choice.id == "scalar" and (_CHOICE.fullmatch(choice.value) or choice.tag.endswith(":null"))
        if not (group.id == "scalar" and _GROUP.fullmatch(group.value) and "hydra" not in group.value and is_choice):
            raise problem
