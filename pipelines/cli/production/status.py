"""`lockgate status`: what is deployed, what became of it, and how it differs from this checkout."""

from __future__ import annotations

from typing import Annotated

import typer

from lockgate.gates.errors import LockgateError
from lockgate.pipelines.cli.shared import options


def status(
    branch: options.Branch = None,
    platform: options.Platform = "",
    count: Annotated[int, typer.Option("--runs", min=0, max=100, help="How many runs of each flow.")] = 3,
    drift: Annotated[bool, typer.Option("--drift/--no-drift", help="Compare with this checkout.")] = True,
    as_json: options.Json = False,
) -> None:
    """Show each flow: since when it is deployed, what starts it, its last runs; and what this checkout would change."""
    from lockgate.gates import runs
    from lockgate.gates.errors import printable
    from lockgate.pipelines.cli.shared.files import print_json
    from lockgate.pipelines.deployment import cluster, plan, running
    from lockgate.pipelines.deployment.plan import Plan
    from lockgate.pipelines.deployment.recording import wanted
    from lockgate.pipelines.deployment.status import standings
    from lockgate.pipelines.deployment.target import target

    runs.check_installation()
    chosen = target(platform, branch)
    kubernetes = cluster.cluster(chosen)
    there, names = cluster.deployed(kubernetes, chosen), chosen.template_names()
    found = list(standings(there, names, running.last(kubernetes, names, count=count)))
    made: Plan | None = None
    unknown = "it was not asked for"
    if drift:
        try:
            made = plan.planned(there, wanted(chosen, there))
        except LockgateError as err:
            unknown = str(err)
    if as_json:
        differs = None if made is None else [{"object": str(one.key), "action": one.action} for one in made.needed]
        print_json(
            {
                "deployment": str(chosen),
                "flows": [one.to_json() for one in found],
                "drift": differs,
                "unknown": unknown if made is None else None,
            }
        )
        return
    typer.echo(str(chosen))
    for one in found:
        for line in one.lines():
            typer.echo("  " * line.startswith(" ") + printable(line))
    if made is None:
        typer.echo(printable(f"drift: unknown: {unknown}") if drift else "drift: not asked for")
    elif not made.needed:
        typer.echo("drift: none: this is what the checkout says")
    else:
        typer.echo(f"drift: this checkout would change {len(made.needed)}: `lockgate deploy --dry-run` shows how")
        for change in made.needed:
            typer.echo(f"  {change.action:<9}  {change.key}")
