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
from lockgate.gates.runs.datastore import DATASTORE, datastore, home, open_log_store, open_object_store
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
    "find_owner",
    "home",
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
    "retag",
]
