"""Builders for tests of the promotion log: evidence of small models, keys, and logs of decisions about them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from obstore.store import MemoryStore

from lockgate import Decision, Evidence, Policy, judge
from lockgate.gates.errors import LogError, SigningError
from lockgate.gates.lifecycle.commit import CommitResult, commit
from lockgate.gates.log import Keyring, Log, LogEntry, Signer
from lockgate.gates.log.entry import entry_path
from lockgate.gates.log.events import JudgedEvent
from lockgate.gates.log.signing import Role, fingerprint, public_line

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
ROWS = 300
GATES: dict[str, Any] = {
    "if_no_champion": "absolute_only",
    "confidence": 0.95,
    "clusters": "if_present",
    "min_clusters": 10,
    "min_class_rows": 2,
    "serial_dependence": "if_ordered",
    "schedule": {"kind": "fixed", "looks": 20},
    "disclose": "all",
    "valid_for": "90d",
    "checks": {
        "auc_floor": {"kind": "threshold", "metric": "auc", "min": 0.6, "decide": "point"},
        "log_loss": {"kind": "improvement", "metric": "log_loss", "margin": 0.001},
    },
}
POLICY = Policy.parse(GATES)
SEALING_POLICY = Policy.parse(GATES | {"disclose": "promotion_only"})
LENIENT_POLICY = Policy.parse(
    GATES | {"schedule": {"kind": "open"}, "checks": {"auc_floor": GATES["checks"]["auc_floor"]}}
)
"""Any model that is good enough replaces the champion."""

LABEL = (np.random.default_rng(0).random(ROWS) < 0.4).astype(float)


def draw_scores(strength: float, *, seed: int = 1) -> Any:
    """Scores for the holdout: the greater `strength`, the better."""
    return np.clip(0.4 + strength * (LABEL - 0.5) + np.random.default_rng(seed).normal(0, 0.1, ROWS), 0.01, 0.99)


GOOD, BETTER, BAD = draw_scores(0.3), draw_scores(0.5, seed=2), draw_scores(0.1)


def sha_of(model: str) -> str:
    """The digest of a model, which has a name of one letter."""
    return model * 64


def run_of(model: str) -> str:
    return f"EvaluateNewModel/{model}"


def make_evidence(
    scores: Any, *, model: str, champion_scores: Any = None, champion: str | None = None, rows: str = "", **facts: Any
) -> Evidence:
    """A model's scores on the holdout, or on `rows`, another holdout with the same labels."""
    challenger = {"run": run_of(model), "sha256": sha_of(model)}
    reigning = {"run": run_of(champion), "sha256": sha_of(champion)} if champion else None
    row_ids = [f"{rows} {index}" for index in range(ROWS)] if rows else None
    return Evidence.from_arrays(
        label=LABEL,
        challenger=scores,
        champion=champion_scores,
        row_id=row_ids,
        facts={"challenger": challenger, "champion": reigning, **facts},
    )


FIRST_MODEL = make_evidence(GOOD, model="0")
HOPELESS = make_evidence(BAD, model="1", champion_scores=GOOD, champion="0")
"""A challenger that is worse than model 0."""


def clock_at(minute: float = 0) -> Any:
    """A clock that stands still, so many minutes after noon."""
    return lambda: NOON + timedelta(minutes=minute)


def commit_evidence(log: Log, evidence: Evidence, *, minute: float = 0, policy: Policy = POLICY) -> CommitResult:
    return commit(policy, evidence, log, actor="ada", clock=clock_at(minute))


def promote_model(
    log: Log, model: str, *, minute: float = 0, rows: str = "", policy: Policy = LENIENT_POLICY, **facts: Any
) -> LogEntry:
    """The entry that promotes a model, whichever is champion."""
    head = log.head()
    reigning = head.state.champion if head else None
    letter = reigning.sha256[:1] if reigning and reigning.sha256 else None
    champion_scores = GOOD if reigning else None
    evidence = make_evidence(BETTER, model=model, champion_scores=champion_scores, champion=letter, rows=rows, **facts)
    result = commit_evidence(log, evidence, minute=minute, policy=policy)
    assert result.decision.verdict == "PROMOTE", result.decision.reason
    assert result.entry is not None
    return result.entry


def judged_event(decision: Decision, *, valid_for: str = "90d") -> JudgedEvent:
    """The event that records a decision."""
    return JudgedEvent(
        decision=decision.model_dump(mode="json", exclude={"state"}),
        decision_sha256=decision.sha256,
        policy_sha256="0" * 64,
        valid_for=valid_for,
    )


DECISION = judge(LENIENT_POLICY, Evidence.from_arrays(label=[0, 1, 0, 1], challenger=[0.1, 0.9, 0.2, 0.8]), now=NOON)
"""A promotion on four rows."""

HELD_EVIDENCE = Evidence.from_arrays(label=[0, 1, 0, 1], challenger=[0.9, 0.1, 0.2, 0.8])
"""What a model that fails leaves behind, on the same rows."""


def grow_log(log: Log, length: int, *, head: LogEntry | None = None, actor: str = "ada") -> LogEntry | None:
    """Append decisions until the log has `length` entries: one promotion, then models that are held."""
    for seq in range(head.seq + 1 if head else 1, length + 1):
        decision = judge(LENIENT_POLICY, HELD_EVIDENCE, head.state, now=NOON) if head else DECISION
        now = NOON + timedelta(seconds=seq - 1)
        head = log.append(judged_event(decision), decision.state, after=head, actor=actor, now=now)
    return head


def make_signer(name: str) -> Signer:
    """Always the same key for a name."""
    private = Ed25519PrivateKey.from_private_bytes(name.encode().ljust(32, b".")[:32])
    return Signer(private, fingerprint(private.public_key()))


JUDGE, APPROVER, STRANGER = make_signer("judge"), make_signer("approver"), make_signer("stranger")


def public_line_of(key: Signer) -> str:
    return public_line(key.private.public_key())


def make_keyring(**roles: tuple[Signer, Role] | tuple[Signer, Role, int]) -> Keyring:
    """From name=(key, role) or name=(key, role, last entry); by default a judge's and an approver's key."""
    roles = roles or {"judge": (JUDGE, "judge"), "approver": (APPROVER, "approver")}
    listed = [(name, key[1], public_line_of(key[0]), key[2] if len(key) == 3 else None) for name, key in roles.items()]
    return Keyring.from_listed(listed, where="platform.keys.trusted")


def new_log(store: Any = None, *, key: Signer | None = JUDGE, keys: Keyring | None = None) -> Log:
    """A signed log, empty and in memory unless `store` is given."""
    return Log(MemoryStore() if store is None else store, project="orders", keyring=keys or make_keyring(), signer=key)


def as_signer(log: Log, key: Signer | None) -> Log:
    """The same log, for a writer who holds `key`."""
    return Log(log.store, project=log.project, keyring=log.keyring, signer=key)


def entry_bytes(log: Log, seq: int) -> bytes:
    """The bytes of entry `seq` in the store."""
    return bytes(log.store.get(entry_path(seq)).bytes())


def assert_one_line(caught: Any) -> str:
    """The message of an error, which is one line."""
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 700
    return message


def assert_refused(log: Log, action: Callable[[], Any], message: str) -> None:
    """The action is refused with this message, in one line, and the log stays as it was."""
    before = log.head()
    with pytest.raises((LogError, SigningError), match=message) as caught:
        action()
    assert_one_line(caught)
    assert log.head() == before


class CountingStore:
    """A store that counts requests, by method."""

    def __init__(self, store: Any) -> None:
        self.requests: Counter[str] = Counter()
        self._store = store

    def __getattr__(self, name: str) -> Any:
        self.requests[name] += 1
        return getattr(self._store, name)
