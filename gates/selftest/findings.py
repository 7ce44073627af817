"""Conclusions from the trials: what makes a policy unfit, what its owner should know, and what to change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import scipy

from lockgate.gates.policy.policy import Policy
from lockgate.gates.records.outcome import Verdict
from lockgate.gates.selftest.advice import explain_problems, explain_warnings
from lockgate.gates.selftest.rates import Rate
from lockgate.gates.selftest.record import Gate, Selftest, Trials

SIGNIFICANCE = 0.01
"""A rate is above a limit where its count would be at most this likely if the true rate were the limit."""

PASSING_SHARE = 0.8
"""A gain passes if it is promoted in at least this share of trials."""

MISSED_SHARE = 0.2
"""The gates miss a regression whose largest size is promoted in more than this share of trials."""


def conclude(policy: Policy, selftest: Selftest) -> Selftest:
    """The selftest with its summary, problems and warnings."""
    problems = [
        *_facts(selftest),
        *_never_passes(selftest),
        *_never_fails(policy, selftest),
        *(equal := [*_promotes_equals(policy, selftest)]),
        *explain_problems(policy, selftest, said=bool(equal)),
    ]
    warnings = [
        *_useless(selftest),
        *_seeds(selftest),
        *explain_warnings(selftest),
        *_no_gain_asked(selftest),
        *_false_blocks(policy, selftest),
        *_power(selftest),
        *_missed_regressions(selftest),
        *_of_gates(selftest),
    ]
    return replace(selftest, summary=_summary(selftest), problems=tuple(problems), warnings=tuple(warnings))


def is_above(rate: Rate, limit: float) -> bool:
    """Whether the exact binomial tail shows that a rate is above a limit."""
    if rate.count == 0 or limit >= 1:
        return False
    return float(scipy.special.betainc(rate.count, rate.total - rate.count + 1, limit)) <= SIGNIFICANCE


def smallest_promoted_gain(selftest: Selftest) -> Trials | None:
    """The smallest planted gain that passes; None where none does."""
    return next((trials for trials in selftest.gains if trials.promotion_rate.share >= PASSING_SHARE), None)


def stopping_gates(trials: Trials, selftest: Selftest) -> list[tuple[str, Rate]]:
    """Blocking gates that kept a challenger from being promoted, the most frequent first."""
    rates = [(gate.name, trials.stop_rate(gate.name)) for gate in selftest.gates if gate.severity == "block"]
    return sorted(((name, rate) for name, rate in rates if rate.count), key=lambda item: -item[1].count)


def _summary(selftest: Selftest) -> str:
    """How often an equal model is promoted, and how often the largest relevant gains are."""
    passing = smallest_promoted_gain(selftest)
    relevant = [trials for trials in selftest.gains if passing is None or trials.size <= passing.size][-2:]
    gains = [
        f"a gain of {trials.gain or 0.0:.2g} {selftest.metric} in {_percent(trials.promotion_rate)}"
        for trials in relevant
    ]
    return ", ".join([f"promoted: equal models in {_percent(selftest.equal.promotion_rate)} of trials", *gains])


def _facts(selftest: Selftest) -> Iterator[str]:
    for gate in selftest.once:
        if gate.blocks:
            verdict = f"{gate.name} says {gate.verdict} of this evidence as it is"
            yield f"{verdict}, so nothing can be promoted: {gate.message}"


def _never_passes(selftest: Selftest) -> Iterator[str]:
    if any(trials.promotion_rate.count for trials in selftest.gains):
        return
    largest = selftest.gains[-1]
    tried = sum(trials.n for trials in selftest.gains)
    upto = "no gain" if largest.gain is None else f"no gain up to {largest.gain:.3g} {selftest.metric}"
    yield f"{upto} was promoted in {tried} trials: the policy cannot pass on this holdout; {_remedy(largest, selftest)}"


def _remedy(trials: Trials, selftest: Selftest) -> str:
    """What keeps even the largest gain from being promoted, and what to change."""
    always = [name for name, rate in stopping_gates(trials, selftest) if rate.share >= 1 - PASSING_SHARE]
    gates = {gate.name: gate for gate in selftest.gates}
    remedies = []
    for name in always:
        verdicts = trials.gates[name]
        worst = max((Verdict.ERROR, Verdict.FAIL, Verdict.INCONCLUSIVE), key=lambda verdict: verdicts.get(verdict, 0))
        if worst is Verdict.ERROR:
            remedies.append(f"{name} is an ERROR: {gates[name].problem}")
        elif worst is Verdict.INCONCLUSIVE:
            remedies.append(f"{name} is INCONCLUSIVE: it needs more rows or clusters, fewer looks, or a wider margin")
        else:
            remedies.append(f"{name} says FAIL: change its limit, or the model")
    return "; ".join(remedies) or "no single gate stops it: several do in turn"


def _never_fails(policy: Policy, selftest: Selftest) -> Iterator[str]:
    if not any(trials.hold_rate.count for trials in selftest.regressions):
        tried = sum(trials.n for trials in selftest.regressions)
        yield (
            f"no planted regression was held in {tried} trials, a constant score included: the policy cannot fail; "
            "add a gate whose limit lies within reach"
        )
    limit = max(selftest.promised or 0.0, policy.alpha)
    for trials in selftest.regressions[-2:]:
        if is_above(trials.promotion_rate, limit) and (trials.gain is None or trials.gain < 0):
            lost = "" if trials.gain is None else f" ({selftest.metric} worse by {-trials.gain:.3g})"
            promoted = _percent(trials.promotion_rate)
            yield f"a useless challenger is promoted in {promoted} of trials: {trials.planted}{lost}"


def _promotes_equals(policy: Policy, selftest: Selftest) -> Iterator[str]:
    if selftest.promised is None or not is_above(selftest.equal.promotion_rate, selftest.promised):
        return
    ignores = policy.clusters == "ignore" and selftest.clusters is not None
    change = "let clusters count (clusters: if_present)" if ignores else "ask for a gain, or for more clusters"
    yield (
        f"an equal model is promoted in {_percent(selftest.equal.promotion_rate)} of {selftest.equal.n} trials, but "
        f"the policy promises {100 * selftest.promised:.3g}% at most: {change}"
    )


def _useless(selftest: Selftest) -> Iterator[str]:
    constant = selftest.regressions[-1]
    if constant.gain is not None and constant.gain > 0:
        yield (
            f"{constant.planted}, the mean of these labels, is better than the models by {constant.gain:.3g} "
            f"{selftest.metric}: they are badly calibrated here, or know nothing about these rows"
        )


def _seeds(selftest: Selftest) -> Iterator[str]:
    seeds = selftest.seeds
    if seeds is None or not seeds.promotion_rate.count or selftest.promised is None:
        return
    yield (
        f"the same model with another seed is promoted in {seeds.promotion_rate.count} of {seeds.n} pairs: their "
        f"{selftest.metric} differs by {seeds.largest or 0.0:.2g} at most, so ask for a gain of more than that"
    )


def _no_gain_asked(selftest: Selftest) -> Iterator[str]:
    if selftest.promised is None:
        yield (
            "no blocking gate asks for a gain: nothing is promised, and an equal model is promoted in "
            f"{_percent(selftest.equal.promotion_rate)} of {selftest.equal.n} trials"
        )


def _false_blocks(policy: Policy, selftest: Selftest) -> Iterator[str]:
    for gate in selftest.gates:
        if gate.severity != "block" or gate.asks_for_gain:
            continue
        rate = selftest.equal.fail_rate(gate.name)
        if is_above(rate, policy.alpha):
            yield (
                f"{gate.name} stops an equal model in {_percent(rate)} of {rate.total} trials: its limit is too close "
                "to the present models"
            )
        elif (inconclusive := selftest.equal.gates[gate.name].get(Verdict.INCONCLUSIVE, 0)) > rate.total / 2:
            yield (
                f"{gate.name} shows nothing about an equal model in {inconclusive} of {rate.total} trials: it needs "
                "more rows or clusters, or a wider limit"
            )


def _power(selftest: Selftest) -> Iterator[str]:
    if smallest_promoted_gain(selftest) is None and any(trials.promotion_rate.count for trials in selftest.gains):
        best = max(selftest.gains, key=lambda trials: trials.promotion_rate.share)
        yield (
            f"no planted gain is promoted in {PASSING_SHARE:.0%} of trials: a gain of {best.gain or 0.0:.3g} "
            f"{selftest.metric} is promoted most often, in {_percent(best.promotion_rate)}; {_remedy(best, selftest)}"
        )


def _missed_regressions(selftest: Selftest) -> Iterator[str]:
    largest = {trials.kind: trials for trials in selftest.hidden}
    for trials in largest.values():
        if trials.promotion_rate.share > MISSED_SHARE:
            yield (
                f"better on the whole, but with {trials.planted}: promoted in {_percent(trials.promotion_rate)} of "
                f"trials; {_guard(trials.kind)}"
            )


def _guard(kind: str) -> str:
    if kind == "leaked":
        return "add a gate of kind leakage"
    if kind.startswith("slice "):
        return f"add or tighten a gate of kind slices by {kind.removeprefix('slice ')}"
    return "add or tighten a gate of kind calibration"


def _of_gates(selftest: Selftest) -> Iterator[str]:
    never_fails = [gate.name for gate in selftest.gates if gate.moved and gate.only <= {Verdict.PASS, Verdict.SKIP}]
    still = [gate.name for gate in selftest.gates if not gate.moved and Verdict.PASS in gate.only]
    skipped = [gate.name for gate in selftest.gates if gate.only == {Verdict.SKIP}]
    if never_fails:
        yield f"never fails, whatever was planted: {', '.join(never_fails)}; is the limit within reach?"
    if still:
        yield f"not tried, as no plant reaches it: {', '.join(still)}"
    if skipped:
        yield f"never judged, always SKIP: {', '.join(skipped)}"
    for gate in selftest.gates:
        if Verdict.PASS not in gate.only and Verdict.SKIP not in gate.only:
            warns = " (it only warns)" if gate.severity == "warn" else ""
            yield f"never passes: {gate.name}{warns}{_why(gate)}"


def _why(gate: Gate) -> str:
    return f"; {gate.problem}" if gate.problem and gate.only == {Verdict.ERROR} else ""


def _percent(rate: Rate) -> str:
    return f"{rate.share:.1%}" if 0 < rate.share < 0.1 else f"{rate.share:.0%}"
