"""`lockgate verify`: the promotion log held against itself, and against all that it points to."""

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
    from lockgate.gates.verification import Findings, TagMismatch, LogWalk
    from lockgate.pipelines.settings.settings import Settings
    from lockgate.pipelines.stores import Version

SHOWN_FROM = 200
"""Progress is shown of as many entries or runs, or more."""


def verify(
    fix_tags: Annotated[
        bool,
        typer.Option("--fix-tags", help="Put and remove tags of this project's runs until they are what the log says."),
    ] = False,
    deep: Annotated[
        bool,
        typer.Option("--deep", help="Read the run of every promotion there ever was, not only of those that serve."),
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Check the whole promotion log: chain, signatures, states, policies; then runs, tags and predictions against it.

    Names every deviation, what waits for somebody, and what was not checked. Exit code 0: nothing deviates; 2:
    something does.
    """
    from lockgate.gates import runs
    from lockgate.gates.verification import Findings
    from lockgate.pipelines.promotion.log import open_log
    from lockgate.pipelines.settings.settings import compose

    runs.check_installation()
    settings = compose().settings
    findings = Findings()
    fixed = _checked(open_log(settings), settings, findings, deep=deep, fix_tags=fix_tags)
    _show(findings, fixed, as_json=as_json)
    raise typer.Exit(0 if findings.clean else 2)


def _checked(log: Log, settings: Settings, findings: Findings, *, deep: bool, fix_tags: bool) -> list[str]:
    """Check everything; the tags that were put right, in words."""
    from lockgate.gates import runs, verification

    if not log.keyring.signed:
        findings.note("entries are unsigned: whoever can write the bucket can rewrite them")
    versions = _versions(settings, findings)
    with _progress("entries") as say:
        held = verification.walk_log(log, findings, digests={one.log_seq for one in versions}, report_progress=say)
    last = held.head.seq if held.head else 0
    verification.check_versions(versions, held.digests, findings, last=last)
    verification.check_revoked(versions, held, findings)
    if last and not any(one.log_seq >= last for one in versions):
        findings.note(
            f"nothing outside of the log names an entry after {last}: that no later one was deleted is unknown"
        )
    try:
        with _progress("runs") as say:
            verification.check_promotions(held, findings, deep=deep, report_progress=say)
        return _tags(held, settings.data.project, findings, fix=fix_tags)
    except runs.UnreachableError as err:
        findings.add("run", err.where or "Metaflow", f"runs and tags could not be held against the log: {err.problem}")
        return []


def _versions(settings: Settings, findings: Findings) -> list[Version]:
    from lockgate.gates import runs
    from lockgate.pipelines import stores

    try:
        return stores.open_store(settings.store, home=runs.home()).versions(settings.data.project)
    except LockgateError as err:
        findings.add(
            "predictions", err.where or settings.store.kind, f"the published versions cannot be read: {err.problem}"
        )
        return []


def _tags(held: LogWalk, project: str, findings: Findings, *, fix: bool) -> list[str]:
    from lockgate.gates import runs, verification

    if not held.whole:
        findings.note("tags were not held against a log that is not what it must be" + ("; none was changed" * fix))
        return []
    fixed = []
    for one in verification.find_tag_mismatches(held, findings, project=project):
        left = one.said
        if fix and not one.kept and (one.add or one.remove):
            try:
                runs.retag(one.run, project=project, logged=one.logged, add=one.add, remove=one.remove)
                fixed.append(_changed(one))
                left = one.left.said
            except LockgateError as err:
                left = f"{one.said}; this could not be put right: {err.problem}"
        if left:
            findings.add("tags", one.run, left)
    return fixed


def _changed(one: TagMismatch) -> str:
    tags = [f"+{tag}" for tag in sorted(one.add)] + [f"-{tag}" for tag in sorted(one.remove)]
    return f"{one.run} {' '.join(tags)}"


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal's stderr, where there is much to do."""
    if not sys.stderr.isatty():
        yield lambda _, __: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, visible=False)
        yield lambda done, of: bar.update(task, completed=done, total=of, visible=of >= SHOWN_FROM)


def _show(findings: Findings, fixed: list[str], *, as_json: bool) -> None:
    from lockgate.pipelines.cli.shared.files import console, print_json

    if as_json:
        print_json({**asdict(findings), "clean": findings.clean, "fixed": fixed})
        return
    out = console()
    if findings.deviations:
        from rich.table import Table
        from rich.text import Text

        from lockgate.gates.errors import printable

        table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
        for heading in ("about", "where", "deviation"):
            table.add_column(heading, overflow="fold")
        for one in findings.deviations:
            table.add_row(one.about, *(Text(printable(said)) for said in (one.where, one.said)))
        out.print(table)
    _lines(findings, fixed)


def _lines(findings: Findings, fixed: list[str]) -> None:
    from lockgate.gates.errors import printable

    for line in fixed:
        typer.echo(printable(f"put right: {line}"))
    for line in findings.pending:
        typer.echo(printable(f"pending: {line}"))
    for line in findings.notes:
        typer.echo(printable(f"not checked: {line}"))
    typer.echo(
        f"checked {_counted(findings.entries, 'entry', 'entries')}, {_counted(findings.promotions, 'promoted run')},"
        f" the tags of {_counted(findings.tagged, 'run')}, {_counted(findings.versions, 'version')} of predictions:"
        f" {_counted(len(findings.deviations), 'deviation')}"
    )


def _counted(count: int, one: str, many: str = "") -> str:
    return (
        f"{count or 'no'} {one if count == 1 else many or f'{one}s'}"
        if count < 1000
        else f"{count:,} {many or one + 's'}"
    )
