"""The gated step that runs in this process, and the evidence that it has given so far."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.gates.errors import EvidenceError, SettingsError

if TYPE_CHECKING:
    from lockgate.pipelines.gating.champions import ChampionModel
    from lockgate.pipelines.scoring.evidence import Evaluated

GATED_HINT = "put `@gated(project=…)` above the step, or run the flow with `--with lockgate.metaflow.gated:project=…`"


@dataclass(slots=True, kw_only=True)
class GatedTask:
    """One task of a gated step."""

    project: str
    run: str  # FLOW/ID
    step: str
    folder: Path  # of the flow's file
    in_foreach: bool
    asked: bool = False  # whether the step has asked for the champion
    champion: ChampionModel | None = None  # the answer
    evaluated: Evaluated | None = None

    @property
    def where(self) -> str:
        return f"{self.run} step {self.step}"


_open_tasks: list[GatedTask] = []
"""At most one: a process runs one task."""


def open_task(task: GatedTask) -> None:
    """Begin a gated step. Raises SettingsError if one is open: then the step is decorated twice."""
    if _open_tasks:
        raise SettingsError("the step is decorated twice", expected="one @gated", where=task.where)
    _open_tasks.append(task)


def close_task() -> GatedTask:
    """End the gated step that was opened last."""
    return _open_tasks.pop()


def find_task() -> GatedTask | None:
    """The gated step that runs in this process; None outside of one."""
    return _open_tasks[-1] if _open_tasks else None


def require_task() -> GatedTask:
    """The gated step that runs in this process. Raises EvidenceError outside of one."""
    task = find_task()
    if task is None:
        raise EvidenceError("nothing would keep this evidence", expected="a call in a gated step", hint=GATED_HINT)
    return task
