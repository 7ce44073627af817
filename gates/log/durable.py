"""Objects that a power cut does not take back: what a local disk needs on top of what obstore does.

A store on the network keeps an object once it has said so. A disk keeps a file once its bytes were synced, and its name
once every folder on the way to it was. obstore syncs neither. So on a disk an object is created here, in this order:

1. where its folder holds no object yet, all folders above are synced up to the root of the file system, as any of them
   may be new;
2. its bytes are written to a draft beside it, and synced;
3. the draft is linked to the object's name, which fails where the name exists: a name never leads to half an object;
4. its folder is synced.

Only then is the object said to exist. A reader may see it between 3 and 4, and after its writer was killed there. So
whoever builds on an object that another process created calls `keep_object` first, or the own one could outlive it.
"""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from obstore.exceptions import AlreadyExistsError
from obstore.store import LocalStore

if TYPE_CHECKING:
    from obstore.store import ObjectStore

_UNSYNCED = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EROFS})
"""What file systems answer that cannot sync a folder: its names are as durable as they make them."""


def create_object(store: ObjectStore, path: str, blob: bytes) -> None:
    """Create the object `path`. It outlives a power cut when this returns.

    Raises obstore's AlreadyExistsError if the object exists, and BaseError or OSError if the store fails.
    """
    if not isinstance(store, LocalStore):
        store.put(path, blob, mode="create")
        return
    file = _locate(store, path)
    file.parent.mkdir(parents=True, exist_ok=True)
    if _holds_no_object(file.parent):
        _sync_folders(file.parent.absolute().parents)
    draft = file.with_name(f"{file.name}#{secrets.randbelow(10**18)}")  # obstore lists no name that ends so
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), "wb") as stream:
            stream.write(blob)
            stream.flush()
            os.fsync(stream.fileno())
        os.link(draft, file)
    except FileExistsError as err:
        raise AlreadyExistsError(f"{path} exists already") from err
    finally:
        with suppress(OSError):  # a draft that stays takes room, and disturbs nobody
            draft.unlink()
    _sync_folders([file.parent])


def keep_object(store: ObjectStore, path: str) -> None:
    """Have an object that `create_object` made, perhaps just now in another process, outlive a power cut.

    Raises OSError.
    """
    if isinstance(store, LocalStore):
        _sync_folders([_locate(store, path).parent])


def keep_files(files: Collection[Path]) -> None:
    """Have files of any writer outlive a power cut, and the names on the way to them. Raises OSError."""
    with ThreadPoolExecutor(max_workers=16) as pool:  # a disk takes syncs that wait together about as one
        list(pool.map(lambda file: _sync(file, os.O_RDONLY), files))
    _sync_folders(dict.fromkeys(folder for file in files for folder in file.absolute().parents))


def _holds_no_object(folder: Path) -> bool:
    with os.scandir(folder) as files:
        return all("#" in file.name for file in files)


def _sync_folders(folders: Iterable[Path]) -> None:
    """Have the disk keep the names in these folders. One that this user may not read is not of this user's making."""
    for folder in folders:
        try:
            _sync(folder, os.O_RDONLY | os.O_DIRECTORY)
        except PermissionError:
            continue
        except OSError as err:
            if err.errno not in _UNSYNCED:
                raise


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _locate(store: LocalStore, path: str) -> Path:
    return Path(store.prefix or "/") / path
