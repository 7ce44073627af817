"""`lockgate push-data`: copy the declared table to where production reads it."""

from __future__ import annotations

from typing import Annotated

import typer

from lockgate.pipelines.cli.shared import options


def push_data(
    platform: Annotated[str, typer.Option(help="The file of conf/platform whose pods read the table.")] = "",
    as_json: options.Json = False,
) -> None:
    """Copy the tables at `data.path` and `data.score` to production's `platform.data_root`; they replace older ones."""
    import hashlib

    from lockgate.pipelines.cli.shared.files import print_json
    from lockgate.pipelines.cli.shared.project import compose_project
    from lockgate.pipelines.scoring.tables import push_tables

    overrides = [f"platform={platform}"] if platform else []
    settings = compose_project(overrides, need="a table", config="production").settings
    copies = [
        {
            "file": str(file),
            "to": where,
            "bytes": file.stat().st_size,
            "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        }
        for file, where in push_tables(settings)
    ]
    if as_json:
        print_json(copies[0] if len(copies) == 1 else copies)
        return
    for copy in copies:
        typer.echo(f"{copy['to']}: {copy['bytes']:,} bytes, SHA-256 {str(copy['sha256'])[:16]}")
