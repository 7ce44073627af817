"""Which project owns a run. Asked before its tags are changed; a run of an unknown project is left alone."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from lockgate.gates.errors import LockgateError, RunError
from lockgate.gates.runs.artifacts import load_facts
from lockgate.gates.runs.metadata import UnreachableError

_METAFLOW_PREFIX = "lockgate_"

_PROJECT_TAG = f"project:{_METAFLOW_PREFIX}"
"""How the system tag begins that Metaflow's @project sets when a run of our flows starts, and that nobody can change.

A flow of somebody's own may have a project of Metaflow by any other name, which says nothing about ours."""


class Owner(StrEnum):
    """Who owns a run, seen from one project."""

    OWN = "own"
    OTHER = "other"
    UNKNOWN = "unknown"


class ForeignRunError(RunError):
    """The run belongs to another project, or may: its tags are not ours to change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ownership:
    """Who owns a run, and why we think so, in words that follow the run's name."""

    owner: Owner
    description: str


_OWN = Ownership(owner=Owner.OWN, description="is of this project")


def metaflow_project(project: str) -> str:
    """The name of a project in Metaflow's @project. Metaflow does not tell `a-b` from `a_b`."""
    return _METAFLOW_PREFIX + project.replace("-", "_")


def find_owner(run: str, system: Collection[str], *, project: str, logged: bool) -> Ownership:
    """Who owns the run with these system tags. Metaflow's own tag may name another project; that it is ours, it does
    not prove: `a-b` is `a_b` to Metaflow, and somebody else's project may have our name, with a datastore elsewhere.

    `logged`: the log of `project` names the run. With a tag that can mean no other name that is proof enough;
    otherwise the facts decide.

    Raises UnreachableError if Metaflow does not answer. Facts that cannot be read leave the owner unknown.
    """
    owners = {tag.removeprefix("project:") for tag in system if tag.startswith(_PROJECT_TAG)}
    if others := owners - {metaflow_project(project)}:
        return Ownership(owner=Owner.OTHER, description=f"is of Metaflow's project {min(others)[:64]!r}")
    if owners and logged and project.isalnum():
        return _OWN
    claim, problem = _read_claimed_project(run)
    if claim == project:
        return _OWN
    if claim:
        return Ownership(owner=Owner.OTHER, description=f"says that it is of project {claim[:64]!r}")
    return Ownership(owner=Owner.UNKNOWN, description=f"is of an unknown project ({problem})")


def _read_claimed_project(run: str) -> tuple[str, str]:
    """The project that the run's facts name; or else an empty name, and the reason."""
    try:
        claim = load_facts(run).get("project")
    except UnreachableError:
        raise
    except LockgateError as err:
        return "", f"its facts cannot be read: {err.problem}"
    return (claim, "") if isinstance(claim, str) and claim else ("", "its facts name none")
