"""Published versions whose model was revoked: whether one is served, and how to withdraw them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

from lockgate.gates.errors import LockgateError
from lockgate.gates.lifecycle import admission
from lockgate.gates.log import Log
from lockgate.gates.log.crash_points import Step, report_step
from lockgate.pipelines import stores
from lockgate.pipelines.settings.scope import find_home
from lockgate.pipelines.settings.settings import Settings

WITHDRAW_COMMAND = "`lockgate predictions withdraw`"
"""The command that stops serving a revoked model at once."""


def open_prediction_store(settings: Settings) -> stores.Store:
    """The prediction store that conf/ names; a relative path in it starts at the project's root."""
    return stores.open_store(settings.store, home=find_home())


def last_published_head(versions: Sequence[stores.PublishedVersion]) -> admission.TrustedHead | None:
    """The latest head of the log that a version was published under: an older log must not be trusted again."""
    last = max(versions, key=lambda version: version.log_seq, default=None)
    return None if last is None else admission.TrustedHead(seq=last.log_seq, digest=last.log_sha256)


def revoked_models(log: Log, versions: Sequence[stores.PublishedVersion]) -> frozenset[str]:
    """The revoked models (SHA-256). If the log cannot tell, raises LogError with the consequence in its hint."""
    try:
        return admission.load_revoked_models(log, trusted_head=last_published_head(versions))
    except LockgateError as err:
        err.hint = "; ".join(filter(None, (err.hint, "nothing was changed: which models were revoked is unknown")))
        raise


def find_served_revoked(
    versions: Sequence[stores.PublishedVersion], revoked: Collection[str]
) -> stores.PublishedVersion | None:
    """The current version if its model was revoked, else None."""
    return next((version for version in versions if version.current and version.model_sha256 in revoked), None)


@contextmanager
def mention_revoked_version(version: int | None, store: stores.Store, project: str) -> Iterator[None]:
    """Add to an error that `version`, whose model was revoked, is still served, if it is; None: no such version."""
    try:
        yield
    except LockgateError as err:
        if version is not None and _is_current(version, store, project):
            stays = (
                f"version {version} is still served although its model was revoked: {WITHDRAW_COMMAND} takes it away"
            )
            err.hint = "; ".join(filter(None, (err.hint, stays)))
        raise


def _is_current(number: int, store: stores.Store, project: str) -> bool:
    try:
        return any(version.current and version.version == number for version in store.versions(project))
    except LockgateError:
        return False


def withdraw_revoked(settings: Settings, log: Log) -> tuple[tuple[int, ...], stores.PublishedVersion | None]:
    """Withdraw all versions of revoked models now; returns the newly withdrawn ones, and the version that is current.

    If a withdrawn version was current, the last one that is not withdrawn becomes current; without any, none is.
    """
    store, project = open_prediction_store(settings), settings.data.project
    revoked = revoked_models(log, store.versions(project))
    report_step(Step.WITHDRAWING)
    withdrawn = store.withdraw(project, revoked)
    report_step(Step.WITHDRAWN)
    return withdrawn, next((version for version in store.versions(project) if version.current), None)


def describe_withdrawal(withdrawn: Sequence[int], current: stores.PublishedVersion | None) -> list[str]:
    """The lines that say what a withdrawal did."""
    if not withdrawn:
        return [
            "nothing to withdraw: no published version has a revoked model, except those that are withdrawn already"
        ]
    numbers = f"version{'s' * (len(withdrawn) > 1)} {', '.join(map(str, withdrawn))}"
    served = (
        "applications read no predictions until `lockgate predict` publishes some"
        if current is None
        else _describe(current)
    )
    return [f"withdrew {numbers}: the model was revoked", served]


def describe_served(settings: Settings, log: Log) -> list[str]:
    """The lines that say what is served after a revocation; none if nothing is published."""
    versions = open_prediction_store(settings).versions(settings.data.project)
    current = next((version for version in versions if version.current), None)
    if current is None:
        return []
    if find_served_revoked(versions, revoked_models(log, versions)) is None:
        return [_describe(current)]
    stays = f"it stays until `lockgate predict` has published predictions of another model, or until {WITHDRAW_COMMAND}"
    return [f"version {current.version} is served although its model was revoked: {stays}"]


def _describe(current: stores.PublishedVersion) -> str:
    draft = current.draft
    return f"version {current.version} is served: predictions of {draft.window} with the model of {draft.champion_run}"
