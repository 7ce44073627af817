"""Any history of the promotion log, signed or not: what must hold after every step, whoever did what and when.

Tests of gates/log/ and gates/lifecycle/ together.
"""

from __future__ import annotations

import string
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from obstore.store import MemoryStore

from lockgate import Evidence, Policy, State, judge
from lockgate.gates.durations import MAX_CLOCK_SKEW
from lockgate.gates.errors import AdmissionError, ConflictError, LogError, StaleError
from lockgate.gates.lifecycle import actions
from lockgate.gates.lifecycle.admission import Admission, TrustedHead, admit
from lockgate.gates.lifecycle.commit import commit, record_event
from lockgate.gates.log import Log, LogEntry, replay
from lockgate.gates.log.events import ReverifiedEvent, RevokedEvent
from lockgate.gates.log.replay import Moment
from lockgate.gates.records.outcome import Ruling
from lockgate.gates.records.state import Champion
from tests.builders import (
    APPROVER,
    BAD,
    BETTER,
    GOOD,
    JUDGE,
    LENIENT_POLICY,
    NOON,
    POLICY,
    as_signer,
    entry_bytes,
    judged_event,
    make_evidence,
    make_keyring,
)

LETTERS = string.digits + string.ascii_letters
PICK = st.integers(0, 99)
HOLDOUTS = ("May", "June", "July")


class Histories(RuleBasedStateMachine):
    """Writers of one log, and a clock that only goes forward."""

    keys: Any = None

    def __init__(self) -> None:
        super().__init__()
        self.store = MemoryStore()
        self.judge = Log(self.store, project="orders", keyring=self.keys or make_keyring(ann=(APPROVER, "approver")))
        self.judge = as_signer(self.judge, JUDGE) if self.keys else self.judge
        self.approver = as_signer(self.judge, APPROVER)
        self.now = NOON
        self.bytes: list[bytes] = []
        self.heads: list[LogEntry] = []
        self.judged: dict[int, tuple[Policy, Evidence]] = {}
        self.held_evidence: list[Evidence] = []
        self.trusted_head: TrustedHead | None = None
        self.models = iter(LETTERS)

    def says(self) -> dict[str, Any]:
        return {"actor": "ada", "clock": lambda: self.now}

    def did(self, call: Callable[[], LogEntry | None]) -> LogEntry | None:
        """An entry more, or a refusal and none."""
        before = len(self.bytes)
        entry = None
        with suppress(LogError):
            entry = call()
        head = self.judge.head()
        seq = head.seq if head else 0
        assert seq == before + (entry is not None)
        if entry is not None and head is not None:
            assert entry == head
            self.bytes.append(entry_bytes(self.judge, seq))
            self.heads.append(head)
        return entry

    def commit(self, policy: Policy, evidence: Evidence) -> LogEntry | None:
        def call() -> LogEntry | None:
            result = commit(policy, evidence, self.judge, **self.says())
            return None if result.was_recorded else result.entry

        entry = self.did(call)
        if entry is not None:
            self.judged[entry.seq] = (policy, evidence)
        return entry

    def compared_with(self, champion: Champion | None) -> dict[str, Any]:
        return {"champion_scores": GOOD, "champion": str(champion.sha256)[0]} if champion else {}

    @property
    def state(self) -> State:
        return self.heads[-1].state if self.heads else State()

    @property
    def champions(self) -> list[Champion]:
        """The model that reigns, and those that did."""
        return [champion for champion in (self.state.champion, *self.state.predecessors) if champion]

    @initialize(promoted=st.integers(0, 3))
    def begin(self, promoted: int) -> None:
        for _ in range(promoted):
            self.judge_a_challenger(good=True, rows="May")
        if promoted:
            self.judge_a_challenger(good=False, rows="June")

    @rule(minutes=st.sampled_from([0, 1, 4, 60, 24 * 60, 50 * 24 * 60]))
    def wait(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule(good=st.booleans(), rows=st.sampled_from(HOLDOUTS))
    def judge_a_challenger(self, *, good: bool, rows: str) -> None:
        if model := next(self.models, None):
            comparison = self.compared_with(self.state.champion)
            evidence = make_evidence(BETTER if good else BAD, model=model, rows=rows, **comparison)
            entry = self.commit(LENIENT_POLICY if good else POLICY, evidence)
            if entry is not None and not entry.promotes:
                self.held_evidence.append(evidence)

    @rule(pick=PICK)
    @precondition(lambda self: len(self.heads) > 2)
    def judge_a_challenger_of_a_former_champion(self, pick: int) -> None:
        former = self.heads[pick % len(self.heads)].state.champion
        reigning = self.state.champion
        if (former and former.sha256) != (reigning and reigning.sha256):
            evidence = make_evidence(BETTER, model="z", **self.compared_with(former))
            with pytest.raises(StaleError, match="STALE"):
                commit(LENIENT_POLICY, evidence, self.judge, **self.says())

    @rule(pick=PICK)
    @precondition(lambda self: self.held_evidence)
    def judge_again(self, pick: int) -> None:
        evidence = self.held_evidence[pick % len(self.held_evidence)]
        spent = {digest: holdout.spent for digest, holdout in self.state.holdouts.items()}
        entry = self.commit(POLICY, evidence)
        if entry is not None:  # a waiver lifted it: the look was charged before
            assert entry.promotes
            assert {digest: holdout.spent for digest, holdout in entry.state.holdouts.items()} == spent
            used = [waiver for waiver in entry.state.waivers if waiver.model == entry.state.champion.sha256]
            assert entry.state.champion.valid_until <= max(waiver.until for waiver in used)

    @rule(pick=PICK, days=st.integers(-1, 60))
    @precondition(lambda self: self.held_evidence)
    def waive(self, pick: int, days: int) -> None:
        run = str(self.held_evidence[pick % len(self.held_evidence)].facts["challenger"]["run"])
        until = self.now + timedelta(days=days)
        self.did(lambda: actions.waive(self.approver, "log_loss", run=run, reason="known", until=until, **self.says()))

    @rule(pick=PICK)
    @precondition(lambda self: self.held_evidence)
    def waive_and_judge_again(self, pick: int) -> None:
        self.waive(pick, 3)
        self.judge_again(pick)

    @rule(pick=PICK, approving=st.booleans())
    def revoke(self, pick: int, *, approving: bool) -> None:
        runs = [str(champion.run) for champion in self.champions]
        runs += [str(evidence.facts["challenger"]["run"]) for evidence in self.held_evidence]
        if runs:
            log = self.approver if approving else self.judge
            self.did(lambda: actions.revoke(log, runs[pick % len(runs)], reason="it leaks", **self.says()))

    @rule()
    def rollback(self) -> None:
        expected, reason = self.state.find_successor(self.now), f"slow since {self.state.seq}"
        entry = self.did(lambda: actions.rollback(self.judge, to=None, reason=reason, **self.says()))
        assert (entry and entry.state.champion) == expected
        assert (
            self.did(lambda: actions.rollback(self.judge, to=None, reason=reason, **self.says())) is None or not entry
        )

    @rule(pick=PICK)
    @precondition(lambda self: self.champions)
    def rollback_and_back(self, pick: int) -> None:
        former, target = self.state.champion, self.champions[pick % len(self.champions)]
        if self.did(lambda: actions.rollback(self.judge, to=target.run, reason="slow", **self.says())) is None:
            return
        assert self.state.champion == target
        if former and not former.refusal(self.now, revoked=self.state.revoked):
            assert self.did(lambda: actions.rollback(self.judge, to=former.run, reason="slow", **self.says()))
            assert self.state.champion == former
            assert target in self.state.predecessors

    @rule(kind=st.sampled_from(["data", "train", "metric", "entry"]), pick=PICK)
    @precondition(lambda self: self.champions)
    def retract(self, kind: str, pick: int) -> None:
        champion = self.champions[pick % len(self.champions)]
        arguments: dict[str, dict[str, Any]] = {
            "data": {"data": self.judge.entry(champion.seq).read_decision().binding.holdout},
            "train": {"data": "ab" * 32},
            "metric": {"metric": "log_loss"},
            "entry": {"entry": champion.seq},
        }
        entry = self.did(lambda: actions.retract(self.approver, reason="late", **arguments[kind], **self.says()))
        if entry is not None and kind == "entry":
            assert next(model for model in self.champions if model.seq == champion.seq).suspect is not None

    @rule(passes=st.booleans())
    @precondition(lambda self: self.state.champion)
    def reverify(self, *, passes: bool) -> None:
        champion = self.state.champion
        scores = make_evidence(BETTER if passes else 1 - BETTER, model=str(champion.sha256)[0], rows="fresh")
        judgement = judged_event(judge(LENIENT_POLICY, scores, now=self.now))
        until = self.now + timedelta(days=90) if passes else champion.valid_until

        def build_event(_: State, __: Moment) -> ReverifiedEvent:
            return ReverifiedEvent(
                of=str(champion.run),
                promoted_by=champion.seq,
                evidence_run="EvaluateNewModel/again",
                decision=judgement.decision,
                decision_sha256=judgement.decision_sha256,
                policy_sha256=judgement.policy_sha256,
                valid_until=until,
            )

        assert (entry := self.did(lambda: record_event(self.judge, build_event, **self.says())))
        assert entry.state.champion.suspect == (None if passes else champion.suspect)

    @rule(rows=st.sampled_from([*HOLDOUTS, "August"]))
    def register(self, rows: str) -> None:
        evidence = make_evidence(GOOD, model="0", rows=rows)
        is_known = evidence.holdout in self.state.holdouts
        assert is_known == (self.did(lambda: actions.register(self.judge, evidence, note="", **self.says())) is None)

    @rule(pick=PICK)
    @precondition(lambda self: len(self.heads) > 1)
    def write_late(self, pick: int) -> None:
        """Another writer's head is not the last one any more."""
        old = self.heads[pick % (len(self.heads) - 1)]
        stays = old.state.champion and old.state.champion.seq
        event = RevokedEvent(of="F/x", model="f" * 64, reason="late", successor=stays)
        moment = Moment(seq=old.seq + 1, time=self.now)
        with pytest.raises(ConflictError):
            self.judge.append(event, replay.apply_event(old.state, event, moment), after=old, actor="bob", now=self.now)

    @invariant()
    def history_is_append_only(self) -> None:
        assert [entry_bytes(self.judge, seq + 1) for seq in range(len(self.bytes))] == self.bytes
        assert [entry.seq for entry in self.heads] == list(range(1, len(self.heads) + 1))

    @invariant()
    def one_model_reigns_at_most_and_none_that_was_revoked(self) -> None:
        champions = self.champions
        assert len({champion.seq for champion in champions}) == len(champions)
        assert not {champion.sha256 for champion in champions} & self.state.revoked.keys()
        assert all(self.heads[champion.seq - 1].promotes for champion in champions)

    @invariant()
    def who_is_admitted_may_serve(self) -> None:
        champion = self.state.champion
        late = (
            champion is not None
            and champion.valid_until is not None
            and self.now - MAX_CLOCK_SKEW > champion.valid_until
        )
        barred = champion is None or late or champion.suspect is not None
        admission: Admission | None = None
        with suppress(AdmissionError):
            admission = admit(self.judge, now=self.now, trusted_head=self.trusted_head)
        assert (admission is None) == barred
        if admission is not None:
            assert admission.champion == champion
            assert admission.champion.sha256 not in self.state.revoked
            self.trusted_head = admission.head

    def teardown(self) -> None:
        """The log from its first entry: chained, and every state made anew from the events and the evidence alone."""
        entries = list(self.judge.entries())
        assert entries == self.heads == list(self.judge.backwards())[::-1]
        state = State(salt=entries[0].state.salt) if entries else State()
        for entry in entries:
            replay.check_entry(entry, state)
            if entry.judgement:
                policy, evidence = self.judged[entry.seq]
                decision = judge(policy, evidence, state, now=entry.time)
                assert decision.verdict is not Ruling.ERROR
                state = decision.state
                assert decision.sha256 == entry.judgement.decision_sha256
            else:
                state = replay.apply_event(state, entry.event, Moment(seq=entry.seq, time=entry.time))
            assert state == entry.state


class Signed(Histories):
    keys = make_keyring()


@pytest.mark.parametrize("histories", [2, pytest.param(10, marks=pytest.mark.nightly)])
@pytest.mark.parametrize("machine", [Histories, Signed])
def test_any_history_keeps_what_was_promised(machine: type[Histories], histories: int) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=histories,
            stateful_step_count=50,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
