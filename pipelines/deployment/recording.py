"""What Metaflow would deploy: run its `argo-workflows create` for every flow, against an API that only records."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lockgate.gates import runs
from lockgate.gates.errors import DeployError
from lockgate.gates.runs import metaflow_api
from lockgate.pipelines.deployment.normal import canonical_form
from lockgate.pipelines.deployment.objects import Document, ObjectKey
from lockgate.pipelines.deployment.package import store_reproducible
from lockgate.pipelines.deployment.recorder import recorder
from lockgate.pipelines.deployment.target import FLOWS, DeployedFlow, DeployTarget
from lockgate.pipelines.flows import FLOW_FOLDER
from lockgate.pipelines.settings.environment import restrict_environment

COMPILE_TIMEOUT_S = 300.0
_SKIP = "ARGO_WORKFLOWS_ENV_VARS_TO_SKIP"
_HEADERS = "METAFLOW_SERVICE_HEADERS"  # holds the key of the metadata service


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledObjects:
    """Every object that should exist, in canonical form."""

    objects: Mapping[ObjectKey, Document]


def compile_objects(
    target: DeployTarget, deployed: Mapping[ObjectKey, Document], *, authorize: str = ""
) -> CompiledObjects:
    """What Metaflow would write for each flow if it found `deployed`, in canonical form.

    The code packages are stored in Metaflow's datastore, which changes nothing that runs.

    Args:
        authorize: the production token, if somebody else deployed it.

    Raises DeployError if a flow does not compile, or Metaflow refuses to deploy it.
    """
    check_datastore()
    with ThreadPoolExecutor(max_workers=len(FLOWS)) as pool:
        compiled = list(pool.map(lambda flow: _record_flow(flow, target, deployed, authorize), FLOWS))
    written = {key: document for objects in compiled for key, document in objects.items()}
    return CompiledObjects(objects={key: document for key, document in sorted(written.items()) if document is not None})


def check_datastore() -> None:
    """Raise DeployError unless Metaflow's datastore answers. Metaflow itself would retry for minutes."""
    import obstore
    from obstore.exceptions import BaseError

    kind, root = runs.datastore()
    store = runs.open_object_store("", error_type=DeployError)
    try:
        next(iter(obstore.list(store, chunk_size=1)), None)
    except (BaseError, OSError) as err:
        raise DeployError(
            f"the {kind} datastore does not answer: {str(err).splitlines()[0][:200]}",
            where=root,
            hint="check Metaflow's configuration, and the credentials",
        ) from err


def _record_flow(
    name: str, target: DeployTarget, deployed: Mapping[ObjectKey, Document], authorize: str
) -> dict[ObjectKey, dict[str, Any] | None]:
    with (
        tempfile.TemporaryDirectory(prefix="lockgate-") as scratch,
        recorder(deployed, folder=Path(scratch)) as (recorded, kubeconfig),
    ):
        # Metaflow writes temporary files to the current folder
        folder = Path.cwd() if os.access(Path.cwd(), os.W_OK) else Path(scratch)
        _create(name, FLOWS[name], target, authorize, _environment(target, kubeconfig), folder)
    if recorded.strange:
        raise DeployError(
            f"Metaflow sent Kubernetes a request that lockgate does not know: {recorded.strange[0]}", where=name
        )
    address = next(_code_addresses(list(recorded.written.values())), None)
    if address is None:
        raise DeployError("the objects that Metaflow wrote name no code package", where=name)
    moved = store_reproducible(address)
    return {
        key: None if document is None else json.loads(moved.rename_package(json.dumps(canonical_form(key, document))))
        for key, document in recorded.written.items()
    }


def _create(
    name: str, flow: DeployedFlow, target: DeployTarget, authorize: str, environment: Mapping[str, str], folder: Path
) -> None:
    policy = ["--config-value", "policy", target.policy.model_dump_json()] if flow.policy else []
    command = [
        sys.executable,
        str(FLOW_FOLDER / flow.file),
        "--no-pylint",
        "--quiet",
        "--config-value",
        "settings",
        target.settings.to_json(),
        *policy,
        *target.words,
        "argo-workflows",
        "create",
        *(["--authorize", authorize] if authorize else []),
    ]
    try:
        process = subprocess.run(
            command,
            cwd=folder,
            env=dict(environment),
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=COMPILE_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired as err:
        raise DeployError(
            f"{name} was not compiled within {COMPILE_TIMEOUT_S:g} s", hint="is the datastore reachable?"
        ) from err
    if process.returncode != 0:
        lines = [line.strip() for line in (process.stderr + process.stdout).splitlines() if line.strip()]
        if any("Incorrect production token" in line for line in lines):
            raise DeployError(
                f"{name} was deployed by somebody else, and Metaflow asks for its production token",
                hint="they see it in the annotation metaflow/production_token; give --authorize TOKEN",
            )
        if os.environ.get("LOCKGATE_DEBUG"):
            sys.stderr.write(process.stderr)
        relevant = lines[-1:] if "Traceback" in process.stderr else lines[-6:]
        reason = " ".join(relevant)[:400] or "no reason given"
        raise DeployError(f"{name} does not compile: {reason}", hint="run it again with --debug")


def _environment(target: DeployTarget, kubeconfig: Path) -> dict[str, str]:
    """The part of this process's environment that flows need, with the recording API as Kubernetes."""
    skipped = [_HEADERS, *filter(None, str(metaflow_api.read_setting(_SKIP) or "").split(","))]
    tokens = kubeconfig.parent / "tokens"
    _copy_tokens(tokens)
    environment = restrict_environment(os.environ, declared=target.settings.platform.environment)
    environment |= {
        "KUBECONFIG": str(kubeconfig),
        "METAFLOW_TOKEN_HOME": str(tokens),
        "METAFLOW_SERVICE_VERSION_CHECK": "false",
        f"METAFLOW_{_SKIP}": ",".join(dict.fromkeys(skipped)),
        "PYTHONHASHSEED": "0",  # Metaflow writes parameters in the order of a set
        "GIT_DIR": os.devnull,  # otherwise Metaflow notes the URL of the repository, which may contain a password
    }
    environment.setdefault("METAFLOW_ARGO_WORKFLOWS_USE_SCHEDULES", "true")  # Argo 4 has no `schedule`
    for name in ("NO_PROXY", "no_proxy"):
        environment[name] = ",".join(filter(None, (os.environ.get(name), "127.0.0.1")))
    if target.settings.platform.namespace:
        environment["METAFLOW_KUBERNETES_NAMESPACE"] = target.settings.platform.namespace
    return environment


def _copy_tokens(folder: Path) -> None:
    """Copy this user's production tokens: Metaflow also writes them, which a plan must not do."""
    folder.mkdir()
    home = os.environ.get("METAFLOW_TOKEN_HOME") or os.environ.get("METAFLOW_HOME") or "~/.metaflowconfig"
    for file in Path(os.path.expanduser(home)).glob("mfprj-*"):  # noqa: PTH111 (without a home it stays as it is)
        shutil.copy(file, folder)


def _code_addresses(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if value.get("name") == "METAFLOW_CODE_URL" and isinstance(value.get("value"), str):
            yield value["value"]
        for item in value.values():
            yield from _code_addresses(item)
    elif isinstance(value, list):
        for item in value:
            yield from _code_addresses(item)
