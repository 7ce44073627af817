"""Where the file of a table is on this platform."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.gates import runs
from lockgate.gates.errors import DataError
from lockgate.pipelines import data
from lockgate.pipelines.settings.scope import find_root
from lockgate.pipelines.settings.settings import Settings

if TYPE_CHECKING:
    from obstore.store import ObjectStore

CHECKOUT_ROOT = "project"
"""The `platform.data_root` that means the project's own folder."""

DATASTORE_FOLDER = "data"
"""The folder for tables, in `lockgate` of Metaflow's datastore."""


def data_files(settings: Settings) -> data.Files:
    """The files of `platform.data_root`, where a relative `data.path` is looked up.

    Raises DataError if the object store cannot be opened.
    """
    if settings.platform.data_root == CHECKOUT_ROOT:
        return data.Folder(find_root())
    store, name = _objects(settings)
    return data.Objects(store, name=name)


def push_tables(settings: Settings) -> list[tuple[Path, str]]:
    """Copy the table of this checkout, and that of `data.score`, to `platform.data_root`: files and new addresses.

    Raises DataError if there is nothing to copy, no such file, or the store cannot be written.
    """
    score = settings.data.score
    paths = {"data.path": settings.data.path} | ({} if score is None else {"data.score.path": score.path})
    return [_push_table(settings, path, key) for key, path in paths.items()]


def _push_table(settings: Settings, path: str | None, key: str) -> tuple[Path, str]:
    import obstore
    from obstore.exceptions import BaseError

    if settings.platform.data_root == CHECKOUT_ROOT or path is None:
        why = "the source reads no file" if path is None else "the platform reads this checkout"
        raise DataError(f"nothing to copy: {why}", where=key if path is None else "platform.data_root")
    if Path(path).is_absolute():
        raise DataError(f"{path} exists only on this machine", expected="a path in this checkout", where=key)
    project = find_root()
    if problem := data.Folder(project).problem(path):
        hint = (
            "copy a folder with the store's own tool, and remove there what is gone here" if "folder" in problem else ""
        )
        raise DataError(f"{path} {problem}", expected="a file of this checkout", where=key, hint=hint)
    store, name = _objects(settings)
    try:
        obstore.put(store, path, project / path)
    except (BaseError, OSError) as err:
        raise DataError(f"{path} cannot be written: {str(err).splitlines()[0][:200]}", where=name) from err
    return project / path, f"{name}/{path}"


def _objects(settings: Settings) -> tuple[ObjectStore, str]:
    root = settings.platform.data_root
    folder = DATASTORE_FOLDER if root == runs.DATASTORE else ""
    where = f"{runs.datastore()[1]}/lockgate" if root == runs.DATASTORE else root
    return runs.open_object_store(folder, root=root, error_type=DataError), f"{where}/{folder}".rstrip("/")
