"""What rests on rows, a metric or an entry that turned out to be wrong."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from obstore.store import MemoryStore

from lockgate import Evidence
from lockgate.gates.lifecycle import actions
from lockgate.gates.lifecycle.commit import record_event
from lockgate.gates.lifecycle.reverify import reverify
from lockgate.gates.log import Log
from lockgate.gates.log.events import RetractedEvent, ReverifiedEvent
from tests.builders import (
    APPROVER,
    BETTER,
    FIRST_MODEL,
    GOOD,
    HOPELESS,
    LABEL,
    LENIENT_POLICY,
    NOON,
    POLICY,
    SEALING_POLICY,
    as_signer,
    assert_refused,
    clock_at,
    commit_evidence,
    judged_event,
    make_evidence,
    new_log,
    promote_model,
    run_of,
    sha_of,
)


def trained_on(rows: str) -> dict[str, Any]:
    from lockgate import hash_row_ids

    return {"train_row_hashes": hash_row_ids(np.array([f"{rows} {index}" for index in range(9)], dtype=object))}


@pytest.fixture
def log() -> Log:
    """0, 1, 2 and 3 were promoted by entries 1 to 4, each over the one before, on holdouts of their own."""
    created = Log(MemoryStore(), project="orders")
    for model in "0123":
        promote_model(created, model, rows=f"holdout {model}", **trained_on(f"training {model}"))
    return created


def retract(log: Log, *, minute: float = 1, **subject: Any) -> Any:
    return actions.retract(log, reason="late labels", actor="bob", clock=clock_at(minute), **subject)


def some_rows(count: int, *, model: str = "1", champion: str = "0") -> Evidence:
    """Of the holdout `order` only so many."""
    actual = {
        name: {"run": run_of(item), "sha256": sha_of(item)}
        for name, item in (("challenger", model), ("champion", champion))
    }
    return Evidence.from_arrays(
        label=LABEL[:count],
        challenger=BETTER[:count],
        champion=GOOD[:count],
        facts=actual,
        row_id=[f"order {index}" for index in range(count)],
    )


def suspects(log: Log) -> str:
    """The letters of the models that are in doubt."""
    state = log.state()
    results = [champion for champion in (state.champion, *state.predecessors) if champion]
    return "".join(sorted(str(item.sha256)[0] for item in results if item.suspect is not None))


@pytest.mark.parametrize(("model", "result"), [("0", "0123"), ("1", "123"), ("3", "3")])
@pytest.mark.parametrize("part", ["holdout", "train"])
@pytest.mark.parametrize("digits", [12, 64])
def test_what_was_judged_against_a_suspect_is_suspect(
    log: Log, model: str, result: str, part: str, digits: int
) -> None:
    bound = log.entry(int(model) + 1).read_decision().binding
    digest = str(getattr(bound, part))
    entry = retract(log, data=digest[:digits].upper())
    assert (entry.event.what, entry.event.value) == ("data", digest)
    assert entry.event.suspects == tuple(int(item) + 1 for item in result)
    assert suspects(log) == result
    assert log.state().retracted == {digest: 5}
    assert log.state().champion.run == run_of("3")  # doubt takes nobody's place


@pytest.mark.parametrize(("model", "result"), [("0", "0123"), ("2", "23")])
def test_an_entry_was_wrong(log: Log, model: str, result: str) -> None:
    bound = log.entry(int(model) + 1).read_decision().binding
    retract(log, entry=int(model) + 1)
    assert suspects(log) == result
    assert log.state().retracted == {bound.scores: 5}


def test_the_scores_of_an_entry_that_was_wrong_neither_clear_nor_promote_again() -> None:
    log = new_log()
    commit_evidence(log, FIRST_MODEL)
    again = make_evidence(BETTER, model="1", champion_scores=GOOD, champion="0", rows="order")
    promoting = commit_evidence(log, again, policy=LENIENT_POLICY).entry
    retract(log, entry=promoting.seq)
    alone = make_evidence(BETTER, model="1", rows="order")
    report = reverify(LENIENT_POLICY, alone, log, actor="bob", clock=clock_at(2))
    assert (report.entry, report.decision.verdict) == (None, "ERROR")
    assert "the scores were retracted by entry 3; use others" in report.decision.outcomes[0].message
    actions.rollback(log, to=None, reason="forged", actor="bob", clock=clock_at(3))
    evidence = commit_evidence(log, again, minute=4, policy=LENIENT_POLICY)
    assert (evidence.entry, evidence.decision.verdict) == (None, "ERROR")


def test_the_same_rows_can_be_retracted_again_for_who_rests_on_them_since(log: Log) -> None:
    """Whoever may retract may do it without naming anybody; that must not keep the others from being named."""
    digest = log.entry(4).read_decision().binding.holdout
    record_event(
        log,
        lambda *_: RetractedEvent(what="data", value=digest, reason="so", suspects=(), barred=(digest,)),
        actor="eve",
        clock=clock_at(),
    )
    assert suspects(log) == ""
    assert retract(log, data=digest).event.suspects == (4,)
    assert suspects(log) == "3"
    assert_refused(log, lambda: retract(log, data=digest), "were retracted before, by entry 5")


@pytest.mark.parametrize(("metric", "result"), [("auc", "0123"), ("auc@0.3", "0123"), ("log_loss", ""), ("brier", "")])
def test_a_metric_was_wrong(log: Log, metric: str, result: str) -> None:
    retract(log, metric=metric)
    assert suspects(log) == result


def test_a_metric_that_only_some_promotions_used() -> None:
    log = Log(MemoryStore(), project="orders")
    promote_model(log, "0")
    promote_model(log, "1")
    actions.revoke(log, "1", reason="slow", actor="bob", clock=clock_at())
    better = make_evidence(BETTER, model="2", champion_scores=GOOD, champion="0", rows="fresh")
    assert commit_evidence(log, better, policy=POLICY).decision.verdict == "PROMOTE"
    retract(log, metric="log_loss")
    assert suspects(log) == "2"


def test_a_sealed_promotion_rests_on_the_rows_that_it_was_charged_to() -> None:
    """It was judged on a part of them, under a digest of its own, and says nothing of its look."""
    results = []
    for policy in (POLICY, SEALING_POLICY):
        log = new_log()
        whole = make_evidence(GOOD, model="0", rows="order")
        commit_evidence(log, whole, policy=policy)
        commit_evidence(
            log, make_evidence(GOOD, model="4", champion_scores=GOOD, champion="0", rows="order"), policy=policy
        )
        part = some_rows(299)
        assert commit_evidence(log, part, minute=1, policy=policy).entry.promotes
        assert (
            commit_evidence(log, part, minute=1, policy=policy).entry.judgement.decision["binding"]["holdout"]
            != whole.holdout
        )
        results.append(retract(log, data=whole.holdout, minute=2).event.suspects)
    assert results == [(1, 3), (1, 3)]


def test_a_sealed_promotion_counts_as_resting_on_every_metric() -> None:
    log = Log(MemoryStore(), project="orders")
    commit_evidence(log, FIRST_MODEL, policy=SEALING_POLICY)
    retract(log, metric="brier")
    assert suspects(log) == "0"


def test_doubt_comes_through_models_that_were_revoked_since(log: Log) -> None:
    """3 was judged against 2, which was judged against 1: that 2 is gone clears nobody."""
    digest = log.entry(2).read_decision().binding.holdout
    for model in "21":
        actions.revoke(log, model, reason="slow", actor="bob", clock=clock_at())
    entry = retract(log, data=digest)
    assert entry.event.suspects == (2, 3, 4)
    assert suspects(log) == "3"


def test_rows_of_which_some_were_left_out_are_the_same_rows() -> None:
    log = Log(MemoryStore(), project="orders")
    whole = make_evidence(GOOD, model="0", rows="order")
    commit_evidence(log, whole)
    commit_evidence(log, make_evidence(GOOD, model="4", champion_scores=GOOD, champion="0", rows="order"))
    assert commit_evidence(log, some_rows(299), minute=1).decision.verdict == "PROMOTE"
    entry = retract(log, data=whole.holdout, minute=2)
    assert entry.event.suspects == (1, 3)
    for rows in (299, 290):  # neither these rows nor others of them are judged on again
        evidence = commit_evidence(log, some_rows(rows, model="2", champion="1"), minute=3)
        assert (evidence.decision.verdict, evidence.entry) == ("ERROR", None)
        assert "the holdout rows were retracted by entry 4; use others" in evidence.decision.outcomes[0].message


@pytest.mark.parametrize("part", ["holdout", "train"])
def test_retracted_rows_are_not_judged_on_again(log: Log, part: str) -> None:
    bound = log.entry(2).read_decision().binding
    retract(log, data=str(getattr(bound, part)))
    actual = {"rows": "holdout 1"} if part == "holdout" else {"rows": "fresh", **trained_on("training 1")}
    again = make_evidence(BETTER, model="4", champion_scores=GOOD, champion="3", **actual)
    evidence = commit_evidence(log, again, minute=2, policy=LENIENT_POLICY)
    assert (evidence.decision.verdict, evidence.entry) == ("ERROR", None)
    subject = {"holdout": "holdout", "train": "training"}[part]
    assert f"the {subject} rows were retracted by entry 5; use others" in evidence.decision.outcomes[0].message


def _reverify_champion(log: Log, rows: str, *, minute: float) -> Any:
    """The champion is judged again on other rows, and passes."""
    champion = log.state().champion
    scores = make_evidence(BETTER, model=str(champion.sha256)[0], rows=rows)
    evidence = judged_event(commit_evidence(new_log(), scores, policy=LENIENT_POLICY).decision)
    return record_event(
        log,
        lambda _, position: ReverifiedEvent(
            of=str(champion.run),
            promoted_by=champion.seq,
            evidence_run=run_of("9"),
            decision=evidence.decision,
            decision_sha256=evidence.decision_sha256,
            policy_sha256=evidence.policy_sha256,
            valid_until=position.time + timedelta(days=90),
        ),
        actor="bob",
        clock=clock_at(minute),
    )


def test_a_suspect_champion_is_cleared_and_can_be_put_in_doubt_again(log: Log) -> None:
    retract(log, data=log.entry(4).read_decision().binding.holdout)
    assert suspects(log) == "3"
    entry = _reverify_champion(log, "fresh", minute=2)
    assert suspects(log) == ""
    fresh = entry.event.decision["binding"]["holdout"]
    again = retract(log, data=fresh, minute=3)  # the rows that cleared it were wrong too
    assert again.event.suspects == (4,)
    assert suspects(log) == "3"
    assert log.state().champion.suspect == 7


def test_a_reverification_and_a_waiver_can_be_the_entry_that_was_wrong() -> None:
    log = new_log()
    commit_evidence(log, FIRST_MODEL)
    commit_evidence(log, HOPELESS)
    waiver = actions.waive(
        as_signer(log, APPROVER),
        "log_loss",
        run="1",
        reason="known",
        until=NOON + timedelta(days=2),
        actor="ann",
        clock=clock_at(1),
    )
    commit_evidence(log, HOPELESS, minute=2)
    assert retract(log, entry=waiver.seq, minute=3).event.suspects == (4,)
    entry = _reverify_champion(log, "fresh", minute=4)
    assert suspects(log) == ""
    assert retract(log, entry=entry.seq, minute=5).event.suspects == (4,)
    assert retract(log, entry=2, minute=6).event.suspects == ()  # a judgement that promoted nobody


@pytest.mark.parametrize(
    ("subject", "message"),
    [
        ({}, "nothing to retract; expected one of data, metric and entry"),
        ({"metric": "auc", "entry": 1}, "several things at once"),
        ({"data": "f" * 63}, "no digests of rows begin with"),
        ({"data": "not hex" * 9 + "x"}, "no digests of rows begin with"),
        ({"data": ""}, "nothing to retract"),
        ({"metric": "nonsense"}, "unknown metric 'nonsense'; expected one of .*auc"),
        ({"entry": 99}, "the promotion log has no entry 99"),
        ({"entry": -1}, "no entry"),
    ],
    ids=str,
)
def test_what_is_not_known_is_not_retracted(log: Log, subject: dict[str, Any], message: str) -> None:
    assert_refused(log, lambda: retract(log, **subject), message)


def test_a_beginning_that_several_have_is_refused(log: Log) -> None:
    digests = [
        getattr(log.entry(seq).read_decision().binding, part) for seq in range(1, 5) for part in ("holdout", "train")
    ]
    firsts = [digest[0] for digest in digests]
    shared = [first for first in firsts if firsts.count(first) > 1]
    assert shared, "seeded: of eight digests two begin alike"
    assert_refused(log, lambda: retract(log, data=shared[0]), rf"{firsts.count(shared[0])} digests of rows begin with")


def test_rows_are_retracted_once_and_before_anything_was_judged_on_them(log: Log) -> None:
    unknown = "ab" * 32
    assert retract(log, data=unknown).event.suspects == ()
    assert_refused(log, lambda: retract(log, data=unknown), "rows abababababab were retracted before, by entry 5")
    assert_refused(log, lambda: retract(log, entry=5), "nothing rests on entry 5; expected a judgement")
