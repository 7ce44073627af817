"""Attacks on the promotion log by whoever may write to its bucket. Predict refuses, and what is published stays."""

from __future__ import annotations

import json
import shutil
import sqlite3
from datetime import timedelta
from typing import Any

import pytest
import rfc8785

from lockgate.gates.errors import AdmissionError, LogError
from lockgate.gates.lifecycle import actions
from lockgate.gates.lifecycle.admission import TrustedHead, admit
from lockgate.gates.log import Log, LogEntry
from lockgate.gates.log.entry import entry_path
from lockgate.gates.log.events import WaivedEvent
from lockgate.gates.records.state import Waiver
from lockgate.gates.verification import Findings, walk_log
from tests.builders import (
    APPROVER,
    JUDGE,
    LENIENT_POLICY,
    NOON,
    STRANGER,
    draw_scores,
    make_evidence,
    new_log,
    promote_model,
)
from tests.forgeries.conftest import private

SAYS: dict[str, Any] = {"reason": "an attack", "actor": "mallory"}
BOUND = (
    "run",
    "model",
    "holdout",
    "scores",
    "champion_scores",
    "champion_run",
    "champion_model",
    "train",
    "policy",
    "engine",
    "commit",
    "clean",
)


def clock(scene: Any, minutes: float = 1) -> Any:
    """Shortly after the last entry."""
    time = scene.entry(2).time + timedelta(minutes=minutes)
    return lambda: time


def sign_entry(entry: LogEntry, key: Any = JUDGE, **changes: Any) -> bytes:
    changed = entry.model_copy(update=changes | {"signature": None})
    return changed.model_copy(update={"signature": key.sign(changed.payload())}).to_bytes()


def test_nobody_attacks(scene: Any) -> None:
    """Or the refusals below would mean nothing."""
    assert [scene.entry(seq).event.run for seq in (1, 2)] == [scene.former, scene.champion]
    scene.serves(scene.champion)
    scene.serves(scene.former, scene.former)
    assert scene.deviations() == {}


def swap_field(blob: bytes, field: str) -> bytes:
    """An entry whose promotion binds something else."""
    document = json.loads(blob)
    bound = document["event"]["decision"]["binding"]
    assert set(bound) == set(BOUND)
    bound[field] = {"run": "EvaluateNewModel/666", "clean": not bound["clean"]}.get(field, "f" * 64)
    return rfc8785.dumps(document)


def test_a_swapped_field_of_the_binding(scene: Any) -> None:
    good = (scene.folder / entry_path(2)).read_bytes()
    for field in BOUND:
        scene.put_entry(2, swap_field(good, field))
        with pytest.raises(LogError, match="the signature of judge does not match the entry"):
            admit(scene.log(None), now=scene.entry(2).time)
        if field in ("run", "model"):
            assert "the signature of judge does not match the entry" in scene.refusal_line()


def test_a_shortened_log(scene: Any) -> None:
    (scene.folder / entry_path(2)).unlink()
    assert "ends at entry 1, but entry 2 was seen before" in scene.refusal_line()
    assert "was its tail deleted?" in scene.deviations()["version 2"]


def test_a_replayed_older_copy_of_the_whole_log(scene: Any, signed_project: Any, tmp_path: Any) -> None:
    """Taken before a model was revoked, and put back: the hint, the policies and the signatures fit."""
    older = tmp_path / "older"
    shutil.copytree(scene.folder, older)
    actions.revoke(scene.log(), scene.champion, **SAYS, clock=clock(scene))
    scene.serves(scene.former)
    shutil.rmtree(scene.folder)
    shutil.copytree(older, scene.folder)
    assert "ends at entry 2, but entry 3 was seen before" in scene.refusal_line(real=True)


def test_a_forked_log(scene: Any) -> None:
    """Another second entry by the judge's own key: well formed, signed, chained, and longer."""
    log, then = scene.log(), clock(scene)
    (scene.folder / entry_path(2)).unlink()
    actions.register(log, make_evidence(draw_scores(0.1), model="7"), note="", actor="mallory", clock=then)
    actions.revoke(log, scene.former, **SAYS, clock=then)
    assert scene.log().head().seq == 3
    problem = scene.refusal_line()
    assert "entry 2 of the promotion log is not the one that was seen before" in problem
    assert "forked" in problem


def test_a_stolen_entry_of_another_project(scene: Any) -> None:
    """By the same key."""
    log = Log(new_log().store, project="flights", keyring=scene.log().keyring, signer=JUDGE)
    for model in "123":
        promote_model(log, model)
    stolen = bytes(log.store.get(entry_path(3)).bytes())
    for seq in (3, 2):
        shutil.copy(scene.folder / entry_path(2), scene.folder / "kept")
        scene.put_entry(seq, stolen if seq == 3 else sign_entry(log.entry(2)))
        assert "the entry is of project 'flights'; expected project 'orders'" in scene.refusal_line()


def test_another_log_s_head(scene: Any) -> None:
    """Of the same project, by the same key: from a staging bucket, say."""
    other = new_log()
    for model in "123":
        promote_model(other, model)
    scene.put_entry(3, bytes(other.store.get(entry_path(3)).bytes()))
    assert "the chain is broken: the entry does not follow the one before it" in scene.refusal_line()


def test_another_whole_log(scene: Any) -> None:
    other = new_log()
    for model in "123":
        promote_model(other, model)
    for seq in (1, 2, 3):
        scene.put_entry(seq, bytes(other.store.get(entry_path(seq)).bytes()))
    assert scene.log().head().seq == 3
    assert "another one was put in its place" in scene.refusal_line()


@pytest.mark.parametrize("seq", [1, 2])
def test_an_entry_that_was_written_over(scene: Any, seq: int) -> None:
    """By somebody who has the judge's key, but may not rewrite what follows, or what was published."""
    scene.put_entry(seq, sign_entry(scene.entry(seq), actor="mallory"))
    problem = scene.refusal_line()
    assert ("the chain is broken" if seq == 1 else "is not the one that was seen before") in problem


def test_an_entry_of_an_unknown_key(scene: Any) -> None:
    third = actions.rollback(scene.log(), to=scene.former, **SAYS, clock=clock(scene))
    scene.put_entry(3, sign_entry(third, STRANGER))
    assert f"signed by the unknown key {STRANGER.fingerprint}" in scene.refusal_line()


def test_an_entry_of_a_key_that_has_another_role(scene: Any) -> None:
    """An approver does not promote."""
    scene.put_entry(2, sign_entry(scene.entry(2), APPROVER))
    assert "signed by approver, who may not sign this" in scene.refusal_line()


def test_a_waiver_under_another_name(scene: Any) -> None:
    """By an approver, who signs it as himself and says that he is somebody else."""
    last = scene.entry(2)
    waiver = Waiver(
        gate="log_loss",
        run=scene.former,
        model="f" * 64,
        policy="p",
        reason="an attack",
        approver="ada",
        until=last.time + timedelta(days=1),
        key=APPROVER.fingerprint,
        seq=3,
    )
    state = last.state.model_copy(update={"seq": 3, "waivers": (waiver,)})
    event = WaivedEvent(waiver=waiver)
    scene.put_entry(3, sign_entry(last, APPROVER, seq=3, previous=last.digest, event=event, state=state))
    problem = "the waiver of entry 3 names 'ada' as its approver, but its key belongs to approver"
    assert problem in scene.refusal_line()
    assert problem in scene.deviations()[entry_path(3)]


def test_an_unsigned_entry_in_a_signed_log(scene: Any) -> None:
    third = actions.rollback(scene.log(), to=scene.former, **SAYS, clock=clock(scene))
    scene.put_entry(3, third.model_copy(update={"signature": None}).to_bytes())
    assert "the entry is not signed; expected a signature of" in scene.refusal_line()


def test_an_expired_promotion(scene: Any) -> None:
    """As nobody judged for 91 days: the log and what was published are that old."""
    age, before = timedelta(days=91), None
    for seq in (1, 2):
        entry = scene.entry(seq)
        champions = {"champion": entry.state.champion, **dict(enumerate(entry.state.predecessors))}
        old = {
            name: champion.model_copy(update={"valid_until": champion.valid_until - age})
            for name, champion in champions.items()
        }
        state = entry.state.model_copy(update={"champion": old.pop("champion"), "predecessors": tuple(old.values())})
        scene.put_entry(seq, sign_entry(entry, time=entry.time - age, state=state, previous=before))
        before = scene.entry(seq).digest
    with sqlite3.connect(scene.project.home / "predictions.db") as db:
        for seq in (1, 2):
            db.execute("UPDATE versions SET log_sha256 = ? WHERE log_seq = ?", (scene.entry(seq).digest, seq))
    db.close()
    assert scene.log().head().seq == 2
    problem = scene.refusal_line()
    assert f"the promotion of {scene.champion} expired at" in problem
    assert "the last good predictions stay" in problem


def test_a_revoked_champion(scene: Any) -> None:
    actions.revoke(scene.log(), scene.champion, **SAYS, clock=clock(scene))
    assert scene.marks() == {1: "", 2: "current"}
    problem = scene.refusal_line(scene.champion)
    assert "was never promoted, or is revoked" in problem
    assert "version 2 is still served although its model was revoked" in problem
    scene.serves(scene.former)
    assert scene.marks() == {1: "", 2: "withdrawn", 3: "current"}
    actions.revoke(scene.log(), scene.former, **SAYS, clock=clock(scene, 2))
    for _ in range(2):
        problem = scene.refusal_line()
        assert "no model reigns: the champion was revoked" in problem
        assert "version 3 is still served although its model was revoked" in problem
    assert scene.marks() == {1: "", 2: "withdrawn", 3: "current"}
    assert "the model of version 1 was revoked" in scene.do("predictions", "rollback", "--to", "1").err
    assert scene.do("predictions", "withdraw").code == 0
    assert scene.marks() == {1: "withdrawn", 2: "withdrawn", 3: "withdrawn"}


SLOW_PREDICT = """
import sys
from datetime import UTC, datetime
from lockgate.gates.errors import LockgateError
from lockgate.gates.lifecycle import actions
from lockgate.pipelines.scoring.predict import publish_version, resolve_serving, stage_shard
from lockgate.pipelines.promotion.log import open_log
from lockgate.pipelines.settings.settings import compose

settings = compose().settings
quiet = lambda *_, **__: None
serving = resolve_serving(settings, source="Predict/slow", upstream={upstream!r}, window="", report=quiet)
stage_shard(settings, serving, 0, report=quiet)
log = open_log(settings, writing=True)
actions.{meanwhile}, reason="meanwhile", actor="eve", clock=lambda: datetime.now(UTC))
try:
    print(publish_version(settings, serving, report=quiet))
except LockgateError as err:
    sys.stderr.write(f"lockgate: {{err}}\\n")
    sys.exit(2)
"""


@pytest.mark.parametrize(
    ("meanwhile", "by_name", "problem"),
    [
        ('revoke(log, "CHAMPION"', False, "FORMER reigns by now, promoted by entry 1"),
        ('revoke(log, "CHAMPION"', True, "was never promoted, or is revoked"),
        ("rollback(log, to=None", False, "FORMER reigns by now, promoted by entry 1"),
        ("retract(log, entry=2", False, "is suspect since entry 3"),
        ("rollback(log, to=None", True, ""),
        ('retract(log, metric="brier"', False, ""),
    ],
)
def test_a_champion_that_may_serve_no_more_when_its_predictions_are_ready(
    scene: Any, meanwhile: str, by_name: bool, problem: str
) -> None:
    """Between admission and publishing lie hours, where a run waits for its pod or is resumed."""
    before = scene.list_published()

    def fill_in(text: str) -> str:
        return text.replace("CHAMPION", scene.champion).replace("FORMER", scene.former)

    code = SLOW_PREDICT.format(upstream=scene.champion if by_name else "", meanwhile=fill_in(meanwhile))
    result = scene.do("python", code, LOCKGATE_SIGNING_KEY=private(JUDGE))
    assert result.code == (2 if problem else 0), result
    if problem:
        (line,) = result.err.splitlines()
        assert fill_in(problem) in line
        assert scene.list_published() == before


def test_a_revoked_model_is_not_promoted_again(scene: Any) -> None:
    actions.revoke(scene.log(), scene.champion, **SAYS, clock=clock(scene, 0))
    result = scene.judge(scene.champion)
    assert result.code == 2, result
    assert not (scene.folder / entry_path(4)).exists()


@pytest.mark.parametrize("suspect", ["data", "entry"])
def test_a_suspect_champion(scene: Any, suspect: str) -> None:
    bound = scene.entry(2).read_decision().binding
    suspicion = {"data": bound.train} if suspect == "data" else {"entry": 2}
    actions.retract(scene.log(APPROVER), **suspicion, **SAYS, clock=clock(scene))
    assert f"{scene.champion} is suspect since entry 3" in scene.refusal_line()


def test_a_head_from_the_future(scene: Any) -> None:
    """By who holds a key: nothing would ever expire."""
    actions.rollback(scene.log(), to=scene.former, **SAYS, clock=clock(scene, 24 * 60))
    assert "the last entry of the promotion log is dated" in scene.refusal_line()


# --- an unsigned log: what can be found all the same -------------------------------------------------------------


@pytest.mark.parametrize("field", BOUND)
def test_a_swapped_field_of_the_binding_in_an_unsigned_log(field: str) -> None:
    """Of the head: the digest of the decision; before it: the chain. (Whoever writes all of it anew forges all.)"""
    log = Log(new_log().store, project="orders")
    for model in "123":
        promote_model(log, model, policy=LENIENT_POLICY)
    trusted = TrustedHead(seq=3, digest=log.head().digest)
    for seq, problem in ((3, "its decision has the SHA-256"), (2, "the chain is broken")):
        store = new_log().store
        for page in log.store.list():
            for meta in page:
                store.put(meta["path"], log.store.get(meta["path"]).bytes())
        store.put(entry_path(seq), swap_field(bytes(store.get(entry_path(seq)).bytes()), field))
        findings, forged = Findings(), Log(store, project="orders")
        walk_log(forged, findings)
        assert any(problem in deviation.said for deviation in findings.deviations), findings.deviations
        with pytest.raises((AdmissionError, LogError)):  # by who published under the head
            admit(forged, now=NOON, trusted_head=trusted)
