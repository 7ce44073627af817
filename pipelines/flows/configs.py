"""The flows' Configs of Metaflow: settings and policy, which a deployment freezes. Imports nothing heavy."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from metaflow import config_expr

if TYPE_CHECKING:
    from lockgate.pipelines.settings.settings import Composed

PROJECT = config_expr("'lockgate_' + settings.data.project.replace('-', '_')")
"""The name for Metaflow's @project, which separates the flows of one table from those of another.

The same as `lockgate.gates.runs.metaflow_project` of the table's project."""


def default_settings(_context: object = None) -> dict[str, Any]:
    """The default of the Config `settings`: conf/ without overrides, for a bare `python pipelines/evaluate.py run`."""
    plain: dict[str, Any] = json.loads(_composed_conf().settings.to_json())
    return plain


def default_policy(_context: object = None) -> dict[str, Any]:
    """The default of the Config `policy`: the policy in conf/gate."""
    return _composed_conf().policy.model_dump(mode="json")


@cache
def _composed_conf() -> Composed:
    """conf/ when the flow starts, composed once: Promote has two Configs that need it."""
    from lockgate.gates import runs
    from lockgate.pipelines.flows.output import fail_in_one_line
    from lockgate.pipelines.settings.scope import find_conf
    from lockgate.pipelines.settings.settings import compose

    with fail_in_one_line():
        conf = find_conf()
        composed = compose(conf=conf)
        runs.require_shared_datastore(conf.parent)
        return composed
