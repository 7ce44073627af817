"""Thousands of documents that somebody changed: each is read as what it says, or refused in one line.

A failure names its seed, and `LOCKGATE_MUTANTS=entry:17` tries that one alone. What was found has a test of its own,
and its seed stays in `FOUND`, which is tried on every run.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import resource
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import rfc8785
from obstore.store import MemoryStore

from lockgate import Evidence, Policy, judge
from lockgate.gates.errors import MAX_LINE_CHARS, LockgateError
from lockgate.gates.log import LogEntry, policies
from lockgate.gates.verification.export import Context
from lockgate.pipelines.promotion.bundle import read_bundle
from lockgate.pipelines.pull_requests.proposal import read_proposal
from tests.builders import (
    APPROVER,
    FIRST_MODEL,
    HOPELESS,
    as_signer,
    clock_at,
    commit_evidence,
    entry_bytes,
    entry_path,
    make_keyring,
    new_log,
)
from tests.configuration import CONF, ROOT
from tests.gates.conftest import DECLARED, Make
from tests.hostile.mutants import Mutator, format_value
from tests.pipelines.promotion.test_bundle import KEYRING, NOON, make_promoted_log

QUICK, FULL = 120, 5000
MAX_GROWTH_KB = 400_000
ARCHIVE = ROOT / "tests" / "conformance" / "archive"
FOUND: dict[str, list[int]] = {"entry": [1801]}
"""Seeds at which something else than one line was raised, by kind of document."""


def _read_entry(mutate: Mutator, seeds: Any, _: Path) -> None:
    """As the head of a log that holds the entries before it, and by itself."""
    log, trees = seeds
    index = mutate.lots.randrange(len(trees))
    blob = mutate.change_document(trees[index])
    store = MemoryStore()
    for seq in range(1, index + 1):
        store.put(entry_path(seq), entry_bytes(log, seq))
    store.put(entry_path(index + 1), blob)
    keyring = make_keyring() if mutate.lots.random() < 0.5 else None  # None: whoever may write it may change it
    with suppress(LockgateError):
        LogEntry.from_bytes(blob, where="log").read_decision()
    new_log(store, keys=keyring or make_keyring(approver=(APPROVER, "approver"))).head()


def _entry_seeds() -> Any:
    log = new_log()
    commit_evidence(log, FIRST_MODEL)
    commit_evidence(log, HOPELESS, minute=1)
    from lockgate.gates.lifecycle import actions

    waive = {"run": "1", "reason": "known", "until": clock_at(600)(), "actor": "ada", "clock": clock_at(2)}
    actions.waive(as_signer(log, APPROVER), "log_loss", **waive)
    actions.retract(log, metric="log_loss", reason="x", actor="ada", clock=clock_at(3))
    actions.revoke(log, "0", reason="x", actor="ada", clock=clock_at(4))
    return log, [json.loads(entry_bytes(log, seq)) for seq in range(1, 6)]


def _read_facts(mutate: Mutator, seeds: Any, _: Path) -> None:
    """In an evidence file, whose every gate is then judged."""
    policy, table, meta = seeds
    text = mutate.change_document({**meta, "facts": mutate.change_tree(meta["facts"])})
    evidence = Evidence.from_bytes(_write_table(table, text), where="evidence.arrow")
    judge(policy, evidence, now=NOON).to_json()


def _facts_seeds() -> Any:
    evidence = Make.evidence(120)
    table = pa.ipc.open_file(pa.BufferReader(evidence.to_bytes())).read_all()
    return Make.policy(Make.checks), table, json.loads(table.schema.metadata[b"lockgate"])


def _write_table(table: pa.Table, text: bytes) -> bytes:
    changed = table.replace_schema_metadata({**table.schema.metadata, b"lockgate": text})
    out = io.BytesIO()
    with pa.ipc.new_file(out, changed.schema) as writer:
        writer.write_table(changed)
    return out.getvalue()


def _read_proposal(mutate: Mutator, tree: Any, folder: Path) -> None:
    (folder / "proposal.json").write_bytes(mutate.change_document(tree))
    read_proposal(folder)


def _proposal_seed() -> Any:
    names = ("default", "deeper", "fresher")
    candidates = [
        {"name": name, "overrides": ["model=xgb"], "run": "EvaluateNewModel/1", "error": ""} for name in names
    ]
    return {"format": 1, "candidates": candidates}


def _read_policy(mutate: Mutator, seeds: Any, folder: Path) -> None:
    """As a file of either kind, and as one that a log kept."""
    texts, trees = seeds
    if mutate.lots.random() < 0.5:
        file = folder / "policy.yaml"
        file.write_text(mutate.change_text(mutate.lots.choice(texts)), encoding="utf-8", errors="surrogatepass")
    else:
        file = folder / mutate.lots.choice(("policy.json", "policy.yaml"))
        file.write_bytes(mutate.change_document(mutate.lots.choice(trees)))
    with suppress(LockgateError):
        policies.parse_policy(file.read_bytes(), where="policies/x.json")
    assert Policy.read(file).digest


def _policy_seeds() -> Any:
    texts = [file.read_text(encoding="utf-8") for file in sorted((CONF / "gate").glob("*.yaml"))]
    trees = [json.loads(file.read_bytes()) for file in sorted((ARCHIVE / "policies").glob("*.json"))]
    return texts, [*trees, {**DECLARED, "checks": Make.checks}]


def _read_context(mutate: Mutator, trees: Any, _: Path) -> None:
    """What an export says of a judgement; the entries within it are JSON in JSON."""
    tree = mutate.lots.choice(trees)
    if mutate.lots.random() < 0.5:
        entry = mutate.change_document(json.loads(tree["entry"]))
        tree = {**tree, "entry": entry.decode(errors="replace")}
    else:
        tree = mutate.change_tree(tree)
    Context.from_bytes(format_value(tree).encode(errors="surrogatepass"), where="context.json")


def _context_seeds() -> Any:
    return [json.loads(file.read_bytes()) for file in sorted((ARCHIVE / "exports").glob("*/context.json"))]


def _read_bundle(mutate: Mutator, files: Mapping[str, bytes], folder: Path) -> None:
    """With a manifest that fits what was changed, as somebody without a key could make it."""
    changed = dict(files)
    name = mutate.lots.choice(("manifest.json", "facts.json", "entries.jsonl", "keys.json", "model", ""))
    if name == "entries.jsonl":
        lines = changed[name].split(b"\n")
        index = mutate.lots.randrange(len(lines))
        lines[index] = mutate.change_document(json.loads(lines[index]))
        changed[name] = b"\n".join(lines)
    elif name == "model":
        changed[name] = mutate.change_bytes(changed[name])
    elif name:
        changed[name] = mutate.change_document(json.loads(changed[name]))
    if name not in ("", "manifest.json"):
        manifest = json.loads(changed["manifest.json"])
        blob = changed[name]
        manifest["files"][name] = {"sha256": hashlib.sha256(blob).hexdigest(), "bytes": len(blob)}
        changed["manifest.json"] = rfc8785.dumps(manifest)
    file = folder / "b.tar"
    file.write_bytes(mutate.change_archive(changed))
    keyring = KEYRING if mutate.lots.random() < 0.5 else make_keyring(approver=(APPROVER, "approver"))
    read_bundle(file, project="orders", keyring=keyring)


def _bundle_seeds() -> Any:
    from tests.pipelines.promotion.test_bundle import files

    return files(make_promoted_log())


READERS: dict[str, tuple[Callable[[], Any], Callable[[Mutator, Any, Path], None]]] = {
    "entry": (_entry_seeds, _read_entry),
    "facts": (_facts_seeds, _read_facts),
    "proposal": (_proposal_seed, _read_proposal),
    "policy": (_policy_seeds, _read_policy),
    "context": (_context_seeds, _read_context),
    "bundle": (_bundle_seeds, _read_bundle),
}


def list_seeds(kind: str, count: int) -> list[int]:
    only, _, seed = os.environ.get("LOCKGATE_MUTANTS", "").partition(":")
    return [int(seed)] if only == kind else [*FOUND.get(kind, ()), *range(count)]


def try_mutants(kind: str, count: int, folder: Path) -> tuple[int, int]:
    """How many were read, and how many refused in one line."""
    make_seeds, read = READERS[kind]
    documents, accepted, refused = make_seeds(), 0, 0
    for seed in list_seeds(kind, count):
        try:
            read(Mutator(random.Random(f"{kind} {seed}")), documents, folder)
            accepted += 1
        except LockgateError as err:
            refused += 1
            line = str(err)
            assert line.isprintable(), f"{kind}:{seed} {line[:400]!r}"
            assert 10 < len(line) <= MAX_LINE_CHARS + 1, f"{kind}:{seed} {line[:400]!r}"
        except BaseException as err:
            err.add_note(f"LOCKGATE_MUTANTS={kind}:{seed}")
            raise
    return accepted, refused


@pytest.fixture
def _bounded_memory() -> Iterator[None]:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MAX_GROWTH_KB


@pytest.mark.usefixtures("_bounded_memory")
@pytest.mark.parametrize(
    ("kind", "count"),
    [
        *((kind, QUICK if kind != "facts" else QUICK // 4) for kind in READERS),  # every gate is judged by facts
        *(pytest.param(kind, FULL, marks=pytest.mark.nightly) for kind in READERS),
    ],
)
def test_a_changed_document_is_read_or_refused_in_one_line(kind: str, count: int, tmp_path: Path) -> None:
    accepted, refused = try_mutants(kind, count, tmp_path)
    if not os.environ.get("LOCKGATE_MUTANTS"):
        assert accepted
        assert refused > count / 4
