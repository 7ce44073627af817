"""The flows of a repository, found in its source without running any of it."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MAX_FILES = 5000
"""A repository with more Python files is not searched further."""

MAX_FILE_BYTES = 1024**2
_SKIPPED = {"__pycache__", "build", "dist", "node_modules", "site-packages", "venv"}
_FITTING = ("fit", "train")


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFlow:
    """A FlowSpec, and the step of it that a gate belongs to."""

    file: str  # from the repository's root, with slashes
    name: str
    step: str
    line: int  # of the step
    fits: bool  # whether the step calls something that is named as fitting is
    gated: bool
    project: str | None  # as @gated has it


def find_flows(root: Path) -> list[FoundFlow]:
    """The flows below `root`: gated ones first, then those with a step that fits, by file and line."""
    flows = [flow for file in _list_files(root) for flow in _read_flows(root, file)]
    return sorted(flows, key=lambda flow: (not flow.gated, not flow.fits, flow.file, flow.line))


def _list_files(root: Path) -> Iterator[Path]:
    """Python files below `root`, but for hidden folders, environments and what was built."""
    count = 0
    for folder, names, files in os.walk(root):
        names[:] = sorted(
            name
            for name in names
            if not name.startswith(".") and name not in _SKIPPED and not Path(folder, name, "pyvenv.cfg").exists()
        )
        for name in sorted(files):
            if name.endswith(".py"):
                count += 1
                if count > MAX_FILES:
                    return
                yield Path(folder, name)


def _read_flows(root: Path, file: Path) -> Iterator[FoundFlow]:
    """The flows of one file; none of a file that is not Python, or too large."""
    try:
        if file.stat().st_size > MAX_FILE_BYTES:
            return
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and any(_last_name(base) == "FlowSpec" for base in node.bases):
            steps = [
                part
                for part in node.body
                if isinstance(part, ast.FunctionDef) and "step" in map(_last_name, part.decorator_list)
            ]
            if steps:
                yield _describe_flow(file.relative_to(root).as_posix(), node, steps)


def _describe_flow(file: str, flow: ast.ClassDef, steps: list[ast.FunctionDef]) -> FoundFlow:
    """The gated step; else the first that fits; else the last but `end`."""
    gated = [step for step in steps if _gate_of(step)]
    fitting = [step for step in steps if _fits(step)]
    others = [step for step in steps if step.name != "end"] or steps
    step = (gated or fitting or others[-1:])[0]
    gate = _gate_of(step)
    return FoundFlow(
        file=file,
        name=flow.name,
        step=step.name,
        line=step.lineno,
        fits=step in fitting,
        gated=gate is not None,
        project=_project_of(gate),
    )


def _gate_of(step: ast.FunctionDef) -> ast.expr | None:
    return next((decorator for decorator in step.decorator_list if _last_name(decorator) == "gated"), None)


def _project_of(gate: ast.expr | None) -> str | None:
    """The project, where it is spelled out."""
    for keyword in gate.keywords if isinstance(gate, ast.Call) else ():
        if (
            keyword.arg == "project"
            and isinstance(keyword.value, ast.Constant)
            and isinstance(keyword.value.value, str)
        ):
            return keyword.value.value
    return None


def _fits(step: ast.FunctionDef) -> bool:
    calls = (node for node in ast.walk(step) if isinstance(node, ast.Call))
    return any(_last_name(call).lower().lstrip("_").startswith(_FITTING) for call in calls)


def _last_name(node: ast.expr) -> str:
    """`step` of `step`, `metaflow.step` and `step(…)`; empty for what has no name."""
    while isinstance(node, ast.Call):
        node = node.func
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
