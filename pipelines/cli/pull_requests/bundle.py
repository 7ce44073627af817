"""`lockgate bundle`: the champion for jobs that may read neither the log nor the datastore."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lockgate.gates.errors import EvidenceError
from lockgate.pipelines.cli.shared import options

if TYPE_CHECKING:
    from lockgate.gates.records.state import Champion


def bundle(
    out: Annotated[Path, typer.Option("--out", help="FILE.tar, or a new folder.")],
    published: Annotated[
        str, typer.Option(metavar="OWNER/NAME", help="Download the bundle that this GitHub repository last published.")
    ] = "",
    branch: Annotated[str, typer.Option(help="With --published: the branch that published it.")] = "main",
    as_json: options.Json = False,
) -> None:
    """Write the champion's model and the log entries that vouch for it to one file, for `evaluate --bundle`.

    A pull request's job, which has no credentials, scores its challenger beside this copy. The same head of the log
    always gives the same bytes. If the log has entries but never had a champion, the file says so. With --published
    the bundle is downloaded with the token in GITHUB_TOKEN, and checked; if none was published yet, none is written.
    """
    if published:
        raise typer.Exit(_download(published, branch, out, as_json=as_json))
    from lockgate.gates import runs
    from lockgate.gates.lifecycle import admission
    from lockgate.pipelines.cli.shared.files import check_free
    from lockgate.pipelines.cli.shared.log import project_log
    from lockgate.pipelines.cli.shared.project import has_conf
    from lockgate.pipelines.promotion.actor import clock
    from lockgate.pipelines.promotion.bundle import build_bundle, build_bundle_without_champion
    from lockgate.pipelines.scoring.used_rows import find_used_rows
    from lockgate.pipelines.settings.settings import compose

    if out.suffix != ".tar":
        check_free(out)
    log = project_log()
    head = log.head()
    if head is not None and head.state.never_promoted:
        _write(out, build_bundle_without_champion(log, head.seq))
        _show(out, None, head.seq, as_json=as_json)
        return
    admitted = admission.admit(log, now=clock())
    run = admitted.champion.run or ""
    try:
        features = runs.load_facts(run).get("features")
    except EvidenceError:
        features = None
    plain = None
    if has_conf():  # a flow of somebody's own chooses its rows itself
        composed = compose()
        used = find_used_rows(log, composed.settings.data, composed.policy)
        plain = None if used is None else used.to_plain()
    _write(out, build_bundle(log, admitted, model=runs.load_model_bytes(run), features=features, used=plain))
    _show(out, admitted.champion, admitted.head.seq, as_json=as_json)


def _write(out: Path, files: Mapping[str, bytes]) -> None:
    """Write one file if the name ends in .tar, else a folder."""
    from lockgate.pipelines.cli.shared.files import write_file, write_folder
    from lockgate.pipelines.promotion.tar import pack_tar

    if out.suffix == ".tar":
        write_file(out, pack_tar(files))
    else:
        write_folder(out, files)


def _show(out: Path, champion: Champion | None, seq: int, *, as_json: bool) -> None:
    from lockgate.pipelines.cli.shared.files import print_json

    if as_json:
        model = champion and champion.sha256
        print_json({"out": str(out), "run": champion and champion.run, "model": model, "entry": seq})
    elif champion is None:
        typer.echo(f"{out}: there never was a champion, as of entry {seq} of the promotion log")
    else:
        typer.echo(f"{out}: {champion.run}, promoted by entry {champion.seq}, as of entry {seq} of the promotion log")
        typer.echo(f"model {champion.format} sha256 {champion.sha256}")


def _download(repository: str, branch: str, out: Path, *, as_json: bool) -> int:
    """Write the published bundle, if there is one and its digests and signatures are valid."""
    import tempfile

    from lockgate.gates.errors import GithubError
    from lockgate.pipelines.cli.shared.files import check_writable, print_json, write_file
    from lockgate.pipelines.cli.shared.project import load_project
    from lockgate.pipelines.github import event, published
    from lockgate.pipelines.promotion.bundle import MAX_FILE_BYTES, read_trusted_bundle
    from lockgate.pipelines.settings.governance import ProjectSettings

    if out.suffix != ".tar":
        raise GithubError("a published bundle is a single file", expected="FILE.tar", where=str(out))
    event.check_repository(repository, where="--published")
    check_writable(out)
    settings = load_project()
    answer, problem = None, f"{repository} has published no champion"
    workflow = "lockgate.yml" if isinstance(settings, ProjectSettings) else "promote.yml"  # which is ours
    publication = published.find_bundle(
        repository, workflow=workflow, branch=branch, max_bytes=sum(MAX_FILE_BYTES.values())
    )
    if publication:
        with tempfile.NamedTemporaryFile(suffix=".tar") as file:
            file.write(publication.blob)
            file.flush()
            contents = read_trusted_bundle(Path(file.name), settings)
        if contents.admitted or publication.newest:
            write_file(out, publication.blob)
            answer = {
                "out": str(out),
                "run": contents.admitted and contents.admitted.champion.run,
                "entry": contents.head.seq,
            }
        else:
            problem = f"{repository} published that there never was a champion, and its last run published nothing"
    if as_json:
        print_json(answer)
    elif answer is None:
        typer.echo(problem)
    else:
        whom = answer["run"] or "there never was a champion"
        typer.echo(f"{out}: {whom}, as of entry {answer['entry']} of the promotion log of {repository}")
    return 0
