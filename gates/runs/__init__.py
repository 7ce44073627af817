"""Metaflow's side: runs, their artifacts and tags, and the object store it is configured with.

The only package of the gates that imports the Metaflow client.
"""

from lockgate.gates.runs.artifacts import Claim, Remains, claim, facts, model_bytes, remains
from lockgate.gates.runs.datastore import DATASTORE, datastore, home, log_store, object_store
from lockgate.gates.runs.metadata import NoSuchRunError, UnreachableError, check_installation, check_metadata, patience
from lockgate.gates.runs.ownership import ForeignRunError, Owner, Ownership, metaflow_project, ownership
from lockgate.gates.runs.tagging import Retagged, RunTags, retag, tagged_runs

__all__ = [
    "DATASTORE",
    "Claim",
    "ForeignRunError",
    "NoSuchRunError",
    "Owner",
    "Ownership",
    "Remains",
    "Retagged",
    "RunTags",
    "UnreachableError",
    "check_installation",
    "check_metadata",
    "claim",
    "datastore",
    "facts",
    "home",
    "log_store",
    "metaflow_project",
    "model_bytes",
    "object_store",
    "ownership",
    "patience",
    "remains",
    "retag",
    "tagged_runs",
]
