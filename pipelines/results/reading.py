"""Two result files as evidence: what `lockgate import` and `lockgate.read_results` share."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lockgate.gates.documents import parse_path
from lockgate.gates.errors import EvidenceError, SettingsError
from lockgate.gates.evidence.evidence import Evidence
from lockgate.pipelines.results import READERS, TABLES, Results, Selection
from lockgate.pipelines.results.pairing import pair_results

TASKS = ("score", "binary", "regression")

FilePath = str | os.PathLike[str]
Names = str | Sequence[str] | None  # of both files, or the challenger's and the champion's


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedResults:
    """The evidence of one or two result files, and what was read of each."""

    evidence: Evidence
    challenger: Results
    champion: Results | None


def read_results(
    file_format: str,
    challenger: FilePath,
    champion: FilePath | None = None,
    *,
    task: str | None = None,
    score: Names = None,
    variant: Names = None,
    cluster: str | None = None,
    slices: Sequence[str] = (),
    missing: float | None = None,
    **columns: str | None,
) -> Evidence:
    """Evidence of results that another tool wrote, as `lockgate import` makes it; in a gated step `evidence` takes it.

    Args:
        file_format: csv, parquet, jsonl, inspect or promptfoo.
        challenger, champion: the files; paired by sample, with nothing left out.
        task: of tables: score, binary or regression; by default binary beside labels, else score.
        score, variant: which score, and of promptfoo which provider, to read; of two, the second is the champion's.
        cluster, slices: columns, or keys of the samples' metadata.
        missing: what a sample without a score counts as; None refuses it.
        columns: of tables: `id`, `epoch`, `label` and `weight` name columns that are called otherwise.

    Raises:
        SettingsError: an argument does not fit the format.
        EvidenceError: a file cannot be read, or the two do not fit together (`lockgate.pipelines.results.pairing`).
    """
    return import_files(
        file_format,
        challenger,
        champion,
        task=task,
        score=score,
        variant=variant,
        cluster=cluster,
        slices=slices,
        missing=missing,
        columns=columns,
    ).evidence


def import_files(
    file_format: str,
    challenger: FilePath,
    champion: FilePath | None,
    *,
    task: str | None,
    score: Names,
    variant: Names,
    cluster: str | None,
    slices: Sequence[str],
    missing: float | None,
    columns: Mapping[str, str | None],
) -> ImportedResults:
    """As `read_results`, with what was read of each file."""
    for name, choice, choices in (("format", file_format, tuple(READERS)), ("task", task or TASKS[0], TASKS)):
        if choice not in choices:
            raise SettingsError(f"unknown {name} {str(choice)[:40]!r}", expected=" or ".join(choices), where="import")
    if stray := sorted(columns.keys() - {"id", "epoch", "label", "weight"}):
        raise SettingsError(f"there is no argument {stray[0][:40]!r}", expected="id, epoch, label or weight")
    _check_options({**columns, "task": task}, file_format, fit=TABLES)
    _check_options({"variant": variant}, file_format, fit=("promptfoo",))
    scores, variants = _split_pair("score", score), _split_pair("variant", variant)
    kept_slices = tuple(dict.fromkeys(slices))
    every = [
        READERS[file_format](
            parse_path(path, EvidenceError),
            Selection(
                **columns,
                cluster=cluster,
                slices=kept_slices,
                score=scores[side],
                variant=variants[side],
                labelled=task != "score",
            ),
        )
        for side, path in enumerate([challenger] if champion is None else [challenger, champion])
    ]
    ours, theirs = every[0], every[1] if champion is not None else None
    chosen_task = task or ("binary" if "label" in ours.rows[0].numbers else "score")
    evidence = pair_results(ours, theirs, task=chosen_task, slices=kept_slices, missing=missing)
    return ImportedResults(evidence=evidence, challenger=ours, champion=theirs)


def _check_options(options: Mapping[str, object], file_format: str, *, fit: Sequence[str]) -> None:
    stray = [name for name, value in options.items() if value is not None]
    if stray and file_format not in fit:
        raise SettingsError(
            f"--{stray[0]} does not fit {file_format}", expected=f"it with {' or '.join(fit)} only", where="import"
        )


def _split_pair(name: str, names: Names) -> tuple[str | None, str | None]:
    """The challenger's and the champion's of an option that may be given twice."""
    every = [names] if isinstance(names, str) else list(names or ())
    if len(every) > 2:
        raise SettingsError(f"--{name} is given {len(every)} times", expected="once, or once for each file")
    return (every[0], every[-1]) if every else (None, None)
