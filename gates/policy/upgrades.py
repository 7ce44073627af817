"""How the keys of policies have changed: every change is declared here, so that a policy outlives it.

A policy is kept in the promotion log for as long as the log is, and is read again by every later version. People's
files must give every key; a policy that was judged by cannot be asked for a key that did not exist. So whoever adds a
key to policies, or to a kind of gate, adds a line to `UPGRADES`, with the value that means what policies without the
key meant. The line does four things:

- a policy from the archive is read with that value (`lockgate.gates.policy.archive.read_archived`);
- the digest of a policy leaves the key out where it has that value (`Policy.digest`), so that the digests that
  decisions and waivers name stay right, and a policy that says what it always meant is the same policy;
- a file that lacks the key is refused in a line that names the value;
- policies are from then on kept with the number of their shape, which older versions refuse by name.

A shape is the set of keys that a version knows. Policies of shape 1, all before the first line, were kept without a
number, so that a number that is missing is 1. A name is never used again for something else: a line has to be able to
say what the absence of its key meant.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SHAPE_KEY = "shape"
"""Where a kept policy has the number of its shape. No policy has a key of this name."""

FIRST_SHAPE = 1

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """A key that policies, or the gates of one kind, have since a shape."""

    shape: int  # the first that has it
    key: str
    value: Any  # as JSON has it: with it, a policy means what it meant without the key
    because: str  # why that is what policies without the key meant, in words
    kind: str | None = None  # of the gates whose key it is; None: of the policy itself

    def upgrade(self, keys: Document) -> Document:
        """The keys with this one; one that is there stays."""
        return {self.key: self.value, **keys} if self.key not in keys else keys

    def undo(self, keys: Document) -> Document:
        """The keys without this one, where it means no more than its absence did."""
        present = keys.get(self.key)
        if self.key not in keys or type(present) is not type(self.value) or present != self.value:
            return keys
        return {name: value for name, value in keys.items() if name != self.key}


@dataclass(frozen=True, slots=True, kw_only=True)
class Renamed:
    """A key that policies, or the gates of one kind, have under another name since a shape. Its values stay."""

    shape: int  # the first that has the new name
    key: str
    before: str
    because: str
    kind: str | None = None

    def upgrade(self, keys: Document) -> Document:
        """The keys with the new name."""
        return {self.key if name == self.before else name: value for name, value in keys.items()}

    def undo(self, keys: Document) -> Document:
        """The keys with the name before."""
        return {self.before if name == self.key else name: value for name, value in keys.items()}


Upgrade = Added | Renamed

UPGRADES: tuple[Upgrade, ...] = (
    Added(shape=2, key="min_class_rows", value=2, because="rows of the rarer class were not counted"),
    Added(shape=2, key="serial_dependence", value="ignore", because="clusters counted as independent of their order"),
)
"""Every change of the keys of policies, in the order of their shapes. Lines are added at the end, and none is changed:
`tests/conformance/test_archive.py` says which is missing."""


def current_shape() -> int:
    """The shape of the policies that this version writes."""
    return max((upgrade.shape for upgrade in UPGRADES), default=FIRST_SHAPE)


def upgrade_document(document: Document, shape: int) -> Document:
    """A policy of an older shape, as JSON, in the shape of this version."""
    for upgrade in UPGRADES:
        if upgrade.shape > shape:
            document = _change_keys(document, upgrade.kind, upgrade.upgrade)
    return document


def undo_upgrades(document: Document) -> Document:
    """A policy, as JSON, as the first shape would have said it, with only those keys more that mean something new."""
    for upgrade in reversed(UPGRADES):
        document = _change_keys(document, upgrade.kind, upgrade.undo)
    return document


def explain_missing(path: Sequence[str | int], kind: str | None) -> str:
    """What to write for a key that a file lacks, in words; empty where no upgrade added it.

    Args:
        path: of the key, within the policy.
        kind: of the gate that lacks it; None where the policy itself does.
    """
    return next(
        (
            f"{_as_yaml(upgrade.value)} keeps what a policy without it meant: {upgrade.because}"
            for upgrade in UPGRADES
            if isinstance(upgrade, Added) and upgrade.key == path[-1] and upgrade.kind == kind
        ),
        "",
    )


def _as_yaml(value: Any) -> str:
    return value if isinstance(value, str) else repr(value).replace("True", "true").replace("False", "false")


def _change_keys(document: Document, kind: str | None, change: Callable[[Document], Document]) -> Document:
    """The document with the keys of the policy, or of its gates of one kind, changed. What is no mapping stays."""
    if kind is None:
        return change(document)
    checks = document.get("checks")
    if not isinstance(checks, Mapping):
        return document
    return {**document, "checks": dict(_change_checks(checks, kind, change))}


def _change_checks(checks: Document, kind: str, change: Callable[[Document], Document]) -> Iterator[tuple[str, Any]]:
    for name, check in checks.items():
        changed = check
        if isinstance(check, Mapping):
            changed = _change_keys(check, kind, change)  # those inside an any_of
            changed = change(changed) if check.get("kind") == kind else changed
        yield name, changed
