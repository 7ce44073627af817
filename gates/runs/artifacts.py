"""The artifacts of a finished run, read as bytes: nothing is unpickled."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lockgate.gates.documents import parse_json
from lockgate.gates.errors import EvidenceError, RunError
from lockgate.gates.evidence.evidence import MAX_EVIDENCE_BYTES, Evidence
from lockgate.gates.evidence.facts import Witness, read_part
from lockgate.gates.log.durable import keep_files
from lockgate.gates.runs import pickles
from lockgate.gates.runs.datastore import datastore
from lockgate.gates.runs.metadata import ask_metaflow, find_run
from lockgate.gates.runs.metaflow_api import StoredArtifacts

if TYPE_CHECKING:
    from metaflow import Run

MAX_FACTS_BYTES = 16 * 1024**2


class _GoneError(EvidenceError):
    """An artifact that the run never had, or has no longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The evidence and tags of a finished run, which are only claims until they are judged."""

    run: str
    evidence: Evidence
    tags: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Remains:
    """What is left of a finished run; None stands for what was erased."""

    evidence: Evidence | None
    model_sha256: str | None


def load_claim(pathspec: str) -> Claim:
    """The evidence and tags of a finished run. Raises RunError or EvidenceError, each in one line."""
    run = find_run(pathspec)
    artifacts = _Artifacts(run)
    facts = artifacts.load("facts", cap=MAX_FACTS_BYTES)
    blob = artifacts.load("evidence", cap=MAX_EVIDENCE_BYTES)
    if not isinstance(blob, bytes) or not isinstance(facts, str):
        raise EvidenceError(
            "the run's artifacts are not of the kind that is judged",
            expected="`evidence` as bytes and `facts` as JSON text",
            where=run.pathspec,
        )
    evidence = Evidence.from_bytes(blob, where=f"{run.pathspec} artifact evidence")
    claimed = _require_own_challenger(evidence.facts, run.pathspec)
    digest = _digest_model(artifacts, claimed.get("sha256"), where=run.pathspec)
    witness = Witness(run=run.pathspec, model_sha256=digest)
    return Claim(run=run.pathspec, evidence=replace(evidence, witness=witness), tags=frozenset(run.user_tags))


def load_remains(pathspec: str) -> Remains:
    """What is left of a finished run. Raises RunError, or EvidenceError for something that is left but unreadable."""
    artifacts = _Artifacts(find_run(pathspec))
    blob = artifacts.load_if_present("evidence")
    evidence = None if blob is None else Evidence.from_bytes(blob, where=f"{pathspec} artifact evidence")
    model = artifacts.load_if_present("model")
    return Remains(evidence=evidence, model_sha256=None if model is None else hashlib.sha256(model).hexdigest())


def load_facts(pathspec: str) -> Mapping[str, Any]:
    """What a finished run says about itself, unchecked. Raises RunError or EvidenceError."""
    text = _Artifacts(find_run(pathspec)).load("facts", cap=MAX_FACTS_BYTES)
    try:
        facts = parse_json(text if isinstance(text, bytes) else text.encode())
    except (ValueError, RecursionError) as err:
        raise EvidenceError("the facts are not JSON", expected="a JSON object", where=pathspec) from err
    if not isinstance(facts, dict):
        raise EvidenceError("the facts are not an object", expected="a JSON object", where=pathspec)
    return facts


def load_model_bytes(pathspec: str) -> bytes:
    """The artifact `model` of a finished run. The caller checks its digest before parsing it."""
    blob = _Artifacts(find_run(pathspec)).load("model", cap=MAX_EVIDENCE_BYTES)
    if not isinstance(blob, bytes):
        raise EvidenceError("the model is not stored as bytes", expected="bytes", where=pathspec)
    return blob


def keep_run(pathspec: str) -> None:
    """Have a finished run outlive a power cut: what an entry of the log refers to must be there when the entry is.

    On a local disk, where Metaflow syncs nothing, the run's files, and the bytes of its artifacts, are synced. Any
    other store keeps what it has taken. Raises RunError.
    """
    kind, root = datastore()
    if kind != "local":
        return
    artifacts = _Artifacts(find_run(pathspec))
    with _in_one_line(pathspec):
        files = [path for path in Path(root, pathspec).rglob("*") if path.is_file()]
        keep_files([*files, *artifacts.list_local_files(Path(root))])


class _Artifacts:
    """The artifacts of a run that succeeded, as its last task left them."""

    def __init__(self, run: Run) -> None:
        self._run = run.pathspec
        flow, run_id = self._run.split("/")
        task = ask_metaflow(lambda: _find_end_task(run), where=self._run)
        with _in_one_line(self._run):
            datastore()  # says in one line that there is none
            self._stored = StoredArtifacts(flow=flow, run=run_id, step="end", task=task)
            if self._load_blob("_success", cap=16) != pickles.PICKLED_TRUE:
                raise RunError("the run did not succeed", expected="a finished run", where=self._run)

    def load(self, name: str, *, cap: int) -> bytes | str:
        """An artifact of at most `cap` bytes."""
        with _in_one_line(self._run):
            blob = self._load_blob(name, cap=cap + 64)  # the pickle around it takes a few bytes
        return pickles.parse_literal(blob, where=f"{self._run} artifact {name}")

    def load_if_present(self, name: str) -> bytes | None:
        """An artifact of bytes; None if it is gone."""
        try:
            blob = self.load(name, cap=MAX_EVIDENCE_BYTES)
        except _GoneError:
            return None
        if not isinstance(blob, bytes):
            raise EvidenceError(f"the artifact {name} is not stored as bytes", expected="bytes", where=self._run)
        return blob

    def list_local_files(self, root: Path) -> list[Path]:
        """The files of a local datastore that hold the artifacts; those that are gone are left out."""
        files = {root / self._stored.path_of(key) for key in self._stored.keys.values()}
        return sorted(file for file in files if file.is_file())

    def _load_blob(self, name: str, *, cap: int) -> bytes:
        where = f"{self._run} artifact {name}"
        key = self._stored.keys.get(name)
        if key is None:
            raise _GoneError(
                "the run has no such artifact",
                expected="a run of EvaluateNewModel, or of a flow with a @gated step",
                where=where,
                hint="they are read from the step `end`: a join needs `self.merge_artifacts(inputs)`",
            )
        with self._stored.open_bytes(key) as opened:
            if opened is not None:
                path, packed = opened
                return pickles.unpack_blob(path, packed=packed, cap=cap, where=where)
        raise _GoneError("the artifact's bytes are gone from the datastore", where=where)


def _find_end_task(run: Run) -> str:
    try:
        return str(run["end"].task.id)
    except (KeyError, AttributeError) as err:
        raise RunError("the run has not finished", expected="a finished run", where=run.pathspec) from err


def _digest_model(artifacts: _Artifacts, claimed: object, *, where: str) -> str | None:
    """SHA-256 of the run's model; None if there is none. Raises EvidenceError if the evidence claims another."""
    blob = artifacts.load_if_present("model")
    digest = None if blob is None else hashlib.sha256(blob).hexdigest()
    if digest is not None and claimed is not None and digest != claimed:
        raise EvidenceError(
            f"the run's model is not the one that was scored: SHA-256 {digest}",
            expected=str(claimed)[:64],
            where=where,
            hint="somebody changed the artifact; nothing was judged",
        )
    return digest


def _require_own_challenger(facts: Mapping[str, Any], pathspec: str) -> Mapping[str, Any]:
    """The challenger that the evidence claims. Raises EvidenceError if it is of another run."""
    challenger = read_part(facts, "challenger")
    if challenger.get("run") != pathspec:
        raise EvidenceError(
            f"the evidence is of run {challenger.get('run')!r}",
            expected=f"of run {pathspec!r}",
            where=pathspec,
            hint="a resumed run scores again if it is resumed from the step that scores",
        )
    return challenger


@contextmanager
def _in_one_line(where: str) -> Iterator[None]:
    """The datastore's own errors as one line."""
    from metaflow.exception import MetaflowException

    try:
        yield
    except (MetaflowException, OSError) as err:
        raise RunError(f"Metaflow's datastore cannot be read: {str(err).splitlines()[0][:200]}", where=where) from err
