"""`lockgate bundle`: the champion for jobs that may read neither the log nor the datastore."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gates.errors import EvidenceError
from pipelines.cli import options


def bundle(
    out: Annotated[Path, typer.Option("--out", help="FILE.tar, or a folder to make.")],
    published: Annotated[
        str, typer.Option(metavar="OWNER/NAME", help="Take the one that this GitHub repository last published.")
    ] = "",
    branch: Annotated[str, typer.Option(help="With --published: by which branch.")] = "main",
    as_json: options.Json = False,
) -> None:
    """Write the champion's model and the log entries that vouch for it to one file, for `evaluate --bundle`.

    A pull request's job, which has no credentials, scores its challenger beside this copy. The same head of the log
    always gives the same bytes. With --published it is downloaded, by the token in GITHUB_TOKEN, and checked; where
    nothing was published yet, nothing is written.
    """
    if published:
        raise typer.Exit(_downloaded(published, branch, out, as_json=as_json))
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


def _downloaded(repository: str, branch: str, out: Path, *, as_json: bool) -> int:
    """Write the bundle that was published, if one was and its digests and signatures hold."""
    import tempfile

    from gates.errors import GithubError
    from pipelines.bundle import CAPS, trusted
    from pipelines.cli.printing import print_json
    from pipelines.cli.whole import check_writable, write_file
    from pipelines.github import event, published
    from pipelines.settings import compose

    if out.suffix != ".tar":
        raise GithubError("a bundle that was published is one file", expected="FILE.tar", where=str(out))
    event.checked_repository(repository, where="--published")
    check_writable(out)
    settings = compose().settings
    blob = published.champion(repository, branch=branch, most=sum(CAPS.values()))
    if blob is not None:
        with tempfile.NamedTemporaryFile(suffix=".tar") as file:
            file.write(blob)
            file.flush()
            held = trusted(Path(file.name), settings)
        write_file(out, blob)
    told = {"out": str(out), "run": held.admitted.champion.run, "entry": held.head.seq} if blob is not None else None
    if as_json:
        print_json(told)
    elif told is None:
        typer.echo(f"{repository} has published no champion")
    else:
        typer.echo(f"{out}: {told['run']}, as of entry {told['entry']} of the promotion log of {repository}")
    return 0
