"""The object store that Metaflow is configured with, and others that are reached the same way."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lockgate.gates.errors import LockgateError, LogError, RunError
from lockgate.gates.runs.metadata import read_timeout
from lockgate.gates.runs.metaflow_api import connect_s3, find_datastore_root, read_setting

if TYPE_CHECKING:
    from obstore.store import ObjectStore

DATASTORE = "datastore"
"""The root that stands for the folder `lockgate` of Metaflow's datastore."""

STORE_TIMEOUT_S = 15.0
"""How long one request to the object store may take, retries included."""

STORE_TIMEOUT_VARIABLE = "LOCKGATE_STORE_SECONDS"
"""The environment variable that overrides `STORE_TIMEOUT_S`."""


def request_limits(seconds: float) -> dict[str, Any]:
    """Options for a store whose requests each end, answered or not, within about `seconds`.

    One try takes at most a third of it. Transient failures (5xx, no connection, and for reads no answer) are retried
    during the first two thirds. A write without an answer is not retried: the caller asks whether it happened.
    """
    return {
        "retry_config": {
            "max_retries": 10,
            "retry_timeout": timedelta(seconds=seconds * 2 / 3),
            "backoff": {
                "init_backoff": timedelta(seconds=seconds / 150),
                "max_backoff": timedelta(seconds=seconds / 6),
                "base": 2,
            },
        },
        "client_options": {
            "timeout": timedelta(seconds=seconds / 3),
            "connect_timeout": timedelta(seconds=seconds / 6),
        },
    }


def open_log_store(project: str, *, root: str = DATASTORE, writing: bool = True) -> ObjectStore:
    """The object store for a project's log: the folder `project` under `root`, as in `open_object_store`."""
    return open_object_store(project, root=root, error_type=LogError, writing=writing)


def describe_address(path: str, *, root: str = DATASTORE) -> str:
    """The address of the folder `path` under `root`, for people: a path, or s3://…. Raises as `datastore`."""
    start, folder = (datastore()[1], f"lockgate/{path}") if root == DATASTORE else (root, path)
    return f"{start.removeprefix('file://').rstrip('/')}/{folder}"


def open_object_store(
    path: str,
    *,
    root: str = DATASTORE,
    error_type: type[LockgateError] = RunError,
    seconds: float | None = None,
    endpoint: str | None = None,
    writing: bool = True,
) -> ObjectStore:
    """The folder `path` under `root`, which is `datastore` or an address such as s3://bucket/prefix.

    S3 is reached as Metaflow reaches it: same region, credentials and (unless given) endpoint. A request may take
    `seconds`, retries included; None takes the limit from the environment. Without `writing`, a folder on this machine
    that nobody has written yet is an empty store, and is not made. Raises `error_type` if it cannot be opened.
    """
    import obstore
    from obstore.exceptions import BaseError
    from obstore.store import LocalStore, MemoryStore, S3Store

    kind, start = datastore() if root == DATASTORE else (root.partition("://")[0], root)
    folder = f"lockgate/{path}" if root == DATASTORE else path
    seconds = read_timeout(STORE_TIMEOUT_VARIABLE, otherwise=STORE_TIMEOUT_S) if seconds is None else seconds
    if kind == "file" and not start.startswith("file:///"):
        raise error_type("a relative folder is another one elsewhere", expected="file:///…", where=start)
    try:
        if kind in ("local", "file"):
            local = Path(start.removeprefix("file://")) / folder
            return LocalStore(local, mkdir=True) if writing or _is_written(local) else MemoryStore()
        if kind == "s3":
            bucket, _, prefix = start.removeprefix("s3://").partition("/")
            inside = "/".join(part for part in (prefix.strip("/"), folder) if part)
            return S3Store(bucket, prefix=inside or None, **_s3_options(seconds, endpoint))
        return obstore.store.from_url(f"{start.rstrip('/')}/{folder}", **request_limits(seconds))
    except (BaseError, OSError, ValueError) as err:
        noun = "datastore" if root == DATASTORE else "store"
        raise error_type(
            f"the {kind} {noun} cannot be opened: {str(err).splitlines()[0][:200]}",
            where=start,
            hint="check Metaflow's configuration",
        ) from err


def _is_written(folder: Path) -> bool:
    """Whether a folder is there. Raises OSError if that is unknown, as something else is in its place or above it."""
    nearest = next(place for place in (folder, *folder.parents) if os.path.lexists(place))
    if not nearest.is_dir():
        raise NotADirectoryError(f"{nearest} is not a folder")
    return nearest == folder


def datastore() -> tuple[str, str]:
    """The kind of Metaflow's datastore (local, s3, …) and its root, which need not exist yet.

    Raises RunError if no root is configured.
    """
    kind, root = str(read_setting("DEFAULT_DATASTORE")), find_datastore_root()
    if not root and kind == "local":
        root = str(Path.cwd() / str(read_setting("DATASTORE_LOCAL_DIR")))  # where Metaflow would make it
    if not root:
        raise RunError(
            f"Metaflow's {kind} datastore has no root", expected=f"METAFLOW_DATASTORE_SYSROOT_{kind.upper()}"
        )
    return kind, root


def _s3_options(seconds: float, endpoint: str | None) -> dict[str, Any]:
    """Endpoint, region and credentials of Metaflow's own S3 client, as obstore does not read Metaflow's settings."""
    client, endpoint = connect_s3(endpoint)

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

    options = request_limits(seconds)
    options |= {"credential_provider": credentials, "region": client.meta.region_name or "us-east-1"}
    if endpoint:
        options["endpoint"] = endpoint
        options["client_options"]["allow_http"] = True
    return options
