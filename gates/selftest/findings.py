"""What follows from the trials: what makes a policy unfit, what its owner should know, and what to change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import scipy

from lockgate.gates.policy.policy import Policy
from lockgate.gates.records.outcome import Verdict
from lockgate.gates.selftest.record import Gate, Rate, Selftest, Trials

SHOWN = 0.01
"""A rate is shown to be above a limit where so many would be as unlikely as this if it were on the limit."""

POWER = 0.8
"""From this share of promotions on, a gain is said to pass."""

MISSED = 0.2
"""A regression of the largest size that is promoted more often than this is one that the gates miss."""


def concluded(policy: Policy, found: Selftest) -> Selftest:
    """The same with its problems and warnings."""
    problems = [*_facts(found), *_never_passes(found), *_never_fails(policy, found), *_promotes_equals(policy, found)]
    warnings = [
        *_useless(found),
        *_seeds(found),
        *_no_gain_asked(found),
        *_false_blocks(policy, found),
        *_power(found),
        *_missed(found),
        *_of_gates(found),
    ]
    return replace(found, summary=_summary(found), problems=tuple(problems), warnings=tuple(warnings))


def above(rate: Rate, limit: float) -> bool:
    """Whether a rate is shown to be above a limit: by the exact binomial tail."""
    if rate.count == 0 or limit >= 1:
        return False
    return float(scipy.special.betainc(rate.count, rate.of - rate.count + 1, limit)) <= SHOWN


def enough(found: Selftest) -> Trials | None:
    """The smallest planted gain that was promoted in four of five trials; None where none was."""
    return next((one for one in found.gains if one.promoted.share >= POWER), None)


def stopping(one: Trials, found: Selftest) -> list[tuple[str, Rate]]:
    """Blocking gates that kept a challenger from being promoted, the commonest first."""
    rates = [(gate.name, one.stopped(gate.name)) for gate in found.gates if gate.severity == "block"]
    return sorted(((name, rate) for name, rate in rates if rate.count), key=lambda item: -item[1].count)


def _summary(found: Selftest) -> str:
    """How often an equal model is promoted, and which gains are."""
    passing = enough(found)
    shown = [one for one in found.gains if passing is None or one.size <= passing.size][-2:]
    gains = [f"a gain of {one.gain or 0.0:.2g} {found.metric} in {_percent(one.promoted)}" for one in shown]
    return ", ".join([f"promoted: equal models in {_percent(found.equal.promoted)} of trials", *gains])


def _facts(found: Selftest) -> Iterator[str]:
    for one in found.once:
        if one.blocks:
            yield f"{one.name} says {one.verdict} of this evidence as it is, so that nothing is promoted: {one.message}"


def _never_passes(found: Selftest) -> Iterator[str]:
    if any(one.promoted.count for one in found.gains):
        return
    largest = found.gains[-1]
    tried = sum(one.n for one in found.gains)
    upto = "no gain" if largest.gain is None else f"no gain up to {largest.gain:.3g} {found.metric}"
    yield f"{upto} was promoted in {tried} trials: the policy cannot pass on this holdout; {_remedy(largest, found)}"


def _remedy(one: Trials, found: Selftest) -> str:
    """What keeps even the largest gain from being promoted, and what to change."""
    always = [name for name, rate in stopping(one, found) if rate.share >= 1 - POWER]
    known = {gate.name: gate for gate in found.gates}
    said = []
    for name in always:
        verdicts = one.gates[name]
        worst = max((Verdict.ERROR, Verdict.FAIL, Verdict.INCONCLUSIVE), key=lambda verdict: verdicts.get(verdict, 0))
        if worst is Verdict.ERROR:
            said.append(f"{name} is an ERROR: {known[name].problem}")
        elif worst is Verdict.INCONCLUSIVE:
            said.append(f"{name} is INCONCLUSIVE: it takes more rows or clusters, fewer looks, or a wider margin")
        else:
            said.append(f"{name} says FAIL: change its limit, or the model")
    return "; ".join(said) or "no gate alone keeps it: several do in turn"


def _never_fails(policy: Policy, found: Selftest) -> Iterator[str]:
    if not any(one.held.count for one in found.regressions):
        tried = sum(one.n for one in found.regressions)
        yield (
            f"no planted regression was held in {tried} trials, a constant score included: the policy cannot fail; "
            "add a gate whose limit lies within reach"
        )
    limit = max(found.promised or 0.0, policy.alpha)
    for one in found.regressions[-2:]:
        if above(one.promoted, limit) and (one.gain is None or one.gain < 0):
            lost = "" if one.gain is None else f" ({found.metric} worse by {-one.gain:.3g})"
            yield f"a useless challenger is promoted in {_percent(one.promoted)} of trials: {one.planted}{lost}"


def _promotes_equals(policy: Policy, found: Selftest) -> Iterator[str]:
    if found.promised is None or not above(found.equal.promoted, found.promised):
        return
    ignores = policy.clusters == "ignore" and found.clusters is not None
    change = "let clusters count (clusters: if_present)" if ignores else "ask for a gain, or for more clusters"
    yield (
        f"an equal model is promoted in {_percent(found.equal.promoted)} of {found.equal.n} trials, and the policy "
        f"promises {100 * found.promised:.3g}% at most: {change}"
    )


def _useless(found: Selftest) -> Iterator[str]:
    one = found.regressions[-1]
    if one.gain is not None and one.gain > 0:
        yield (
            f"{one.planted}, the mean of these labels, is better than the models by {one.gain:.3g} {found.metric}: "
            "they are badly calibrated here, or know nothing of these rows"
        )


def _seeds(found: Selftest) -> Iterator[str]:
    seeds = found.seeds
    if seeds is None or not seeds.promoted.count or found.promised is None:
        return
    yield (
        f"the same model with another seed is promoted in {seeds.promoted.count} of {seeds.n} pairs: their "
        f"{found.metric} differs by {seeds.largest or 0.0:.2g} at most, so ask for a gain of more than that"
    )


def _no_gain_asked(found: Selftest) -> Iterator[str]:
    if found.promised is None:
        yield (
            "no blocking gate asks for a gain: nothing is promised, and an equal model is promoted in "
            f"{_percent(found.equal.promoted)} of {found.equal.n} trials"
        )


def _false_blocks(policy: Policy, found: Selftest) -> Iterator[str]:
    for gate in found.gates:
        if gate.severity != "block" or gate.asks_for_gain:
            continue
        rate = found.equal.failed(gate.name)
        if above(rate, policy.alpha):
            yield (
                f"{gate.name} stops an equal model in {_percent(rate)} of {rate.of} trials: its limit is too near to "
                "the models that there are"
            )
        elif found.equal.gates[gate.name].get(Verdict.INCONCLUSIVE, 0) > rate.of / 2:
            yield (
                f"{gate.name} shows nothing of an equal model in {found.equal.gates[gate.name][Verdict.INCONCLUSIVE]} "
                f"of {rate.of} trials: it takes more rows or clusters, or a wider limit"
            )


def _power(found: Selftest) -> Iterator[str]:
    if enough(found) is None and any(one.promoted.count for one in found.gains):
        best = max(found.gains, key=lambda one: one.promoted.share)
        yield (
            f"no planted gain is promoted in {POWER:.0%} of trials: at best {_percent(best.promoted)}, of a gain of "
            f"{best.gain or 0.0:.3g} {found.metric}; {_remedy(best, found)}"
        )


def _missed(found: Selftest) -> Iterator[str]:
    largest = {one.kind: one for one in found.hidden}
    for one in largest.values():
        if one.promoted.share > MISSED:
            yield (
                f"better on the whole, but with {one.planted}: promoted in {_percent(one.promoted)} of trials; "
                f"{_guard(one.kind)}"
            )


def _guard(kind: str) -> str:
    if kind == "leaked":
        return "add a gate of kind leakage"
    if kind.startswith("slice "):
        return f"add or tighten a gate of kind slices by {kind.removeprefix('slice ')}"
    return "add or tighten a gate of kind calibration"


def _of_gates(found: Selftest) -> Iterator[str]:
    never_fails = [gate.name for gate in found.gates if gate.moved and gate.only <= {Verdict.PASS, Verdict.SKIP}]
    still = [gate.name for gate in found.gates if not gate.moved and Verdict.PASS in gate.only]
    skipped = [gate.name for gate in found.gates if gate.only == {Verdict.SKIP}]
    if never_fails:
        yield f"never fails, whatever was planted: {', '.join(never_fails)}; is the limit within reach?"
    if still:
        yield f"not tried, as nothing that is planted reaches it: {', '.join(still)}"
    if skipped:
        yield f"never judged, always SKIP: {', '.join(skipped)}"
    for gate in found.gates:
        if Verdict.PASS not in gate.only and Verdict.SKIP not in gate.only:
            warns = " (it only warns)" if gate.severity == "warn" else ""
            yield f"never passes: {gate.name}{warns}{_why(gate)}"


def _why(gate: Gate) -> str:
    return f"; {gate.problem}" if gate.problem and gate.only == {Verdict.ERROR} else ""


def _percent(rate: Rate) -> str:
    return f"{rate.share:.1%}" if 0 < rate.share < 0.1 else f"{rate.share:.0%}"
