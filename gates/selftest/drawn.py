"""What comes of equal models that are drawn as they are, and what was found in the holdout itself."""

from __future__ import annotations

from dataclasses import dataclass

from lockgate.gates.selftest.rates import Rate

ALPHA = 0.05
"""The level at which rates of drawn holdouts are given beside that of a look."""

PLURALS = {"cluster": "clusters", "query": "queries", "date": "dates", "row": "rows"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """How often equal models pass all gates that ask for a gain, on holdouts that are drawn as they are."""

    noun: str  # what is drawn: cluster, query, date, row
    length: int  # how many in a row together; 0 where weekdays are drawn, each with all its weeks
    shows: tuple[str, ...]  # kinds of signs that these draws keep
    promised: float  # the level of a look
    at_look: Rate
    at_5: Rate  # as if the level were .05: more draws pass
    plain_at_look: Rate  # by Student's t of independent units, for comparison
    plain_at_5: Rate
    others_at_look: Rate | None = None  # of pairs of other seeds, on the same packs
    others_at_5: Rate | None = None

    @property
    def exceeds(self) -> bool:
        """Whether more pass than promised, at either level, of the pair or of other pairs."""
        at_look = [rate.share for rate in (self.at_look, self.others_at_look) if rate]
        at_5 = [rate.share for rate in (self.at_5, self.others_at_5) if rate]
        return max(at_look) > self.promised or max(at_5) > ALPHA

    def exceeds_by(self, times: float) -> bool:
        """Whether so many times as many pass as promised at a look."""
        return self.at_look.share > times * self.promised

    @property
    def title(self) -> str:
        """How the holdouts were drawn, in a few words."""
        if "weekday" in self.shows:
            return "weekdays as they are"
        packs = PLURALS[self.noun]
        return f"{packs} as they are" if self.length == 1 else f"{self.length} {packs} in a row, as they are"

    @property
    def keeps(self) -> str:
        """What these draws keep of the evidence."""
        if "weekday" in self.shows:
            return "skew, what days share that are the same weekday"
        if self.noun == "row":
            return "skew"
        inside = f"skew, sizes of {PLURALS[self.noun]}, what rows share within them"
        return f"{inside}, what neighbours share" if self.length > 1 else inside

    @property
    def destroys(self) -> str:
        """What these draws destroy of the evidence."""
        if "weekday" in self.shows:
            return "what neighbours share"
        if self.noun == "row":
            return "whatever rows share"
        packs = PLURALS[self.noun]
        return f"what {packs} share further apart, as weekdays do" if self.length > 1 else f"what {packs} share"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """Something in the holdout itself that intervals may count on not being there, with its p-value."""

    kind: str  # shared (within a pack), order (neighbours), weekday, skew
    noun: str  # what was looked at: cluster, query, date, row
    value: float  # variance × of packs' sums; lag-1 correlation; share of variance; skewness
    p: float
    pairs: int  # of models that it was looked for in
    allowed: bool = False  # whether the policy's intervals allow for it
    shown: bool = False  # whether it is there, and equal models are promoted more often than promised for it

    @property
    def warns(self) -> bool:
        """Whether the sign is a warning where it is shown: it leaves open whether the policy errs."""
        return self.kind in ("weekday", "skew")

    @property
    def text(self) -> str:
        """The sign with its p-value, for a list of what was looked for."""
        packs = PLURALS[self.noun]
        what = {
            "shared": f"variance of sums by {self.noun} × {self.value:.2f}",
            "order": f"lag 1 of {packs} {self.value:+.2f}",
            "weekday": f"weekdays {self.value:.0%} of the variance",
            "skew": f"skewness of {packs} {self.value:+.1f}",
        }[self.kind]
        return f"{what} (p {self.p:.2g}{', allowed for' if self.allowed else ''})"
