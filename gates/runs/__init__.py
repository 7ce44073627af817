"""Metaflow's side: runs, their artifacts and tags, and the object store it is configured with.

The only package of the gates that imports the Metaflow client.
"""

from lockgate.gates.runs.artifacts import Claim, Remains, load_claim, load_facts, load_model_bytes, load_remains
from lockgate.gates.runs.datastore import DATASTORE, datastore, home, open_log_store, open_object_store
from lockgate.gates.runs.metadata import (
    NoSuchRunError,
    UnreachableError,
    check_installation,
    check_metadata,
    metadata_timeout,
)
from lockgate.gates.runs.ownership import ForeignRunError, Owner, Ownership, metaflow_project, ownership
from lockgate.gates.runs.tagging import RetagResult, RunTags, retag, tagged_runs

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
    "home",
    "load_claim",
    "load_facts",
    "load_model_bytes",
    "load_remains",
    "metadata_timeout",
    "metaflow_project",
    "open_log_store",
    "open_object_store",
    "ownership",
    "retag",
    "tagged_runs",
]
