"""`lockgate predictions`: what applications read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from lockgate.gates.errors import StoreError
from lockgate.pipelines.cli.shared import options

if TYPE_CHECKING:
    from lockgate.pipelines.stores import PublishedVersion, Store

app = typer.Typer(help="Read the prediction store.", no_args_is_help=True)

_STORE = "a prediction store"


@app.command()
def get(
    key: Annotated[str, typer.Argument(help="The row's key, such as 2013-11-05/UA/1545/EWR.")],
    version: Annotated[int | None, typer.Option(help="Read this version instead of the current one.")] = None,
    as_json: options.Json = False,
) -> None:
    """Show the prediction of one key."""
    from lockgate.pipelines.cli.shared.files import print_json

    store, project = _open_store()
    prediction = store.get(project, key, version=version)
    if prediction is None:
        which = "the current version" if version is None else f"version {version}"
        raise StoreError(
            f"no prediction for {key[:120]!r} in {which}", hint="`lockgate predictions versions` lists them"
        )
    if as_json:
        print_json({"key": prediction.key, "score": prediction.score, **as_plain(prediction.version)})
    else:
        typer.echo(
            f"{prediction.score:.6f}  {prediction.key}  version {prediction.version.version}"
            f" ({prediction.version.draft.window}), {prediction.version.draft.champion_run}"
        )


@app.command()
def versions(as_json: options.Json = False) -> None:
    """List the versions, latest first."""
    from lockgate.pipelines.cli.shared.files import print_json

    store, project = _open_store()
    published = store.versions(project)
    if not published:
        raise StoreError("nothing has been published yet", hint="run `lockgate predict`")
    if as_json:
        print_json([as_plain(version) for version in published])
        raise typer.Exit
    for version in published:
        mark, draft = "*" if version.current else " ", version.draft
        typer.echo(
            f"{mark} {version.version:>4}  {draft.time:%Y-%m-%d %H:%M}  {draft.window}  {version.rows:>9,} rows  "
            f"{draft.champion_run}  model {draft.model_sha256[:12]}  log entry {draft.log_seq}"
            + ("  withdrawn" if version.withdrawn else "")
        )


@app.command("rollback")
def serve_earlier(
    to: Annotated[int | None, typer.Option(help="The version to serve again; by default the one before.")] = None,
    as_json: options.Json = False,
) -> None:
    """Serve an earlier version again, unless its model was revoked. Nothing is deleted."""
    from lockgate.pipelines.cli.shared.files import print_json
    from lockgate.pipelines.cli.shared.project import compose_project
    from lockgate.pipelines.promotion.log import open_log
    from lockgate.pipelines.scoring import withdrawal

    settings = compose_project(need=_STORE).settings
    store, project = withdrawal.open_prediction_store(settings), settings.project
    revoked = withdrawal.revoked_models(open_log(settings), store.versions(project))
    now = store.rollback(project, to=to, revoked=revoked)
    if as_json:
        print_json(as_plain(now))
    else:
        typer.echo(f"version {now.version} is current again: {now.rows:,} predictions of {now.draft.window}")


@app.command()
def withdraw(as_json: options.Json = False) -> None:
    """Withdraw every version of a revoked model now, without waiting for a successor. Nothing is deleted.

    If one of them was served, the last version that is not withdrawn is served instead; if there is none, nothing is.
    """
    from lockgate.pipelines.cli.shared.files import print_json
    from lockgate.pipelines.cli.shared.project import compose_project
    from lockgate.pipelines.promotion.log import open_log
    from lockgate.pipelines.scoring import withdrawal

    settings = compose_project(need=_STORE).settings
    withdrawn, current = withdrawal.withdraw_revoked(settings, open_log(settings))
    if as_json:
        print_json({"withdrawn": list(withdrawn), "current": current and as_plain(current)})
    else:
        for line in withdrawal.describe_withdrawal(withdrawn, current):
            typer.echo(line)


@app.command()
def drafts(as_json: options.Json = False) -> None:
    """List unfinished versions, neither published nor discarded, oldest first. Applications cannot read them."""
    from lockgate.pipelines.cli.shared.files import print_json

    store, project = _open_store()
    pending = [(draft, store.staged_shards(draft)) for draft in store.drafts(project)]
    if as_json:
        print_json([{**draft.as_plain(), "staged": sorted(staged)} for draft, staged in pending])
        return
    for draft, staged in pending:
        typer.echo(
            f"{draft.source}  {draft.time:%Y-%m-%d %H:%M}  {draft.window}"
            f"  {len(staged)} of {draft.shards} shards staged"
        )
    if not pending:
        typer.echo("there are no unfinished versions")


@app.command()
def discard(
    source: Annotated[str, typer.Argument(help="The run that started it: Predict/ID.")], as_json: options.Json = False
) -> None:
    """Delete what a run staged and never published. Published versions stay."""
    from lockgate.pipelines.cli.shared.files import print_json

    store, project = _open_store()
    gone = store.discard(project, source)
    if not gone:
        sources = ", ".join(draft.source for draft in store.drafts(project)) or "none"
        raise StoreError(f"{source[:120]!r} has no unfinished version", expected=f"one of {sources}")
    if as_json:
        print_json({"source": source, "discarded": gone})
    else:
        typer.echo(f"{source}: its staged rows are deleted; published versions stay")


def as_plain(version: PublishedVersion) -> dict[str, Any]:
    """A version as plain values for JSON."""
    fields = {"version": version.version, "current": version.current, "withdrawn": version.withdrawn}
    return {**fields, "rows": version.rows, **version.draft.as_plain()}


def _open_store() -> tuple[Store, str]:
    from lockgate.pipelines.cli.shared.project import compose_project
    from lockgate.pipelines.scoring.withdrawal import open_prediction_store

    settings = compose_project(need=_STORE).settings
    return open_prediction_store(settings), settings.project
