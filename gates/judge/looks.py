"""Looks at a holdout: which look a judgement is, whether it counts, what it costs, and what that guarantees.

Under the schedules `fixed` and `single`, a comparison that asks for a gain spends alpha/looks of the error rate of
every holdout that it looks at. These are the rows of the evidence, and every registered holdout that shares half its
rows with the evidence or holds half of the evidence's rows (gates/judge/holdouts.py). Nothing passes on a holdout that
is retired or has no such share left. So the error rates of all looks at one registered set of rows sum up to alpha at
most, whichever part of it is judged, together with which other rows, and under which policies.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import numpy as np

from lockgate.gates.evidence.evidence import Evidence
from lockgate.gates.judge.holdouts import HoldoutMatch, RecognisedRows, recognise
from lockgate.gates.kinds import AnyCheck
from lockgate.gates.kinds.any_of import AnyOf
from lockgate.gates.metrics.rows import Rows, scale_weights
from lockgate.gates.policy.policy import Policy
from lockgate.gates.records.decision import Binding, Look
from lockgate.gates.records.state import MAX_OPEN_HOLDOUTS, Holdout, State

_ROUNDING = 1e-9
"""The sum of twenty times alpha/20 may exceed alpha by a rounding error; it is spent all the same."""

_DIGEST_CHARS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A judgement as a look at its holdout, before anything is judged."""

    key: str  # the same for the same question: see `_look_key`
    policy: Policy
    state: State
    digest: str  # of the rows of the evidence
    holdout: RecognisedRows | None  # None where looks are not counted: under `open`, and without rows
    recorded: int | None  # the entry of the log that recorded this look before
    spent: str  # why no comparison that asks for a gain can pass here; empty where one can

    @property
    def known_holdouts(self) -> tuple[str, ...]:
        """Digests of the registered holdouts that this look is at."""
        return tuple(match.digest for match in self.holdout.matches) if self.holdout else ()

    def settle(self, *, gain_judged: bool, already_champion: bool, replaces: bool) -> tuple[Look, State]:
        """The look as the decision reports it, and the state after it is charged.

        Args:
            gain_judged: a comparison that asks for a gain was judged.
            already_champion: the challenger is the champion, so nothing is decided.
            replaces: the challenger replaces a champion, which retires the holdout.
        """
        gain_judged = gain_judged and self.holdout is not None
        charged = gain_judged and self.recorded is None and not self.spent and not already_champion
        after, seq, ledgers = self.state, self.state.seq + 1, self.known_holdouts
        if self.holdout and (charged or replaces):
            if charged:  # charge first: registering a holdout may retire the one that was looked at longest ago
                after = after.record_look(ledgers, self.key, seq=seq, error=self.policy.scheduled_alpha)
            if not any(match.covers for match in self.holdout.matches):
                after = after.register_holdout(self.digest, self.holdout.rows)
                ledgers = (self.digest, *ledgers)
                if charged:
                    after = after.record_look((self.digest,), self.key, seq=seq, error=self.policy.scheduled_alpha)
            if replaces:
                after = after.retire_holdouts(ledgers)
        counts = charged or (gain_judged and self.recorded is not None)
        number = self._number() if counts else None
        look = Look(
            key=self.key,
            scheduled=gain_judged,
            number=number,
            of=self.policy.schedule.looks,
            repeated=self.recorded is not None,
            holdouts=ledgers if counts else (),
            message=self._describe(number, gain_judged=gain_judged, already_champion=already_champion),
        )
        return look, after

    def _number(self) -> int:
        """The number of this look at the holdout that has had most looks."""
        looks = [self.state.holdouts[name].looks for name in self.known_holdouts]
        if self.recorded is not None:
            return max((sum(seq <= self.recorded for seq in entries.values()) for entries in looks), default=1)
        return max((len(entries) for entries in looks), default=0) + 1

    def _describe(self, number: int | None, *, gain_judged: bool, already_champion: bool) -> str:
        if self.holdout is None:
            return "looks at this holdout are not counted"
        if number is not None:
            sentence = f"look {number} of {self.policy.schedule.looks} at this holdout"
            sentence += ", taken before: recorded, and free" if self.recorded is not None else ""
        elif gain_judged and not already_champion:
            sentence = f"no look was taken: {self.spent}"
        else:
            why = "this model is the champion" if already_champion else "nothing was judged that asks for a gain"
            sentence = f"no look was taken: {why}"
        return "; ".join(
            [
                sentence,
                *(_describe_match(match, self.state) for match in self.holdout.matches if match.digest != self.digest),
            ]
        )


def visit(policy: Policy, evidence: Evidence, binding: Binding, state: State) -> Visit:
    """The look that judging this evidence is: at which holdouts, and whether a gain can be shown there."""
    counted = policy.schedule.kind != "open" and evidence.n > 0
    key = _look_key(evidence, binding)
    holdout = recognise(evidence, state, seq=state.seq + 1) if counted else None
    recorded = state.find_look(key) if counted else None
    spent = _explain_spent(policy, state, holdout.matches) if holdout and recorded is None else ""
    return Visit(
        key=key, policy=policy, state=state, digest=binding.holdout, holdout=holdout, recorded=recorded, spent=spent
    )


def describe_conditions(policy: Policy, rows: Rows, *, timed: bool) -> str:
    """What the guarantee rests on, what was checked and allowed for, and what was not: without a full stop.

    timed: whether the evidence says when rows happened.
    """
    if rows.cluster is None:
        units, independence = "rows", "rows count as independent, which is not checked"
    elif rows.ordered:
        units = "clusters"
        independence = (
            "clusters follow each other in time: what neighbours share is allowed for, a longer memory is not"
        )
    else:
        ignored = timed and policy.clusters != "ignore" and policy.serial_dependence == "ignore"
        why = "as the policy says" if ignored else "which is not checked"
        units, independence = "clusters", f"clusters count as independent of each other, {why}"
    return (
        f"conditions: {independence}; skew is allowed for as far as these {units} show it, and too few {units}, or "
        "rows of the rarer class, show nothing; events too rare to be among them are not excluded"
    )


def describe_guarantee(policy: Policy) -> str:
    """What the schedule promises, given what the policy discloses: one sentence without its full stop."""
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
    """Whether a challenger can pass only by showing a gain; for `any_of`, whether that holds for every alternative."""
    checks = check.checks.values() if isinstance(check, AnyOf) else (check,)
    return all(alternative.is_scheduled for alternative in checks)


def _look_key(evidence: Evidence, binding: Binding) -> str:
    """The same for the same question: rows, scores, policy, weights, clusters and slices. Asked again it is free."""
    sha = hashlib.sha256()
    for part in (binding.holdout, binding.scores, binding.champion_scores or "", binding.policy, evidence.task):
        sha.update(part.encode() + b"\n")
    if evidence.weight is not None:
        sha.update(b"weight\n" + np.ascontiguousarray(scale_weights(evidence.weight), "<f8").tobytes())
    columns = {"cluster": evidence.cluster, "query": evidence.query, "period": evidence.period}
    columns |= {f"slice:{name}": evidence.slices[name] for name in sorted(evidence.slices)}
    for name, column in columns.items():
        if column is not None:
            narrow = "<u2" if len(column.values) <= 1 << 16 else "<u4"
            sha.update(json.dumps([name, narrow, column.values]).encode() + b"\n")
            sha.update(column.codes.astype(narrow).tobytes())
    return sha.hexdigest()[:32]


def list_spent_entries(policy: Policy, state: State, *, after: int) -> list[int]:
    """The entries after entry `after` that looked at a holdout on which no gain can be shown any more, ascending."""
    spent_holdouts = (holdout for holdout in state.holdouts.values() if holdout.retired or is_used_up(policy, holdout))
    return sorted(
        {seq for holdout in spent_holdouts for seq in (holdout.since, *holdout.looks.values()) if seq > after}
    )


def is_used_up(policy: Policy, holdout: Holdout) -> bool:
    """Whether the looks at a registered holdout leave no share of the error rate for another one."""
    return holdout.spent + policy.scheduled_alpha > policy.alpha * (1 + _ROUNDING)


def _explain_spent(policy: Policy, state: State, matches: tuple[HoldoutMatch, ...]) -> str:
    """Why no comparison can pass on these holdouts any more; empty where one can."""
    looks, advice = policy.schedule.looks, "judge on fresh rows, under ids of their own"
    for holdout in (state.holdouts[match.digest] for match in matches):
        if holdout.retired:
            why = f"a challenger replaced a champion on it, or {MAX_OPEN_HOLDOUTS} other holdouts came after it"
            return f"this holdout is retired: {why}; {advice}"
        if is_used_up(policy, holdout):
            if len(holdout.looks) == looks:
                return f"the {looks} looks declared for this holdout are spent; {advice}"
            return f"{len(holdout.looks)} looks, under other policies too, have spent this holdout; {advice}"
    return ""


def _describe_match(match: HoldoutMatch, state: State) -> str:
    """How many rows the evidence shares with a holdout that was looked at before, in words."""
    holdout = state.holdouts[match.digest]
    if match.of_rows >= match.of_holdout:
        share = f"about {match.of_rows:.0%} of its rows are"
    else:
        share = f"its rows hold about {match.of_holdout:.0%} of"
    return f"{share} holdout {match.digest[:_DIGEST_CHARS]}, first looked at in entry {holdout.since}"
