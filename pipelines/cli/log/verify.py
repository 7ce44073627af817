"""`lockgate verify`: check the promotion log against itself, and against everything it points to."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from lockgate.gates.errors import LockgateError
from lockgate.pipelines.cli.shared import options

if TYPE_CHECKING:
    from lockgate.gates.log import Log
    from lockgate.gates.verification import Findings, LogWalk, TagMismatch
    from lockgate.pipelines.settings.governance import Governance
    from lockgate.pipelines.stores import PublishedVersion

PROGRESS_FROM = 200
"""Progress is shown from this many entries or runs on."""


def verify(
    fix_tags: Annotated[
        bool,
        typer.Option("--fix-tags", help="Add and remove tags of this project's runs until they match the log."),
    ] = False,
    deep: Annotated[
        bool,
        typer.Option("--deep", help="Read the run of every promotion ever made, not only of those that may serve."),
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Check the whole promotion log: chain, signatures, states, policies; then runs, tags and predictions against it.

    Reports every deviation, what is pending, and what was not checked. Exit code 0: no deviation; 2: at least one.
    """
    from lockgate.gates import runs
    from lockgate.gates.verification import Findings
    from lockgate.pipelines.cli.shared.project import load_project
    from lockgate.pipelines.promotion.log import open_log

    runs.check_installation()
    settings = load_project()
    findings = Findings()
    fixed = _check_everything(open_log(settings), settings, findings, deep=deep, fix_tags=fix_tags)
    _show(findings, fixed, as_json=as_json)
    raise typer.Exit(0 if findings.clean else 2)


def _check_everything(log: Log, settings: Governance, findings: Findings, *, deep: bool, fix_tags: bool) -> list[str]:
    """Check everything. Returns a line for each run whose tags were put right."""
    from lockgate.gates import runs, verification

    if not log.keyring.requires_signatures:
        findings.note("entries are unsigned: anybody who can write to the bucket can rewrite them")
    versions = _read_versions(settings, findings)
    with _progress("entries") as report_progress:
        walk = verification.walk_log(
            log, findings, digests={version.log_seq for version in versions}, report_progress=report_progress
        )
    last = walk.head.seq if walk.head else 0
    verification.check_versions(versions, walk.digests, findings, last=last)
    verification.check_revoked(versions, walk, findings)
    if last and not any(version.log_seq >= last for version in versions):
        findings.note(
            f"nothing outside the log names an entry after {last}, so a deleted later entry would go unnoticed"
        )
    try:
        with _progress("runs") as report_progress:
            verification.check_promotions(walk, findings, deep=deep, report_progress=report_progress)
        return _check_tags(walk, settings.project, findings, fix=fix_tags)
    except runs.UnreachableError as err:
        findings.add("run", err.where or "Metaflow", f"runs and tags could not be compared with the log: {err.problem}")
        return []


def _read_versions(settings: Governance, findings: Findings) -> list[PublishedVersion]:
    from lockgate.pipelines.scoring.withdrawal import open_prediction_store
    from lockgate.pipelines.settings.settings import Settings

    if not isinstance(settings, Settings):
        findings.note("predictions: whoever serves keeps them, not lockgate")
        return []
    try:
        return open_prediction_store(settings).versions(settings.project)
    except LockgateError as err:
        findings.add(
            "predictions", err.where or settings.store.kind, f"the published versions cannot be read: {err.problem}"
        )
        return []


def _check_tags(walk: LogWalk, project: str, findings: Findings, *, fix: bool) -> list[str]:
    from lockgate.gates import runs, verification

    if not walk.whole:
        findings.note("tags were not compared, because the log itself deviates" + ("; none was changed" * fix))
        return []
    fixed = []
    for mismatch in verification.find_tag_mismatches(walk, findings, project=project):
        problem = mismatch.description
        if fix and not mismatch.blocked_because and (mismatch.add or mismatch.remove):
            try:
                runs.retag(
                    mismatch.run, project=project, logged=mismatch.logged, add=mismatch.add, remove=mismatch.remove
                )
                fixed.append(_describe_retag(mismatch))
                problem = mismatch.unfixable.description
            except LockgateError as err:
                problem = f"{mismatch.description}; this could not be put right: {err.problem}"
        if problem:
            findings.add("tags", mismatch.run, problem)
    return fixed


def _describe_retag(mismatch: TagMismatch) -> str:
    tags = [f"+{tag}" for tag in sorted(mismatch.add)] + [f"-{tag}" for tag in sorted(mismatch.remove)]
    return f"{mismatch.run} {' '.join(tags)}"


@contextmanager
def _progress(description: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on stderr, if that is a terminal and there is much to do."""
    if not sys.stderr.isatty():
        yield lambda _, __: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(description, visible=False)
        yield lambda completed, total: bar.update(
            task, completed=completed, total=total, visible=total >= PROGRESS_FROM
        )


def _show(findings: Findings, fixed: list[str], *, as_json: bool) -> None:
    from lockgate.pipelines.cli.shared.files import console, print_json

    if as_json:
        print_json({**asdict(findings), "clean": findings.clean, "fixed": fixed})
        return
    out = console()
    if findings.deviations:
        from rich.text import Text

        from lockgate.gates.errors import printable
        from lockgate.gates.report.tables import make_table

        table = make_table("about", "where", "deviation")
        for deviation in findings.deviations:
            table.add_row(deviation.about, *(Text(printable(cell)) for cell in (deviation.where, deviation.said)))
        out.print(table)
    _show_lines(findings, fixed)


def _show_lines(findings: Findings, fixed: list[str]) -> None:
    from lockgate.gates.errors import printable

    for line in fixed:
        typer.echo(printable(f"put right: {line}"))
    for line in findings.pending:
        typer.echo(printable(f"pending: {line}"))
    for line in findings.notes:
        typer.echo(printable(f"not checked: {line}"))
    entries = _count_words(findings.entries, "entry", "entries")
    promotions, tagged = _count_words(findings.promotions, "promoted run"), _count_words(findings.tagged, "run")
    versions, deviations = (
        _count_words(findings.versions, "version"),
        _count_words(len(findings.deviations), "deviation"),
    )
    typer.echo(f"checked {entries}, {promotions}, the tags of {tagged}, {versions} of predictions: {deviations}")


def _count_words(count: int, singular: str, plural: str = "") -> str:
    return (
        f"{count or 'no'} {singular if count == 1 else plural or f'{singular}s'}"
        if count < 1000
        else f"{count:,} {plural or singular + 's'}"
    )
