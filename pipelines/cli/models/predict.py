"""`lockgate predict`: score a window with the champion and publish it."""

from __future__ import annotations

from typing import Annotated

import typer

from lockgate.pipelines.cli.shared import options


def predict(
    window: Annotated[
        str, typer.Option(help="Period to predict, such as 2013-11; by default the one after the champion's.")
    ] = "",
    upstream_run_id: Annotated[str, typer.Option(help="Predict with this run; it must have been promoted.")] = "",
    with_: Annotated[list[str] | None, typer.Option("--with", help="Passed on to Metaflow as `run --with`.")] = None,
    as_json: options.Json = False,
) -> None:
    """Score a window with the current champion and publish it as a new version in the prediction store."""
    from lockgate.gates import runs
    from lockgate.pipelines.cli.models.predictions import as_plain
    from lockgate.pipelines.cli.shared.files import print_json
    from lockgate.pipelines.cli.shared.flow_run import check_home, run_flow
    from lockgate.pipelines.cli.shared.project import compose_project
    from lockgate.pipelines.data import parse_window
    from lockgate.pipelines.scoring.withdrawal import open_prediction_store

    runs.check_installation()
    settings = compose_project(need="rows to predict and a prediction store").settings
    check_home()
    if window:
        parse_window(settings.data, window)
    words = [
        f"--window={window}",
        f"--upstream-run-id={upstream_run_id}",
        *(f"--with={decorator}" for decorator in with_ or ()),
    ]
    run_id = run_flow("predict", settings, words)
    store = open_prediction_store(settings)
    published = next(
        version for version in store.versions(settings.data.project) if version.draft.source == f"Predict/{run_id}"
    )
    if as_json:
        print_json(as_plain(published))
    else:
        typer.echo(
            f"version {published.version}: {published.rows:,} predictions of {published.draft.window}"
            f" with the model of {published.draft.champion_run}"
        )
