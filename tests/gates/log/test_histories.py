"""Any history of the promotion log, signed or not: what must hold after every step, whoever did what and when."""

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
from tests.gates.candidates import (
    APPROVER,
    BAD,
    BETTER,
    GOOD,
    JUDGE,
    LENIENT,
    NOON,
    POLICY,
    blob,
    by,
    evidence,
    keyring,
    recorded,
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
        self.judge = Log(self.store, project="orders", keyring=self.keys or keyring(ann=(APPROVER, "approver")))
        self.judge = by(self.judge, JUDGE) if self.keys else self.judge
        self.approver = by(self.judge, APPROVER)
        self.now = NOON
        self.bytes: list[bytes] = []
        self.heads: list[LogEntry] = []
        self.judged: dict[int, tuple[Policy, Evidence]] = {}
        self.held: list[Evidence] = []
        self.seen: TrustedHead | None = None
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
            self.bytes.append(blob(self.judge, seq))
            self.heads.append(head)
        return entry

    def commit(self, policy: Policy, held: Evidence) -> LogEntry | None:
        def call() -> LogEntry | None:
            done = commit(policy, held, self.judge, **self.says())
            return None if done.was_recorded else done.entry

        entry = self.did(call)
        if entry is not None:
            self.judged[entry.seq] = (policy, held)
        return entry

    def beside(self, champion: Champion | None) -> dict[str, Any]:
        return {"beside": GOOD, "champion": str(champion.sha256)[0]} if champion else {}

    @property
    def state(self) -> State:
        return self.heads[-1].state if self.heads else State()

    @property
    def known(self) -> list[Champion]:
        return [one for one in (self.state.champion, *self.state.predecessors) if one]

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
            beside = self.beside(self.state.champion)
            held = evidence(BETTER if good else BAD, model=model, rows=rows, **beside)
            entry = self.commit(LENIENT if good else POLICY, held)
            if entry is not None and not entry.promotes:
                self.held.append(held)

    @rule(at=PICK)
    @precondition(lambda self: len(self.heads) > 2)
    def judge_a_challenger_of_a_former_champion(self, at: int) -> None:
        former = self.heads[at % len(self.heads)].state.champion
        reigning = self.state.champion
        if (former and former.sha256) != (reigning and reigning.sha256):
            held = evidence(BETTER, model="z", **self.beside(former))
            with pytest.raises(StaleError, match="STALE"):
                commit(LENIENT, held, self.judge, **self.says())

    @rule(at=PICK)
    @precondition(lambda self: self.held)
    def judge_again(self, at: int) -> None:
        held = self.held[at % len(self.held)]
        spent = {name: one.spent for name, one in self.state.holdouts.items()}
        entry = self.commit(POLICY, held)
        if entry is not None:  # a waiver lifted it: the look was charged before
            assert entry.promotes
            assert {name: one.spent for name, one in entry.state.holdouts.items()} == spent
            used = [one for one in entry.state.waivers if one.model == entry.state.champion.sha256]
            assert entry.state.champion.valid_until <= max(one.until for one in used)

    @rule(at=PICK, days=st.integers(-1, 60))
    @precondition(lambda self: self.held)
    def waive(self, at: int, days: int) -> None:
        run = str(self.held[at % len(self.held)].facts["challenger"]["run"])
        until = self.now + timedelta(days=days)
        self.did(lambda: actions.waive(self.approver, "log_loss", run=run, reason="known", until=until, **self.says()))

    @rule(at=PICK)
    @precondition(lambda self: self.held)
    def waive_and_judge_again(self, at: int) -> None:
        self.waive(at, 3)
        self.judge_again(at)

    @rule(at=PICK, approving=st.booleans())
    def revoke(self, at: int, *, approving: bool) -> None:
        runs = [str(one.run) for one in self.known] + [str(one.facts["challenger"]["run"]) for one in self.held]
        if runs:
            log = self.approver if approving else self.judge
            self.did(lambda: actions.revoke(log, runs[at % len(runs)], reason="it leaks", **self.says()))

    @rule()
    def rollback(self) -> None:
        expected, reason = self.state.before_champion(self.now), f"slow since {self.state.seq}"
        entry = self.did(lambda: actions.rollback(self.judge, to=None, reason=reason, **self.says()))
        assert (entry and entry.state.champion) == expected
        assert (
            self.did(lambda: actions.rollback(self.judge, to=None, reason=reason, **self.says())) is None or not entry
        )

    @rule(at=PICK)
    @precondition(lambda self: self.known)
    def rollback_and_back(self, at: int) -> None:
        left, target = self.state.champion, self.known[at % len(self.known)]
        if self.did(lambda: actions.rollback(self.judge, to=target.run, reason="slow", **self.says())) is None:
            return
        assert self.state.champion == target
        if left and not left.refusal(self.now, revoked=self.state.revoked):
            assert self.did(lambda: actions.rollback(self.judge, to=left.run, reason="slow", **self.says()))
            assert self.state.champion == left
            assert target in self.state.predecessors

    @rule(what=st.sampled_from(["data", "train", "metric", "entry"]), at=PICK)
    @precondition(lambda self: self.known)
    def retract(self, what: str, at: int) -> None:
        champion = self.known[at % len(self.known)]
        named: dict[str, dict[str, Any]] = {
            "data": {"data": self.judge.entry(champion.seq).read_decision().binding.holdout},
            "train": {"data": "ab" * 32},
            "metric": {"metric": "log_loss"},
            "entry": {"entry": champion.seq},
        }
        entry = self.did(lambda: actions.retract(self.approver, reason="late", **named[what], **self.says()))
        if entry is not None and what == "entry":
            assert next(one for one in self.known if one.seq == champion.seq).suspect is not None

    @rule(passes=st.booleans())
    @precondition(lambda self: self.state.champion)
    def reverify(self, *, passes: bool) -> None:
        champion = self.state.champion
        scores = evidence(BETTER if passes else 1 - BETTER, model=str(champion.sha256)[0], rows="fresh")
        told = recorded(judge(LENIENT, scores, now=self.now))
        until = self.now + timedelta(days=90) if passes else champion.valid_until

        def event(_: State, at: Moment) -> ReverifiedEvent:
            return ReverifiedEvent(
                of=str(champion.run),
                promoted_by=champion.seq,
                evidence_run="EvaluateNewModel/again",
                decision=told.decision,
                decision_sha256=told.decision_sha256,
                policy_sha256=told.policy_sha256,
                valid_until=until,
            )

        assert (entry := self.did(lambda: record_event(self.judge, event, **self.says())))
        assert entry.state.champion.suspect == (None if passes else champion.suspect)

    @rule(rows=st.sampled_from([*HOLDOUTS, "August"]))
    def register(self, rows: str) -> None:
        held = evidence(GOOD, model="0", rows=rows)
        known = held.holdout in self.state.holdouts
        assert known == (self.did(lambda: actions.register(self.judge, held, note="", **self.says())) is None)

    @rule(at=PICK)
    @precondition(lambda self: len(self.heads) > 1)
    def write_late(self, at: int) -> None:
        """Another writer's head is not the last one any more."""
        old = self.heads[at % (len(self.heads) - 1)]
        stays = old.state.champion and old.state.champion.seq
        event = RevokedEvent(of="F/x", model="f" * 64, reason="late", successor=stays)
        moment = Moment(seq=old.seq + 1, time=self.now)
        with pytest.raises(ConflictError):
            self.judge.append(event, replay.apply_event(old.state, event, moment), after=old, actor="bob", now=self.now)

    @invariant()
    def history_is_append_only(self) -> None:
        assert [blob(self.judge, seq + 1) for seq in range(len(self.bytes))] == self.bytes
        assert [entry.seq for entry in self.heads] == list(range(1, len(self.heads) + 1))

    @invariant()
    def one_model_reigns_at_most_and_none_that_was_revoked(self) -> None:
        state, known = self.state, self.known
        assert len({one.seq for one in known}) == len(known)
        assert not {one.sha256 for one in known} & state.revoked.keys()
        assert all(self.heads[one.seq - 1].promotes for one in known)

    @invariant()
    def who_is_admitted_may_serve(self) -> None:
        champion = self.state.champion
        late = (
            champion is not None
            and champion.valid_until is not None
            and self.now - MAX_CLOCK_SKEW > champion.valid_until
        )
        barred = champion is None or late or champion.suspect is not None
        found: Admission | None = None
        with suppress(AdmissionError):
            found = admit(self.judge, now=self.now, trusted_head=self.seen)
        assert (found is None) == barred
        if found is not None:
            assert found.champion == champion
            assert found.champion.sha256 not in self.state.revoked
            self.seen = found.head

    def teardown(self) -> None:
        """The log from its first entry: chained, and every state made anew from the events and the evidence alone."""
        entries = list(self.judge.entries())
        assert entries == self.heads == list(self.judge.backwards())[::-1]
        state = State(salt=entries[0].state.salt) if entries else State()
        for entry in entries:
            replay.check_entry(entry, state)
            if entry.judgement:
                policy, held = self.judged[entry.seq]
                decision = judge(policy, held, state, now=entry.time)
                assert decision.verdict is not Ruling.ERROR
                state = decision.state
                assert decision.sha256 == entry.judgement.decision_sha256
            else:
                state = replay.apply_event(state, entry.event, Moment(seq=entry.seq, time=entry.time))
            assert state == entry.state


class Signed(Histories):
    keys = keyring()


@pytest.mark.parametrize(("machine", "histories"), [(Histories, 4), (Signed, 4)])
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
