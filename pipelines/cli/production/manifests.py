"""`lockgate manifests`: what `lockgate deploy` would apply, as files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lockgate.pipelines.cli.shared import options
from lockgate.pipelines.deployment.objects import PLURALS


def manifests(
    out: Annotated[
        Path, typer.Option("--out", help="A new or empty folder, or one with earlier manifests, which are replaced.")
    ],
    platform: options.Platform = "",
    branch: options.Branch = None,
    as_json: options.Json = False,
) -> None:
    """Write every object of production to a folder, one YAML file each, for GitOps.

    The same code, configuration and user give the same bytes. They contain no secret and no champion: Predict looks
    the champion up when it runs. The code packages go to Metaflow's datastore.
    """
    from lockgate.gates import runs
    from lockgate.pipelines.cli.shared.files import check_free, check_writable, print_json, replace_folder
    from lockgate.pipelines.cli.shared.project import join_project
    from lockgate.pipelines.deployment import preflight
    from lockgate.pipelines.deployment.normal import to_yaml
    from lockgate.pipelines.deployment.recording import compile_objects
    from lockgate.pipelines.deployment.target import load_target

    runs.check_installation()
    if _written_before(out):
        check_writable(out)
    else:
        check_free(out)
    chosen = load_target(platform, branch)
    join_project(chosen.settings)
    preflight.check_configuration(chosen)
    compiled = compile_objects(chosen, {})
    files = {
        f"{key.kind.lower()}-{key.name}.yaml": to_yaml(document).encode() for key, document in compiled.objects.items()
    }
    replace_folder(out, files)
    if as_json:
        print_json({"out": str(out), "files": sorted(files)})
        return
    for name in sorted(files):
        typer.echo(str(out / name))


def _written_before(out: Path) -> bool:
    """Whether every file in the folder has a name that this command would give."""
    kinds = tuple(f"{kind.lower()}-" for kind in PLURALS)
    return out.is_dir() and all(
        file.is_file() and file.name.startswith(kinds) and file.suffix == ".yaml" for file in out.iterdir()
    )
