"""A recorded decision, exported, is made again from the four files alone; whatever was changed in them is named."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from obstore.store import MemoryStore

from lockgate import Evidence, Policy
from lockgate.gates.errors import AdmissionError, LockgateError, LogError, StaleError
from lockgate.gates.evidence.facts import Witness
from lockgate.gates.lifecycle.actions import retract
from lockgate.gates.lifecycle.admission import admit
from lockgate.gates.lifecycle.commit import commit
from lockgate.gates.lifecycle.reverify import reverify
from lockgate.gates.log import Keyring, Log, Signer, policies
from lockgate.gates.log.signing import fingerprint, public_line
from lockgate.gates.verification import export

NOON = datetime(2024, 5, 1, 12, 0, 0, 123456, tzinfo=UTC)
ROWS = 300
LABEL = (np.random.default_rng(0).random(ROWS) < 0.4).astype(float)
GATES: dict[str, Any] = {
    "if_no_champion": "absolute_only",
    "confidence": 0.95,
    "clusters": "if_present",
    "min_clusters": 10,
    "schedule": {"kind": "fixed", "looks": 20},
    "disclose": "all",
    "valid_for": "90d",
    "checks": {
        "zeta": {"kind": "threshold", "metric": "auc", "min": 0.6, "decide": "point"},
        "alpha": {"kind": "improvement", "metric": "log_loss", "margin": 0.001},
        "seen": {"kind": "provenance", "require": ["finished", "model"]},
    },
}

EITHER = {
    "kind": "any_of",
    "checks": {
        "y": {"kind": "threshold", "metric": "accuracy", "min": 0.5, "decide": "point"},
        "b": {"kind": "threshold", "metric": "brier", "max": 0.9, "decide": "point"},
    },
}


def policy(**changes: Any) -> Policy:
    return Policy.parse(GATES | changes)


def scored(strength: float, *, seed: int = 1) -> Any:
    return np.clip(0.4 + strength * (LABEL - 0.5) + np.random.default_rng(seed).normal(0, 0.1, ROWS), 0.01, 0.99)


def evidence(
    scores: Any, *, model: str, neighbour: Any = None, flow: str = "EvaluateNewModel", **options: Any
) -> Evidence:
    champion = {"run": "EvaluateNewModel/0", "sha256": "0" * 64} if neighbour is not None else None
    actual = {"run": f"{flow}/{model}", "sha256": model * 64}
    evidence = Evidence.from_arrays(
        label=LABEL,
        challenger=scores,
        champion=neighbour,
        facts={"challenger": actual, "champion": champion},
        **options,
    )
    return replace(evidence, witness=Witness(run=f"{flow}/{model}", model_sha256=model * 64))


def opened(log: Log, evidence_: Evidence, entry: Any) -> tuple[Evidence, Policy, export.Context, dict[str, bytes]]:
    """The four files of an entry, read back as whoever gets them reads them."""
    before = log.entry(entry.seq - 1) if entry.seq > 1 else None
    kept_values = policies.load_policy(log.store, entry.event.policy_sha256)
    files = export.export_entry(entry, before, evidence_, kept_values)
    return (
        Evidence.from_bytes(files["evidence.arrow"]),
        Policy.parse(json.loads(files["policy.json"])),
        export.Context.from_bytes(files["context.json"], where="context.json"),
        files,
    )


@pytest.fixture
def log() -> Log:
    return Log(MemoryStore(), project="race")


def judged(log: Log, evidence_: Evidence, *, by: Policy | None = None, minute: int = 0) -> Any:
    return commit(by or policy(), evidence_, log, actor="ada", clock=lambda: NOON + timedelta(minutes=minute)).entry


FIRST = evidence(scored(0.3), model="0")
SECOND = evidence(scored(0.1), model="1", neighbour=scored(0.3))


def test_every_entry_is_made_again_byte_for_byte_first_and_later_ones(log: Log) -> None:
    for minute, value in enumerate((FIRST, SECOND)):
        entry = judged(log, value, minute=minute)
        again, parsed, context, files = opened(log, value, entry)
        created = export.reproduce(
            again, parsed, context, decision=files["decision.json"], policy_file=files["policy.json"]
        )
        assert created.differences == ()
        assert created.decision == entry.read_decision()
        assert created.decision.to_json().encode() + b"\n" == files["decision.json"]
        assert export.describe_reproduction(entry, created.decision).startswith(
            f"reproduced: entry {entry.seq} of log {entry.log_id[:12]}"
        )


def test_the_same_entry_gives_the_same_files(log: Log) -> None:
    entry = judged(log, FIRST)
    assert opened(log, FIRST, entry)[3] == opened(log, FIRST, entry)[3]


def test_a_policy_is_kept_in_the_order_in_which_it_was_declared(log: Log) -> None:
    entry = judged(log, FIRST, by=policy(checks={"zeta": GATES["checks"]["zeta"], "either": EITHER}))
    again, parsed, context, files = opened(log, FIRST, entry)
    assert export.reproduce(again, parsed, context, policy_file=files["policy.json"]).differences == ()
    assert list(parsed.checks) == ["zeta", "either"]


@pytest.mark.parametrize("strength", [0.3, 0.0])
def test_a_sealed_decision_gives_what_was_told_and_its_commitment_is_checked(log: Log, strength: float) -> None:
    sealed = policy(disclose="promotion_only", checks={"zeta": GATES["checks"]["zeta"], "either": EITHER})
    scored_rows = evidence(scored(strength), model="0")
    entry = judged(log, scored_rows, by=sealed)
    again, parsed, context, files = opened(log, scored_rows, entry)
    document = json.loads(files["decision.json"])
    assert (document["outcomes"], document["state"]["holdouts"]) == ([], {})
    created = export.reproduce(again, parsed, context, decision=files["decision.json"])
    assert created.differences == ()
    assert created.decision.sealed
    assert "its commitment holds" in export.describe_reproduction(entry, created.decision)
    other = replace(again, facts={**again.facts, "challenger": {"run": "EvaluateNewModel/0", "sha256": "f" * 64}})
    assert any("commitment" in difference for difference in export.reproduce(other, parsed, context).differences)


def test_a_reverification_is_made_again_too(log: Log) -> None:
    judged(log, FIRST)
    scored_rows = evidence(scored(0.3), model="0", flow="Reverify")
    completed = reverify(policy(), scored_rows, log, actor="ada", clock=lambda: NOON + timedelta(days=1))
    again, parsed, context, files = opened(log, scored_rows, completed.entry)
    created = export.reproduce(again, parsed, context, decision=files["decision.json"])
    assert created.differences == ()
    assert created.decision == completed.decision


def test_other_scores_another_policy_and_another_decision_are_named(log: Log) -> None:
    entry = judged(log, FIRST)
    again, parsed, context, files = opened(log, FIRST, entry)
    swapped = export.reproduce(evidence(scored(0.31), model="0"), parsed, context).differences
    assert any(item.startswith("binding.scores: ") for item in swapped)
    lax = json.loads(files["policy.json"])
    lax["checks"]["zeta"]["min"] = 0.5
    policy = export.reproduce(again, Policy.parse(lax), context, policy_file=json.dumps(lax).encode())
    assert policy.differences[0].startswith("policy.json: SHA-256 ")
    assert any(difference.startswith("binding.policy: ") for difference in policy.differences)
    hold = files["decision.json"].replace(b"PROMOTE", b"HOLD")
    assert export.reproduce(again, parsed, context, decision=hold).differences == (
        "decision.json: it is not the decision that the entry records",
    )
    error = export.reproduction_error(swapped)
    assert str(error).startswith("not reproduced: binding.")
    assert len(str(error)) < 600


def test_a_model_that_was_changed_after_it_was_judged_is_seen(log: Log) -> None:
    entry = judged(log, FIRST)
    changed = replace(FIRST, witness=Witness(run="EvaluateNewModel/0", model_sha256="e" * 64))
    again, parsed, context, _ = opened(log, changed, entry)
    assert any(
        "verdict: PASS was recorded, FAIL is found" in difference
        for difference in export.reproduce(again, parsed, context).differences
    )


@pytest.mark.parametrize("name", ["project", "log_id", "seq", "time", "state"])
def test_a_context_that_says_other_than_its_entries_is_refused(log: Log, name: str) -> None:
    judged(log, FIRST)
    document = json.loads(opened(log, SECOND, judged(log, SECOND, minute=1))[3]["context.json"])
    other = {"project": "x", "log_id": "x", "seq": 7, "time": "2024-05-01T13:00:00Z", "state": {"seq": 1, "salt": "x"}}
    with pytest.raises(LogError, match=f"the context's {name} is not what its entries say"):
        export.Context.from_bytes(json.dumps(document | {name: other[name]}).encode(), where="c")


@pytest.mark.parametrize("change", [{"previous": None}, {"entry": "{}"}, {"format": 2}, {"x": 1}])
def test_a_context_in_pieces_is_refused_in_one_line(log: Log, change: dict[str, Any]) -> None:
    judged(log, FIRST)
    document = json.loads(opened(log, SECOND, judged(log, SECOND, minute=1))[3]["context.json"])
    with pytest.raises(LogError) as err:
        export.Context.from_bytes(json.dumps(document | change).encode(), where="c")
    assert "\n" not in str(err.value)


@pytest.mark.parametrize("more", [b', "format": 1}', b', "x": NaN}', b"}}"])
def test_a_context_says_each_thing_once(log: Log, more: bytes) -> None:
    blob = opened(log, FIRST, judged(log, FIRST))[3]["context.json"]
    export.Context.from_bytes(blob, where="c")
    with pytest.raises(LogError, match="the context cannot be read: ") as err:
        export.Context.from_bytes(blob[:-1] + more, where="c")
    assert "\n" not in str(err.value)


def test_an_entry_that_was_made_up_is_refused(log: Log) -> None:
    entry = judged(log, FIRST)
    event = entry.event.model_copy(update={"decision": {**entry.event.decision, "verdict": "HOLD"}})
    with pytest.raises(LogError, match="not the one that the entry names"):
        export.read_recorded_decision(entry.model_copy(update={"event": event}))
    other = retract(log, metric="auc", reason="wrong", actor="ada", clock=lambda: NOON + timedelta(hours=1))
    with pytest.raises(LogError, match="records no judgement"):
        export.read_recorded_decision(other)


def test_the_entry_carries_its_signature() -> None:
    private = Ed25519PrivateKey.generate()
    signer = Signer(private, fingerprint(private.public_key()))
    keyring = Keyring.from_listed([("ci", "judge", public_line(private.public_key()), None)], where="keys")
    log = Log(MemoryStore(), project="race", keyring=keyring, signer=signer)
    _, _, context, _ = opened(log, FIRST, judged(log, FIRST))
    entry = context.parse_entry()
    keyring.check(entry.payload(), entry.signature, roles=("judge",), seq=1, where="entry")
    assert entry.signature is not None


def test_reverifying_renews_ends_or_leaves_the_promotion(log: Log) -> None:
    judged(log, FIRST)
    promoted_until = NOON + timedelta(days=90)
    later = NOON + timedelta(days=30)

    def again(strength: float, by: Policy, minute: int) -> Any:
        scored_rows = evidence(scored(strength, seed=9), model="0", flow="Reverify", row_id=np.arange(ROWS) + 1000)
        return reverify(by, scored_rows, log, actor="ada", clock=lambda: later + timedelta(minutes=minute))

    item = again(0.3, policy(), 0)
    assert (item.decision.verdict, log.state().champion.valid_until) == ("PROMOTE", later + timedelta(days=90))
    assert item.decision.state == log.state()
    assert log.state().holdouts == {}, "no look is taken"
    unclear = policy(checks={"auc": {"kind": "threshold", "metric": "auc", "min": 0.999, "decide": "bound"}})
    two = again(0.6, unclear, 1)
    assert (two.decision.verdict, log.state().champion.valid_until) == ("INCONCLUSIVE", later + timedelta(days=90))
    three = again(0.0, policy(if_no_champion="hold"), 2)
    assert three.decision.verdict == "HOLD"
    with pytest.raises(AdmissionError, match="expired"):
        admit(log, now=three.entry.time + timedelta(seconds=1))
    four = again(0.3, policy(if_no_champion="hold"), 3)
    assert four.decision.verdict == "PROMOTE", "that nothing is beside a champion is no reason to hold"
    assert admit(log, now=four.entry.time).champion.run == "EvaluateNewModel/0"
    assert promoted_until < log.state().champion.valid_until
    assert [entry.event.kind for entry in log.entries()] == ["judged", *["reverified"] * 4]


def test_a_suspect_champion_is_cleared_and_retracted_rows_stay_barred(log: Log) -> None:
    judged(log, FIRST)
    fresh = evidence(scored(0.3), model="0", flow="Reverify", row_id=np.arange(ROWS) + 1000)
    retract(log, data=FIRST.holdout, reason="labels", actor="ada", clock=lambda: NOON)
    assert log.state().champion.suspect == 2
    old = reverify(policy(), evidence(scored(0.3), model="0", flow="Reverify"), log, actor="ada", clock=lambda: NOON)
    assert (old.decision.verdict, old.entry) == ("ERROR", None)
    assert reverify(policy(), fresh, log, actor="ada", clock=lambda: NOON).decision.verdict == "PROMOTE"
    assert log.state().champion.suspect is None


def test_what_cannot_be_reverified_is_one_line_and_no_entry(log: Log) -> None:
    scored_rows = evidence(scored(0.3), model="0", flow="Reverify")
    with pytest.raises(LogError, match="no model reigns"):
        reverify(policy(), scored_rows, log, actor="ada", clock=lambda: NOON)
    judged(log, FIRST)
    only = policy(checks={"alpha": GATES["checks"]["alpha"]})
    with pytest.raises(LockgateError, match="every blocking gate compares"):
        reverify(only, scored_rows, log, actor="ada", clock=lambda: NOON)
    with pytest.raises(StaleError, match="a model other than"):
        reverify(policy(), evidence(scored(0.3), model="7"), log, actor="ada", clock=lambda: NOON)
    with pytest.raises(LockgateError, match="the evidence compares two models"):
        reverify(
            policy(), evidence(scored(0.3), model="0", neighbour=scored(0.3)), log, actor="ada", clock=lambda: NOON
        )
    assert log.head().seq == 1
