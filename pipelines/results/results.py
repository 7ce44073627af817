"""Results of an evaluation tool as lockgate reads them: a score for each try of each sample."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from lockgate.gates.errors import EvidenceError, printable
from lockgate.gates.foreign import show_foreign

MAX_ROWS = 2_000_000
"""A file of more results is refused rather than waited for."""

MAX_NAME_BYTES = 512
"""The longest id, cluster or value of a slice: what the row ids of evidence may have."""

MAX_DOCUMENT_BYTES = 256 * 1024**2
"""The largest JSON document that is parsed, and the most that a member of an archive may unpack to."""

MAX_SHOWN = 12
"""How many names a message lists."""

TRUTH_WORDS = {"true": 1.0, "yes": 1.0, "false": 0.0, "no": 0.0}
"""Words that are a score of 1 or 0 in every file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What is read of a file. None takes what the format has by default, where the file has it.

    score: a column, a scorer or a named score. variant: the provider, or provider and prompt, of a promptfoo file.
    cluster, slices: columns, or keys of the samples' metadata.
    """

    score: str | None = None
    id: str | None = None
    epoch: str | None = None
    label: str | None = None
    weight: str | None = None
    cluster: str | None = None
    slices: tuple[str, ...] = ()
    variant: str | None = None
    labelled: bool = True  # whether a label is looked for


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One try of one sample.

    score: NaN where there is none, and `problem` then says why. names: cluster and slices by name.
    numbers: `label` and `weight`, where they are read.
    """

    sample: str
    epoch: str = ""  # empty where the file does not number its tries
    score: float
    problem: str = ""
    names: Mapping[str, str]
    numbers: Mapping[str, float]

    @property
    def title(self) -> str:
        """What messages call it."""
        shown = f"'{printable(self.sample)[:60]}'"
        return f"{shown} try {printable(self.epoch)[:20]}" if self.epoch else shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """All results of one file. `score` is the name of what was read as the score, `unread` lists other columns."""

    where: str
    sha256: str
    score: str
    rows: tuple[Result, ...]
    cluster: str | None = None
    unread: tuple[str, ...] = ()


def digest_file(path: Path) -> str:
    """SHA-256 of a file. Raises EvidenceError where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as err:
        raise cannot_read(path, err) from err


def cannot_read(path: Path, err: OSError) -> EvidenceError:
    """The error for a file that the machine refuses."""
    return EvidenceError(f"cannot read: {err.strerror}", where=str(path))


def parse_score(value: Any, words: Mapping[str, float] = TRUTH_WORDS) -> float | None:
    """A score as a number, NaN where there is none; None for what is no score.

    Args:
        value: a number, a truth value, a text that is a number or one of `words` (in lower case), or nothing.
    """
    if value is None or value == "":
        return math.nan
    if isinstance(value, bool | int | float):
        number = _to_float(value)
        return None if number is None or math.isinf(number) else number
    if not isinstance(value, str):
        return None
    text = value.strip()
    if text.lower() in words:
        return words[text.lower()]
    number = _to_float(text)
    return None if number is None or math.isinf(number) else number


def _to_float(value: Any) -> float | None:
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def parse_name(value: Any, *, what: str, where: str) -> str:
    """A name as text: of a text, a number, a truth value or a date; empty for nothing.

    Raises EvidenceError for lists and mappings, for text that is not UTF-8 and for more than 512 bytes.
    """
    if value is None:
        return ""
    if isinstance(value, list | dict | bytes):
        raise EvidenceError(
            f"{what} is {show_foreign(value, max_chars=60)}", expected="a text or a number for every row", where=where
        )
    text = str(value).lower() if isinstance(value, bool) else str(value)
    try:
        size = len(text.encode())
    except UnicodeEncodeError as err:
        raise EvidenceError(f"{what} is not UTF-8: {text[:60]!r}", expected="UTF-8", where=where) from err
    if size > MAX_NAME_BYTES:
        raise EvidenceError(
            f"{what} has {size:,} bytes: {printable(text)[:40]}…", expected=f"at most {MAX_NAME_BYTES}", where=where
        )
    return text


def list_names(names: Iterable[str]) -> str:
    """Some names in a message, the first dozen of many."""
    every = [printable(name)[:60] for name in names]
    more = len(every) - MAX_SHOWN
    return ", ".join(every[:MAX_SHOWN]) + (f" and {more} more" if more > 0 else "")


def unknown_name(name: str, among: Sequence[str], *, noun: str, option: str, where: str) -> EvidenceError:
    """The error for a name that a file does not have, with those that it has."""
    near = get_close_matches(name, among, n=1)
    return EvidenceError(
        f"there is no {noun} {name[:60]!r}",
        expected=f"{option} with one of {list_names(among)}" if among else f"a file that has a {noun}",
        where=where,
        hint=f"did you mean {near[0]!r}?" if near else "",
    )


def pick_names(metadata: Mapping[str, Any], selection: Selection, *, title: str, where: str) -> dict[str, str]:
    """The cluster and the slices that were asked for, from one sample's metadata. Raises EvidenceError for a gap."""
    names = {}
    for name in dict.fromkeys([*([selection.cluster] if selection.cluster else []), *selection.slices]):
        if metadata.get(name) is None:
            raise EvidenceError(
                f"{title} has no metadata {name[:60]!r}",
                expected=f"one of {list_names(metadata)}" if metadata else "metadata of every sample",
                where=where,
            )
        names[name] = parse_name(metadata[name], what=f"{name[:60]!r} of {title}", where=where)
    return names


def check_size(rows: Sequence[Any], *, where: str) -> None:
    """Raise EvidenceError where there are no results, or too many."""
    if not rows:
        raise EvidenceError("there are no results", expected="at least one scored sample", where=where)
    if len(rows) > MAX_ROWS:
        raise EvidenceError("there are too many results", expected=f"at most {MAX_ROWS:,}", where=where)
