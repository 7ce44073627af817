"""`lockgate status`: what is deployed, what became of it, and how it differs from this checkout."""

from __future__ import annotations

from typing import Annotated

import typer

from lockgate.gates.errors import LockgateError
from lockgate.pipelines.cli.shared import options


def status(
    branch: options.Branch = None,
    platform: options.Platform = "",
    count: Annotated[int, typer.Option("--runs", min=0, max=100, help="How many runs of each flow to show.")] = 3,
    drift: Annotated[bool, typer.Option("--drift/--no-drift", help="Compare with this checkout.")] = True,
    as_json: options.Json = False,
) -> None:
    """Show each flow: since when it is deployed, what starts it, its last runs; and what this checkout would change."""
    from lockgate.gates import runs
    from lockgate.gates.errors import printable
    from lockgate.pipelines.cli.shared.files import print_json
    from lockgate.pipelines.cli.shared.project import join_project
    from lockgate.pipelines.deployment import cluster, plan, running
    from lockgate.pipelines.deployment.plan import DeployPlan
    from lockgate.pipelines.deployment.recording import compile_objects
    from lockgate.pipelines.deployment.status import describe_flows
    from lockgate.pipelines.deployment.target import load_target

    runs.check_installation()
    chosen = load_target(platform, branch)
    join_project(chosen.settings)
    kubernetes = cluster.connect_cluster(chosen)
    deployed, names = cluster.find_deployed(kubernetes, chosen), chosen.template_names()
    flows = list(describe_flows(deployed, names, running.list_last_runs(kubernetes, names, count=count)))
    deploy_plan: DeployPlan | None = None
    unknown = "it was not asked for"
    if drift:
        try:
            deploy_plan = plan.plan_changes(deployed, compile_objects(chosen, deployed))
        except LockgateError as err:
            unknown = str(err)
    if as_json:
        differs = (
            None
            if deploy_plan is None
            else [{"object": str(change.key), "action": change.action} for change in deploy_plan.needed_changes]
        )
        print_json(
            {
                "deployment": str(chosen),
                "flows": [flow.to_json() for flow in flows],
                "drift": differs,
                "unknown": unknown if deploy_plan is None else None,
            }
        )
        return
    typer.echo(str(chosen))
    for flow in flows:
        for line in flow.lines():
            typer.echo("  " * line.startswith(" ") + printable(line))
    if deploy_plan is None:
        typer.echo(printable(f"drift: unknown: {unknown}") if drift else "drift: not checked")
    elif not deploy_plan.needed_changes:
        typer.echo("drift: none: production matches this checkout")
    else:
        changed = len(deploy_plan.needed_changes)
        typer.echo(f"drift: this checkout would change {changed}: `lockgate deploy --dry-run` shows how")
        for change in deploy_plan.needed_changes:
            typer.echo(f"  {change.action:<9}  {change.key}")
