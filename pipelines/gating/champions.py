"""The champion of a project for a flow or a service of somebody's own: its model as bytes, never loaded here."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.gates.errors import AdmissionError, EvidenceError, SettingsError
from lockgate.pipelines.gating.task import find_task

if TYPE_CHECKING:
    from lockgate.gates.lifecycle.admission import TrustedHead
    from lockgate.gates.log import Log
    from lockgate.gates.records.decision import Decision
    from lockgate.gates.records.state import Champion
    from lockgate.pipelines.settings.governance import Governance


BUNDLE_VARIABLE = "LOCKGATE_BUNDLE"
"""Environment variable that names a file of `lockgate bundle`, for jobs that can reach neither log nor datastore."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChampionModel:
    """A model that reigns: the bytes that its run stored, whose SHA-256 is the one that was judged."""

    run: str  # FLOW/ID
    model: bytes
    format: str  # as its step named it
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmittedModel(ChampionModel):
    """A champion that may serve, and the head of the log that says so."""

    head: TrustedHead


def champion(project: str) -> ChampionModel | None:
    """The champion of `project`, to be scored beside a challenger; None if no model reigns.

    It may be one that must not serve any more, as its promotion ran out: a challenger is compared with it all the same.
    Whoever serves calls `admit`.

    Where LOCKGATE_BUNDLE names a file that `lockgate bundle` wrote, the champion is that file's, checked by the keys
    that are trusted here: a pull request's job compares with it. A judge holds it against the log all the same.

    Raises:
        SettingsError: the configuration found here is of another project, or there is none.
        LogError, RunError, AdmissionError: the log, the run or the bundle cannot be read.
        EvidenceError: the run's model is not the one that was judged.
    """
    task = find_task()
    if task is not None and task.project != project:
        raise SettingsError(
            f"this step is gated for project {task.project!r}", expected=f"{project!r}", where=task.where
        )
    if path := os.environ.get(BUNDLE_VARIABLE):
        model = _read_bundle(project, Path(path))
    else:
        with _same_namespace():
            reigning = _open_log(project).state().champion
            model = None if reigning is None else _load(reigning)
    if task is not None:
        task.asked, task.champion = True, model
    return model


def admit(project: str, *, trusted_head: TrustedHead | None = None) -> AdmittedModel:
    """The champion of `project`, which may serve now. Every consumer calls this before it serves, and loads no other.

    Checked are the log's head and signatures, the promotion, its expiry, whether the model was revoked, and the SHA-256
    of the bytes: see `lockgate.gates.lifecycle.admission`.

    Args:
        project: the configuration found here must be of it.
        trusted_head: `head` of the model that this consumer served last. With it a shortened or forked log is refused.

    Raises:
        AdmissionError: no model may serve, or its bytes are not those that were judged.
        SettingsError, LogError, RunError, EvidenceError: as `champion`.
    """
    from lockgate.gates.lifecycle import admission
    from lockgate.gates.runs import load_model_bytes
    from lockgate.pipelines.promotion.actor import clock

    with _same_namespace():
        admitted = admission.admit(_open_log(project), now=clock(), trusted_head=trusted_head)
        reigning = admitted.champion
        model = admitted.check(load_model_bytes(_require_run(reigning)))
    return AdmittedModel(
        run=_require_run(reigning),
        model=model,
        format=reigning.format or "",
        sha256=hashlib.sha256(model).hexdigest(),
        head=admitted.head,
    )


def judge_run(run: str) -> Decision:
    """Judge a finished run by the policy found here, log it, and promote it if it passes, as `lockgate judge` does.

    For a flow that starts when the run has ended: a run cannot be judged before that. The decision is sealed if the
    policy does not disclose it. Raises LockgateError as `lockgate.pipelines.promotion.decide.judge_run`.
    """
    from lockgate.pipelines.promotion import decide
    from lockgate.pipelines.settings.governance import load_policed_governance

    with _same_namespace():
        settings, policy = load_policed_governance()
        _require_shared_datastore()
        return decide.judge_run(settings, policy, run).reported.decision


def _read_bundle(project: str, path: Path) -> ChampionModel | None:
    from lockgate.pipelines.promotion.bundle import read_trusted_bundle

    bundle = read_trusted_bundle(path, _load_governance(project))
    if bundle.admitted is None:
        return None
    reigning = bundle.admitted.champion
    digest = hashlib.sha256(bundle.model).hexdigest()
    return ChampionModel(run=_require_run(reigning), model=bundle.model, format=reigning.format or "", sha256=digest)


def _open_log(project: str) -> Log:
    from lockgate.gates.runs import check_installation
    from lockgate.pipelines.promotion.log import open_log

    check_installation()
    settings = _load_governance(project)
    _require_shared_datastore()
    return open_log(settings)


def _load_governance(project: str) -> Governance:
    from lockgate.pipelines.settings.governance import load_governance

    settings = load_governance()
    if settings.project != project:
        raise SettingsError(
            f"the configuration found here is of project {settings.project!r}", expected=f"project {project!r}"
        )
    return settings


def _require_shared_datastore() -> None:
    """Raise RunError where the Metaflow of this process has another datastore than the project's commands."""
    from lockgate.gates import runs
    from lockgate.pipelines.settings.scope import require_scope

    root = require_scope().root
    places = (runs.find_local_datastore(root), Path(runs.datastore()[1]))
    if any(place.exists() for place in places):  # where there is none, no model reigns
        runs.require_shared_datastore(root)


def _load(reigning: Champion) -> ChampionModel:
    from lockgate.gates.runs import load_model_bytes

    run = _require_run(reigning)
    model = load_model_bytes(run)
    digest = hashlib.sha256(model).hexdigest()
    if digest != reigning.sha256:
        raise EvidenceError(
            f"the champion's model is not what was judged: SHA-256 {digest}",
            expected=str(reigning.sha256),
            where=run,
            hint="somebody changed the artifact; `lockgate revoke` takes the model out of service",
        )
    return ChampionModel(run=run, model=model, format=reigning.format or "", sha256=digest)


def _require_run(reigning: Champion) -> str:
    if reigning.run is None:
        raise AdmissionError(f"entry {reigning.seq} promoted scores alone", expected="the run of a model")
    return reigning.run


@contextmanager
def _same_namespace() -> Iterator[None]:
    """Runs are found in any namespace; the caller's own questions to Metaflow's client stay in theirs."""
    from metaflow import get_namespace, namespace
    from metaflow.exception import MetaflowException

    try:
        before = get_namespace()
    except MetaflowException:  # no user has a name here, as in most containers: there is no namespace to go back to
        before = None
    try:
        yield
    finally:
        namespace(before)
