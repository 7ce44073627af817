"""What a disk keeps over a power cut, as far as POSIX promises: bytes that were synced, and names in synced folders.

`trace` and `trace_this_process` record system calls with strace, and `Disk` plays them. After each, `list_states`
gives the trees of files that a power cut may leave: of the names that were made or removed in a folder since it was
synced any may be there or not, and of the bytes of a file that were not synced, all, some or none, or zeros.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import pytest

Tree = dict[str, bytes]
"""Files by their path below the folder that is watched."""

_CALLS = "open,openat,creat,write,pwrite64,ftruncate,fsync,fdatasync,link,linkat,rename,renameat,renameat2"
_CALLS += ",unlink,unlinkat,mkdir,mkdirat"
_LINE = re.compile(r"(?P<name>\w+)\((?P<rest>.*)\) += (?P<result>-?\d+)(?:<(?P<file>[^>]*)>)?")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_OPENED = re.compile(r"^(\d+)<([^>]*)>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A system call that succeeded."""

    name: str
    paths: tuple[str, ...]  # those it names, absolute; or that of its open file
    data: bytes = b""
    descriptor: int = -1


_OPTIONS = ["-f", "-y", "-xx", "-s", str(2**26), "-e", "signal=none", "-e", f"trace={_CALLS}"]
_PR_SET_PTRACER, _ANYBODY = 0x59616D61, -1


def trace(command: Sequence[str], *, log: Path, cwd: Path, env: Mapping[str, str]) -> list[Call]:
    """The calls of a command and of all that it starts, in order."""
    subprocess.run(
        [_program(), *_OPTIONS, "--seccomp-bpf", "-o", str(log), *command],
        cwd=cwd,
        env=env,
        check=True,
        capture_output=True,
    )
    return list(_parse(log.read_text(encoding="ascii")))


def trace_this_process(work: Callable[[], object], *, log: Path) -> list[Call]:
    """The calls of all threads of this process while it does the work, in order."""
    ctypes.CDLL(None).prctl(_PR_SET_PTRACER, _ANYBODY, 0, 0, 0)
    command = [_program(), *_OPTIONS, "-o", str(log), "-p", str(os.getpid())]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
        while not all(_is_traced(thread) for thread in Path("/proc/self/task").iterdir()):
            if tracer.poll() is not None:
                raise RuntimeError(f"strace ended: {tracer.stderr and tracer.stderr.read()}")
            time.sleep(0.01)
        try:
            work()
        finally:
            tracer.send_signal(signal.SIGINT)  # it lets go of this process
    return list(_parse(log.read_text(encoding="ascii")))


def _program() -> str:
    path = shutil.which("strace")
    if path is None:
        pytest.skip("there is no strace; `sh requirements/servers.sh` installs it")
    return path


def _is_traced(thread: Path) -> bool:
    try:
        return "TracerPid:\t0\n" not in (thread / "status").read_text()
    except OSError:  # it has ended
        return True


def _parse(text: str) -> Iterator[Call]:
    begun: dict[str, str] = {}
    for line in text.splitlines():
        process, _, record = line.partition(" ")
        record = record.strip()
        if record.endswith("<unfinished ...>"):
            begun[process] = record.removesuffix("<unfinished ...>").rstrip()
            continue
        if record.startswith("<..."):
            record = begun.pop(process) + record.partition("resumed>")[2]
        match = _LINE.match(record)
        if match is None or match["result"].startswith("-"):
            continue
        name, rest = match["name"], match["rest"]
        opened = _OPENED.match(rest)
        texts = [_decode(part) for part in _TEXT.findall(rest)]
        if opened and not name.endswith("at"):
            data = texts[0] if texts else b""
            yield Call(name=name, paths=(_decode_name(opened[2]),), data=data, descriptor=int(opened[1]))
        elif name not in ("open", "openat", "creat"):
            yield Call(name=name, paths=tuple(part.decode(errors="replace") for part in texts))
        elif "O_CREAT" in rest or "O_TRUNC" in rest:
            yield Call(name="truncate" if "O_TRUNC" in rest else "create", paths=(texts[0].decode(errors="replace"),))


def _decode(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


def _decode_name(text: str) -> str:
    return _decode(text).decode(errors="replace") if text.startswith("\\x") else text


@dataclass(slots=True)
class File:
    data: bytes = b""
    synced: bytes | None = None  # None: none of its bytes ever was


@dataclass(slots=True)
class Folder:
    names: dict[str, File | Folder] = field(default_factory=dict)
    synced: dict[str, File | Folder] = field(default_factory=dict)
    pending: list[tuple[str, File | Folder | None]] = field(default_factory=list)

    def change(self, name: str, node: File | Folder | None) -> None:
        self.pending.append((name, node))
        if node is None:
            self.names.pop(name, None)
        else:
            self.names[name] = node


TEARS: dict[str, Callable[[File], bytes]] = {
    "whole": lambda file: file.data,
    "synced": lambda file: file.synced or b"",
    "half": lambda file: file.data if file.synced == file.data else file.data[: len(file.data) // 2],
    "zeros": lambda file: file.data if file.synced == file.data else bytes(len(file.data)),
}
"""What may be left of a file's bytes."""


class Disk:
    """The folder `root`, of which nothing was there in the beginning, as far as `root`'s parent."""

    def __init__(self, root: Path) -> None:
        self.root = Folder()
        self._start = PurePosixPath(root.parent)

    def play(self, call: Call) -> None:
        """Do what a call did, unless it is elsewhere."""
        places = [self._locate(path) for path in call.paths]
        if not places or any(place is None for place in places):
            return
        folder, name = places[0]  # type: ignore[misc]
        match call.name:
            case "create" | "truncate":
                if name not in folder.names:
                    folder.change(name, File())
                elif call.name == "truncate":
                    folder.names[name].data = b""  # type: ignore[union-attr]
            case "write" | "pwrite64":
                folder.names[name].data += call.data  # type: ignore[union-attr]
            case "fsync" | "fdatasync":
                self._sync(folder.names[name] if name else folder)
            case "mkdir" | "mkdirat":
                folder.change(name, Folder())
            case "link" | "linkat":
                folder_to, name_to = places[1]  # type: ignore[misc]
                folder_to.change(name_to, folder.names[name])
            case "rename" | "renameat" | "renameat2":
                folder_to, name_to = places[1]  # type: ignore[misc]
                folder_to.change(name_to, folder.names[name])
                folder.change(name, None)
            case "unlink" | "unlinkat":
                folder.change(name, None)
            case _:
                raise AssertionError(call.name)

    @staticmethod
    def _sync(node: File | Folder) -> None:
        if isinstance(node, File):
            node.synced = node.data
        else:
            node.synced, node.pending = dict(node.names), []

    def _locate(self, path: str) -> tuple[Folder, str] | None:
        """The folder that a path is in, and its name there; no name for the start itself."""
        place = PurePosixPath(path)
        if place == self._start:
            return self.root, ""
        if not place.is_relative_to(self._start):
            return None
        *parents, name = place.relative_to(self._start).parts
        folder: File | Folder = self.root
        for parent in parents:
            if not isinstance(folder, Folder) or parent not in folder.names:
                return None
            folder = folder.names[parent]
        return (folder, name) if isinstance(folder, Folder) else None

    def list_states(self) -> Iterator[Tree]:
        """Every tree that a power cut may leave now. With many pending names: all, none, each alone, all but each."""
        pending = list(_list_pending(self.root, ()))
        count = len(pending)
        masks: Iterator[tuple[bool, ...]] = itertools.product((False, True), repeat=count)
        if count > 6:
            single = [tuple(index == position for index in range(count)) for position in range(count)]
            masks = iter(
                [(False,) * count, (True,) * count, *single, *(tuple(not bit for bit in mask) for mask in single)]
            )
        for mask in masks:
            survivors = {position for position, bit in zip(pending, mask, strict=True) if bit}
            for tear in TEARS.values():
                yield dict(_list_files(self.root, (), survivors, tear))


_Position = tuple[tuple[str, ...], int]


def _list_pending(folder: Folder, path: tuple[str, ...]) -> Iterator[_Position]:
    yield from ((path, index) for index in range(len(folder.pending)))
    for name, node in folder.names.items():
        if isinstance(node, Folder):
            yield from _list_pending(node, (*path, name))


def _list_files(
    folder: Folder, path: tuple[str, ...], survivors: set[_Position], tear: Callable[[File], bytes]
) -> Iterator[tuple[str, bytes]]:
    names = dict(folder.synced)
    for index, (name, node) in enumerate(folder.pending):
        if (path, index) in survivors:
            names.pop(name, None)
            if node is not None:
                names[name] = node
    for name, node in names.items():
        if isinstance(node, Folder):
            yield from _list_files(node, (*path, name), survivors, tear)
        else:
            yield "/".join((*path, name)), tear(node)
