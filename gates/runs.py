"""Metaflow's side: runs, their artifacts and tags, and the object store it is configured with.

The only file of this package that imports the Metaflow client.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gates import artifacts
from gates.errors import EvidenceError, LogError, RunError
from gates.evidence import MAX_EVIDENCE_BYTES, Evidence
from gates.witness import Witness

if TYPE_CHECKING:
    from collections.abc import Iterator

    from metaflow import Run
    from obstore.store import ObjectStore

CANDIDATE = "deployment_candidate"
"""Tag of a promoted run: an index for people, never proof."""

MAX_FACTS_BYTES = 16 * 1024**2
TAG_ATTEMPTS = 5


def check_installation() -> None:
    """Refuse an environment in which both metaflow and outerbounds put the module `metaflow`."""
    found = []
    for name in ("metaflow", "ob-metaflow"):
        try:
            version(name)
        except PackageNotFoundError:
            continue
        found.append(name)
    if len(found) == 2:
        raise RunError(
            "both metaflow and ob-metaflow (of outerbounds) are installed; they overwrite each other's files",
            expected="one of them",
            hint="make a fresh environment: `make setup`, or `make setup extra=outerbounds`",
        )
    if not found:
        raise RunError("Metaflow is not installed", expected="metaflow or outerbounds", hint="run `make setup`")


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a finished run left behind."""

    run: str
    evidence: Evidence
    tags: frozenset[str]


def claim(pathspec: str) -> Claim:
    """The evidence and tags of a finished run. Raises RunError or EvidenceError, each in one line."""
    run = _run(pathspec)
    facts = _artifact(run, "facts", cap=MAX_FACTS_BYTES)
    evidence = _artifact(run, "evidence", cap=MAX_EVIDENCE_BYTES)
    if not isinstance(evidence, bytes) or not isinstance(facts, str):
        raise EvidenceError(
            "the run's artifacts are not of the kind that is judged",
            expected="`evidence` as bytes and `facts` as JSON text",
            where=run.pathspec,
        )
    read = Evidence.from_bytes(evidence, where=f"{run.pathspec} artifact evidence")
    _check_own(read.facts, run.pathspec)
    witness = Witness(run=run.pathspec, model_sha256=_model_digest(run))
    return Claim(run=run.pathspec, evidence=replace(read, witness=witness), tags=frozenset(run.user_tags))


def _model_digest(run: Run) -> str | None:
    """SHA-256 of the run's model, None where it left none that could be served."""
    try:
        blob = _artifact(run, "model", cap=MAX_EVIDENCE_BYTES)
    except EvidenceError:
        return None
    return hashlib.sha256(blob).hexdigest() if isinstance(blob, bytes) else None


def facts(pathspec: str) -> Mapping[str, Any]:
    """What a finished run says about itself, unchecked. Raises RunError or EvidenceError."""
    text = _artifact(_run(pathspec), "facts", cap=MAX_FACTS_BYTES)
    try:
        told = json.loads(text)
    except (ValueError, RecursionError) as err:
        raise EvidenceError("the facts are not JSON", expected="a JSON object", where=pathspec) from err
    if not isinstance(told, dict):
        raise EvidenceError("the facts are not an object", expected="a JSON object", where=pathspec)
    return told


def model_bytes(pathspec: str) -> bytes:
    """The artifact `model` of a finished run. The caller checks its digest before parsing it."""
    blob = _artifact(_run(pathspec), "model", cap=MAX_EVIDENCE_BYTES)
    if not isinstance(blob, bytes):
        raise EvidenceError("the model is not stored as bytes", expected="bytes", where=pathspec)
    return blob


def tag_candidate(pathspec: str) -> bool:
    """Put the candidate's tag on a run and read it back; False where the metadata would not keep it."""
    for attempt in range(TAG_ATTEMPTS):
        run = _run(pathspec)
        if CANDIDATE in run.user_tags:
            return True
        with _in_one_line(pathspec):
            run.add_tag(CANDIDATE)
        time.sleep(0.05 * attempt)
    return CANDIDATE in _run(pathspec).user_tags


def log_store(project: str) -> ObjectStore:
    """The object store for a project's log: under `lockgate/PROJECT` of Metaflow's datastore."""
    import obstore
    from obstore.exceptions import BaseError
    from obstore.store import LocalStore, S3Store

    kind, root = _datastore()
    try:
        if kind == "local":
            return LocalStore(Path(root) / "lockgate" / project, mkdir=True)
        if kind == "s3":
            bucket, _, prefix = root.removeprefix("s3://").partition("/")
            return S3Store(
                bucket,
                prefix="/".join(part for part in (prefix.strip("/"), "lockgate", project) if part),
                **_s3_options(),
            )
        return obstore.store.from_url(f"{root.rstrip('/')}/lockgate/{project}")
    except (BaseError, OSError, ValueError) as err:
        raise LogError(
            f"the {kind} datastore cannot be opened: {str(err).splitlines()[0][:200]}",
            where=root,
            hint="check Metaflow's configuration",
        ) from err


def home() -> Path:
    """Where local files live: the directory that holds Metaflow's local datastore, else the present one."""
    kind, root = _datastore()
    return Path(root).parent if kind == "local" else Path.cwd()


def _datastore() -> tuple[str, str]:
    from metaflow import metaflow_config

    storage = _storage_class()
    root = storage.get_datastore_root_from_config(lambda *_: None, create_on_absent=True)
    if not root:
        raise RunError(
            f"Metaflow's {metaflow_config.DEFAULT_DATASTORE} datastore has no root",
            expected=f"METAFLOW_DATASTORE_SYSROOT_{metaflow_config.DEFAULT_DATASTORE.upper()}",
        )
    return metaflow_config.DEFAULT_DATASTORE, root


def _storage_class() -> Any:
    from metaflow import metaflow_config
    from metaflow.plugins import DATASTORES

    return next(found for found in DATASTORES if found.TYPE == metaflow_config.DEFAULT_DATASTORE)


def _s3_options() -> dict[str, Any]:
    """Endpoint, region and credentials of Metaflow's own S3 client; obstore does not read its settings."""
    from metaflow.metaflow_config import S3_ENDPOINT_URL
    from metaflow.plugins.aws.aws_client import get_aws_client

    client = get_aws_client("s3", client_params={"endpoint_url": S3_ENDPOINT_URL} if S3_ENDPOINT_URL else {})

    def credentials() -> dict[str, Any]:
        signer = client._request_signer._credentials  # noqa: SLF001 (botocore shows its credentials nowhere else)
        if signer is None:
            raise LogError("no AWS credentials are configured", hint="set them as for Metaflow itself")
        frozen = signer.get_frozen_credentials()
        return {
            "access_key_id": frozen.access_key,
            "secret_access_key": frozen.secret_key,
            "token": frozen.token,
            "expires_at": datetime.now(UTC) + timedelta(minutes=10),
        }

    options: dict[str, Any] = {"credential_provider": credentials, "region": client.meta.region_name or "us-east-1"}
    if S3_ENDPOINT_URL:
        options |= {"endpoint": S3_ENDPOINT_URL, "client_options": {"allow_http": True}}
    return options


def _run(pathspec: str) -> Run:
    from metaflow import Run, namespace

    if pathspec.count("/") != 1 or not all(pathspec.split("/")):
        raise RunError(f"{pathspec[:80]!r} is no run", expected="FLOW/RUN_ID, as in EvaluateNewModel/1792")
    with _in_one_line(pathspec):
        namespace(None)
        return Run(pathspec)


def _artifact(run: Run, name: str, *, cap: int) -> bytes | str:
    from metaflow.datastore import FlowDataStore

    where = f"{run.pathspec} artifact {name}"
    _, root = _datastore()
    with _in_one_line(run.pathspec):
        task = _end_task(run)
        flow, run_id = run.pathspec.split("/")
        store = FlowDataStore(flow, None, storage_impl=_storage_class(), ds_root=root)
        held = store.get_task_datastore(run_id, "end", task, mode="r")
        if _blob(store, held._objects.get("_success"), cap=16, where=where) != artifacts.PICKLED_TRUE:  # noqa: SLF001
            raise RunError("the run did not succeed", expected="a finished run", where=run.pathspec)
        blob = _blob(store, held._objects.get(name), cap=cap + 64, where=where)  # noqa: SLF001
    return artifacts.literal(blob, where=where)


def _end_task(run: Run) -> str:
    try:
        return str(run["end"].task.id)
    except (KeyError, AttributeError) as err:
        raise RunError("the run has not finished", expected="a finished run", where=run.pathspec) from err


def _blob(store: Any, key: str | None, *, cap: int, where: str) -> bytes:
    if key is None:
        raise EvidenceError("the run has no such artifact", expected="a run of EvaluateNewModel", where=where)
    impl, prefix = store.ca_store._storage_impl, store.ca_store._prefix  # noqa: SLF001 (load_blobs would not stop at a cap)
    with impl.load_bytes([impl.path_join(prefix, key[:2], key)]) as loaded:
        for _, path, meta in loaded:
            if path is not None:
                packed = not (meta or {}).get("cas_raw", False)
                return artifacts.unpacked(Path(path), packed=packed, cap=cap, where=where)
    raise EvidenceError("the artifact's bytes are gone from the datastore", where=where)


def _check_own(facts: Mapping[str, Any], pathspec: str) -> None:
    told = facts.get("challenger")
    if not isinstance(told, dict) or told.get("run") != pathspec:
        raise EvidenceError(
            f"the evidence is of run {told.get('run') if isinstance(told, dict) else None!r}",
            expected=f"of run {pathspec!r}",
            where=pathspec,
        )


@contextmanager
def _in_one_line(where: str) -> Iterator[None]:
    """Metaflow's own errors as one line."""
    from metaflow.exception import MetaflowException, MetaflowNotFound

    try:
        yield
    except MetaflowNotFound as err:
        raise RunError("there is no such run", where=where, hint="`lockgate history` lists what was judged") from err
    except (MetaflowException, OSError) as err:
        raise RunError(f"Metaflow cannot be reached: {str(err).splitlines()[0][:200]}", where=where) from err
