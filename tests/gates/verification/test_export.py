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
from lockgate.gates.verification import reproduction as again
from tests import builders
from tests.builders import LABEL, ROWS, draw_scores

NOON = datetime(2024, 5, 1, 12, 0, 0, 123456, tzinfo=UTC)  # microseconds must survive too
GATES: dict[str, Any] = builders.GATES | {
    "checks": {  # gates are not in alphabetical order, which must survive
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


def make_policy(**changes: Any) -> Policy:
    return Policy.parse(GATES | changes)


def witnessed_evidence(
    scores: Any, *, model: str, champion_scores: Any = None, flow: str = "EvaluateNewModel", **arrays: Any
) -> Evidence:
    """A model's scores, as the judge reads them from a run whose model it has seen."""
    champion = {"run": "EvaluateNewModel/0", "sha256": "0" * 64} if champion_scores is not None else None
    evidence = Evidence.from_arrays(
        label=LABEL,
        challenger=scores,
        champion=champion_scores,
        facts={"challenger": {"run": f"{flow}/{model}", "sha256": model * 64}, "champion": champion},
        **arrays,
    )
    return replace(evidence, witness=Witness(run=f"{flow}/{model}", model_sha256=model * 64))


def export_and_parse(
    log: Log, evidence: Evidence, entry: Any
) -> tuple[Evidence, Policy, export.Context, dict[str, bytes]]:
    """The four files of an entry, parsed as whoever gets them parses them, and as they are."""
    before = log.entry(entry.seq - 1) if entry.seq > 1 else None
    policy_file = policies.load_policy_bytes(log.store, entry.event.policy_sha256)
    files = export.export_entry(entry, before, evidence, policy_file)
    return (
        Evidence.from_bytes(files["evidence.arrow"]),
        Policy.parse(json.loads(files["policy.json"])),
        export.Context.from_bytes(files["context.json"], where="context.json"),
        files,
    )


@pytest.fixture
def log() -> Log:
    return Log(MemoryStore(), project="race")


def commit_entry(log: Log, evidence: Evidence, *, policy: Policy | None = None, minute: int = 0) -> Any:
    result = commit(policy or make_policy(), evidence, log, actor="ada", clock=lambda: NOON + timedelta(minutes=minute))
    return result.entry


FIRST = witnessed_evidence(draw_scores(0.3), model="0")
SECOND = witnessed_evidence(draw_scores(0.1), model="1", champion_scores=draw_scores(0.3))


def test_every_entry_is_made_again_byte_for_byte_first_and_later_ones(log: Log) -> None:
    for minute, committed in enumerate((FIRST, SECOND)):
        entry = commit_entry(log, committed, minute=minute)
        evidence, policy, context, files = export_and_parse(log, committed, entry)
        reproduction = again.reproduce(
            evidence, policy, context, decision=files["decision.json"], policy_file=files["policy.json"]
        )
        assert reproduction.differences == ()
        assert reproduction.decision == entry.read_decision()
        assert reproduction.decision.to_json().encode() + b"\n" == files["decision.json"]
        assert again.describe_reproduction(entry, reproduction).startswith(
            f"reproduced: entry {entry.seq} of log {entry.log_id[:12]}"
        )


def test_the_same_entry_gives_the_same_files(log: Log) -> None:
    entry = commit_entry(log, FIRST)
    assert export_and_parse(log, FIRST, entry)[3] == export_and_parse(log, FIRST, entry)[3]


def test_a_policy_is_kept_in_the_order_in_which_it_was_declared(log: Log) -> None:
    entry = commit_entry(log, FIRST, policy=make_policy(checks={"zeta": GATES["checks"]["zeta"], "either": EITHER}))
    evidence, policy, context, files = export_and_parse(log, FIRST, entry)
    assert again.reproduce(evidence, policy, context, policy_file=files["policy.json"]).differences == ()
    assert list(policy.checks) == ["zeta", "either"]


@pytest.mark.parametrize("strength", [0.3, 0.0])
def test_a_sealed_decision_gives_what_was_told_and_its_commitment_is_checked(log: Log, strength: float) -> None:
    sealing = make_policy(disclose="promotion_only", checks={"zeta": GATES["checks"]["zeta"], "either": EITHER})
    champion_evidence = witnessed_evidence(draw_scores(strength), model="0")
    entry = commit_entry(log, champion_evidence, policy=sealing)
    evidence, policy, context, files = export_and_parse(log, champion_evidence, entry)
    document = json.loads(files["decision.json"])
    assert (document["outcomes"], document["state"]["holdouts"]) == ([], {})
    reproduction = again.reproduce(evidence, policy, context, decision=files["decision.json"])
    assert reproduction.differences == ()
    assert reproduction.decision.sealed
    assert "its commitment holds" in again.describe_reproduction(entry, reproduction)
    other = replace(evidence, facts={**evidence.facts, "challenger": {"run": "EvaluateNewModel/0", "sha256": "f" * 64}})
    assert any("commitment" in difference for difference in again.reproduce(other, policy, context).differences)


def test_a_reverification_is_made_again_too(log: Log) -> None:
    commit_entry(log, FIRST)
    champion_evidence = witnessed_evidence(draw_scores(0.3), model="0", flow="Reverify")
    reverification = reverify(
        make_policy(), champion_evidence, log, actor="ada", clock=lambda: NOON + timedelta(days=1)
    )
    evidence, policy, context, files = export_and_parse(log, champion_evidence, reverification.entry)
    reproduction = again.reproduce(evidence, policy, context, decision=files["decision.json"])
    assert reproduction.differences == ()
    assert reproduction.decision == reverification.decision


def test_other_scores_another_policy_and_another_decision_are_named(log: Log) -> None:
    entry = commit_entry(log, FIRST)
    evidence, policy, context, files = export_and_parse(log, FIRST, entry)
    swapped = again.reproduce(witnessed_evidence(draw_scores(0.31), model="0"), policy, context).differences
    assert any(difference.startswith("binding.scores: ") for difference in swapped)
    lax = json.loads(files["policy.json"])
    lax["checks"]["zeta"]["min"] = 0.5
    laxer = again.reproduce(evidence, Policy.parse(lax), context, policy_file=json.dumps(lax).encode())
    assert laxer.differences[0].startswith("policy.json: SHA-256 ")
    assert any(difference.startswith("binding.policy: ") for difference in laxer.differences)
    hold = files["decision.json"].replace(b"PROMOTE", b"HOLD")
    assert again.reproduce(evidence, policy, context, decision=hold).differences == (
        "decision.json: it is not the decision that the entry records",
    )
    error = again.reproduction_error(swapped)
    assert str(error).startswith("not reproduced: binding.")
    assert len(str(error)) < 600


def test_a_model_that_was_changed_after_it_was_judged_is_seen(log: Log) -> None:
    entry = commit_entry(log, FIRST)
    changed = replace(FIRST, witness=Witness(run="EvaluateNewModel/0", model_sha256="e" * 64))
    evidence, policy, context, _ = export_and_parse(log, changed, entry)
    assert any(
        "verdict: PASS was recorded, FAIL is found" in difference
        for difference in again.reproduce(evidence, policy, context).differences
    )


@pytest.mark.parametrize("name", ["project", "log_id", "seq", "time", "state"])
def test_a_context_that_says_other_than_its_entries_is_refused(log: Log, name: str) -> None:
    commit_entry(log, FIRST)
    document = json.loads(export_and_parse(log, SECOND, commit_entry(log, SECOND, minute=1))[3]["context.json"])
    other = {"project": "x", "log_id": "x", "seq": 7, "time": "2024-05-01T13:00:00Z", "state": {"seq": 1, "salt": "x"}}
    with pytest.raises(LogError, match=f"the context's {name} is not what its entries say"):
        export.Context.from_bytes(json.dumps(document | {name: other[name]}).encode(), where="c")


@pytest.mark.parametrize("change", [{"previous": None}, {"entry": "{}"}, {"format": 2}, {"x": 1}])
def test_a_context_in_pieces_is_refused_in_one_line(log: Log, change: dict[str, Any]) -> None:
    commit_entry(log, FIRST)
    document = json.loads(export_and_parse(log, SECOND, commit_entry(log, SECOND, minute=1))[3]["context.json"])
    with pytest.raises(LogError) as err:
        export.Context.from_bytes(json.dumps(document | change).encode(), where="c")
    assert "\n" not in str(err.value)


@pytest.mark.parametrize("more", [b', "format": 1}', b', "x": NaN}', b"}}"])
def test_a_context_says_each_thing_once(log: Log, more: bytes) -> None:
    blob = export_and_parse(log, FIRST, commit_entry(log, FIRST))[3]["context.json"]
    export.Context.from_bytes(blob, where="c")
    with pytest.raises(LogError, match="the context cannot be read: ") as err:
        export.Context.from_bytes(blob[:-1] + more, where="c")
    assert "\n" not in str(err.value)


def test_an_entry_that_was_made_up_is_refused(log: Log) -> None:
    entry = commit_entry(log, FIRST)
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
    _, _, context, _ = export_and_parse(log, FIRST, commit_entry(log, FIRST))
    entry = context.parse_entry()
    keyring.check(entry.payload(), entry.signature, roles=("judge",), seq=1, where="entry")
    assert entry.signature is not None


def test_reverifying_renews_ends_or_leaves_the_promotion(log: Log) -> None:
    commit_entry(log, FIRST)
    promoted_until = NOON + timedelta(days=90)
    later = NOON + timedelta(days=30)

    def reverify_again(strength: float, policy: Policy, minute: int) -> Any:
        champion_evidence = witnessed_evidence(
            draw_scores(strength, seed=9), model="0", flow="Reverify", row_id=np.arange(ROWS) + 1000
        )
        return reverify(policy, champion_evidence, log, actor="ada", clock=lambda: later + timedelta(minutes=minute))

    renewed = reverify_again(0.3, make_policy(), 0)
    assert (renewed.decision.verdict, log.state().champion.valid_until) == ("PROMOTE", later + timedelta(days=90))
    assert renewed.decision.state == log.state()
    assert log.state().holdouts == {}, "no look is taken"
    unclear = make_policy(checks={"auc": {"kind": "threshold", "metric": "auc", "min": 0.999, "decide": "bound"}})
    unchanged = reverify_again(0.6, unclear, 1)
    assert (unchanged.decision.verdict, log.state().champion.valid_until) == (
        "INCONCLUSIVE",
        later + timedelta(days=90),
    )
    ended = reverify_again(0.0, make_policy(if_no_champion="hold"), 2)
    assert ended.decision.verdict == "HOLD"
    with pytest.raises(AdmissionError, match="expired"):
        admit(log, now=ended.entry.time + timedelta(seconds=1))
    restored = reverify_again(0.3, make_policy(if_no_champion="hold"), 3)
    assert restored.decision.verdict == "PROMOTE", "that nothing is beside a champion is no reason to hold"
    assert admit(log, now=restored.entry.time).champion.run == "EvaluateNewModel/0"
    assert promoted_until < log.state().champion.valid_until
    assert [entry.event.kind for entry in log.entries()] == ["judged", *["reverified"] * 4]


def test_a_suspect_champion_is_cleared_and_retracted_rows_stay_barred(log: Log) -> None:
    commit_entry(log, FIRST)
    fresh = witnessed_evidence(draw_scores(0.3), model="0", flow="Reverify", row_id=np.arange(ROWS) + 1000)
    retract(log, data=FIRST.holdout, reason="labels", actor="ada", clock=lambda: NOON)
    assert log.state().champion.suspect == 2
    old = reverify(
        make_policy(),
        witnessed_evidence(draw_scores(0.3), model="0", flow="Reverify"),
        log,
        actor="ada",
        clock=lambda: NOON,
    )
    assert (old.decision.verdict, old.entry) == ("ERROR", None)
    assert reverify(make_policy(), fresh, log, actor="ada", clock=lambda: NOON).decision.verdict == "PROMOTE"
    assert log.state().champion.suspect is None


def test_what_cannot_be_reverified_is_one_line_and_no_entry(log: Log) -> None:
    champion_evidence = witnessed_evidence(draw_scores(0.3), model="0", flow="Reverify")
    with pytest.raises(LogError, match="no model reigns"):
        reverify(make_policy(), champion_evidence, log, actor="ada", clock=lambda: NOON)
    commit_entry(log, FIRST)
    only = make_policy(checks={"alpha": GATES["checks"]["alpha"]})
    with pytest.raises(LockgateError, match="every blocking gate compares"):
        reverify(only, champion_evidence, log, actor="ada", clock=lambda: NOON)
    with pytest.raises(StaleError, match="a model other than"):
        reverify(make_policy(), witnessed_evidence(draw_scores(0.3), model="7"), log, actor="ada", clock=lambda: NOON)
    with pytest.raises(LockgateError, match="the evidence compares two models"):
        reverify(
            make_policy(),
            witnessed_evidence(draw_scores(0.3), model="0", champion_scores=draw_scores(0.3)),
            log,
            actor="ada",
            clock=lambda: NOON,
        )
    assert log.head().seq == 1
