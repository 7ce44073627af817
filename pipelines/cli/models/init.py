"""`lockgate init`: what a repository needs to be judged, written beside what is there."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lockgate.gates.errors import LockgateError, printable

if TYPE_CHECKING:
    from lockgate.pipelines.starter.plan import StartPlan


class StartTask(StrEnum):
    """What is judged: probabilities beside labels, predictions beside labels, or scores alone."""

    BINARY = "binary"
    REGRESSION = "regression"
    SCORE = "score"


def init(
    task: Annotated[
        StartTask | None,
        typer.Option(
            help="What is scored; by default score where scores/ has JSON lines or logs of Inspect, else binary."
        ),
    ] = None,
    project: Annotated[
        str | None,
        typer.Option(help="Champions are logged under this name; by default the gated flow's, or the folder's."),
    ] = None,
    owner: Annotated[
        str | None, typer.Option(help="Who must approve a change of these files: @ORGANISATION/TEAM, for CODEOWNERS.")
    ] = None,
    action: Annotated[
        str | None,
        typer.Option(help="OWNER/lockgate@COMMIT: the action that tells pull requests what it thinks of them."),
    ] = None,
) -> None:
    """Write lockgate.yaml, a policy, a workflow and CODEOWNERS into this repository, and show what its flow needs.

    A file that is there is never changed, but that CODEOWNERS gets lines that it lacks. Where no flow is found,
    scores_flow.py is written, which puts scores from files on the record. Run again, it writes what is missing.
    """
    from lockgate.pipelines.starter.plan import plan_start

    plan = plan_start(Path.cwd(), project=project, task=task.value if task else None, owner=owner, action=action)
    _write(plan)
    typer.echo("\n".join(_describe(plan)))


def _write(plan: StartPlan) -> None:
    """All files, or none: what was written is taken back if one cannot be."""
    from lockgate.pipelines.cli.shared.files import read_capped, write_file
    from lockgate.pipelines.starter.plan import MAX_OWNERS_BYTES

    new_folders: list[Path] = []
    new_files: list[Path] = []
    before = {
        path: read_capped(plan.root / path, cap=MAX_OWNERS_BYTES)
        for path in plan.appended
        if (plan.root / path).exists()
    }
    try:
        for path, text in {**plan.created, **plan.appended}.items():
            _make_folders(plan.root, Path(path).parent, new_folders)
            write_file(plan.root / path, text.encode(), overwrite=path in before)
            new_files.append(plan.root / path)
    except LockgateError:
        for file in new_files:
            old = before.get(file.relative_to(plan.root).as_posix())
            file.unlink() if old is None else write_file(file, old)
        for folder in reversed(new_folders):
            folder.rmdir()
        raise


def _make_folders(root: Path, below: Path, new_folders: list[Path]) -> None:
    for depth in range(1, len(below.parts) + 1):
        folder = root.joinpath(*below.parts[:depth])
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        except OSError as err:
            raise LockgateError(f"cannot write: {err.strerror}", where=str(folder)) from err
        new_folders.append(folder)


def _describe(plan: StartPlan) -> Iterator[str]:
    from lockgate.pipelines.starter.contents import SCORES_FLOW, write_snippet

    if plan.created:
        yield f"wrote {', '.join(plan.created)} in {printable(str(plan.root))}"
    for path in plan.appended:
        yield f"added lines to {path}"
    if plan.existing:
        nothing = "" if plan.created or plan.appended else "nothing to write: "
        yield f"{nothing}left as they are: {', '.join(map(printable, plan.existing))}"
    for sentence in plan.left_out:
        yield f"left out: {sentence}"
    flow = plan.flow
    if flow is None:
        yield f"next: put what would serve in candidates/ and its scores in scores/, and run {SCORES_FLOW}"
        return
    place = f"{printable(flow.file)}:{flow.line}"
    if flow.gated:
        yield f"{flow.name} is gated: its step `{flow.step}` @ {place}"
        return
    seems = "fits a model" if flow.fits else "comes last"
    yield f"next: gate {flow.name}, whose step `{flow.step}` {seems} @ {place}"
    yield write_snippet(flow, plan.project, plan.task).rstrip("\n")
    for other in plan.other_flows[:5]:
        yield f"or another flow: {other.name} @ {printable(other.file)}:{other.line}"
