"""Metaflow's side: runs, their artifacts and tags, and the object store that Metaflow is configured with.

The only room of gates/ that imports Metaflow.
"""

from lockgate.gates.runs.artifacts import (
    Claim,
    Remains,
    keep_run,
    load_claim,
    load_facts,
    load_model_bytes,
    load_remains,
)
from lockgate.gates.runs.datastore import DATASTORE, datastore, describe_address, open_log_store, open_object_store
from lockgate.gates.runs.local import (
    LOCAL_ROOT_VARIABLE,
    find_local_datastore,
    find_local_home,
    require_shared_datastore,
    share_datastore,
)
from lockgate.gates.runs.metadata import (
    NoSuchRunError,
    UnreachableError,
    check_installation,
    check_metadata,
    metadata_timeout,
)
from lockgate.gates.runs.ownership import ForeignRunError, Owner, Ownership, find_owner, metaflow_project
from lockgate.gates.runs.tagging import RetagResult, RunTags, list_tagged_runs, retag

__all__ = [
    "DATASTORE",
    "LOCAL_ROOT_VARIABLE",
    "Claim",
    "ForeignRunError",
    "NoSuchRunError",
    "Owner",
    "Ownership",
    "Remains",
    "RetagResult",
    "RunTags",
    "UnreachableError",
    "check_installation",
    "check_metadata",
    "datastore",
    "describe_address",
    "find_local_datastore",
    "find_local_home",
    "find_owner",
    "keep_run",
    "list_tagged_runs",
    "load_claim",
    "load_facts",
    "load_model_bytes",
    "load_remains",
    "metadata_timeout",
    "metaflow_project",
    "open_log_store",
    "open_object_store",
    "require_shared_datastore",
    "retag",
    "share_datastore",
]
