"""Metrics of scores that rank the rows of a query, against their relevance: 0 means irrelevant, more is better."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from lockgate.gates.metrics.metric import Family, Metric
from lockgate.gates.stats.lists import Lists
from lockgate.gates.stats.scored import Floats, Linear, Scored, ratio

MAX_CUTOFF = 1_000_000


def ndcg(scored: Scored, *, cutoff: int) -> Linear:
    """Mean over queries of the normalised discounted cumulative gain of their first `cutoff` rows; 0 takes all rows.

    DCG = Σ relevance/log2(1 + rank), where tied scores share the mean of their relevances. NDCG divides it by the DCG
    of the best order. A query without relevant rows counts as 0, as in scikit-learn's `ndcg_score`.
    Source: Järvelin and Kekäläinen, ACM TOIS 20 (2002); ties: McSherry and Najork, ECIR 2008.
    """
    lists = Lists.of(scored)
    gain = lists.gain(lists.order, scored.score, relevance=scored.label, cutoff=cutoff)
    best = lists.gain(lists.ordered_by(scored.label), None, relevance=scored.label, cutoff=cutoff)
    return average_queries(np.divide(gain, best, out=np.zeros_like(best), where=best > 0), lists, scored)


def mrr(scored: Scored, *, cutoff: int) -> Linear:
    """Mean over queries of 1/rank of the first relevant row, or of 0 if the first `cutoff` rows have none; 0 takes all.

    Tied rows are ranked in the worst order, relevant ones last, so that a model gains nothing from equal scores.
    Source: Voorhees, TREC-8 (1999).
    """
    lists = Lists.of(scored)
    rank = lists.first_relevant(relevance=scored.label, score=scored.score)
    counts = np.isfinite(rank) & ((cutoff == 0) | (rank <= cutoff))
    return average_queries(np.where(counts, 1 / np.where(counts, rank, 1.0), 0.0), lists, scored)


def average_queries(of_list: Floats, lists: Lists, scored: Scored) -> Linear:
    """The weighted mean of a number per query, (L,) → Linear.

    The weight of a query is the mean weight of its rows. Its rows share its influence evenly, so that they add up to
    the query's part in the mean, as clusters by query need it. A query's leverage is then its share of the rows, which
    makes intervals a few percent too wide if queries differ much in size.
    """
    mass = lists.weight
    total = np.bincount(lists.group, weights=mass, minlength=scored.groups).astype(np.float64)
    summed = np.bincount(lists.group, weights=mass * of_list, minlength=scored.groups).astype(np.float64)
    value = ratio(summed, total)
    scale = ratio(scored.mass, total)[lists.group]
    each = (of_list - value[lists.group]) * scale / lists.size
    return Linear(value, each[lists.of_row])


def _family(name: str, linearise: Callable[..., Linear]) -> Family:
    def make(number: float) -> Metric:
        cutoff = int(number)
        return Metric(
            name=f"{name}@{cutoff}" if cutoff else name,
            task="ranking",
            higher_is_better=True,
            low=0.0,
            high=1.0,
            unit="mean over queries",
            method="smooth",
            linearise=partial(linearise, cutoff=cutoff),
            needs="at least one query",
        )

    return Family(
        name=name,
        task="ranking",
        parameter="how many rows of a query count, best first",
        default=0.0,
        low=1,
        high=MAX_CUTOFF,
        whole=True,
        make=make,
    )


RANKING: tuple[Family, ...] = (_family("ndcg", ndcg), _family("mrr", mrr))
