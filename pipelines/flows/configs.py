"""How the flows get their settings: a Metaflow Config, frozen with what is deployed. Imports nothing heavy."""

from __future__ import annotations

import json
from typing import Any

from metaflow import config_expr

PROJECT = config_expr("'lockgate_' + settings.data.project.replace('-', '_')")
"""Metaflow's @project: the flows of one table, by branch, apart from those of another.

What `lockgate.gates.runs.metaflow_project` makes of the same name."""


def composed(_context: object = None) -> dict[str, Any]:
    """The default of a flow's Config: conf/ without overrides, for a bare `python pipelines/evaluate.py run`."""
    from lockgate.pipelines.settings.settings import compose

    found: dict[str, Any] = json.loads(compose().settings.to_json())
    return found


def composed_policy(_context: object = None) -> dict[str, Any]:
    """The default of a flow's Config `policy`: the one of conf/gate."""
    from lockgate.pipelines.settings.settings import compose

    return compose().policy.model_dump(mode="json")
