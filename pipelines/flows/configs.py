"""How the flows get their settings: a Metaflow Config, frozen with what is deployed. Imports nothing heavy."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from metaflow import config_expr

if TYPE_CHECKING:
    from lockgate.pipelines.settings.settings import Composed

PROJECT = config_expr("'lockgate_' + settings.data.project.replace('-', '_')")
"""Metaflow's @project: the flows of one table, by branch, apart from those of another.

What `lockgate.gates.runs.metaflow_project` makes of the same name."""


def default_settings(_context: object = None) -> dict[str, Any]:
    """The default of a flow's Config: conf/ without overrides, for a bare `python pipelines/evaluate.py run`."""
    plain: dict[str, Any] = json.loads(_composed_conf().settings.to_json())
    return plain


def default_policy(_context: object = None) -> dict[str, Any]:
    """The default of a flow's Config `policy`: the one of conf/gate."""
    return _composed_conf().policy.model_dump(mode="json")


@cache
def _composed_conf() -> Composed:
    """conf/ as it is when the flow starts; Promote asks twice, for two Configs."""
    from lockgate.pipelines.flows.output import fail_in_one_line
    from lockgate.pipelines.settings.settings import compose

    with fail_in_one_line():
        return compose()
