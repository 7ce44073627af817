"""Checks before anything is deployed. They find every problem, one line each."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping

from lockgate.gates import runs
from lockgate.gates.errors import DeployError, LockgateError
from lockgate.gates.runs import metaflow_api
from lockgate.pipelines.deployment.cluster import read_annotations
from lockgate.pipelines.deployment.objects import Document, ObjectKey
from lockgate.pipelines.deployment.target import DeployTarget
from lockgate.pipelines.promotion.actor import UNNAMED_ACTOR_VARIABLE

OWNER_ANNOTATION, TOKEN_ANNOTATION = "metaflow/owner", "metaflow/production_token"


def check_may_delete(deployed: Mapping[ObjectKey, Document], *, user: str, token: str) -> None:
    """Raise DeployError if somebody else deployed an object, and its token is neither given nor stored."""
    for key, document in sorted(deployed.items()):
        owner, required_token = (
            read_annotations(document).get(OWNER_ANNOTATION),
            read_annotations(document).get(TOKEN_ANNOTATION, ""),
        )
        if (
            owner
            and owner != user
            and required_token not in (token.removeprefix("production:"), _load_token(required_token))
        ):
            raise DeployError(
                f"{key} was deployed by {owner}, not by {user}",
                expected="its production token",
                hint=f"it is in the annotation {TOKEN_ANNOTATION}; give --authorize TOKEN",
            )


def _load_token(token: str) -> str | None:
    """The token of the same deployment that Metaflow has stored for this user."""
    return metaflow_api.load_production_token("-".join(token.split("-")[:2])) if token else None


_EVENTS = ("EVENT", "EVENT_BUS", "EVENT_SOURCE", "SERVICE_ACCOUNT", "WEBHOOK_URL")


def check_configuration(target: DeployTarget) -> None:
    """Check that the configuration can run in production; sends no request. Raises DeployError with every problem."""
    _raise_problems(list(_find_configuration_problems(target)))


def check_surroundings(target: DeployTarget, *, without_champion: bool) -> None:
    """Check the user, the metadata service and the promotion log.

    Raises DeployError with every problem, those of the configuration first.
    """
    problems = list(_find_configuration_problems(target))
    checks: list[Callable[[], None]] = [runs.check_metadata] if not problems else []
    if not problems and not without_champion and target.branch is None:
        checks.append(lambda: _check_champion(target))
    if os.environ.get(UNNAMED_ACTOR_VARIABLE):
        problems.append(
            "no user is set; expected METAFLOW_USER (Metaflow lets only the same user, or whoever has the production"
            " token, deploy again)"
        )
    for check in checks:
        try:
            check()
        except LockgateError as err:
            problems.append(str(err))
    _raise_problems(problems)


def run_checks(*checks: Callable[[], object]) -> None:
    """Run every check. Raises DeployError with all problems."""
    problems: list[str] = []
    for check in checks:
        try:
            check()
        except DeployError as err:
            problems += err.problems
    _raise_problems(problems)


def _find_configuration_problems(target: DeployTarget) -> Iterator[str]:
    platform = target.settings.platform
    if platform.kind == "local":
        yield "the platform is local; expected argo or outerbounds @ platform.kind (conf/production.yaml chooses it)"
        return
    if platform.image is None:
        yield (
            "no image is given; expected NAME@sha256:… @ platform.image"
            " (`make image` builds it, a push gives its digest)"
        )
    if platform.keys.private == "any":
        yield "private keys may come from files of one machine; expected environment @ platform.keys.private"
    if metaflow_api.read_setting("DEFAULT_DATASTORE") == "local":
        yield "Metaflow's datastore is this machine; expected METAFLOW_DEFAULT_DATASTORE=s3, gs or azure"
        if platform.log_root == runs.DATASTORE:
            yield "the promotion log would be on this machine; expected an object store @ platform.log_root"
    if platform.log_root.startswith("file://"):
        yield f"the promotion log is a folder; expected an object store @ platform.log_root ({platform.log_root})"
    if platform.data_root.startswith("file://"):
        yield f"the data are in a folder; expected an object store @ platform.data_root ({platform.data_root})"
    if target.settings.store.kind == "sqlite":
        yield "predictions would be in a file of one pod; expected a store that pods share @ store.kind"
    if metaflow_api.read_setting("DEFAULT_METADATA") == "local":
        yield "Metaflow's metadata are on this machine; expected METAFLOW_DEFAULT_METADATA=service and its address"
    if platform.events:
        names = [f"METAFLOW_ARGO_EVENTS_{name}" for name in _EVENTS]
        missing = [name for name in names if not metaflow_api.read_setting(name.removeprefix("METAFLOW_"))]
        if missing:
            yield f"events are not configured; expected {', '.join(missing)} @ platform.events"


def _check_champion(target: DeployTarget) -> None:
    from lockgate.gates.lifecycle import admission
    from lockgate.pipelines.promotion.actor import clock
    from lockgate.pipelines.promotion.log import open_log

    try:
        admission.admit(open_log(target.settings), now=clock())
    except LockgateError as err:
        raise DeployError(
            f"no model may be served: {err}",
            hint="--without-champion deploys anyway; Predict refuses to run until a model may be served",
        ) from err


def _raise_problems(problems: list[str]) -> None:
    if problems:
        raise DeployError(
            problems[0] if len(problems) == 1 else f"{len(problems)} problems: " + " | ".join(problems),
            problems=problems,
        )
