"""Where a project's log is, whose keys count there and by which policy it judges: from conf/, or from `lockgate.yaml`.

A repository whose flows and models are its own has no conf/. It has this one file instead:

    project: churn               # champions are logged under this name: a-z, 0-9, _ and -
    log_root: datastore          # where the promotion log is: Metaflow's datastore, or s3://bucket/prefix
    keys: {required: false, private: any, trusted: {}}    # as in conf/platform
    policy: policy.yaml          # a file beside this one, or the policy itself
    mlflow: {registry: "https://mlflow.example.org", model: churn}    # optional: its alias `champion` follows the log

It is looked for in the working directory and in those above it, up to the root of the Git repository.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from lockgate.gates.documents import read_document
from lockgate.gates.errors import SettingsError
from lockgate.gates.policy.policy import Policy
from lockgate.pipelines.settings.platform import KeySettings, parse_root
from lockgate.pipelines.settings.settings import compose, settings_error

PROJECT_FILE = "lockgate.yaml"


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
    project: Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,64}$")]
    log_root: Annotated[str, AfterValidator(parse_root)]
    keys: KeySettings
    policy: str | Mapping[str, Any]
    mlflow: RegistrySettings | None = None  # the one key that may be missing: most have no MLflow

    @property
    def servable(self) -> Literal["here", "elsewhere"]:
        """Predict is not used with this file: whoever serves says what can be served."""
        return "elsewhere"


def find_project_file(folder: Path) -> Path | None:
    """The `lockgate.yaml` of `folder` or of the nearest folder above it in the Git repository; None without one."""
    for place in (folder, *folder.parents):
        if (place / PROJECT_FILE).is_file():
            return place / PROJECT_FILE
        if (place / ".git").exists():
            return None
    return None


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


def read_project_policy(file: Path) -> Policy:
    """The policy that a `lockgate.yaml` holds or names. Raises SettingsError or PolicyError."""
    policy = read_project_file(file).policy
    if not isinstance(policy, str):
        return Policy.parse(policy)
    named = file.parent / policy
    if not named.resolve().is_relative_to(file.parent.resolve()):  # who owns the folder owns what judges
        raise SettingsError(
            f"policy: {policy[:80]!r} leads out of the project", expected="a file in it", where=str(file)
        )
    return Policy.parse(read_document(named))


def load_governance() -> Governance:
    """What governs the project of the working directory: LOCKGATE_CONF if it is set, `lockgate.yaml`, or conf/.

    Raises SettingsError if there is none of them, or it is not acceptable.
    """
    file = _find_own_file()
    return compose().settings if file is None else read_project_file(file)


def load_policed_governance() -> tuple[Governance, Policy]:
    """As `load_governance`, with the policy that a judge goes by. Raises PolicyError as well."""
    file = _find_own_file()
    if file is not None:
        return read_project_file(file), read_project_policy(file)
    composed = compose()
    return composed.settings, composed.policy


def load_registry(project: str) -> RegistrySettings | None:
    """MLflow's registry, if the `lockgate.yaml` of the working directory declares one. Raises SettingsError."""
    file = _find_own_file()
    settings = None if file is None else read_project_file(file)
    return settings.mlflow if settings is not None and settings.project == project else None


def _find_own_file() -> Path | None:
    return None if os.environ.get("LOCKGATE_CONF") else find_project_file(Path.cwd())
