"""Looks at a holdout: which one this is, whether it counts, what it costs, and what that guarantees in words.

Under `fixed` and `single` a comparison that asks for a gain uses alpha/looks of the error rate of every holdout that
it looks at: those that share half their rows with the evidence, or half of its (gates/judge/holdouts.py), and the
rows at hand themselves. Once a holdout has no such share left, or is retired, nothing passes there. So the error rates
of all looks that share half their rows with any one registered set of rows sum up to alpha at most, whichever parts of
it are judged, in whatever company, and under whatever policies.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import numpy as np

from lockgate.gates.evidence.evidence import Evidence
from lockgate.gates.judge.holdouts import Met, Recognised, recognise
from lockgate.gates.kinds import AnyCheck
from lockgate.gates.kinds.any_of import AnyOf
from lockgate.gates.metrics.rows import relative
from lockgate.gates.policy.policy import Policy
from lockgate.gates.records.decision import Binding, Look
from lockgate.gates.records.state import OPEN_HOLDOUTS, State

_ROUNDING = 1e-9
_SHOWN = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """This judgement as a look at its holdout, before anything is judged.

    `recorded` is the entry that has this look already. `spent` says in words why no comparison that asks for a gain
    can pass here; empty where one can. `holdout` is None under `open`, and without rows: no looks are counted there.
    """

    key: str
    policy: Policy
    state: State
    digest: str
    holdout: Recognised | None
    recorded: int | None
    spent: str

    @property
    def known(self) -> tuple[str, ...]:
        """The holdouts, of those that were looked at before, that this look is at."""
        return tuple(one.digest for one in self.holdout.met) if self.holdout else ()

    def settled(self, *, asked: bool, already: bool, replaced: bool) -> tuple[Look, State]:
        """The look as it is told, and the state with what it cost.

        Args:
            asked: a comparison that asks for a gain was judged.
            already: the challenger is the champion, so that nothing is decided.
            replaced: the challenger replaced a champion: the holdout is retired.
        """
        asked = asked and self.holdout is not None
        charged = asked and self.recorded is None and not self.spent and not already
        after, seq, ledgers = self.state, self.state.seq + 1, self.known
        if self.holdout and (charged or replaced):
            if charged:  # before anything is registered, which retires what was looked at longest ago
                after = after.looked(ledgers, self.key, seq=seq, error=self.policy.scheduled_alpha)
            if not any(one.covers for one in self.holdout.met):
                after = after.registered(self.digest, self.holdout.rows)
                ledgers = (self.digest, *ledgers)
                if charged:
                    after = after.looked((self.digest,), self.key, seq=seq, error=self.policy.scheduled_alpha)
            if replaced:
                after = after.retired(ledgers)
        counts = charged or (asked and self.recorded is not None)
        number = self._number() if counts else None
        look = Look(
            key=self.key,
            scheduled=asked,
            number=number,
            of=self.policy.schedule.looks,
            repeated=self.recorded is not None,
            holdouts=ledgers if counts else (),
            message=self._said(number, asked=asked, already=already),
        )
        return look, after

    def _number(self) -> int:
        """Which look it is, at the holdout that has had most."""
        looks = [self.state.holdouts[name].looks for name in self.known]
        if self.recorded is not None:
            return max((sum(seq <= self.recorded for seq in one.values()) for one in looks), default=1)
        return max((len(one) for one in looks), default=0) + 1

    def _said(self, number: int | None, *, asked: bool, already: bool) -> str:
        if self.holdout is None:
            return "looks at this holdout are not counted"
        if number is not None:
            told = f"look {number} of {self.policy.schedule.looks} at this holdout"
            told += ", taken before: recorded, and free" if self.recorded is not None else ""
        elif asked and not already:
            told = f"no look was taken: {self.spent}"
        else:
            why = "this model is the champion" if already else "nothing was judged that asks for a gain"
            told = f"no look was taken: {why}"
        return "; ".join([told, *(_shared(one, self.state) for one in self.holdout.met if one.digest != self.digest)])


def visit(policy: Policy, evidence: Evidence, binding: Binding, state: State) -> Visit:
    """Which look at which holdouts this judgement is, and whether a gain can be shown there."""
    counted = policy.schedule.kind != "open" and evidence.n > 0
    key = _key(evidence, binding)
    holdout = recognise(evidence, state, seq=state.seq + 1) if counted else None
    recorded = state.look(key) if counted else None
    spent = _spent(policy, state, holdout.met) if holdout and recorded is None else ""
    return Visit(
        key=key, policy=policy, state=state, digest=binding.holdout, holdout=holdout, recorded=recorded, spent=spent
    )


def guarantee(policy: Policy) -> str:
    """What the schedule, together with what is disclosed, promises of the policy: one sentence, without its stop."""
    alpha = f"{policy.alpha:.3g}"
    looks = policy.schedule.looks
    if looks is None:
        return (
            f"no guarantee under reuse of the holdout: each comparison errs with probability at most {alpha}, and "
            "among many looks a false promotion is to be expected"
        )
    if not any(asks_for_gain(check) and check.severity == "block" for check in policy.checks.values()):
        return (
            "no blocking gate asks for a gain, so that none is guaranteed: each bound errs with probability at most "
            f"{alpha}, and there is no guarantee under reuse of the holdout"
        )
    over = "at the one look at a holdout" if looks == 1 else f"over {looks} looks at one holdout"
    holds = (
        "however challengers are chosen through lockgate's answers"
        if policy.disclose == "promotion_only"
        else "for challengers that were not tuned on the numbers shown"
    )
    return (
        f"{over}, the probability of replacing the champion by any challenger without the gain asked is at most "
        f"{alpha}, {holds}; whoever holds the labels is outside of it"
    )


def asks_for_gain(check: AnyCheck) -> bool:
    """Whether passing takes a gain: of alternatives, whether each does."""
    return all(one.scheduled for one in check.checks.values()) if isinstance(check, AnyOf) else check.scheduled


def _key(evidence: Evidence, binding: Binding) -> str:
    """A look is a question: these rows, scores and policy, weighted, clustered and sliced like this."""
    sha = hashlib.sha256()
    for part in (binding.holdout, binding.scores, binding.champion_scores or "", binding.policy, evidence.task):
        sha.update(part.encode() + b"\n")
    if evidence.weight is not None:
        sha.update(b"weight\n" + np.ascontiguousarray(relative(evidence.weight), "<f8").tobytes())
    columns = {"cluster": evidence.cluster, "query": evidence.query}
    columns |= {f"slice:{name}": evidence.slices[name] for name in sorted(evidence.slices)}
    for name, column in columns.items():
        if column is not None:
            narrow = "<u2" if len(column.values) <= 1 << 16 else "<u4"
            sha.update(json.dumps([name, narrow, column.values]).encode() + b"\n")
            sha.update(column.codes.astype(narrow).tobytes())
    return sha.hexdigest()[:32]


def _spent(policy: Policy, state: State, met: tuple[Met, ...]) -> str:
    """Why nothing passes on these holdouts any more; empty where a comparison can."""
    looks, more = policy.schedule.looks, "judge on fresh rows, under ids of their own"
    for held in (state.holdouts[one.digest] for one in met):
        if held.retired:
            why = f"a challenger replaced a champion on it, or {OPEN_HOLDOUTS} other holdouts came after it"
            return f"this holdout is retired: {why}; {more}"
        if held.spent + policy.scheduled_alpha > policy.alpha * (1 + _ROUNDING):
            if len(held.looks) == looks:
                return f"the {looks} looks declared for this holdout are spent; {more}"
            return f"{len(held.looks)} looks, under other policies too, have spent this holdout; {more}"
    return ""


def _shared(met: Met, state: State) -> str:
    """In words, what is shared with a holdout that was looked at before."""
    held = state.holdouts[met.digest]
    if met.of_rows >= met.of_holdout:
        share = f"about {met.of_rows:.0%} of its rows are"
    else:
        share = f"its rows hold about {met.of_holdout:.0%} of"
    return f"{share} holdout {met.digest[:_SHOWN]}, first looked at in entry {held.since}"
