"""Vet override strings before Hydra composes anything.

Accepted are `group=choice` for a file of conf/GROUP, and `group.key=value` for an existing key and a plain value.
Refused, with a message that says what is accepted, are additions and deletions, packages, sweeps, functions,
interpolation, `hydra.*`, `_target_`, paths, NaN and infinity.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

from lockgate.gates.errors import SettingsError
from lockgate.gates.mistakes import suggest

MAX_OPTIONS = 16
MAX_OVERRIDE_CHARS = 1000
_CHOICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_QUOTED = re.compile(r"""'(\\.|[^'\\])*'|"(\\.|[^"\\])*\"""")
_KEY = re.compile(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class VettedOverride:
    """An override that was accepted."""

    key: str  # what it changes: a group, or a dotted key
    text: str  # as Hydra takes it


def vet_overrides(overrides: Sequence[str], conf: Path, config: str = "config") -> tuple[VettedOverride, ...]:
    """Check every override. Raises SettingsError at the first that is not acceptable."""
    groups = sorted(path.name for path in conf.iterdir() if path.is_dir())
    parsed = [(text, *_parse_override(text, groups)) for text in overrides]
    changes = [
        VettedOverride(key=key, text=text) for text, key, value in parsed if _is_choice(text, key, value, groups, conf)
    ]
    repeated = [key for _, key, _ in parsed if sum(key == other for _, other, _ in parsed) > 1]
    if repeated:
        raise SettingsError(f"{repeated[0]} is given twice", expected="one value", where=repeated[0])
    keys = [(text, key) for text, key, _ in parsed if key not in groups]
    if keys:
        keys_of_conf = _list_keys(conf, [change.text for change in changes], config)
        for text, key in keys:
            if key not in keys_of_conf:
                raise SettingsError(
                    f"unknown key {key[:80]!r}",
                    expected=_suggest_options(key, keys_of_conf, groups),
                    where=_shorten(text),
                    hint=suggest(key, [*keys_of_conf, *groups]).strip(" ()"),
                )
            changes.append(VettedOverride(key=key, text=text))
    return tuple(changes)


def _parse_override(text: str, groups: list[str]) -> tuple[str, Any]:
    """Key and value of an override, read by Hydra's own parser. Only a plain change of one value is accepted."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.core.override_parser.types import OverrideType, QuotedString, ValueType
    from hydra.errors import HydraException

    where = _shorten(text)
    if len(text) > MAX_OVERRIDE_CHARS:
        raise SettingsError(
            "the override is too long", expected=f"at most {MAX_OVERRIDE_CHARS} characters", where=where
        )
    if "$" in text:
        raise SettingsError(
            "interpolation is not allowed", expected="a plain value, as in model.max_depth=4", where=where
        )
    if "(" in _QUOTED.sub("", text):  # Hydra's parser would call int(3.5) and return its value
        raise SettingsError("a function is not allowed", expected="one value, in quotes if it contains (", where=where)
    try:
        override = OverridesParser.create().parse_override(text)
    except (HydraException, RecursionError, ValueError) as err:
        raise SettingsError("not an override", expected="group=choice or group.key=value", where=where) from err
    key = override.key_or_group
    if override.type is not OverrideType.CHANGE or override.package is not None:
        raise SettingsError(
            "an override can only change an existing value",
            expected="no +, ~ or @, as in model.max_depth=4",
            where=where,
        )
    if key.startswith("hydra") or "_target_" in key or not _KEY.fullmatch(key):
        raise SettingsError(
            f"{key[:80]!r} cannot be overridden",
            expected=f"a group ({', '.join(groups)}) or one of its keys",
            where=where,
        )
    if override.value_type not in (ValueType.ELEMENT, None):
        raise SettingsError("a sweep is not allowed", expected="one value", where=where)
    value = override.value()
    for part in value if isinstance(value, list) else [value]:
        if isinstance(part, float) and not math.isfinite(part):
            raise SettingsError(f"got {part}", expected="a finite number", where=where)
        if part is not None and not isinstance(part, bool | int | float | str | QuotedString):
            raise SettingsError("the value is not plain", expected="a number, a word, or a list of them", where=where)
    return key, value


def _is_choice(text: str, key: str, value: Any, groups: list[str], conf: Path) -> bool:
    """Whether the override chooses a file of a group. Raises SettingsError if there is no such file."""
    if key not in groups:
        return False
    choices = sorted(path.stem for path in (conf / key).glob("*.yaml"))
    if not isinstance(value, str) or not _CHOICE.fullmatch(value) or value not in choices:
        raise SettingsError(
            f"unknown {key} {str(value)[:80]!r}",
            expected=f"one of {', '.join(choices)}",
            where=_shorten(text),
            hint=suggest(str(value), choices).strip(" ()"),
        )
    return True


def _list_keys(conf: Path, choices: list[str], config: str) -> list[str]:
    """Every key of the composed configuration that has a value, dotted."""
    from lockgate.pipelines.settings.composition import compose_tree

    def walk(tree: dict[str, Any], path: str) -> Iterable[str]:
        for key, value in tree.items():
            dotted = f"{path}.{key}" if path else str(key)
            if isinstance(value, dict):
                yield from walk(value, dotted)
            else:
                yield dotted

    return list(walk(compose_tree(conf, choices, config), ""))


def _suggest_options(key: str, keys: list[str], groups: list[str]) -> str:
    """What is accepted instead of an unknown key: keys with the longest common beginning, or groups."""
    parts = key.split(".")
    for depth in range(len(parts), 0, -1):
        near = ".".join(parts[:depth])
        below = [name for name in keys if name.startswith(f"{near}.")]
        if below:
            return f"one of {_list_nearest(below, key)}"
    return f"one of {', '.join([*groups, *(name for name in keys if '.' not in name)])}"


def _list_nearest(names: list[str], key: str) -> str:
    """The names; if there are many, those most similar to `key` and how many more there are."""
    if len(names) <= MAX_OPTIONS:
        return ", ".join(names)
    near = sorted(names, key=lambda name: -SequenceMatcher(None, key, name).ratio())[:MAX_OPTIONS]
    return f"{', '.join(near)}, … ({len(names) - MAX_OPTIONS} more)"


def _shorten(text: str) -> str:
    return " ".join(text.split())[:120]
