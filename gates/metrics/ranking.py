"""Metrics of scores that rank the rows of a query, against their relevance: 0 is none, higher is more."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from lockgate.gates.metrics.metric import Family, Metric
from lockgate.gates.stats.lists import Lists
from lockgate.gates.stats.scored import Floats, Linear, Scored, ratio

LONGEST = 1_000_000


def ndcg(scored: Scored, *, most: int) -> Linear:
    """Mean over queries of the normalised discounted cumulative gain of their first `most` rows; 0 takes them all.

    DCG = Σ relevance/log2(1 + rank); tied scores share the mean of their relevances; NDCG divides by that of the
    best order. A query without relevant rows counts as 0, as in scikit-learn's `ndcg_score`.
    Source: Järvelin and Kekäläinen, ACM TOIS 20 (2002); ties: McSherry and Najork, ECIR 2008.
    """
    lists = Lists.of(scored)
    found = lists.gain(lists.order, scored.score, relevance=scored.label, cutoff=most)
    best = lists.gain(lists.ordered_by(scored.label), None, relevance=scored.label, cutoff=most)
    return of_queries(np.divide(found, best, out=np.zeros_like(best), where=best > 0), lists, scored)


def mrr(scored: Scored, *, most: int) -> Linear:
    """Mean over queries of 1/rank of the first relevant row, 0 where none is among the first `most`; 0 takes all.

    Tied rows are ranked in the worst order, relevant ones last: a model that scores every row alike gains nothing.
    Source: Voorhees, TREC-8 (1999).
    """
    lists = Lists.of(scored)
    rank = lists.first_relevant(relevance=scored.label, score=scored.score)
    there = np.isfinite(rank) & ((most == 0) | (rank <= most))
    return of_queries(np.where(there, 1 / np.where(there, rank, 1.0), 0.0), lists, scored)


def of_queries(of_list: Floats, lists: Lists, scored: Scored) -> Linear:
    """The weighted mean of a number per query, (L,) → Linear.

    A query weighs as its rows do on average. Its rows share its influence evenly, so that their sum over the query
    is the query's part in the mean: what clusters by query need. Their leverage then is their share of rows, which
    makes intervals a few percent wide where queries differ much in size.
    """
    mass = lists.weight
    total = np.bincount(lists.group, weights=mass, minlength=scored.groups).astype(np.float64)
    gained = np.bincount(lists.group, weights=mass * of_list, minlength=scored.groups).astype(np.float64)
    value = ratio(gained, total)
    scale = ratio(scored.mass, total)[lists.group]
    each = (of_list - value[lists.group]) * scale / lists.size
    return Linear(value, each[lists.of_row])


def _family(name: str, linearise: Callable[..., Linear]) -> Family:
    def make(number: float) -> Metric:
        most = int(number)
        return Metric(
            name=f"{name}@{most}" if most else name,
            task="ranking",
            higher_is_better=True,
            low=0.0,
            high=1.0,
            unit="mean over queries",
            method="smooth",
            linearise=partial(linearise, most=most),
            needs="at least one query",
        )

    return Family(
        name=name,
        task="ranking",
        parameter="how many rows of a query count, best first",
        default=0.0,
        low=1,
        high=LONGEST,
        whole=True,
        make=make,
    )


RANKING: tuple[Family, ...] = (_family("ndcg", ndcg), _family("mrr", mrr))
