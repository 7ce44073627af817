"""`lockgate predictions`: what applications read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from lockgate.gates.errors import StoreError
from lockgate.pipelines.cli.shared import options

if TYPE_CHECKING:
    from lockgate.pipelines.stores import Store, Version

app = typer.Typer(help="Read the prediction store.", no_args_is_help=True)


@app.command()
def get(
    key: Annotated[str, typer.Argument(help="The row's key, as in 2013-11-05/UA/1545/EWR.")],
    version: Annotated[int | None, typer.Option(help="Of this version instead of the current one.")] = None,
    as_json: options.Json = False,
) -> None:
    """Show the prediction of one key."""
    from lockgate.pipelines.cli.shared.files import print_json

    store, project = _opened()
    found = store.get(project, key, version=version)
    if found is None:
        which = "the current version" if version is None else f"version {version}"
        raise StoreError(
            f"no prediction of {key[:120]!r} in {which}", hint="`lockgate predictions versions` lists them"
        )
    if as_json:
        print_json({"key": found.key, "score": found.score, **as_plain(found.version)})
    else:
        typer.echo(
            f"{found.score:.6f}  {found.key}  version {found.version.version} ({found.version.draft.window}), "
            f"{found.version.draft.champion_run}"
        )


@app.command()
def versions(as_json: options.Json = False) -> None:
    """List the versions, latest first."""
    from lockgate.pipelines.cli.shared.files import print_json

    store, project = _opened()
    found = store.versions(project)
    if not found:
        raise StoreError("nothing has been published yet", hint="run `lockgate predict`")
    if as_json:
        print_json([as_plain(one) for one in found])
        raise typer.Exit
    for one in found:
        mark, made = "*" if one.current else " ", one.draft
        typer.echo(
            f"{mark} {one.version:>4}  {made.time:%Y-%m-%d %H:%M}  {made.window}  {one.rows:>9,} rows  "
            f"{made.champion_run}  model {made.model_sha256[:12]}  log entry {made.log_seq}"
            + ("  withdrawn" if one.withdrawn else "")
        )


@app.command()
def rollback(
    to: Annotated[int | None, typer.Option(help="The version to serve again; by default the one before.")] = None,
    as_json: options.Json = False,
) -> None:
    """Serve an earlier version again, but none of a model that was revoked. Nothing is deleted."""
    from lockgate.pipelines.cli.shared.files import print_json
    from lockgate.pipelines.cli.shared.log import project_log
    from lockgate.pipelines.scoring import withdrawal

    store, project = _opened()
    revoked = withdrawal.revoked_models(project_log(), store.versions(project))
    now = store.rollback(project, to=to, revoked=revoked)
    if as_json:
        print_json(as_plain(now))
    else:
        typer.echo(f"version {now.version} is current again: {now.rows:,} predictions of {now.draft.window}")


@app.command()
def withdraw(as_json: options.Json = False) -> None:
    """Take away every version of a revoked model now, without waiting for a successor. Nothing is deleted.

    Where one was served, the last version that is not withdrawn is served; where there is none, nothing is.
    """
    from lockgate.pipelines.cli.shared.files import print_json
    from lockgate.pipelines.promotion.log import open_log
    from lockgate.pipelines.scoring import withdrawal
    from lockgate.pipelines.settings.settings import compose

    settings = compose().settings
    withdrawn, current = withdrawal.withdraw(settings, open_log(settings))
    if as_json:
        print_json({"withdrawn": list(withdrawn), "current": current and as_plain(current)})
    else:
        for line in withdrawal.describe(withdrawn, current):
            typer.echo(line)


@app.command()
def drafts(as_json: options.Json = False) -> None:
    """List what was begun and neither published nor discarded, the oldest first. Nobody can read it."""
    from lockgate.pipelines.cli.shared.files import print_json

    store, project = _opened()
    found = [(draft, store.staged(draft)) for draft in store.drafts(project)]
    if as_json:
        print_json([{**draft.as_plain(), "staged": sorted(staged)} for draft, staged in found])
        return
    for draft, staged in found:
        typer.echo(
            f"{draft.source}  {draft.time:%Y-%m-%d %H:%M}  {draft.window}"
            f"  {len(staged)} of {draft.shards} shards staged"
        )
    if not found:
        typer.echo("nothing is left half done")


@app.command()
def discard(
    source: Annotated[str, typer.Argument(help="The run that began it: Predict/ID.")], as_json: options.Json = False
) -> None:
    """Delete what a run staged and never published. What was published stays."""
    from lockgate.pipelines.cli.shared.files import print_json

    store, project = _opened()
    gone = store.discard(project, source)
    if not gone:
        known = ", ".join(draft.source for draft in store.drafts(project)) or "none"
        raise StoreError(f"{source[:120]!r} has nothing that was begun and not published", expected=f"one of {known}")
    if as_json:
        print_json({"source": source, "discarded": gone})
    else:
        typer.echo(f"{source}: what it staged is deleted; what is published stays")


def as_plain(version: Version) -> dict[str, Any]:
    """A version as JSON takes it."""
    told = {"version": version.version, "current": version.current, "withdrawn": version.withdrawn}
    return {**told, "rows": version.rows, **version.draft.as_plain()}


def _opened() -> tuple[Store, str]:
    from lockgate.gates import runs
    from lockgate.pipelines import stores
    from lockgate.pipelines.settings.settings import compose

    settings = compose().settings
    return stores.open_store(settings.store, home=runs.home()), settings.data.project
