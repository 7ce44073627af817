"""`lockgate deploy`: bring production to what this checkout says."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from lockgate.pipelines.cli.shared import options


def deploy(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan, and apply nothing.")] = False,
    branch: options.Branch = None,
    platform: options.Platform = "",
    without_champion: Annotated[
        bool, typer.Option("--without-champion", help="Deploy even though no model may be served yet.")
    ] = False,
    authorize: options.Authorize = "",
    whole: Annotated[bool, typer.Option("--whole", help="Show every line that changes.")] = False,
    as_json: options.Json = False,
) -> None:
    """Show what would change in production, object by object, and apply it. Does nothing if nothing differs.

    Refuses uncommitted files, and anything that could not run: see docs/deploying.md.
    """
    from lockgate.gates import runs
    from lockgate.pipelines.cli.shared.files import print_json
    from lockgate.pipelines.cli.shared.project import join_project
    from lockgate.pipelines.deployment import applying, checkout, cluster, plan, preflight
    from lockgate.pipelines.deployment.recording import compile_objects
    from lockgate.pipelines.deployment.target import load_target
    from lockgate.pipelines.promotion.actor import clock

    runs.check_installation()
    chosen = load_target(platform, branch)
    join_project(chosen.settings)
    commits: list[str] = []
    preflight.run_checks(
        lambda: commits.append(checkout.clean_commit()),
        lambda: preflight.check_surroundings(chosen, without_champion=without_champion),
    )
    kubernetes = cluster.connect_cluster(chosen)
    deployed = cluster.find_deployed(kubernetes, chosen)
    deploy_plan = plan.plan_changes(deployed, compile_objects(chosen, deployed, authorize=authorize))
    if not as_json:
        for line in plan.describe_plan(deploy_plan, whole=whole):
            typer.echo(line)
    if not dry_run and deploy_plan.needed_changes:
        stamp = applying.DeployStamp(commit=commits[0], time=clock().isoformat(timespec="seconds"))
        applying.apply_plan(deploy_plan, kubernetes, stamp, report=lambda line: sys.stderr.write(f"  {line}\n"))
    applied = bool(deploy_plan.needed_changes) and not dry_run
    if as_json:
        print_json(
            {
                "deployment": str(chosen),
                "branch": chosen.branch,
                "commit": commits[0],
                "applied": applied,
                "objects": [{"object": str(change.key), "action": change.action} for change in deploy_plan.changes],
            }
        )
    elif applied:
        typer.echo(f"{chosen} is deployed from commit {commits[0][:12]}")
    else:
        typer.echo("nothing was applied" if deploy_plan.needed_changes else "nothing to do")
