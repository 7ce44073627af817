"""`lockgate bundle`: the champion for jobs that may read neither the log nor the datastore."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gates.errors import EvidenceError
from pipelines.cli import options


def bundle(
    out: Annotated[Path, typer.Option("--out", help="FILE.tar, or a folder to make.")],
    as_json: options.Json = False,
) -> None:
    """Write the champion's model and the log entries that vouch for it to one file, for `evaluate --bundle`.

    A pull request's job, which has no credentials, scores its challenger beside this copy. The same head of the log
    always gives the same bytes.
    """
    from gates import admission, runs
    from pipelines.acting import clock
    from pipelines.bundle import made
    from pipelines.cli.printing import print_json
    from pipelines.cli.project import project_log
    from pipelines.cli.whole import check_free, write_file, write_folder
    from pipelines.tar import packed

    folder = out.suffix != ".tar"
    if folder:
        check_free(out)
    log = project_log()
    admitted = admission.admit(log, now=clock())
    run = admitted.champion.run or ""
    try:
        features = runs.facts(run).get("features")
    except EvidenceError:
        features = None
    files = made(log, admitted, model=runs.model_bytes(run), features=features)
    if folder:
        write_folder(out, files)
    else:
        write_file(out, packed(files))
    champion = admitted.champion
    if as_json:
        print_json({"out": str(out), "run": run, "model": champion.sha256, "entry": admitted.head.seq})
        return
    typer.echo(f"{out}: {run}, promoted by entry {champion.seq}, as of entry {admitted.head.seq} of the promotion log")
    typer.echo(f"model {champion.format} sha256 {champion.sha256}")
