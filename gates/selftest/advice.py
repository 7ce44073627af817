"""What the signs in a holdout ask of a policy, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lockgate.gates.policy.policy import Policy
from lockgate.gates.selftest.drawn import ALPHA, PLURALS, Drawn, Sign
from lockgate.gates.selftest.rates import Rate
from lockgate.gates.selftest.record import Selftest


def explain_problems(policy: Policy, selftest: Selftest, *, said: bool) -> Iterator[str]:
    """Signs that make the policy unfit, each with the rate it leads to and what to change.

    said: whether swapped scores have shown already that clusters must count.
    """
    for sign in selftest.signs:
        repeats = said and sign.kind == "shared" and sign.noun == "cluster"
        if sign.shown and not sign.warns and not repeats:
            yield f"{_observe(sign)}{_rates(sign, selftest.drawn)}: {_advise(sign, policy)}"


def explain_warnings(selftest: Selftest) -> Iterator[str]:
    """Signs that leave open whether the policy errs: skew, which intervals allow for, and weekdays, which may last."""
    for sign in selftest.signs:
        if not sign.shown or not sign.warns:
            continue
        packs, rates = PLURALS[sign.noun], _rates(sign, selftest.drawn)
        if sign.kind == "skew":
            yield (
                f"few {packs} carry large losses (skewness {sign.value:.1f}), and holdouts that lack them look like "
                f"gains{rates}: ask for more {packs}, or for a larger gain"
            )
        else:
            yield (
                f"{_observe(sign)}: harmless if every month has the same, but if each draws its own{rates}; compare "
                "with another month, or declare the week as cluster, over more weeks"
            )


def _observe(sign: Sign) -> str:
    packs, p = PLURALS[sign.noun], f"p {sign.p:.2g}"
    over = f", {p}" if sign.pairs == 1 else f"; {p} over {sign.pairs} pairs of models"
    if sign.kind == "order":
        return (
            f"neighbouring {packs} resemble each other (lag 1: {sign.value:.2f}{over}), and no interval allows for it"
        )
    if sign.kind == "weekday":
        return f"weekdays share effects ({sign.value:.0%} of the variance between {packs}{over})"
    return f"rows of the same {sign.noun} resemble each other (variance of sums × {sign.value:.1f}{over})"


def _rates(sign: Sign, drawn: Sequence[Drawn]) -> str:
    kind = "shared" if sign.kind == "skew" else sign.kind
    result = next((each for each in drawn if each.noun == sign.noun and kind in each.shows), None)
    if result is None:
        return ""
    at_look, at_5 = result.at_look, result.at_5
    if result.others_at_look and result.others_at_5 and result.others_at_look.share > at_look.share:
        at_look, at_5 = result.others_at_look, result.others_at_5
    promised = f"{100 * result.promised:.3g}% promised"
    start = ", equal" if sign.kind == "weekday" else "; drawn as they are, equal"
    return f"{start} models are promoted in {percent(at_look)} ({promised}), at level {ALPHA:g} in {percent(at_5)}"


def _advise(sign: Sign, policy: Policy) -> str:
    if sign.noun == "date":
        return "declare the date as cluster"
    changes = []
    if policy.clusters == "ignore":
        changes.append("clusters: if_present")
    if sign.kind == "order" and policy.serial_dependence == "ignore":
        changes.append("serial_dependence: if_ordered")
    return "let them count (" + ", ".join(changes) + ")" if changes else "declare larger clusters"


def percent(rate: Rate) -> str:
    """`24%`; with a decimal below 10%, and two below 1%."""
    if rate.count == 0:
        return "0%"
    digits = 2 if rate.share < 0.01 else 1 if rate.share < 0.1 else 0
    return f"{rate.share:.{digits}%}"
