"""What a pull request proposes: conf/ as it stands, and named lists of overrides of model, train and experiment, in
conf/candidates.yaml."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lockgate.gates.documents import yaml_node
from lockgate.gates.errors import LockgateError, SettingsError
from lockgate.gates.mistakes import suggest
from lockgate.pipelines.settings.groups import AUTHOR_GROUPS

if TYPE_CHECKING:
    from yaml.nodes import Node

CANDIDATES_FILE = "candidates.yaml"
DEFAULT_NAME = "default"
"""The name of conf/ as it stands: what merging would train. No other candidate has it."""

TRAINED_BY = ("model", "train", "data", "as_of", "seed")
"""The groups of conf/ that a model depends on; `experiment` only changes these."""

MAX_CANDIDATES = 16
MAX_OVERRIDES = 32
NAME_PATTERN = re.compile(r"[a-z][a-z0-9_-]{0,31}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedCandidate:
    """A challenger by name. One that is refused is not trained."""

    name: str
    overrides: tuple[str, ...]
    refusal: str = ""  # one line: what was wrong, and what is accepted; empty if accepted


_DEFAULT = ListedCandidate(name=DEFAULT_NAME, overrides=())


def load_candidates(conf: Path) -> tuple[ListedCandidate, ...]:
    """The candidates of conf/candidates.yaml, in its order, or only `default` (conf/ as it stands) if it lists none.

    Overrides of model, train and experiment are accepted as on the command line. A candidate with a refused override
    carries the reason, and does not affect the others.

    Raises:
        SettingsError: the file is not a mapping of names to lists of overrides, or has more than 16 names.
    """
    listed = list(_read_listed(conf / CANDIDATES_FILE))
    return tuple(_vet(name, overrides, conf) for name, overrides in listed) or (_DEFAULT,)


def with_default(listed: tuple[ListedCandidate, ...]) -> tuple[ListedCandidate, ...]:
    """These candidates, and before them `default`, conf/ as it stands, once."""
    return (_DEFAULT, *(candidate for candidate in listed if candidate.name != DEFAULT_NAME))


def compose_training(conf: Path, overrides: Sequence[str]) -> dict[str, Any]:
    """What conf/ with these overrides trains a model by: plain values, for any kind of model.

    Raises:
        SettingsError: it does not compose, or names no kind of model.
    """
    from lockgate.pipelines.settings.composition import compose_tree
    from lockgate.pipelines.settings.overrides import vet_overrides

    tree = compose_tree(conf, [change.text for change in vet_overrides(overrides, conf)], "config")
    model = tree.get("model")
    if not isinstance(model, dict) or not isinstance(model.get("name"), str):
        raise SettingsError("no kind of model is composed", expected="a word", where="model.name")
    return {name: tree.get(name) for name in TRAINED_BY}


def _vet(name: str, overrides: tuple[str, ...], conf: Path) -> ListedCandidate:
    from lockgate.pipelines.settings.overrides import vet_overrides

    try:
        for change in vet_overrides(overrides, conf):
            group = change.key.partition(".")[0]
            if group not in AUTHOR_GROUPS:
                raise SettingsError(
                    f"{group} belongs to the owners of the gates",
                    expected=f"overrides of {', '.join(AUTHOR_GROUPS)}",
                    where=change.text[:120],
                    hint=suggest(group, AUTHOR_GROUPS).strip(" ()"),
                )
    except LockgateError as err:
        return ListedCandidate(name=name, overrides=overrides, refusal=str(err))
    return ListedCandidate(name=name, overrides=overrides)


def _read_listed(file: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Names and overrides as written: everything in the file stays text."""
    from yaml.nodes import MappingNode, SequenceNode

    where = f"conf/{CANDIDATES_FILE}"
    if file.is_symlink() or not file.is_file():
        return
    try:
        blob = file.read_bytes()
    except OSError as err:
        raise SettingsError(f"cannot read: {err.strerror}", where=where) from err
    root = yaml_node(blob, where=where)
    if root is None or root.tag == "tag:yaml.org,2002:null":
        return
    if not isinstance(root, MappingNode):
        raise SettingsError("it is not a mapping", expected="NAME: [model=xgb, model.max_depth=6]", where=where)
    if len(root.value) > MAX_CANDIDATES:
        raise SettingsError(
            f"there are {len(root.value)} candidates", expected=f"at most {MAX_CANDIDATES}", where=where
        )
    for key, value in root.value:
        name = _name(key, where)
        texts = [_text(node) for node in value.value] if isinstance(value, SequenceNode) else [None]
        overrides = tuple(text for text in texts if text is not None)
        if len(overrides) < len(texts) or len(overrides) > MAX_OVERRIDES:
            raise SettingsError(
                f"{name} has no list of overrides",
                expected=f"[model=xgb, model.max_depth=6], at most {MAX_OVERRIDES} texts",
                where=where,
            )
        if name == DEFAULT_NAME and overrides:
            raise SettingsError(
                f"{DEFAULT_NAME} means conf/ as it stands, and cannot have overrides",
                expected="another name",
                where=where,
            )
        yield name, overrides


def _name(node: Node, where: str) -> str:
    name = _text(node)
    if name is None or not NAME_PATTERN.fullmatch(name):
        raise SettingsError(
            f"{(name or 'something that is not text')[:40]!r} is not a valid name of a candidate",
            expected="lower-case letters, digits, _ and -, starting with a letter, at most 32 characters",
            where=where,
        )
    return name


def _text(node: Node) -> str | None:
    from yaml.nodes import ScalarNode

    return str(node.value) if isinstance(node, ScalarNode) else None
