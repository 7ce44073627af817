"""Models that are scored, keys, and logs that record what was decided about them: for the tests of the trust core."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from obstore.store import MemoryStore

from lockgate import Decision, Evidence, Policy
from lockgate.gates.errors import LogError, SigningError
from lockgate.gates.lifecycle.commit import CommitResult, commit
from lockgate.gates.log import Keyring, Log, LogEntry, Signer
from lockgate.gates.log.events import JudgedEvent
from lockgate.gates.log.signing import Role, fingerprint, public_line

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
ROWS = 300
GATES: dict[str, Any] = {
    "if_no_champion": "absolute_only",
    "confidence": 0.95,
    "clusters": "if_present",
    "min_clusters": 10,
    "schedule": {"kind": "fixed", "looks": 20},
    "disclose": "all",
    "valid_for": "90d",
    "checks": {
        "auc_floor": {"kind": "threshold", "metric": "auc", "min": 0.6, "decide": "point"},
        "log_loss": {"kind": "improvement", "metric": "log_loss", "margin": 0.001},
    },
}
POLICY = Policy.parse(GATES)
SEALING = Policy.parse(GATES | {"disclose": "promotion_only"})
LENIENT = Policy.parse(GATES | {"schedule": {"kind": "open"}, "checks": {"auc_floor": GATES["checks"]["auc_floor"]}})
"""Who is good enough replaces whoever reigns."""

LABEL = (np.random.default_rng(0).random(ROWS) < 0.4).astype(float)


def scored(strength: float, *, seed: int = 1) -> Any:
    """Scores for the holdout: the greater the strength, the better."""
    return np.clip(0.4 + strength * (LABEL - 0.5) + np.random.default_rng(seed).normal(0, 0.1, ROWS), 0.01, 0.99)


GOOD, BETTER, BAD = scored(0.3), scored(0.5, seed=2), scored(0.1)


def sha_of(model: str) -> str:
    """The digest that the model of this one letter has."""
    return model * 64


def run_of(model: str) -> str:
    return f"EvaluateNewModel/{model}"


def evidence(
    scores: Any, *, model: str, beside: Any = None, champion: str | None = None, rows: str = "", **facts: Any
) -> Evidence:
    """A model's scores on the holdout, or on `rows`, another one of the same labels."""
    told = {"run": run_of(model), "sha256": sha_of(model)}
    reigning = {"run": run_of(champion), "sha256": sha_of(champion)} if champion else None
    ids = [f"{rows} {at}" for at in range(ROWS)] if rows else None
    return Evidence.from_arrays(
        label=LABEL,
        challenger=scores,
        champion=beside,
        row_id=ids,
        facts={"challenger": told, "champion": reigning, **facts},
    )


FIRST_MODEL = evidence(GOOD, model="0")
HOPELESS = evidence(BAD, model="1", beside=GOOD, champion="0")
"""A challenger of model 0 that is not better."""


def clock(minute: float = 0) -> Any:
    return lambda: NOON + timedelta(minutes=minute)


def committed(log: Log, held: Evidence, *, minute: float = 0, policy: Policy = POLICY) -> CommitResult:
    return commit(policy, held, log, actor="ada", clock=clock(minute))


def promoted(
    log: Log, model: str, *, minute: float = 0, rows: str = "", policy: Policy = LENIENT, **facts: Any
) -> LogEntry:
    """The entry that promotes a model, whoever reigns."""
    head = log.head()
    reigning = head.state.champion if head else None
    letter = reigning.sha256[:1] if reigning and reigning.sha256 else None
    beside = GOOD if reigning else None
    held = evidence(BETTER, model=model, beside=beside, champion=letter, rows=rows, **facts)
    done = committed(log, held, minute=minute, policy=policy)
    assert done.decision.verdict == "PROMOTE", done.decision.reason
    assert done.entry is not None
    return done.entry


def recorded(decision: Decision, *, valid_for: str = "90d") -> JudgedEvent:
    """The event that a decision is recorded as."""
    return JudgedEvent(
        decision=decision.model_dump(mode="json", exclude={"state"}),
        decision_sha256=decision.sha256,
        policy_sha256="0" * 64,
        valid_for=valid_for,
    )


def signer(name: str) -> Signer:
    """Always the same key for a name."""
    private = Ed25519PrivateKey.from_private_bytes(name.encode().ljust(32, b".")[:32])
    return Signer(private, fingerprint(private.public_key()))


JUDGE, APPROVER, STRANGER = signer("judge"), signer("approver"), signer("stranger")


def line(key: Signer) -> str:
    return public_line(key.private.public_key())


def keyring(**roles: tuple[Signer, Role] | tuple[Signer, Role, int]) -> Keyring:
    """From name=(key, role) or name=(key, role, last entry); without any, a judge's and an approver's."""
    roles = roles or {"judge": (JUDGE, "judge"), "approver": (APPROVER, "approver")}
    listed = [(name, one[1], line(one[0]), one[2] if len(one) == 3 else None) for name, one in roles.items()]
    return Keyring.from_listed(listed, where="platform.keys.trusted")


def opened(store: Any = None, *, key: Signer | None = JUDGE, keys: Keyring | None = None) -> Log:
    """A signed log."""
    return Log(MemoryStore() if store is None else store, project="orders", keyring=keys or keyring(), signer=key)


def by(log: Log, key: Signer | None) -> Log:
    """The same log, as who holds `key` writes it."""
    return Log(log.store, project=log.project, keyring=log.keyring, signer=key)


def path(seq: int) -> str:
    return f"log/{seq:08d}.json"


def blob(log: Log, seq: int) -> bytes:
    """Entry `seq` as it lies in the store."""
    return bytes(log.store.get(path(seq)).bytes())


def one_line(caught: Any) -> str:
    """What an error says, which is one line."""
    said = str(caught.value)
    assert "\n" not in said
    assert len(said) < 700
    return said


def refused(log: Log, call: Callable[[], Any], said: str) -> None:
    """The call is refused in one line that says so, and the log stays as it was."""
    before = log.head()
    with pytest.raises((LogError, SigningError), match=said) as caught:
        call()
    one_line(caught)
    assert log.head() == before
