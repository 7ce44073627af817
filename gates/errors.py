"""Every error that lockgate raises for a user to read, on one page.

    LockgateError
    ├── PolicyError        the declared gates cannot be read; carries every problem found
    ├── EvidenceError      what a run claims cannot be read or contradicts itself
    ├── RunError           a Metaflow run, or the store it lives in, cannot be read
    ├── LogError           the promotion log cannot be read or written
    │   ├── ConflictError  another writer took the next entry first
    │   └── StaleError     judged against a champion that no longer reigns
    ├── SigningError       a key is missing, unreadable, not listed, or kept where others can read it
    ├── UnjudgeableError   one gate cannot be judged on this evidence; the engine turns it into an ERROR outcome
    ├── AdmissionError     a model may not be served
    ├── SettingsError      an override or a file of conf/ is not acceptable
    ├── DataError          the declared table cannot be loaded or split
    │   └── TooFewRowsError  the holdout is too small to show anything: nothing was trained, as if INCONCLUSIVE
    ├── ModelError         a model cannot be fitted, saved or loaded
    ├── StoreError         a batch of predictions cannot be published or read
    ├── DeployError        production did not become what was deployed; carries every problem found
    └── GithubError        GitHub refuses, or cannot be reached

A gate that says FAIL is a value, never an exception.
"""

from __future__ import annotations

from collections.abc import Sequence

MAX_LINE_CHARS = 4000
"""Longer lines of errors are cut. A policy with a hundred mistakes has a longer one, whose parts `problems` holds."""


class LockgateError(Exception):
    """What was wrong, what was expected, where, and what to do, in one line.

    `str(error)` is `problem; expected … @ where (hint)`, without the parts that are empty, and cut where it is longer
    than anybody reads: what was wrong may have been a name of a megabyte.
    """

    def __init__(self, problem: str, *, expected: str = "", where: str = "", hint: str = "") -> None:
        self.problem, self.expected, self.where, self.hint = problem, expected, where, hint
        super().__init__(problem)

    def __str__(self) -> str:
        line = self.problem
        if self.expected:
            line += f"; expected {self.expected}"
        if self.where:
            line += f" @ {self.where}"
        if self.hint:
            line += f" ({self.hint})"
        return printable(line[:MAX_LINE_CHARS] + "…" * (len(line) > MAX_LINE_CHARS))


def printable(text: str) -> str:
    """Text in one line with � for control characters, so that it cannot do anything to a terminal or a page."""
    return "".join(character if character.isprintable() else "�" for character in " ".join(text.split()))


def count_noun(number: int, noun: str) -> str:
    """`1 column`, `1,200 columns`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


class PolicyError(LockgateError):
    """A policy that cannot be read. `problems` has one line for each mistake."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(printable(problem) for problem in problems)
        super().__init__(
            "; ".join(self.problems)
            if len(self.problems) == 1
            else f"{len(self.problems)} problems: " + " | ".join(self.problems)
        )


class EvidenceError(LockgateError):
    pass


class RunError(LockgateError):
    pass


class LogError(LockgateError):
    pass


class ConflictError(LogError):
    pass


class StaleError(LogError):
    pass


class SigningError(LockgateError):
    pass


class UnjudgeableError(LockgateError):
    pass


class AdmissionError(LockgateError):
    pass


class SettingsError(LockgateError):
    pass


class DataError(LockgateError):
    pass


class TooFewRowsError(DataError):
    pass


class ModelError(LockgateError):
    pass


class StoreError(LockgateError):
    pass


class DeployError(LockgateError):
    """What keeps production from becoming what was deployed. `problems` has one line for each reason."""

    def __init__(
        self, problem: str, *, expected: str = "", where: str = "", hint: str = "", problems: Sequence[str] = ()
    ) -> None:
        super().__init__(problem, expected=expected, where=where, hint=hint)
        self.problems = tuple(printable(line) for line in problems) or (str(self),)


class GithubError(LockgateError):
    """GitHub refuses, or cannot be reached. `status` is the HTTP status; None if there was no answer."""

    def __init__(
        self, problem: str, *, expected: str = "", where: str = "", hint: str = "", status: int | None = None
    ) -> None:
        super().__init__(problem, expected=expected, where=where, hint=hint)
        self.status = status
