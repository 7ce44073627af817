"""Where a project's log is, whose keys count there and by which policy it judges: from conf/, or from `lockgate.yaml`.

A repository whose flows and models are its own has no conf/. It has this one file instead:

    project: churn               # champions are logged under this name: a-z, 0-9, _ and -
    log_root: datastore          # where the promotion log is: Metaflow's datastore, or s3://bucket/prefix
    keys: {required: false, private: any, trusted: {}}    # as in conf/platform
    policy: policy.yaml          # a file beside this one, or the policy itself
    mlflow: {registry: "https://mlflow.example.org", model: churn}    # optional: its alias `champion` follows the log

How it is found, and which folder its relative paths start at, is in `scope.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from lockgate.gates.documents import read_document
from lockgate.gates.errors import SettingsError
from lockgate.gates.policy.policy import Policy
from lockgate.gates.strictness import PARTS, Category, Changed
from lockgate.gates.strictness.rules import Neutral
from lockgate.pipelines.settings.platform import OTHER_LOG, KeySettings, parse_root
from lockgate.pipelines.settings.scope import PROJECT_FILE, find_scope, require_scope
from lockgate.pipelines.settings.settings import compose, settings_error

_OTHER_PROJECT = Changed(
    Category.LOOKS, why="another project has another log, in which no look was taken and no model reigns"
)
_COMPARED_APART = Neutral("the policy is compared gate by gate, wherever it stands", silent=True)


def _check_registry(address: str) -> str:
    if not re.fullmatch(r"https?://[^\s?#@]+", address):
        got = "an address with a user" if "@" in address else repr(address[:80])  # a password may stand there
        raise ValueError(f"got {got}; expected an address as in https://mlflow.example.org")
    return address


class Governance(Protocol):
    """What a log is opened with and a run is judged for: the part that conf/ and `lockgate.yaml` have in common."""

    @property
    def project(self) -> str: ...
    @property
    def log_root(self) -> str: ...
    @property
    def keys(self) -> KeySettings: ...
    @property
    def servable(self) -> Literal["here", "elsewhere"]: ...


class RegistrySettings(BaseModel):
    """A registered model of MLflow, whose alias `champion` follows the log."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    registry: Annotated[str, AfterValidator(_check_registry)]
    model: Annotated[str, Field(pattern=r"^[A-Za-z0-9_. -]{1,200}$")]


class ProjectSettings(BaseModel):
    """The content of `lockgate.yaml`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
    project: Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,64}$"), _OTHER_PROJECT]
    log_root: Annotated[str, AfterValidator(parse_root), OTHER_LOG]
    keys: Annotated[KeySettings, PARTS]
    policy: Annotated[str | Mapping[str, Any], _COMPARED_APART]
    mlflow: Annotated[RegistrySettings | None, Neutral("an index of the log, no part of it")] = (
        None  # most have no MLflow
    )

    @property
    def servable(self) -> Literal["here", "elsewhere"]:
        """Predict is not used with this file: whoever serves says what can be served."""
        return "elsewhere"


def find_project_file(folder: Path) -> Path | None:
    """The `lockgate.yaml` that governs `folder`; None if a conf/ does, or nothing. Raises SettingsError."""
    scope = find_scope(folder)
    return None if scope is None or scope.has_conf else scope.configuration


def read_project_file(file: Path) -> ProjectSettings:
    """The settings in a `lockgate.yaml`; its policy is not read. Raises SettingsError with every mistake found."""
    content = read_document(file)
    if not isinstance(content, Mapping):
        raise SettingsError("the file is not a mapping", expected="project, log_root, keys and policy", where=str(file))
    try:
        return ProjectSettings.model_validate(dict(content))
    except ValidationError as err:
        mistakes = settings_error(err, ProjectSettings)
        raise SettingsError(mistakes.problem, where=str(file)) from err


def read_project_policy(file: Path, *, parse_policy: Callable[[Any], Policy] = Policy.parse) -> Policy:
    """The policy that a `lockgate.yaml` holds or names. Raises SettingsError or PolicyError.

    parse_policy: `read_archived` for a file that an older version went by, which may lack keys.
    """
    policy = read_project_file(file).policy
    if not isinstance(policy, str):
        return parse_policy(policy)
    return parse_policy(read_document(locate_policy(file, policy)))


def locate_policy(file: Path, name: str) -> Path:
    """The file that `policy: NAME` of a `lockgate.yaml` names. Raises SettingsError if it leads out of the project."""
    policy = file.parent / name
    if not policy.resolve().is_relative_to(file.parent.resolve()):  # who owns the folder owns what judges
        raise SettingsError(
            f"policy: {name[:80]!r} leads out of the project",
            expected=f"a file beside {PROJECT_FILE}, or below",
            where=str(file),
        )
    return policy


def load_governance() -> Governance:
    """What governs the project of the working directory. Raises SettingsError if there is none, or a mistake in it."""
    scope = require_scope()
    return compose(conf=scope.configuration).settings if scope.has_conf else read_project_file(scope.configuration)


def load_policed_governance() -> tuple[Governance, Policy]:
    """As `load_governance`, with the policy that a judge goes by. Raises PolicyError as well."""
    scope = require_scope()
    if not scope.has_conf:
        return read_project_file(scope.configuration), read_project_policy(scope.configuration)
    composed = compose(conf=scope.configuration)
    return composed.settings, composed.policy


def load_registry(project: str) -> RegistrySettings | None:
    """MLflow's registry, if the `lockgate.yaml` of the working directory declares one. Raises SettingsError."""
    scope = find_scope()
    settings = None if scope is None or scope.has_conf else read_project_file(scope.configuration)
    return settings.mlflow if settings is not None and settings.project == project else None
