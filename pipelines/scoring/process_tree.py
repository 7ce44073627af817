"""The processes below this one, on Linux: what they use, and how to end all of them.

A process that leaves its session, or whose parent ends first, stays below this one once `adopt_orphans` was called. On
other systems there is neither /proc nor such adoption: a process group is ended, and nothing is counted.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

HAS_PROC = sys.platform == "linux"
END_TIMEOUT_S = 30.0
"""A killed process ends at once, unless the kernel waits for a disk on its behalf."""

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 1, 36, 38


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a process and all below it use."""

    processes: int
    threads: int
    memory_bytes: int  # resident; pages that processes share count once for each
    cpu_s: float  # of those that live, and of those that they have waited for


@dataclass(frozen=True, slots=True)
class _Stat:
    pid: int
    parent: int
    state: str
    cpu_ticks: int
    threads: int
    pages: int


def adopt_orphans() -> None:
    """Become the parent of every process below whose parent ends. Nothing happens where the system cannot do that."""
    _control_process(_PR_SET_CHILD_SUBREAPER, 1)


def end_with_parent() -> None:
    """End when the parent does, and gain no privileges by starting a program that has them."""
    _control_process(_PR_SET_PDEATHSIG, signal.SIGKILL)
    _control_process(_PR_SET_NO_NEW_PRIVS, 1)


def measure_descendants() -> Usage:
    """What all processes below this one use."""
    stats = [stat for stat in _list_descendants(os.getpid()) if stat.state not in "ZX"]
    return Usage(
        processes=len(stats),
        threads=sum(stat.threads for stat in stats),
        memory_bytes=sum(stat.pages for stat in stats) * os.sysconf("SC_PAGE_SIZE"),
        cpu_s=sum(stat.cpu_ticks for stat in stats) / os.sysconf("SC_CLK_TCK"),
    )


def end_descendants(group: int, *, keep: frozenset[int] = frozenset()) -> bool:
    """Kill and reap every process below this one; whether none is left.

    Args:
        group: a process group that is ended in any case, also where there is no /proc; 0 for none.
        keep: children that stay, with all below them.
    """
    until = time.monotonic() + END_TIMEOUT_S
    while time.monotonic() < until:
        if group:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(group, signal.SIGKILL)
        stats = _list_descendants(os.getpid(), keep=keep)
        for stat in stats:
            with suppress(ProcessLookupError):
                os.kill(stat.pid, signal.SIGKILL)
        has_children = _reap_children() if not keep else _reap_listed(stats)
        if not stats and not has_children:
            return True
        time.sleep(0.001)
    return False


def _reap_children() -> bool:
    """Whether children are left after those that ended were waited for."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


def _reap_listed(stats: list[_Stat]) -> bool:
    for stat in stats:
        with suppress(ChildProcessError):
            os.waitpid(stat.pid, os.WNOHANG)
    return bool(stats)


def _list_descendants(root: int, *, keep: frozenset[int] = frozenset()) -> list[_Stat]:
    """The processes below `root`, but for `keep` and all below these.

    One that is started or ends meanwhile may be missing: whoever ends processes looks again until there is no child.
    """
    if not HAS_PROC:
        return []
    find_children = _read_children if _has_children_files() else _scan_children()
    below, parents = [], [root]
    while parents:
        for pid in find_children(parents.pop()):
            stat = None if pid in keep else _read_stat(Path(f"/proc/{pid}"))
            if stat:
                below.append(stat)
                parents.append(pid)
    return below


@cache
def _has_children_files() -> bool:
    """Whether the kernel lists the children of a process, which is much quicker than to ask all processes."""
    return Path(f"/proc/self/task/{os.getpid()}/children").exists()


def _read_children(pid: int) -> list[int]:
    children: list[int] = []
    with suppress(OSError):  # it has ended
        for task in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):
                children += map(int, (task / "children").read_bytes().split())
    return children


def _scan_children() -> Callable[[int], list[int]]:
    """The children of each process at this moment."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal() and (stat := _read_stat(folder)):
            children.setdefault(stat.parent, []).append(stat.pid)
    return lambda pid: children.get(pid, [])


def _read_stat(process: Path) -> _Stat | None:
    """What /proc says of a process (`man 5 proc_pid_stat`); None if it is gone."""
    try:
        fields = (process / "stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    if len(fields) < 22:
        return None
    ticks = sum(map(int, fields[11:15]))  # its own and those of children it waited for, in user and in system mode
    return _Stat(int(process.name), int(fields[1]), fields[0].decode(), ticks, int(fields[17]), int(fields[21]))


def _control_process(option: int, value: int) -> None:
    if HAS_PROC:
        ctypes.CDLL(None, use_errno=True).prctl(option, ctypes.c_ulong(value), 0, 0, 0)
