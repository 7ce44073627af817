"""Published versions whose model was revoked: what is served of them, and how that ends."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

from lockgate.gates import runs
from lockgate.gates.errors import LockgateError
from lockgate.gates.lifecycle import admission
from lockgate.gates.log import Log
from lockgate.gates.log.crash_points import Step, report_step
from lockgate.pipelines import stores
from lockgate.pipelines.settings.settings import Settings

NOW = "`lockgate predictions withdraw`"
"""What ends it at once."""


def open_store(settings: Settings) -> stores.Store:
    """The prediction store that conf/ names."""
    return stores.open_store(settings.store, home=runs.home())


def last_seen(versions: Sequence[stores.Version]) -> admission.TrustedHead | None:
    """The head of the log under which a version was published last: nothing before it is followed again."""
    last = max(versions, key=lambda version: version.log_seq, default=None)
    return None if last is None else admission.TrustedHead(seq=last.log_seq, digest=last.log_sha256)


def revoked_models(log: Log, versions: Sequence[stores.Version]) -> frozenset[str]:
    """The models, by SHA-256, that never serve again. Raises LogError, with what that means, where nobody can say."""
    try:
        return admission.load_revoked_models(log, trusted_head=last_seen(versions))
    except LockgateError as err:
        err.hint = "; ".join(filter(None, (err.hint, "nothing was changed: which models were revoked is unknown")))
        raise


def served_though_revoked(versions: Sequence[stores.Version], revoked: Collection[str]) -> stores.Version | None:
    """The current version, where its model was revoked; else None."""
    return next((version for version in versions if version.current and version.model_sha256 in revoked), None)


@contextmanager
def naming_what_is_served(version: int | None, store: stores.Store, project: str) -> Iterator[None]:
    """An error also says that `version`, whose model was revoked, is served still, where it is; None: there is none."""
    try:
        yield
    except LockgateError as err:
        if version is not None and _is_current(version, store, project):
            stays = f"version {version} is still served although its model was revoked: {NOW} takes it away"
            err.hint = "; ".join(filter(None, (err.hint, stays)))
        raise


def _is_current(number: int, store: stores.Store, project: str) -> bool:
    try:
        return any(version.current and version.version == number for version in store.versions(project))
    except LockgateError:
        return False


def withdraw(settings: Settings, log: Log) -> tuple[tuple[int, ...], stores.Version | None]:
    """Take away all versions of revoked models now: which were not before, and what is current then.

    Where one was current, the last version that is not withdrawn becomes current; without any, readers get nothing.
    """
    store, project = open_store(settings), settings.data.project
    revoked = revoked_models(log, store.versions(project))
    report_step(Step.WITHDRAWING)
    withdrawn = store.withdraw(project, revoked)
    report_step(Step.WITHDRAWN)
    return withdrawn, next((version for version in store.versions(project) if version.current), None)


def describe(withdrawn: Sequence[int], current: stores.Version | None) -> list[str]:
    """What a withdrawal did, in lines."""
    if not withdrawn:
        return ["nothing to withdraw: no published version is of a revoked model, but those that are withdrawn already"]
    numbers = f"version{'s' * (len(withdrawn) > 1)} {', '.join(map(str, withdrawn))}"
    served = (
        "applications read no predictions until `lockgate predict` publishes some"
        if current is None
        else _describe(current)
    )
    return [f"withdrew {numbers}: the model was revoked", served]


def describe_served(settings: Settings, log: Log) -> list[str]:
    """What is served after a revocation, in lines; none where nothing is published."""
    versions = open_store(settings).versions(settings.data.project)
    current = next((version for version in versions if version.current), None)
    if current is None:
        return []
    if served_though_revoked(versions, revoked_models(log, versions)) is None:
        return [_describe(current)]
    stays = f"it stays until `lockgate predict` has published predictions of another model, or until {NOW}"
    return [f"version {current.version} is served although its model was revoked: {stays}"]


def _describe(current: stores.Version) -> str:
    draft = current.draft
    return f"version {current.version} is served: predictions of {draft.window} with the model of {draft.champion_run}"
