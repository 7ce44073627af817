"""The evidence of a gated step: a challenger's scores, its model, and the facts that a judge binds a decision to."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import lockgate
from lockgate.gates.errors import EvidenceError
from lockgate.gates.evidence.evidence import Evidence
from lockgate.pipelines.gating.champions import champion as ask_champion
from lockgate.pipelines.gating.task import GatedTask, require_task
from lockgate.pipelines.scoring.evidence import FACTS_VERSION, Evaluated, check_sizes
from lockgate.pipelines.scoring.measuring import code_state

MAX_FORMAT_LENGTH = 64

_OWN_FACTS = ("version", "project", "scored_at", "challenger", "champion", "code", "data", "model_bytes", "versions")
"""What the gated step says itself."""


def evidence(
    rows: Evidence | None = None,
    *,
    label: Any = None,
    challenger: Any = None,
    champion: Any = None,
    model: bytes,
    format: str,  # noqa: A002 (the word of facts and champions)
    facts: Mapping[str, Any] | None = None,
    **columns: Any,
) -> None:
    """Say in a gated step what a judge will read: its run then has the artifacts `evidence`, `facts` and `model`.

    Args:
        rows: evidence that exists already, as `lockgate.read_results` and `Evidence.read` give it, in the place of all
            columns and facts below.
        label, challenger, champion: of the held-out rows, as `Evidence.from_arrays` takes them. Where a champion
            reigns, its scores are those of the model that `lockgate.champion` returned in this step.
        model: the challenger's bytes, in a format of your own; at most 2 GiB. They are stored, and never loaded.
        format: its name, 1 to 64 printable characters: `champion` and `admit` return it with the bytes.
        facts: further ones, as `train_row_hashes`, `fit_seconds` or `as_of` (`lockgate.gates.evidence.facts`).
        columns: `row_id`, `cluster`, `weight`, `time`, `query`, `period`, `slices`, `task` and `classes`, as
            `Evidence.from_arrays` takes them.

    Raises:
        EvidenceError: outside of a gated step, in a foreach, or twice in a step; arrays that are no evidence; scores
            missing of a champion that reigns, or given of one that this step has not asked for.
        SettingsError, LogError, RunError: as `lockgate.champion`.
    """
    task = require_task()
    _check_place(task)
    _check_model(model, format, task)
    arguments = {"label": label, "challenger": challenger, "champion": champion, "facts": facts, **columns}
    if rows is not None:
        _check_rows(rows, {name for name, value in arguments.items() if value is not None}, task)
    further = dict(facts or {}) if rows is None else rows.facts
    if taken := sorted(set(further) & set(_OWN_FACTS)):
        raise EvidenceError(
            f"facts has {taken[0]!r}", expected="a fact that the step does not say itself", where=task.where
        )
    _check_champion(task, scored=(champion if rows is None else rows.champion) is not None)
    built = Evidence.from_arrays(**{**arguments, "facts": further}) if rows is None else rows
    said = {**built.facts, **_describe_run(task, built, model=model, format_name=format)}
    task.evaluated = Evaluated(
        evidence=replace(built, facts=said).to_bytes(), facts=json.dumps(said, sort_keys=True), model=model
    )
    check_sizes(task.evaluated)


def _check_place(task: GatedTask) -> None:
    if task.in_foreach:
        raise EvidenceError(
            "one of several tasks of a foreach gives evidence, which the join after it would lose",
            expected="evidence of a step that runs once",
            where=task.where,
            hint="gate the join, or a step after it",
        )
    if task.evaluated is not None:
        raise EvidenceError("the step has given evidence already", expected="it once", where=task.where)


def _check_rows(rows: object, names: set[str], task: GatedTask) -> None:
    if not isinstance(rows, Evidence):
        raise EvidenceError(f"the rows are of type {type(rows).__name__}", expected="Evidence", where=task.where)
    if names:
        raise EvidenceError(
            f"there are rows, and {min(names)} beside them", expected="rows, or columns and facts", where=task.where
        )


def _check_model(model: object, format_name: object, task: GatedTask) -> None:
    if not isinstance(model, bytes):
        raise EvidenceError(f"the model is of type {type(model).__name__}", expected="its bytes", where=task.where)
    if (
        not isinstance(format_name, str)
        or not format_name.isprintable()
        or not 0 < len(format_name) <= MAX_FORMAT_LENGTH
    ):
        raise EvidenceError(
            f"the format is {ascii(format_name)[:80]}",
            expected=f"a name of 1 to {MAX_FORMAT_LENGTH} printable characters",
            where=task.where,
        )


def _check_champion(task: GatedTask, *, scored: bool) -> None:
    """Raise EvidenceError unless the champion is scored if, and only if, one reigns, and this step has its model."""
    if scored and not task.asked:
        raise EvidenceError(
            "there are scores of a champion that this step has not asked for",
            expected=f"those of the model that `lockgate.champion({task.project!r})` returns in this step",
            where=task.where,
        )
    if not task.asked:
        ask_champion(task.project)
    if scored and task.champion is None:
        raise EvidenceError("no model reigns, but there are scores of a champion", expected="None", where=task.where)
    if not scored and task.champion is not None:
        raise EvidenceError(
            f"{task.champion.run} reigns, and its model has not scored the rows",
            expected=f"champion=: the scores by `lockgate.champion({task.project!r}).model`",
            where=task.where,
        )


def _describe_run(task: GatedTask, built: Evidence, *, model: bytes, format_name: str) -> dict[str, Any]:
    """The facts that the step says itself."""
    reigning = task.champion
    return {
        "version": FACTS_VERSION,
        "project": task.project,
        "scored_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "challenger": {
            "run": task.run,
            "model": task.run.partition("/")[0],
            "format": format_name,
            "sha256": hashlib.sha256(model).hexdigest(),
        },
        "champion": reigning and {"run": reigning.run, "sha256": reigning.sha256},
        "code": code_state(task.folder),
        "data": {"holdout_sha256": built.holdout, "train_sha256": built.train_digest},
        "model_bytes": len(model),
        "versions": {
            "lockgate": lockgate.__version__,
            "python": platform.python_version(),
            **{name: version(name) for name in ("numpy", "pyarrow")},
        },
    }
