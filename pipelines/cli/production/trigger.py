"""`lockgate trigger`: start a deployed flow."""

from __future__ import annotations

from typing import Annotated

import typer

from lockgate.gates.errors import DeployError
from lockgate.pipelines.cli.shared import options


def trigger(
    flow: Annotated[str, typer.Argument(help="EvaluateNewModel, Promote or Predict.")],
    parameters: Annotated[
        list[str] | None, typer.Argument(help="Parameters as NAME=VALUE, such as window=2013-11.")
    ] = None,
    branch: options.Branch = None,
    platform: options.Platform = "",
    as_json: options.Json = False,
) -> None:
    """Start a deployed flow with parameters, and print the name of its run."""
    from dataclasses import asdict

    from lockgate.gates import runs
    from lockgate.pipelines.cli.shared.files import print_json
    from lockgate.pipelines.cli.shared.project import join_project
    from lockgate.pipelines.deployment import cluster, running
    from lockgate.pipelines.deployment.target import load_target
    from lockgate.pipelines.promotion.actor import actor

    runs.check_installation()
    name = running.find_flow(flow)
    values = dict(_parse_parameter(parameter) for parameter in parameters or ())
    chosen = load_target(platform, branch)
    join_project(chosen.settings)
    run = running.start_flow(cluster.connect_cluster(chosen), chosen, name, values, user=actor())
    if as_json:
        print_json(asdict(run) | {"run": run.pathspec})
    else:
        typer.echo(f"{run.pathspec} was started; `lockgate status` shows how it goes")


def _parse_parameter(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise DeployError(f"{text[:60]!r} is not a parameter", expected="NAME=VALUE")
    return name, value
