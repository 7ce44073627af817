"""What a verification found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Subject = Literal["log", "policy", "run", "tags", "predictions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deviation:
    """One thing that is not as it must be."""

    about: Subject
    where: str  # an object, a run, a version
    said: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionRecord:
    """What an entry that promotes binds, as far as a run can be held against it."""

    seq: int
    run: str
    model: str | None
    holdout: str
    scores: str
    champion_scores: str | None


@dataclass(slots=True, kw_only=True)
class Findings:
    """What was checked, every deviation, and what was left out. Grows as the verification goes on."""

    entries: int = 0
    promotions: int = 0  # whose run was held against them
    tagged: int = 0  # runs whose tags were
    versions: int = 0  # of predictions
    deviations: list[Deviation] = field(default_factory=list)
    pending: list[str] = field(default_factory=list)  # what is as it may be, and waits for somebody
    notes: list[str] = field(default_factory=list)  # what was not checked, and why

    @property
    def clean(self) -> bool:
        """Whether there is no deviation."""
        return not self.deviations

    def add(self, subject: Subject, where: str, problem: str) -> None:
        """Take in a deviation; a second one of the same words is the same."""
        found = Deviation(about=subject, where=where, said=" ".join(problem.split()))
        if found not in self.deviations[-8:]:
            self.deviations.append(found)

    def note(self, remark: str) -> None:
        """Take in what was not checked."""
        self.notes.append(" ".join(remark.split()))
