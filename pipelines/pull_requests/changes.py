"""Two versions of this repository → what changed of what they ask of a model.

Both are composed, by the code that runs here, so that it does not matter where a value is written. A choice that is not
the default, such as another file of conf/gate, is compared with the file of that name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydantic import BaseModel

from lockgate.gates.errors import LockgateError, PolicyError, SettingsError, printable
from lockgate.gates.policy.diff import policy_diff
from lockgate.gates.policy.policy import Policy
from lockgate.gates.strictness import Category, Changes, Direction, Finding, differences, finding
from lockgate.gates.strictness.findings import WORST_FIRST
from lockgate.pipelines.pull_requests.candidates import FILE as CANDIDATES
from lockgate.pipelines.pull_requests.versions import Version, of_folder
from lockgate.pipelines.settings import settings
from lockgate.pipelines.settings.files import CHOICE_FILE, tables, written
from lockgate.pipelines.settings.groups import AUTHORS, GUARDED
from lockgate.pipelines.settings.settings import Composed, Settings

_AUTHORED = (*AUTHORS, CANDIDATES)
_UNREADABLE = "nothing chooses this file by default, and what it asks cannot be compared"
_OTHER_TABLE = "the table is another file: its rows and labels may be others, also those that are held out"
_SHOWN = 12  # characters of a digest
_UNUSED = "nothing chooses this file by default: it counts once something does"


def changes(base_root: Path, head_root: Path) -> Changes:
    """What changed between two checkouts, the worst first.

    Raises:
        SettingsError, PolicyError: a conf/ that cannot be read, or does not compose; one line, which says of which.
    """
    return compared(of_folder(base_root, name="base"), of_folder(head_root, name="head"))


def compared(before: Version, after: Version) -> Changes:
    """What changed between two versions, the worst first. Raises as `changes`."""
    changed = [path for path in {*before.conf, *after.conf} if before.conf.get(path) != after.conf.get(path)]
    owned = [path for path in changed if path.split("/")[1] not in _AUTHORED]
    with TemporaryDirectory(prefix="lockgate-") as folder:
        old, new = (
            _Side(version=one, conf=written(one.conf, Path(folder) / place, name=one.name))
            for one, place in ((before, "before"), (after, "after"))
        )
        default = old.composed("config"), new.composed("config")
        told: dict[str, tuple[Finding, ...]] = {"conf/config.yaml": _between(*default)}
        if changed:
            if old.has("production") or new.has("production"):
                told["conf/production.yaml"] = _between(old.composed("production"), new.composed("production"))
            if owned:  # the author's files change nothing of the others, or do not compose
                told |= {file: tuple(found) for file, found in _choices((old, default[0]), (new, default[1]), owned)}
            told |= {file: tuple(found) for file, found in _authored(old, new)}
        named = tables(old.conf) | {default[0].settings.data.path or ""}
    findings = _once(told)
    code = (*_code(before, after), *_tables(before, after, named))
    return Changes(
        before=before.name,
        after=after.name,
        authors=len(changed) - len(owned),
        findings=tuple(sorted((*findings, *code), key=lambda one: WORST_FIRST.index(one.direction))),
        reworded=sum(not told.get(path) for path in owned),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    """A version, and its conf/ as files that can be composed."""

    version: Version
    conf: Path

    def has(self, name: str) -> bool:
        return f"conf/{name}.yaml" in self.version.conf

    def composed(self, root: str) -> Composed:
        """What is composed where nothing is overridden; without that file, as config.yaml says."""
        root = root if self.has(root) else "config"
        with self._speaking(f"conf/{root}.yaml"):
            return settings.compose(config=root, conf=self.conf)

    def part(self, group: str, name: str, default: Composed) -> BaseModel | Mapping[str, Any]:
        """One file of a group, parsed; as a tree where it leaves something to be given."""
        if default.choices.get(group) == name:
            return default.policy if group == "gate" else _part(default.settings, group)
        with self._speaking(f"conf/{group}/{name}.yaml"):
            return settings.part(group, name, self.conf)

    @contextmanager
    def _speaking(self, file: str) -> Iterator[None]:
        """An error says of which version and file, and not where the copy lies that was composed."""
        where = f"{self.version.name}: {file}"
        try:
            yield
        except PolicyError as err:
            raise PolicyError([line.replace(" @ ", f" @ {where}: ") for line in err.problems]) from err
        except LockgateError as err:
            inside = err.where.replace(str(self.conf), "").strip("/")
            raise SettingsError(
                err.problem.replace(str(self.conf), "conf"),
                expected=err.expected,
                hint=err.hint,
                where=f"{where}: {inside}" if inside else where,
            ) from err


def _part(composed: Settings, group: str) -> BaseModel:
    found: BaseModel = getattr(composed, group)
    return found


def _between(before: Composed, after: Composed) -> tuple[Finding, ...]:
    """What changed of what is composed where nothing is overridden."""
    found = (*policy_diff(before.policy, after.policy), *differences(before.settings, after.settings, ""))
    return (*_defaults(before.choices, after.choices, found), *found)


def _defaults(before: Mapping[str, str], after: Mapping[str, str], found: tuple[Finding, ...]) -> Iterator[Finding]:
    """Groups of which another file is chosen: as weak as the worst that it changes."""
    for group in sorted({*before, *after}):
        old, new = before.get(group), after.get(group)
        if old == new or group not in GUARDED:
            continue
        inside = [one.direction for one in found if one.where.partition(".")[0] == group]
        worst = min(inside, key=WORST_FIRST.index, default=Direction.NEUTRAL)
        why = f"another file of conf/{group} is the default" + ("" if inside else ", which says the same")
        yield finding(Category.DEFAULT, worst, f"defaults.{group}", old, new, why)


def _choices(
    old: tuple[_Side, Composed], new: tuple[_Side, Composed], owned: Collection[str]
) -> Iterator[tuple[str, Iterator[Finding]]]:
    """The files of each group that belongs to the gates' owners, as far as they may differ once they are composed."""
    sides = old[0].version.conf, new[0].version.conf
    reaching = {file for side in sides for file, held in side.items() if settings.reaches(held)}
    everywhere = any(file in reaching or not _group(file)[0] for file in owned)
    for file in sorted({*sides[0], *sides[1]}):
        group, name = _group(file)
        if group in GUARDED and (everywhere or file in reaching or file in owned):
            yield file, _choice(group, name, old, new)


def _group(file: str) -> tuple[str, str]:
    """Group and name of a file that can be chosen; empty of any other."""
    found = CHOICE_FILE.fullmatch(file)
    return (found[1], found[2]) if found else ("", "")


def _choice(group: str, name: str, old: tuple[_Side, Composed], new: tuple[_Side, Composed]) -> Iterator[Finding]:
    file = f"{group}/{name}"
    there = [side.has(file) for side, _ in (old, new)]
    if not all(there):
        before, after = (f"conf/{file}.yaml" if held else None for held in there)
        yield finding(Category.DEFAULT, Direction.NEUTRAL, group, before, after, _UNUSED)
        return
    said: list[str] = []
    read: list[BaseModel | Mapping[str, Any] | None] = []
    for side, default in (old, new):
        try:
            read.append(side.part(group, name, default))
            said.append("can be read")
        except LockgateError as err:
            read.append(None)
            said.append(str(err))
    before_part, after_part = read
    if before_part is None or after_part is None:
        if said[0].partition(" @ ")[0] != said[1].partition(" @ ")[0]:
            yield finding(Category.DEFAULT, Direction.REVIEW, group, said[0], said[1], _UNREADABLE)
    elif isinstance(before_part, Policy) and isinstance(after_part, Policy):
        yield from policy_diff(before_part, after_part)
    elif isinstance(before_part, BaseModel) and isinstance(after_part, BaseModel):
        yield from differences(before_part, after_part, group)
    else:
        yield from _leaves(_tree(before_part), _tree(after_part), group)


def _tree(part: BaseModel | Mapping[str, Any]) -> Mapping[str, Any]:
    return part.model_dump(mode="json") if isinstance(part, BaseModel) else part


def _leaves(before: Any, after: Any, where: str) -> Iterator[Finding]:
    """Of files that leave something to be given, value by value."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in dict.fromkeys([*before, *after]):
            yield from _leaves(before.get(key), after.get(key), f"{where}.{key}")
    elif before != after:
        category = Category.HOLDOUT if where.startswith("data.") else Category.DEFAULT
        yield finding(category, Direction.REVIEW, where, before, after)


def _authored(old: _Side, new: _Side) -> Iterator[tuple[str, list[Finding]]]:
    """Files of the author's that change what is not: a command that names one is refused."""
    for file in sorted(new.version.conf):
        group, name = _group(file)
        if group not in AUTHORS or old.version.conf.get(file) == new.version.conf[file]:
            continue
        if reached := settings.reached(group, name, new.conf):
            why = f"the file changes {', '.join(reached)}: `lockgate evaluate` refuses it"
            yield file, [finding(Category.DEFAULT, Direction.REVIEW, f"{group}={name}", None, file, why)]


def _once(told: Mapping[str, tuple[Finding, ...]]) -> list[Finding]:
    """Each finding at the first place that has it: what config.yaml chooses, then the other files by name."""
    found: dict[Finding, Finding] = {}
    for file, findings in told.items():
        for one in findings:
            found.setdefault(one, one if file == "conf/config.yaml" else replace(one, file=file))
    return list(found.values())


def _code(before: Version, after: Version) -> Iterator[Finding]:
    """Modules that differ. A version without any is only a configuration: nobody can say what judges there."""
    if bool(before.code) != bool(after.code):
        why = "one of the two has no code: what judges there is not known"
        yield finding(Category.CODE, Direction.REVIEW, "gates", bool(before.code), bool(after.code), why)
        return
    for path in sorted({*before.code, *after.code}):
        old, new = before.code.get(path), after.code.get(path)
        if old != new:
            yield finding(Category.CODE, Direction.REVIEW, printable(path), _mark(old), _mark(new))


def _mark(held: bytes | None) -> str | None:
    return None if held is None else hashlib.sha256(held).hexdigest()[:_SHOWN]


def _tables(before: Version, after: Version, paths: Collection[str]) -> Iterator[Finding]:
    """Tables in the repository that are other files than before. One that is gone judges nobody."""
    for path in sorted(paths):
        old, new = before.sha256(path), after.sha256(path)
        if new and old != new:
            marks = old and old[:_SHOWN], new[:_SHOWN]
            yield finding(Category.HOLDOUT, Direction.REVIEW, printable(path), *marks, _OTHER_TABLE)
