"""What lockgate takes from Metaflow beyond its documented interface. Only this file may know such names.

They are the reading of artifacts as bytes (Metaflow's client would unpickle them), the configured stores, what a
decorator of steps can do in this version, and the names, tokens and clients of a deployment. A version that lacks one
of them is refused in one line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from lockgate.gates.errors import RunError

TESTED_RANGE = ">=2.16,<2.20"
"""What pyproject.toml asks for. docs/own-flow.md says which versions were run, and what the older ones lack."""


def list_distributions() -> dict[str, str]:
    """The distributions that install the module `metaflow`, with their versions."""
    versions = {}
    for name in ("metaflow", "ob-metaflow"):  # the second is of outerbounds
        with suppress(PackageNotFoundError):
            versions[name] = version(name)
    return versions


def describe_version() -> str:
    """The version of Metaflow, as in `metaflow 2.19.39`."""
    return " and ".join(f"{name} {number}" for name, number in list_distributions().items()) or "no metaflow"


@contextmanager
def name_version() -> Iterator[None]:
    """Say what this version of Metaflow lacks. Raises RunError, but where Metaflow or another library is missing."""
    try:
        yield
    except (ImportError, AttributeError, TypeError) as err:
        missing = err.name if isinstance(err, ModuleNotFoundError) else "metaflow."
        if missing is None or not missing.startswith("metaflow."):
            raise
        raise RunError(
            f"{describe_version()} lacks what lockgate needs: {str(err).splitlines()[0].partition(' (')[0][:160]}",
            expected=f"metaflow {TESTED_RANGE}",
            hint="install such a version: `pip install 'lockgate[metaflow]'`",
        ) from err


def read_setting(name: str) -> Any:
    """A value of Metaflow's configuration by its name without METAFLOW_, as in DEFAULT_DATASTORE. Raises RunError."""
    with name_version():
        from metaflow import metaflow_config

        return getattr(metaflow_config, name)


# --- artifacts ----------------------------------------------------------------------------------------------------


def storage_class() -> Any:
    """Metaflow's class for the kind of datastore that is configured. Raises RunError."""
    kind = read_setting("DEFAULT_DATASTORE")
    with name_version():
        from metaflow.plugins import DATASTORES

        return next(storage for storage in DATASTORES if kind == storage.TYPE)


def find_datastore_root() -> str | None:
    """The folder or address of the configured datastore; None if there is none, as none is made. Raises RunError."""
    with name_version():
        root: str | None = storage_class().get_datastore_root_from_config(lambda *_: None, create_on_absent=False)
        return root


def find_local_metadata(pathspec: str) -> Path | None:
    """The folder in which Metaflow's local metadata keep a run; None where a service keeps them. Raises RunError."""
    with name_version():
        from metaflow.plugins.datastores.local_storage import LocalStorage

        if read_setting("DEFAULT_METADATA") != "local":
            return None
        root = LocalStorage.get_datastore_root_from_config(lambda *_: None, create_on_absent=False)
    folder = None if root is None else Path(root, *pathspec.split("/"))
    return folder if folder is not None and folder.is_dir() else None


class StoredArtifacts:
    """The artifacts of one task, as the configured datastore holds them: nothing is unpickled.

    Raises RunError, or what the datastore raises where it cannot be read.
    """

    def __init__(self, *, flow: str, run: str, step: str, task: str) -> None:
        with name_version():
            from metaflow.datastore import FlowDataStore

            store = FlowDataStore(flow, None, storage_impl=storage_class(), ds_root=find_datastore_root())
        task_store = store.get_task_datastore(run, step, task, mode="r")
        with name_version():
            self.keys: Mapping[str, str] = task_store._objects  # noqa: SLF001 (by name, of the bytes in the store)
            self._storage = store.ca_store._storage_impl  # noqa: SLF001
            self._folder: str = store.ca_store._prefix  # noqa: SLF001

    def path_of(self, key: str) -> str:
        """Where the bytes of a key are, below the root of the datastore."""
        path: str = self._storage.path_join(self._folder, key[:2], key)
        return path

    @contextmanager
    def open_bytes(self, key: str) -> Iterator[tuple[Path, bool] | None]:
        """A file with the stored bytes, and whether they are compressed; None if they are gone.

        The file is there until the context ends. Metaflow's own `load_blobs` would not stop at a cap.
        """
        with self._storage.load_bytes([self.path_of(key)]) as loaded:
            files = (
                (Path(path), not (meta or {}).get("cas_raw", False)) for _, path, meta in loaded if path is not None
            )
            yield next(files, None)


def connect_s3(endpoint: str | None) -> Any:
    """Metaflow's own client of S3, and the endpoint that it takes unless one is given. Raises RunError."""
    endpoint = endpoint or read_setting("S3_ENDPOINT_URL")
    with name_version():
        from metaflow.plugins.aws.aws_client import get_aws_client

        return get_aws_client("s3", client_params={"endpoint_url": endpoint} if endpoint else {}), endpoint


# --- decorators of steps ------------------------------------------------------------------------------------------


def list_decorator_bases() -> tuple[type, ...]:
    """The classes that a decorator of steps has to be of, to wrap a step and to add files to the code package.

    Before 2.19.23 a class cannot be both, and what wraps a step adds no files. Raises RunError before 2.16.
    """
    with name_version():
        from metaflow import StepMutator, UserStepDecorator

        return (StepMutator, UserStepDecorator) if can_add_files() else (UserStepDecorator,)


def can_add_files() -> bool:
    """Whether a decorator of steps can add files to the code package. Raises RunError."""
    with name_version():
        from metaflow import StepMutator

        return hasattr(StepMutator, "add_to_package")


def describe_user_file(file: Path, name: str) -> tuple[str, str, Any]:
    """A file for the code package, to lie beside the flow's own under `name`."""
    with name_version():
        from metaflow.packaging_sys import ContentType

        return str(file), name, ContentType.USER_CONTENT


def is_written_in_code(decorator: Any) -> bool:
    """Whether a decorator stands above the step in the code; otherwise it came by `--with`. Raises RunError."""
    with name_version():
        return bool(decorator.statically_defined)


def read_no_retry_code() -> int:
    """The exit code of a step that Metaflow does not try again. Raises RunError."""
    with name_version():
        from metaflow.exception import METAFLOW_EXIT_DISALLOW_RETRY

        return int(METAFLOW_EXIT_DISALLOW_RETRY)


# --- deployments --------------------------------------------------------------------------------------------------


def name_workflow(*, project: str, branch: str, flow: str) -> str:
    """The name of the WorkflowTemplate that Metaflow makes of a flow. Raises RunError."""
    with name_version():
        from metaflow import current
        from metaflow.plugins.argo.argo_workflows_cli import resolve_workflow_name_v2

        identity = {"project_name": project, "branch_name": branch, "flow_name": flow}
        identity["project_flow_name"] = f"{project}.{branch}.{flow}"
        current._update_env(identity)  # noqa: SLF001 (the name is made of nothing else)
        return str(resolve_workflow_name_v2(None, None)[0])


def name_event(event: str) -> Any:
    """An event of this project and branch alone. Raises RunError where Metaflow cannot tell them apart."""
    with name_version():
        from metaflow import namespaced_event_name

        return namespaced_event_name(event)


def load_production_token(prefix: str) -> str | None:
    """The production token of a deployment that Metaflow has stored for this user. Raises RunError."""
    with name_version():
        from metaflow.plugins.aws.step_functions.production_token import load_token

        token: str | None = load_token(prefix)
        return token


def connect_kubernetes() -> Any:
    """The module `kubernetes.client`, configured as for Metaflow's own pods. Raises RunError, or what it raises."""
    with name_version():
        from metaflow.plugins.kubernetes.kubernetes_client import KubernetesClient

    return KubernetesClient().get()
