"""Two versions of a repository → what changed in the rules for a model.

The code that runs here composes both, so it does not matter where a value is written. A file that is not the default,
such as another file of conf/gate, is compared with the file of the same name. Of a repository with a `lockgate.yaml`
that file and its policy are compared: `project_files.py`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydantic import BaseModel

from lockgate.gates.errors import LockgateError, printable
from lockgate.gates.policy.archive import read_archived
from lockgate.gates.policy.diff import compare_policies
from lockgate.gates.policy.policy import Policy
from lockgate.gates.strictness import Category, Changes, Direction, Finding, compare_records, make_finding
from lockgate.gates.strictness.findings import WORST_FIRST
from lockgate.pipelines.pull_requests.candidates import CANDIDATES_FILE as CANDIDATES
from lockgate.pipelines.pull_requests.project_files import compare_project_files
from lockgate.pipelines.pull_requests.versions import RepositoryVersion, load_folder, locate_errors
from lockgate.pipelines.settings import settings
from lockgate.pipelines.settings.files import CHOICE_FILE, list_table_paths, write_conf
from lockgate.pipelines.settings.groups import AUTHOR_GROUPS, GUARDED_GROUPS
from lockgate.pipelines.settings.settings import Composed, Settings

_AUTHORED = (*AUTHOR_GROUPS, CANDIDATES)
_UNREADABLE = "no default uses this file, and its values cannot be compared"
_OTHER_TABLE = "the table changed: its rows and labels may differ, including those of the holdout"
_DIGEST_LENGTH = 12  # characters of a digest
_UNUSED = "no default uses this file: it takes effect once something chooses it"


def compare_folders(base_root: Path, head_root: Path) -> Changes:
    """What changed between two checkouts, the worst first.

    Raises:
        SettingsError, PolicyError: a conf/ cannot be read, or does not compose; the line names the version.
    """
    return compare_versions(load_folder(base_root, name="base"), load_folder(head_root, name="head"))


def compare_versions(before: RepositoryVersion, after: RepositoryVersion) -> Changes:
    """What changed between two versions, the worst first. Raises as `compare_folders`."""
    if before.has_project_file or after.has_project_file:
        return compare_project_files(before, after)
    changed = [path for path in {*before.conf, *after.conf} if before.conf.get(path) != after.conf.get(path)]
    owned = [path for path in changed if path.split("/")[1] not in _AUTHORED]
    with TemporaryDirectory(prefix="lockgate-") as folder:
        old, new = (
            _Side(
                version=version,
                conf=write_conf(version.conf, Path(folder) / place, name=version.name),
                parse_policy=parse_policy,
            )
            for version, place, parse_policy in (
                (before, "before", partial(read_archived, where="gate")),
                (after, "after", Policy.parse),
            )
        )
        default = old.compose_root("config"), new.compose_root("config")
        findings_by_file: dict[str, tuple[Finding, ...]] = {"conf/config.yaml": _compare_composed(*default)}
        if changed:
            if old.has("production") or new.has("production"):
                findings_by_file["conf/production.yaml"] = _compare_composed(
                    old.compose_root("production"), new.compose_root("production")
                )
            if owned:  # the author's files cannot change the others without failing to compose
                findings_by_file |= {
                    file: tuple(listed)
                    for file, listed in _compare_choices((old, default[0]), (new, default[1]), owned)
                }
            findings_by_file |= {file: tuple(listed) for file, listed in _check_authored(old, new)}
        table_paths = list_table_paths(old.conf) | {default[0].settings.data.path or ""}
    findings = _deduplicate(findings_by_file)
    code = (*_compare_code(before, after), *_compare_tables(before, after, table_paths))
    return Changes(
        before=before.name,
        after=after.name,
        authors=len(changed) - len(owned),
        findings=tuple(sorted((*findings, *code), key=lambda entry: WORST_FIRST.index(entry.direction))),
        reworded=sum(not findings_by_file.get(path) for path in owned),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    """A version, and its conf/ as files that can be composed."""

    version: RepositoryVersion
    conf: Path
    parse_policy: Callable[[Any], Policy]  # the version before may be older than a key that this code asks for

    def has(self, name: str) -> bool:
        return f"conf/{name}.yaml" in self.version.conf

    def compose_root(self, root: str) -> Composed:
        """What the root composes without overrides; config.yaml if that file does not exist."""
        root = root if self.has(root) else "config"
        with locate_errors(self.version, f"conf/{root}.yaml", self.conf):
            return settings.compose(config=root, conf=self.conf, parse_policy=self.parse_policy)

    def part(self, group: str, name: str, default: Composed) -> BaseModel | Mapping[str, Any]:
        """One file of a group, parsed; as a plain tree if it leaves values to be given."""
        if default.choices.get(group) == name:
            return default.policy if group == "gate" else _part(default.settings, group)
        with locate_errors(self.version, f"conf/{group}/{name}.yaml", self.conf):
            return settings.compose_group(group, name, self.conf, parse_policy=self.parse_policy)


def _part(composed: Settings, group: str) -> BaseModel:
    part: BaseModel = getattr(composed, group)
    return part


def _compare_composed(before: Composed, after: Composed) -> tuple[Finding, ...]:
    """What changed in the composition without overrides."""
    findings = (*compare_policies(before.policy, after.policy), *compare_records(before.settings, after.settings, ""))
    return (*_compare_defaults(before.choices, after.choices, findings), *findings)


def _compare_defaults(
    before: Mapping[str, str], after: Mapping[str, str], findings: tuple[Finding, ...]
) -> Iterator[Finding]:
    """Groups whose default file changed, each as weak as its worst change."""
    for group in sorted({*before, *after}):
        old, new = before.get(group), after.get(group)
        if old == new or group not in GUARDED_GROUPS:
            continue
        inside = [change.direction for change in findings if change.where.partition(".")[0] == group]
        worst = min(inside, key=WORST_FIRST.index, default=Direction.NEUTRAL)
        why = f"another file of conf/{group} is the default" + ("" if inside else ", with the same values")
        yield make_finding(Category.DEFAULT, worst, f"defaults.{group}", old, new, why)


def _compare_choices(
    old: tuple[_Side, Composed], new: tuple[_Side, Composed], owned: Collection[str]
) -> Iterator[tuple[str, Iterator[Finding]]]:
    """The files of each group that belongs to the gates' owners, as far as they may differ once they are composed."""
    sides = old[0].version.conf, new[0].version.conf
    reaching = {file for side in sides for file, content in side.items() if settings.can_reach_other_files(content)}
    everywhere = any(file in reaching or not _parse_choice_file(file)[0] for file in owned)
    for file in sorted({*sides[0], *sides[1]}):
        group, name = _parse_choice_file(file)
        if group in GUARDED_GROUPS and (everywhere or file in reaching or file in owned):
            yield file, _compare_choice(group, name, old, new)


def _parse_choice_file(file: str) -> tuple[str, str]:
    """Group and name of a file that can be chosen; both empty for any other file."""
    match = CHOICE_FILE.fullmatch(file)
    return (match[1], match[2]) if match else ("", "")


def _compare_choice(
    group: str, name: str, old: tuple[_Side, Composed], new: tuple[_Side, Composed]
) -> Iterator[Finding]:
    file = f"{group}/{name}"
    present = [side.has(file) for side, _ in (old, new)]
    if not all(present):
        before, after = (f"conf/{file}.yaml" if exists else None for exists in present)
        yield make_finding(Category.DEFAULT, Direction.NEUTRAL, group, before, after, _UNUSED)
        return
    readings: list[str] = []
    parts: list[BaseModel | Mapping[str, Any] | None] = []
    for side, default in (old, new):
        try:
            parts.append(side.part(group, name, default))
            readings.append("can be read")
        except LockgateError as err:
            parts.append(None)
            readings.append(str(err))
    before_part, after_part = parts
    if before_part is None or after_part is None:
        if readings[0].partition(" @ ")[0] != readings[1].partition(" @ ")[0]:
            yield make_finding(Category.DEFAULT, Direction.REVIEW, group, readings[0], readings[1], _UNREADABLE)
    elif isinstance(before_part, Policy) and isinstance(after_part, Policy):
        yield from compare_policies(before_part, after_part)
    elif isinstance(before_part, BaseModel) and isinstance(after_part, BaseModel):
        yield from compare_records(before_part, after_part, group)
    else:
        yield from _compare_leaves(_tree(before_part), _tree(after_part), group)


def _tree(part: BaseModel | Mapping[str, Any]) -> Mapping[str, Any]:
    return part.model_dump(mode="json") if isinstance(part, BaseModel) else part


def _compare_leaves(before: Any, after: Any, where: str) -> Iterator[Finding]:
    """Compare files that leave values to be given, value by value."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in dict.fromkeys([*before, *after]):
            yield from _compare_leaves(before.get(key), after.get(key), f"{where}.{key}")
    elif before != after:
        category = Category.HOLDOUT if where.startswith("data.") else Category.DEFAULT
        yield make_finding(category, Direction.REVIEW, where, before, after)


def _check_authored(old: _Side, new: _Side) -> Iterator[tuple[str, list[Finding]]]:
    """Author's files that change what is not the author's. Commands that choose one are refused."""
    for file in sorted(new.version.conf):
        group, name = _parse_choice_file(file)
        if group not in AUTHOR_GROUPS or old.version.conf.get(file) == new.version.conf[file]:
            continue
        if reached := settings.find_foreign_changes(group, name, new.conf):
            why = f"the file changes {', '.join(reached)}: `lockgate evaluate` refuses it"
            yield file, [make_finding(Category.DEFAULT, Direction.REVIEW, f"{group}={name}", None, file, why)]


def _deduplicate(findings_by_file: Mapping[str, tuple[Finding, ...]]) -> list[Finding]:
    """Each finding once, at its first place: what config.yaml chooses, then the other files by name."""
    unique: dict[Finding, Finding] = {}
    for file, findings in findings_by_file.items():
        for change in findings:
            unique.setdefault(change, change if file == "conf/config.yaml" else replace(change, file=file))
    return list(unique.values())


def _compare_code(before: RepositoryVersion, after: RepositoryVersion) -> Iterator[Finding]:
    """Modules that differ. A version without code is only a configuration, so it is unknown what judges there."""
    if bool(before.code) != bool(after.code):
        why = "one version has no code, so it is unknown what judges there"
        yield make_finding(Category.CODE, Direction.REVIEW, "gates", bool(before.code), bool(after.code), why)
        return
    for path in sorted({*before.code, *after.code}):
        old, new = before.code.get(path), after.code.get(path)
        if old != new:
            yield make_finding(Category.CODE, Direction.REVIEW, printable(path), _mark(old), _mark(new))


def _mark(content: bytes | None) -> str | None:
    return None if content is None else hashlib.sha256(content).hexdigest()[:_DIGEST_LENGTH]


def _compare_tables(before: RepositoryVersion, after: RepositoryVersion, paths: Collection[str]) -> Iterator[Finding]:
    """Tables in the repository whose content changed. A deleted table judges nobody."""
    for path in sorted(paths):
        old, new = before.table_sha256(path), after.table_sha256(path)
        if new and old != new:
            marks = old and old[:_DIGEST_LENGTH], new[:_DIGEST_LENGTH]
            yield make_finding(Category.HOLDOUT, Direction.REVIEW, printable(path), *marks, _OTHER_TABLE)
