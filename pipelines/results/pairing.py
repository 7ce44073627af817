"""Two files of results become evidence: paired by sample and try, with nothing left out."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from lockgate.gates.errors import EvidenceError, printable
from lockgate.gates.evidence.defects import find_defects
from lockgate.gates.evidence.evidence import Evidence
from lockgate.pipelines.results.results import Result, Results

Key = tuple[str, str]  # sample and try


def pair_results(
    challenger: Results, champion: Results | None, *, task: str, slices: Sequence[str], missing: float | None
) -> Evidence:
    """Evidence with a row for each try of each sample.

    Rows of one sample are tries of it: they form a cluster, unless a coarser column is named. For task score they also
    share a `query`, which `pass_hat` reads.

    Args:
        task: score, binary or regression; the last two need labels.
        slices: columns of the challenger's file.
        missing: the score of results that have none; None refuses them.

    Raises:
        EvidenceError: a try that occurs twice, has no score or no partner, or of which the two files say different
            things; or rows that no gate could judge.
    """
    challenger_rows = _by_key(challenger)
    if champion is not None:
        champion_rows = _by_key(champion)
        _check_partners(challenger, champion_rows, other=champion)
        _check_partners(champion, challenger_rows, other=challenger)
        champion = replace(champion, rows=tuple(champion_rows[_key(row)] for row in challenger.rows))
        _check_agreement(challenger, champion.rows, where=champion.where)
    rows = challenger.rows
    columns: dict[str, Any] = {"challenger": _list_scores(challenger, missing)}
    if champion is not None:
        columns["champion"] = _list_scores(champion, missing)
    samples = [row.sample for row in rows]
    repeated = len(set(samples)) < len(samples)
    if repeated and task == "score":
        columns["query"] = samples
    if challenger.cluster is not None:
        columns["cluster"] = [row.names[challenger.cluster] for row in rows]
    elif repeated and task != "score":
        columns["cluster"] = samples
    if task != "score":
        columns["label"] = _list_labels(challenger)
    if "weight" in rows[0].numbers:
        columns["weight"] = [row.numbers["weight"] for row in rows]
    evidence = Evidence.from_arrays(
        task=task,
        row_id=[f"{row.sample}#{row.epoch}" for row in rows] if repeated else samples,
        slices={name: [row.names[name] for row in rows] for name in slices},
        facts={"results": _describe_source(challenger, champion, missing)},
        **columns,
    )
    if problems := find_defects(evidence, clusters_required=False):
        raise EvidenceError(problems[0], where=challenger.where)
    return evidence


def count_missing(results: Results) -> int:
    """How many results have no score."""
    return sum(math.isnan(row.score) for row in results.rows)


def _key(row: Result) -> Key:
    return row.sample, row.epoch


def _by_key(results: Results) -> dict[Key, Result]:
    rows = {_key(row): row for row in results.rows}
    if len(rows) < len(results.rows):
        counts = Counter(map(_key, results.rows))
        repeated = [row for key, row in rows.items() if counts[key] > 1]
        raise EvidenceError(
            f"{len(repeated):,} {_noun(repeated)} occur more than once {_name_first(repeated)}",
            expected="one result for each sample, or a column that numbers its tries",
            where=results.where,
            hint="--epoch names that column",
        )
    return rows


def _check_partners(results: Results, others: dict[Key, Result], *, other: Results) -> None:
    lonely = [row for row in results.rows if _key(row) not in others]
    if lonely:
        raise EvidenceError(
            f"{len(lonely):,} of {len(results.rows):,} results are not in {other.where} {_name_first(lonely)}",
            expected="the same samples and tries in both files",
            where=results.where,
        )


def _check_agreement(challenger: Results, partners: Sequence[Result], *, where: str) -> None:
    """Refuse files of which only one has a column that is read, or that say different things about a sample."""
    for part in ("names", "numbers"):
        ours, theirs = (getattr(rows[0], part) for rows in (challenger.rows, partners))
        if lonely := sorted(ours.keys() ^ theirs.keys()):
            raise EvidenceError(
                f"only one of the files has {lonely[0][:60]!r}", expected="the same columns in both", where=where
            )
        for name in ours:
            pairs = zip(challenger.rows, partners, strict=True)
            differing = [(row, other) for row, other in pairs if getattr(row, part)[name] != getattr(other, part)[name]]
            if differing:
                row, other = differing[0]
                values = [printable(str(getattr(result, part)[name]))[:40] for result in (other, row)]
                raise EvidenceError(
                    f"{name[:60]!r} of {len(differing):,} results is not that of the challenger's file "
                    f"(first: {row.title}, {values[0]!r} and not {values[1]!r})",
                    expected="the same in both files",
                    where=where,
                )


def _list_scores(results: Results, missing: float | None) -> list[float]:
    gaps = [row for row in results.rows if math.isnan(row.score)]
    if not gaps:
        return [row.score for row in results.rows]
    if missing is None:
        errors = sum(row.problem == "an error" for row in gaps)
        why = f", {errors:,} of them because of an error" if errors else ""
        raise EvidenceError(
            f"{len(gaps):,} of {len(results.rows):,} results have no score{why} {_name_first(gaps)}",
            expected="a score for every result",
            where=results.where,
            hint="--missing 0 counts each as 0, in both files",
        )
    return [missing if math.isnan(row.score) else row.score for row in results.rows]


def _list_labels(results: Results) -> list[float]:
    if "label" not in results.rows[0].numbers:
        raise EvidenceError(
            "there is no label",
            expected="a column `label`, or --label",
            where=results.where,
            hint="--task score has none",
        )
    return [row.numbers["label"] for row in results.rows]


def _name_first(rows: Iterable[Result]) -> str:
    return f"(first: {next(iter(rows)).title})"


def _noun(rows: Sequence[Result]) -> str:
    return "samples" if all(not row.epoch for row in rows) else "tries"


def _describe_source(challenger: Results, champion: Results | None, missing: float | None) -> dict[str, Any]:
    """The files that the scores come from, as a fact of the evidence."""
    files = {"challenger": challenger} | ({} if champion is None else {"champion": champion})
    source: dict[str, Any] = {}
    for model, results in files.items():
        source[model] = {"sha256": results.sha256, "score": results.score}
        if missing is not None:
            source[model] |= {"missing": count_missing(results), "counted_as": missing}
    return source
