"""Whose a run is: asked before a tag of it is changed. What is unknown is nobody's."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from lockgate.gates.errors import LockgateError, RunError
from lockgate.gates.runs.artifacts import load_facts
from lockgate.gates.runs.metadata import UnreachableError

_PROJECT_TAG = "project:"
"""Beginning of the system tag that Metaflow's @project sets when a run begins, and that nobody can change."""


class Owner(StrEnum):
    """Whose a run is."""

    OWN = "own"
    OTHER = "other"
    UNKNOWN = "unknown"


class ForeignRunError(RunError):
    """The run is another project's, or may be: its tags are not ours to change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ownership:
    """Whose a run is, and how that is known, in words that follow its name."""

    owner: Owner
    description: str


_OWN = Ownership(owner=Owner.OWN, description="is of this project")


def metaflow_project(project: str) -> str:
    """What Metaflow's @project of a project's flows is called. `a-b` and `a_b` are one to Metaflow."""
    return "lockgate_" + project.replace("-", "_")


def ownership(run: str, system: Collection[str], *, project: str, logged: bool) -> Ownership:
    """Whose the run with these system tags is: Metaflow's own tag says so, and where it has none, the run's facts.

    `logged`: the log of `project` names the run. Facts are asked where that or the tag does not suffice.

    Raises UnreachableError where Metaflow does not answer; facts that cannot be read are no answer.
    """
    owners = {tag.removeprefix(_PROJECT_TAG) for tag in system if tag.startswith(_PROJECT_TAG)}
    if others := owners - {metaflow_project(project)}:
        return Ownership(owner=Owner.OTHER, description=f"is of Metaflow's project {min(others)[:64]!r}")
    if owners and logged:
        return _OWN
    claim, problem = _read_claimed_project(run)
    if claim == project:
        return _OWN
    if claim:
        return Ownership(owner=Owner.OTHER, description=f"says that it is of project {claim[:64]!r}")
    if owners and project.isalnum():  # no other project is the same to Metaflow
        return _OWN
    return Ownership(owner=Owner.UNKNOWN, description=f"is of an unknown project ({problem})")


def _read_claimed_project(run: str) -> tuple[str, str]:
    """The project that the run's facts name, or why there is none."""
    try:
        claim = load_facts(run).get("project")
    except UnreachableError:
        raise
    except LockgateError as err:
        return "", f"its facts cannot be read: {err.problem}"
    return (claim, "") if isinstance(claim, str) and claim else ("", "its facts name none")
