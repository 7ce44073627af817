"""What a holdout is drawn from as it is: packs of rows in their order, with what each carries of a paired gain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lockgate.gates.stats.clusters import Units, t_tail
from lockgate.gates.stats.scored import Codes, Floats, ratio
from lockgate.gates.stats.uncertainty import Uncertainty, measure_sums


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Power sums of the units that a policy counts, where these are smaller than packs: rows, or cells.

    With g the influence of a unit on the gain and w its weight, each is a sum over the units of a pack (P,).
    """

    count: Floats
    gg: Floats
    gw: Floats
    ww: Floats
    ggg: Floats
    ggw: Floats
    gww: Floats
    www: Floats
    of_rows: bool  # whether units are single rows

    @classmethod
    def of(cls, influence: Floats, weight: Floats, pack: Codes, packs: int, *, of_rows: bool) -> Parts:
        """From the influence sums, the weights and the pack of each unit (U,)."""

        def total(values: Floats) -> Floats:
            return np.bincount(pack, weights=values, minlength=packs).astype(np.float64)

        return cls(
            count=total((weight > 0).astype(np.float64)),
            gg=total(influence**2),
            gw=total(influence * weight),
            ww=total(weight**2),
            ggg=total(influence**3),
            ggw=total(influence**2 * weight),
            gww=total(influence * weight**2),
            www=total(weight**3),
            of_rows=of_rows,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Packs:
    """The packs of a holdout, which are drawn whole, and what each carries of the gain in a metric.

    gain: sums of influence values, positive where the challenger is better, which add up to 0: so drawn holdouts have
        the true gain 0, the gain on the evidence being what is subtracted (P,).
    size: the weight of the rows that carry the metric (P,). rows: that of all rows (P,).
    parts: of the units that the policy counts; None where these are the packs.
    """

    gain: Floats
    size: Floats
    rows: Floats
    parts: Parts | None = None

    @property
    def count(self) -> int:
        return self.gain.size

    def p_gain(self, picks: Codes, *, ordered: bool, min_clusters: int) -> tuple[Floats, Floats]:
        """One-sided p of a gain on each drawn holdout, by the policy's interval and by a plain t (D,), (D,).

        Args:
            picks: the packs of each drawn holdout (D, P).
            ordered: whether the interval allows for the order of packs.
            min_clusters: with fewer effective packs, where the policy counts these, nothing passes: p is 1.
        """
        at_once = max(1, _PICKS_AT_ONCE // self.count)
        chunks = [
            self._p_gain(picks[first : first + at_once], ordered=ordered, min_clusters=min_clusters)
            for first in range(0, picks.shape[0], at_once)
        ]
        p, plain = (np.concatenate(parts) for parts in zip(*chunks, strict=True))
        return p, plain

    def _p_gain(self, picks: Codes, *, ordered: bool, min_clusters: int) -> tuple[Floats, Floats]:
        if self.parts is not None:
            mean, uncertainty = _measure_parts(self, self.parts, picks)
            plain = _plain_p(mean, uncertainty)
            return np.nan_to_num(uncertainty.p_above(mean), nan=1.0), plain
        draws, count = picks.shape
        units = Units(
            of_row=np.zeros(0, dtype=np.intp),
            group=np.repeat(np.arange(draws), count),
            size=self.size[picks].ravel(),
            rows=self.rows[picks].ravel(),
            groups=draws,
            alike=False,
            ordered=ordered,
        )
        sums = self.gain[picks].ravel()
        mean = ratio(units.total(sums), units.total(units.rows))
        sums = sums - units.spread(mean) * units.rows
        uncertainty = measure_sums(sums, units)
        error = np.sqrt(units.total((sums * units.leverage.factor) ** 2))
        plain = t_tail(ratio(mean, error), units.leverage.df)
        p = np.where(uncertainty.effective < min_clusters, 1.0, uncertainty.p_above(mean))
        return np.nan_to_num(p, nan=1.0), np.nan_to_num(plain, nan=1.0)


_PICKS_AT_ONCE = 1_000_000


def _plain_p(mean: Floats, uncertainty: Uncertainty) -> Floats:
    return np.nan_to_num(t_tail(ratio(mean, uncertainty.error), uncertainty.df), nan=1.0)


def _measure_parts(packs: Packs, parts: Parts, picks: Codes) -> tuple[Floats, Uncertainty]:
    """Means of drawn holdouts and their uncertainty (D,), as of independent units, to the first order in 1/units."""

    def total(values: Floats) -> Floats:
        sums: Floats = values[picks].sum(axis=1)
        return sums

    rows, count = total(packs.rows), total(parts.count)
    mean = ratio(total(packs.gain), rows)
    second = total(parts.gg) - 2 * mean * total(parts.gw) + mean**2 * total(parts.ww)
    third = total(parts.ggg) - 3 * mean * total(parts.ggw) + 3 * mean**2 * total(parts.gww) - mean**3 * total(parts.www)
    effective = ratio(rows**2, total(parts.ww))
    shape = ratio(total(parts.www), total(parts.ww) ** 1.5)
    return mean, Uncertainty(
        error=np.sqrt(np.maximum(second, 0.0) * ratio(count, count - 1)) / rows,
        df=np.maximum(effective - 1, 1.0),
        skew=np.nan_to_num(ratio(third, second**1.5)),
        slack=np.sqrt(6 / count) * shape,
        few=np.full(mean.shape, parts.of_rows),
        units=count,
        effective=effective,
        lag_1=np.full_like(mean, np.nan),
    )


def draw_blocks(rng: np.random.Generator, packs: int, *, length: int, draws: int) -> Codes:
    """The packs of drawn holdouts (D, P): blocks of consecutive packs, the last followed by the first.

    Source: Politis and Romano, in *Exploring the Limits of Bootstrap* (1992), for circular blocks.
    """
    blocks = -(-packs // length)
    starts = rng.integers(packs, size=(draws, blocks))
    picks = (starts[:, :, None] + np.arange(length)) % packs
    return picks.reshape(draws, -1)[:, :packs]


def draw_weekdays(rng: np.random.Generator, weekday: Codes, *, draws: int) -> Codes:
    """The packs of drawn holdouts (D, P): seven weekdays are drawn, and each week's days are those of that weekday."""
    members = [np.flatnonzero(weekday == day) for day in range(7)]
    members = [member for member in members if member.size]
    chosen = rng.integers(len(members), size=(draws, len(members)))
    number = np.empty(weekday.size, dtype=np.intp)  # of the week, for each pack
    slot = np.empty(weekday.size, dtype=np.intp)
    for place, member in enumerate(members):
        number[member], slot[member] = np.arange(member.size), place
    table = np.stack([np.resize(member, max(map(len, members))) for member in members])
    return table[chosen[:, slot], number]


def choose_block_length(gain: Floats, rows: Floats) -> int:
    """How many consecutive packs are drawn together: P^⅓ and more where neighbours resemble each other.

    (√6 r/(1 − r²))^⅔ P^⅓ for a lag-1 correlation r, at least P^⅓ and at most P/4.

    Source: Carlstein, Annals of Statistics 14 (1986).
    """
    count = gain.size
    correlation = min(max(correlate_neighbours(gain, rows), 0.0), 0.8)
    factor = max(1.0, (np.sqrt(6) * correlation / (1 - correlation**2)) ** (2 / 3))
    return int(min(max(round(factor * count ** (1 / 3)), 1), max(count // 4, 1)))


def correlate_neighbours(gain: Floats, rows: Floats) -> float:
    """The lag-1 correlation of packs, corrected for its bias; 0 of fewer than five."""
    live = rows > 0
    z = gain[live] / np.sqrt(rows[live])
    square = float((z * z).sum())
    if z.size < 5 or square == 0:
        return 0.0
    return float(np.clip((z.size * (z[1:] * z[:-1]).sum() / square + 1) / (z.size - 4), -1, 1))
