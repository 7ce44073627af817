"""`lockgate push-data`: copy the declared table to where production reads it."""

from __future__ import annotations

from typing import Annotated

import typer

from lockgate.pipelines.cli.shared import options


def push_data(
    platform: Annotated[str, typer.Option(help="The file of conf/platform whose pods read the table.")] = "",
    as_json: options.Json = False,
) -> None:
    """Copy the table at `data.path` to production's `platform.data_root`, replacing a file of the same name."""
    import hashlib

    from lockgate.pipelines.cli.shared.files import print_json
    from lockgate.pipelines.cli.shared.project import compose_project
    from lockgate.pipelines.scoring.tables import push_table

    overrides = [f"platform={platform}"] if platform else []
    settings = compose_project(overrides, need="a table", config="production").settings
    file, where = push_table(settings)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    if as_json:
        print_json({"file": str(file), "to": where, "bytes": file.stat().st_size, "sha256": digest})
    else:
        typer.echo(f"{where}: {file.stat().st_size:,} bytes, SHA-256 {digest[:16]}")
