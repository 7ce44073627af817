"""Output: the terminal, JSON, and files and folders that are written completely or not at all."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.gates.errors import LockgateError

if TYPE_CHECKING:
    from rich.console import Console


PIPED_WIDTH = 160
"""Columns if the output is not a terminal but a log or a file."""


def console() -> Console:
    """Standard output, as wide as the terminal."""
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else PIPED_WIDTH)


def append_text(path: Path, text: str) -> None:
    """Add text to the end of a file."""
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as err:
        raise LockgateError(f"cannot write: {err.strerror}", where=str(path)) from err


def print_json(value: object) -> None:
    """A value as indented JSON on stdout."""
    sys.stdout.write(format_json(value))


def format_json(value: object) -> str:
    """A value as indented JSON that ends with a newline."""
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def write_file(path: Path, blob: bytes, *, mode: int = 0o666, overwrite: bool = True) -> None:
    """Write a file, all of it or nothing. Every command that writes a single file does it here.

    The bytes go to a draft beside the file first: whoever reads the file meanwhile sees the old one or the new one.
    Raises LockgateError if the file cannot be written, or exists already and `overwrite` is false.
    """
    try:
        draft = _draft(path)
        try:
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as stream:
                stream.write(blob)
                stream.flush()
                os.fsync(stream.fileno())
            if overwrite:
                draft.replace(path)
            else:
                os.link(draft, path)  # unlike a rename, this fails if the file exists
        finally:
            draft.unlink(missing_ok=True)
    except FileExistsError as err:
        raise LockgateError("the file exists already", expected="a new name", where=str(path)) from err
    except (OSError, ValueError) as err:  # a name with a NUL is a ValueError
        problem = getattr(err, "strerror", None) or "this is not a valid file name"
        raise LockgateError(f"cannot write: {problem}", where=str(path)) from err


def write_folder(path: Path, files: Mapping[str, bytes]) -> None:
    """Write a folder of files. The name must be free, or that of an empty folder."""
    check_free(path)
    draft = _draft(path)
    try:
        draft.mkdir()
        for name, blob in files.items():
            (draft / name).write_bytes(blob)
        draft.replace(path)
    except OSError as err:
        shutil.rmtree(draft, ignore_errors=True)
        raise LockgateError(f"cannot write: {err.strerror}", where=str(path)) from err


def replace_folder(path: Path, files: Mapping[str, bytes]) -> None:
    """Write a folder of files in place of an existing one, which stays until the new one is complete."""
    new, old = _draft(path), _draft(path)
    write_folder(new, files)
    try:
        if path.is_dir():
            path.rename(old)
        new.rename(path)
    except OSError as err:
        shutil.rmtree(new, ignore_errors=True)
        raise LockgateError(f"cannot write: {err.strerror}", where=str(path)) from err
    shutil.rmtree(old, ignore_errors=True)


def check_free(path: Path) -> None:
    """Raise LockgateError unless a folder can be written under this name without touching anything."""
    check_writable(path)
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        raise LockgateError("it exists and is not a folder", expected="a new or an empty folder", where=str(path))
    if path.is_dir() and any(path.iterdir()):
        raise LockgateError("the folder is not empty", expected="a new or an empty folder", where=str(path))


def check_writable(path: Path) -> None:
    """Raise LockgateError unless something can be written under this name."""
    parent = path.absolute().parent
    if not parent.is_dir():
        raise LockgateError(
            f"the folder {path.parent} does not exist", expected="an existing folder to write into", where=str(path)
        )
    if not os.access(parent, os.W_OK):
        raise LockgateError(
            "cannot write: Permission denied", expected="a folder that you may write to", where=str(parent)
        )


def read_capped(path: Path, *, cap: int) -> bytes:
    """The bytes of a file. Raises LockgateError where it cannot be read, or is larger than `cap`."""
    try:
        with path.open("rb") as file:
            blob = file.read(cap + 1)
    except OSError as err:
        raise LockgateError(f"cannot read: {err.strerror}", where=str(path)) from err
    if len(blob) > cap:
        raise LockgateError("the file is too large", expected=f"at most {cap:,} bytes", where=str(path))
    return blob


def _draft(path: Path) -> Path:
    """A name beside `path` that nobody else uses."""
    return path.absolute().with_name(f".{path.absolute().name}.{secrets.token_hex(4)}.part")
