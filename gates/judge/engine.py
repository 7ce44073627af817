"""judge(policy, evidence, state, now) -> Decision. Pure: no I/O, no clock, no randomness."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from lockgate.gates.durations import shift_time
from lockgate.gates.errors import LockgateError, StaleError
from lockgate.gates.evidence.defects import find_defects
from lockgate.gates.evidence.evidence import Evidence
from lockgate.gates.evidence.facts import read_part
from lockgate.gates.evidence.order import order_in_time
from lockgate.gates.evidence.task import QUERY_TASKS
from lockgate.gates.gate.case import Case
from lockgate.gates.judge import looks
from lockgate.gates.judge.arguments import check_arguments
from lockgate.gates.judge.sealing import compute_commitment
from lockgate.gates.judge.waivers import apply_waivers
from lockgate.gates.kinds import AnyCheck
from lockgate.gates.metrics.rows import Rows, scale_weights
from lockgate.gates.policy.policy import Policy
from lockgate.gates.records.decision import Binding, Decision
from lockgate.gates.records.outcome import RULING_OF, Outcome, Ruling, Verdict, worst_verdict
from lockgate.gates.records.state import Champion, State

ENGINE = "0.3.0"
"""Version of the judging code; a decision binds it."""


def judge(
    policy: Policy,
    evidence: Evidence,
    state: State | None = None,
    *,
    now: datetime | None = None,
    uncompared: str = "",
    claimed: str = "",
) -> Decision:
    """Judge `evidence` by every gate of the policy and combine the outcomes into a decision.

    Args:
        policy: the declared gates.
        evidence: the scored holdout. If it has a champion column, there is a champion.
        state: the state in the head of the promotion log; None for an empty log.
        now: the time of the judgement, with a time zone. A promotion is valid for a time from then on; without `now` a
            promoted champion never expires.
        uncompared: if it is unknown whether there ever was a champion, the reason in words; otherwise empty.
            Comparisons that cannot be made are then INCONCLUSIVE, and nothing is PROMOTE without them.
        claimed: if only the challenger's author can check its scores, the reason in words; empty where whoever judges
            made the scores. What would be PROMOTE is then INCONCLUSIVE, for this reason.

    Returns:
        The decision; `decision.state` is the state after it, with `seq` one higher.

    Raises:
        StaleError: the evidence was scored beside a champion that no longer reigns.
        LockgateError: an argument is not of its type, or `now` has no time zone.
    """
    check_arguments(policy, evidence, state, now=now, uncompared=uncompared, claimed=claimed)
    state = state or State()
    _check_current(evidence, state)
    binding = _build_binding(policy, evidence)
    reigning = state.champion
    look = looks.visit(policy, evidence, binding, state)
    case = replace(build_case(policy, evidence, state, now, spent=look.spent), uncompared=uncompared)
    broken = [
        *find_defects(evidence, clusters_required=policy.clusters == "required"),
        *_find_barred(binding, state, look.known_holdouts),
    ]
    judged = tuple(_ask_gate(check, name, case, broken) for name, check in policy.checks.items())
    after_waivers = apply_waivers(judged, state, binding, now)
    outcomes = after_waivers.outcomes
    verdict, reason = _combine(outcomes)
    if case.no_champion and policy.if_no_champion == "hold" and verdict is not Ruling.ERROR:
        verdict, reason = Ruling.HOLD, f"{uncompared or 'there is no champion yet'}, and the policy says to hold"
    if verdict is Ruling.PROMOTE:
        verdict, reason = _apply_reservations(outcomes, reason, uncompared=uncompared, claimed=claimed)
    is_champion = reigning is not None and binding.model is not None and reigning.sha256 == binding.model
    already_champion = is_champion and verdict is not Ruling.ERROR and not claimed
    gain_judged = not case.no_champion and any(
        check.is_scheduled and outcome.verdict not in (Verdict.SKIP, Verdict.ERROR)
        for check, outcome in zip(policy.checks.values(), outcomes, strict=True)
    )
    promotes = verdict is Ruling.PROMOTE and not already_champion
    replaces = promotes and evidence.champion is not None
    spent_look, state_after = look.settle(gain_judged=gain_judged, already_champion=already_champion, replaces=replaces)
    seq, seals = state.seq + 1, policy.disclose == "promotion_only"
    if promotes:
        state_after = state_after.with_champion(
            _make_champion(policy, evidence, binding, seq, now, after_waivers.until)
        )
    return Decision(
        verdict=verdict,
        reason="this model is the champion already" if already_champion else reason,
        guarantee=looks.describe_guarantee(policy),
        conditions=looks.describe_conditions(policy, case.rows, timed=evidence.time is not None),
        outcomes=outcomes,
        waivers=after_waivers.uses,
        commitment=compute_commitment(evidence, binding, verdict, outcomes) if seals else None,
        confidence=policy.confidence,
        look=spent_look,
        binding=binding,
        already_champion=already_champion,
        state=state_after.model_copy(update={"seq": seq}),
    )


def _check_current(evidence: Evidence, state: State) -> None:
    if "champion" not in evidence.facts:
        return
    scored = read_part(evidence.facts, "champion")
    model = scored.get("sha256")
    if state.champion is None:
        if isinstance(model, str) and model in state.revoked:
            raise StaleError(
                f"STALE: the challenger was scored beside {str(scored.get('run'))!r}, which entry"
                f" {state.revoked[model]} revoked; no model reigns now",
                hint="evaluate again: it is then scored alone",
            )
        if isinstance(model, str) and any(model == predecessor.sha256 for predecessor in state.predecessors):
            raise StaleError(
                f"STALE: the challenger was scored beside {str(scored.get('run'))!r}, but no model reigns now",
                hint="evaluate again: it is then scored alone",
            )
        return
    if model != state.champion.sha256:
        scored_with = f"beside {str(scored.get('run'))!r}" if scored else "before there was a champion"
        reigning = state.champion.run or state.champion.sha256
        raise StaleError(
            f"STALE: the challenger was scored {scored_with}, but {reigning!r} reigns now",
            hint="evaluate again: both are then scored on the same rows",
        )


def _find_barred(binding: Binding, state: State, same_rows: tuple[str, ...]) -> list[str]:
    """Problems of a model, rows or scores that were revoked or retracted: these are not judged again.

    `same_rows` are the holdouts that the rows were recognised as, so that leaving out some rows does not help.
    """
    problems = []
    if binding.model is not None and binding.model in state.revoked:
        problems.append(f"this model was revoked by entry {state.revoked[binding.model]}; train another")
    for part, digests in (
        ("holdout rows", (binding.holdout, *same_rows)),
        ("training rows", (binding.train,)),
        ("scores", (binding.scores,)),
    ):
        entries = [state.retracted[digest] for digest in digests if digest is not None and digest in state.retracted]
        if entries:
            problems.append(f"the {part} were retracted by entry {entries[0]}; use others")
    return problems


def build_case(policy: Policy, evidence: Evidence, state: State, now: datetime | None, *, spent: str) -> Case:
    """The case that every gate is given: the evidence's rows, and what the policy says about all gates."""
    clusters = None if policy.clusters == "ignore" else evidence.cluster
    if clusters is None and evidence.task in QUERY_TASKS:
        clusters = evidence.query  # rows of one query depend on each other, whatever the policy says
    codes, ordered = (None, False) if clusters is None else (clusters.codes, False)
    if codes is not None and policy.serial_dependence == "if_ordered":
        codes, ordered = order_in_time(codes, evidence.time)
    rows = Rows(
        label=evidence.label,
        challenger=evidence.challenger,
        champion=evidence.champion,
        weight=None if evidence.weight is None else scale_weights(evidence.weight),
        cluster=codes,
        ordered=ordered,
        query=None if evidence.query is None else evidence.query.codes,
    )
    absent = evidence.champion is None and state.champion is None
    return Case(
        evidence=evidence,
        rows=rows,
        confidence=policy.confidence,
        scheduled_confidence=1 - policy.scheduled_alpha,
        min_clusters=policy.min_clusters,
        min_class_rows=policy.min_class_rows,
        no_champion=absent,
        spent=spent,
        now=now,
    )


def _ask_gate(check: AnyCheck, name: str, case: Case, broken: list[str]) -> Outcome:
    """The outcome of one gate. Whatever goes wrong in it can only become an ERROR."""
    words = {"description": check.description, "owner": check.owner}
    try:
        if broken:
            raise LockgateError("; ".join(broken))
        outcome = check.judge(name, case)
        if not (outcome.verdict is Verdict.SKIP or _is_uncompared(outcome, case.uncompared)) and _is_undefined(outcome):
            raise LockgateError(f"{outcome.metric} is not a finite number on these rows")
    except LockgateError as err:
        problem = str(err)
    except Exception as err:  # noqa: BLE001 (the one broad except: a gate that breaks is an ERROR, never a pass)
        problem = f"the gate broke: {type(err).__name__}: {err}"
    else:
        return outcome.model_copy(update=words)
    return Outcome(
        name=name,
        kind=check.kind,
        severity=check.severity,
        verdict=Verdict.ERROR,
        metric=getattr(check, "metric", None),
        rule=check.rule,
        rows=case.rows.n,
        clusters=case.clusters,
        message=problem,
        **words,
    )


def _apply_reservations(
    outcomes: tuple[Outcome, ...], reason: str, *, uncompared: str, claimed: str
) -> tuple[Ruling, str]:
    """The ruling where all gates pass: PROMOTE, unless a comparison was not made or the scores are only claimed."""
    if absent := [outcome.name for outcome in outcomes if _is_uncompared(outcome, uncompared)]:
        return Ruling.INCONCLUSIVE, f"not compared with a champion: {', '.join(absent)}"
    return (Ruling.INCONCLUSIVE, f"claim: advice only; {claimed}") if claimed else (Ruling.PROMOTE, reason)


def _is_uncompared(outcome: Outcome, why: str) -> bool:
    """Whether a gate is INCONCLUSIVE because it had nothing to compare with; `why` says so, empty where it had.

    A gate that has parts says it in one of these.
    """
    messages = (outcome.message, *(part.message for part in outcome.parts))
    return bool(why) and outcome.verdict is Verdict.INCONCLUSIVE and why in messages


def _is_undefined(outcome: Outcome) -> bool:
    return outcome.observed is None and not outcome.parts


def _combine(outcomes: tuple[Outcome, ...]) -> tuple[Ruling, str]:
    blocking = [outcome for outcome in outcomes if outcome.severity == "block" and not outcome.waived]
    verdict = worst_verdict([outcome.verdict for outcome in blocking])
    if verdict is Verdict.SKIP:
        waived = " or waived" if any(outcome.waived for outcome in outcomes) else ""
        return Ruling.ERROR, f"every blocking gate was skipped{waived}: nothing was shown"
    ruling = RULING_OF[verdict]
    if ruling is Ruling.PROMOTE:
        count = sum(outcome.verdict is Verdict.PASS for outcome in blocking)
        skipped = len(blocking) - count
        waived = ", ".join(outcome.name for outcome in outcomes if outcome.waived)
        remarks = [*([f"{skipped} skipped"] if skipped else ()), *([f"waived: {waived}"] if waived else ())]
        return ruling, f"all {count} blocking gates that apply pass" + (f" ({'; '.join(remarks)})" if remarks else "")
    names = ", ".join(outcome.name for outcome in blocking if outcome.verdict is verdict)
    phrases = {Ruling.HOLD: "failed", Ruling.INCONCLUSIVE: "not shown either way", Ruling.ERROR: "could not be judged"}
    return ruling, f"{phrases[ruling]}: {names}"


def _build_binding(policy: Policy, evidence: Evidence) -> Binding:
    def text(value: object) -> str | None:
        return value if isinstance(value, str) else None

    challenger, champion, code = (read_part(evidence.facts, name) for name in ("challenger", "champion", "code"))
    clean = code.get("clean")
    return Binding(
        run=text(challenger.get("run")),
        model=text(challenger.get("sha256")),
        holdout=evidence.holdout,
        scores=evidence.scores_digest(evidence.challenger) or "",
        champion_scores=evidence.scores_digest(evidence.champion),
        champion_run=text(champion.get("run")),
        champion_model=text(champion.get("sha256")),
        train=evidence.train_digest,
        policy=policy.digest,
        engine=ENGINE,
        commit=text(code.get("commit")),
        clean=clean if isinstance(clean, bool) else None,
    )


def _make_champion(
    policy: Policy, evidence: Evidence, binding: Binding, seq: int, now: datetime | None, waived_until: datetime | None
) -> Champion:
    """The challenger as champion, valid for as long as the policy says but no longer than a waiver that it needed."""
    ends = [end for end in (now and shift_time(now, policy.validity), waived_until) if end is not None]
    as_of, form = evidence.facts.get("as_of"), read_part(evidence.facts, "challenger").get("format")
    return Champion(
        sha256=binding.model,
        format=form if isinstance(form, str) else None,
        run=binding.run,
        as_of=as_of if isinstance(as_of, str) else None,
        seq=seq,
        valid_until=min(ends, default=None),
    )
