"""`lockgate undeploy`: delete what is deployed."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from lockgate.pipelines.cli.shared import options


def undeploy(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be deleted, and delete nothing.")] = False,
    branch: options.Branch = None,
    platform: options.Platform = "",
    authorize: options.Authorize = "",
    as_json: options.Json = False,
) -> None:
    """Delete the triggers, schedules and templates of production, or of a branch. Running workflows continue.

    The promotion log, runs, predictions and code packages stay. Does nothing if nothing is deployed.
    """
    from lockgate.gates import runs
    from lockgate.pipelines.cli.shared.files import print_json
    from lockgate.pipelines.cli.shared.project import join_project
    from lockgate.pipelines.deployment import applying, cluster, plan, preflight
    from lockgate.pipelines.deployment.target import load_target
    from lockgate.pipelines.promotion.actor import actor, clock

    runs.check_installation()
    chosen = load_target(platform, branch)
    join_project(chosen.settings)
    kubernetes = cluster.connect_cluster(chosen)
    deployed = cluster.find_deployed(kubernetes, chosen)
    preflight.check_may_delete(deployed, user=actor(), token=authorize)
    deploy_plan = plan.plan_removal(deployed)
    if not dry_run:
        stamp = applying.DeployStamp(commit="", time=clock().isoformat(timespec="seconds"))
        applying.apply_plan(deploy_plan, kubernetes, stamp, report=lambda line: sys.stderr.write(f"  {line}\n"))
    if as_json:
        print_json(
            {
                "deployment": str(chosen),
                "applied": not dry_run,
                "objects": [str(change.key) for change in deploy_plan.needed_changes],
            }
        )
        return
    if dry_run:
        for line in plan.describe_plan(deploy_plan):
            typer.echo(line)
    typer.echo("nothing was applied" if dry_run else f"{chosen}: {len(deploy_plan.needed_changes)} deleted")
