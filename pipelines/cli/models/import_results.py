"""`lockgate import`: results of other tools become an evidence file."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lockgate.gates.errors import printable
from lockgate.pipelines.cli.shared.options import check_folder

if TYPE_CHECKING:
    from lockgate.pipelines.results.reading import ImportedResults


class Format(StrEnum):
    """What the files are."""

    CSV = "csv"
    PARQUET = "parquet"
    JSONL = "jsonl"
    INSPECT = "inspect"
    PROMPTFOO = "promptfoo"


class ImportTask(StrEnum):
    """What scores are: see `lockgate.gates.evidence.task`."""

    SCORE = "score"
    BINARY = "binary"
    REGRESSION = "regression"


def import_results(
    file_format: Annotated[Format, typer.Argument(metavar="FORMAT", help="csv, parquet, jsonl, inspect or promptfoo.")],
    challenger: Annotated[Path, typer.Argument(help="The challenger's results.")],
    champion: Annotated[
        Path | None, typer.Argument(help="The champion's results on the same samples; may be the same file.")
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Write the evidence to this file.", dir_okay=False, callback=check_folder)
    ] = ...,  # type: ignore[assignment]
    score: Annotated[
        list[str] | None,
        typer.Option(help="Column, scorer or named score to read; given twice, the second is the champion's."),
    ] = None,
    variant: Annotated[
        list[str] | None,
        typer.Option(help="promptfoo: provider, or PROVIDER / PROMPT; given twice, the second is the champion's."),
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(help="Column, or key of the samples' metadata: rows that share it are not independent."),
    ] = None,
    by: Annotated[
        list[str] | None,
        typer.Option("--slice", help="Column, or key of the samples' metadata, to slice by. Repeatable."),
    ] = None,
    missing: Annotated[
        float | None, typer.Option(help="Count a sample without a score, such as after an error, as this score.")
    ] = None,
    row_id: Annotated[
        str | None, typer.Option("--id", help="Tables: the column of sample ids, by default `id`.")
    ] = None,
    epoch: Annotated[
        str | None, typer.Option(help="Tables: the column that numbers the tries of a sample, by default `epoch`.")
    ] = None,
    label: Annotated[str | None, typer.Option(help="Tables: the column of labels, by default `label`.")] = None,
    weight: Annotated[str | None, typer.Option(help="Tables: the column of weights, by default `weight`.")] = None,
    task: Annotated[
        ImportTask | None, typer.Option(help="Tables: what scores are; by default binary beside labels, else score.")
    ] = None,
) -> None:
    """Turn results of another tool into an evidence file, which `lockgate judge --evidence` judges.

    The two files are paired by sample. What has no partner, no score or occurs twice is refused, never left out.
    """
    from lockgate.pipelines.results.reading import import_files

    imported = import_files(
        str(file_format),
        challenger,
        champion,
        task=str(task) if task else None,
        score=score,
        variant=variant,
        cluster=cluster,
        slices=by or [],
        missing=missing,
        columns={"id": row_id, "epoch": epoch, "label": label, "weight": weight},
    )
    imported.evidence.write(out)
    typer.echo(_describe(imported, out=out, missing=missing))


def _describe(imported: ImportedResults, *, out: Path, missing: float | None) -> str:
    """What was written, and what was not read, in a few lines."""
    from lockgate.pipelines.results.pairing import count_missing
    from lockgate.pipelines.results.results import list_names

    evidence, ours, theirs = imported.evidence, imported.challenger, imported.champion
    samples = len({row.sample for row in ours.rows})
    tries = f" of {samples:,} samples" if samples < evidence.n else ""
    beside = "without a champion" if theirs is None else "beside the champion's"
    details = []
    if evidence.cluster is not None:
        details.append(f"{len(evidence.cluster.values):,} clusters by {ours.cluster or 'sample'}")
    elif evidence.query is not None:
        details.append(f"{samples:,} clusters by sample")
    if evidence.slices:
        details.append(f"slices by {', '.join(evidence.slices)}")
    if missing is not None:
        counts = [count_missing(results) for results in (ours, theirs) if results is not None]
        details.append(f"{' and '.join(f'{count:,}' for count in counts)} missing scores count as {missing:g}")
    if ours.unread:
        details.append(f"not read: {list_names(ours.unread)}")
    first = f"{out}: {evidence.n:,} rows{tries}, task {evidence.task}, {ours.score} {beside}"
    return "\n  ".join(map(printable, [first, *details]))
