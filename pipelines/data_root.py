"""Where the file of a table lies on this platform."""

from __future__ import annotations

from gates import runs
from gates.errors import DataError
from pipelines import data
from pipelines.settings import ROOT, Settings

PROJECT = "project"
"""The root that stands for this checkout."""

FOLDER = "data"
"""Of `lockgate` in Metaflow's datastore."""


def data_files(settings: Settings) -> data.Files:
    """The files among which the relative `data.path` is found: `platform.data_root`.

    Raises DataError where the object store cannot be opened.
    """
    root = settings.platform.data_root
    if root == PROJECT:
        return data.Folder(ROOT)
    folder = FOLDER if root == runs.DATASTORE else ""
    return data.Objects(runs.object_store(folder, root=root, error=DataError), name=f"{root}/{folder}".rstrip("/"))
