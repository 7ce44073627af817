"""`lockgate undeploy`: take what is deployed away."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from pipelines.cli import options


def undeploy(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would go, and delete nothing.")] = False,
    branch: options.Branch = None,
    platform: options.Platform = "",
    authorize: options.Authorize = "",
    as_json: options.Json = False,
) -> None:
    """Delete the triggers, schedules and templates of production, or of a branch. What runs goes on.

    The promotion log, runs, predictions and code packages stay. Where nothing is deployed, nothing is done.
    """
    from gates import runs
    from pipelines.acting import actor, clock
    from pipelines.cli.printing import print_json
    from pipelines.deployment import applying, authority, cluster, plan
    from pipelines.deployment.target import target

    runs.check_installation()
    chosen = target(platform, branch)
    kubernetes = cluster.cluster(chosen)
    there = cluster.deployed(kubernetes, chosen)
    authority.check_may_delete(there, user=actor(), token=authorize)
    made = plan.emptied(there)
    if not dry_run:
        stamp = applying.Stamp(commit="", time=clock().isoformat(timespec="seconds"))
        applying.apply(made, kubernetes, stamp, say=lambda line: sys.stderr.write(f"  {line}\n"))
    if as_json:
        print_json(
            {"deployment": str(chosen), "applied": not dry_run, "objects": [str(one.key) for one in made.needed]}
        )
        return
    if dry_run:
        for line in plan.told(made):
            typer.echo(line)
    typer.echo("nothing was applied" if dry_run else f"{chosen}: {len(made.needed)} deleted")
