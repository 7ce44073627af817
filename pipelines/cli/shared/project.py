"""The project that a verb acts on: found, joined, and named in the command's first line."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.gates.errors import PolicyError, RunError, SettingsError, printable
from lockgate.pipelines.promotion import events

if TYPE_CHECKING:
    from lockgate.gates.policy.policy import Policy
    from lockgate.pipelines.settings.governance import Governance
    from lockgate.pipelines.settings.settings import Composed


def load_project() -> Governance:
    """What governs the project of the working directory, said in the first line. Raises SettingsError."""
    from lockgate.pipelines.settings.governance import load_governance

    settings = load_governance()
    join_project(settings)
    return settings


def load_policed_project() -> tuple[Governance, Policy]:
    """As `load_project`, with the policy that a judge goes by. Raises PolicyError as well."""
    from lockgate.pipelines.settings.governance import load_policed_governance

    settings, policy = load_policed_governance()
    join_project(settings)
    return settings, policy


def compose_project(
    overrides: Sequence[str] = (), *, need: str, config: str = "config", trusted: bool = False
) -> Composed:
    """The project's conf/ with overrides, said in the first line.

    need: what the verb takes from conf/, for the error of a project that has none. Raises SettingsError, PolicyError.
    """
    from lockgate.pipelines.settings.scope import find_conf
    from lockgate.pipelines.settings.settings import compose

    composed = compose(overrides, conf=find_conf(need=need), config=config, trusted=trusted)
    join_project(composed.settings)
    return composed


def find_conf_project(*, need: str) -> Path:
    """As `compose_project`, for a verb that composes conf/ itself, and reports what does not compose: its directory."""
    from lockgate.gates import runs
    from lockgate.pipelines.settings.scope import find_conf
    from lockgate.pipelines.settings.settings import compose

    conf = find_conf(need=need)
    runs.share_datastore(conf.parent)
    with suppress(SettingsError, PolicyError):
        join_project(compose(conf=conf).settings)
    return conf


def has_conf() -> bool:
    """Whether the project has a conf/, so that lockgate trains its models and publishes their predictions."""
    from lockgate.pipelines.settings.scope import require_scope

    return require_scope().has_conf


def join_project(settings: Governance) -> None:
    """Have Metaflow use the project's datastore, and say on stderr which project, log and configuration this is.

    To be called before Metaflow is imported. Nothing is made: a log that nobody has written yet has an address all the
    same.
    """
    from lockgate.gates import runs
    from lockgate.pipelines.settings.scope import require_scope

    scope = require_scope()
    runs.share_datastore(scope.root)
    address = _describe_log(settings)
    if events.wants_json():
        fields = {"project": settings.project, "log": address, "configuration": str(scope.configuration)}
        line = events.format_event("acting on this project", level="info", event="project", **fields)
    else:
        line = printable(f"project {settings.project}, log {address}, configuration {scope.configuration}")
    sys.stderr.write(f"{line}\n")


def _describe_log(settings: Governance) -> str:
    from lockgate.gates import runs

    try:
        return runs.describe_address(settings.project, root=settings.log_root)
    except (RunError, ModuleNotFoundError):  # the verb may need no log, or else says so itself
        return "in Metaflow's datastore, which has no address"
