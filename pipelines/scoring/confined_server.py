"""The process that untrusted models are scored below: it imports what they need, once, and forks for each question.

`python -m lockgate.pipelines.scoring.confined_server FD MODE FORMAT…` is that process. Requests come over the socket
FD, each with two sockets: one for the process that answers (`confined_worker`), one for the process that watches it.
The latter ends the former, and all below it, when it uses more than its limits or when the other end of the socket is
closed, and then says why.

    whoever asks ── server ── watcher of question 1 ── worker, and what it started
                           └─ watcher of question 2 ── …

MODE is `fork`, or `fresh` to start a new Python for each worker. That takes seconds longer, and is for systems whose
libraries do not survive a fork (macOS).
"""

from __future__ import annotations

import array
import gc
import json
import os
import select
import signal
import socket
import sys
import time
from contextlib import suppress
from typing import Any, NoReturn

from lockgate.pipelines.models import skops_pipeline, xgb
from lockgate.pipelines.scoring import process_tree
from lockgate.pipelines.scoring.confined_limits import Limits
from lockgate.pipelines.scoring.confined_worker import import_libraries, run_worker

WATCH_INTERVAL_S = 0.025
"""How often what a worker uses is measured. What the kernel itself bounds (CPU, address space, files) needs no look."""

END_GRACE_S = 1.0
MAX_REQUEST_BYTES = 4096

LIBRARIES: dict[str, tuple[str, ...]] = {
    xgb.FORMAT: ("lockgate.pipelines.models.bare_xgboost",),
    skops_pipeline.FORMAT: (
        "skops.io",
        "sklearn.compose",
        "sklearn.dummy",
        "sklearn.ensemble",
        "sklearn.impute",
        "sklearn.linear_model",
        "sklearn.pipeline",
        "threadpoolctl",
    ),
}
"""What is imported before the first model of a format is loaded."""


def serve(requests: socket.socket, *, fresh: bool) -> None:
    """Answer requests until the other end is closed; then nothing below this process is left."""
    process_tree.adopt_orphans()
    watchers: set[int] = set()
    while True:
        if select.select([requests], [], [], 0.5)[0]:
            message, descriptors = _receive(requests)
            if not message:
                break
            request = json.loads(message)
            import_libraries(LIBRARIES.get(request["format"], ()))
            gc.freeze()  # or the collector of each fork would touch, and so copy, all that is shared
            data, control = (socket.socket(fileno=descriptor) for descriptor in descriptors)
            pid = os.fork()
            if not pid:
                requests.close()
                _watch_worker(data, control, Limits.parse(request["limits"]), fresh=fresh)
            watchers.add(pid)
            data.close()
            control.close()
            requests.sendall(b"\n")
        watchers = {pid for pid in watchers if not _is_over(pid)}
        process_tree.end_descendants(0, keep=frozenset(watchers))  # what a watcher that was killed left behind
    process_tree.end_descendants(0)


def _receive(requests: socket.socket) -> tuple[bytes, list[int]]:
    descriptors = array.array("i")
    message, control_messages, *_ = requests.recvmsg(MAX_REQUEST_BYTES, socket.CMSG_SPACE(2 * descriptors.itemsize))
    for _, _, packed in control_messages:
        descriptors.frombytes(packed)
    return message, list(descriptors)


def _is_over(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True


def _watch_worker(data: socket.socket, control: socket.socket, limits: Limits, *, fresh: bool) -> NoReturn:
    """Fork the worker, end it and all below it in time, say over `control` how it ended, and end this process."""
    try:
        parent = os.getppid()
        process_tree.adopt_orphans()
        worker = os.fork()
        if not worker:
            control.close()
            _become_worker(data, limits, fresh=fresh)
        data.close()
        report = _watch(worker, control, limits, parent)
        report["ended"] = process_tree.end_descendants(worker)
        with suppress(OSError):
            control.sendall(json.dumps(report).encode())
    finally:
        os._exit(0)


def _become_worker(data: socket.socket, limits: Limits, *, fresh: bool) -> NoReturn:
    if fresh:
        os.set_inheritable(data.fileno(), True)
        module = "lockgate.pipelines.scoring.confined_worker"
        words = [sys.executable, "-P", "-m", module, str(data.fileno()), limits.to_json()]
        try:
            os.execv(sys.executable, words)  # noqa: S606 - the same Python
        finally:
            os._exit(1)
    run_worker(data, limits)


def _watch(worker: int, control: socket.socket, limits: Limits, parent: int) -> dict[str, Any]:
    """How the worker ended, or why it has to."""
    base_bytes = 0
    ends = [control.fileno()]
    if hasattr(os, "pidfd_open"):
        with suppress(OSError):
            ends.append(os.pidfd_open(worker))
    while True:
        pid, status = os.waitpid(worker, os.WNOHANG)
        if pid:
            return _describe_end(os.waitstatus_to_exitcode(status))
        if os.getppid() != parent:
            return {"reason": "dismissed"}
        usage = process_tree.measure_descendants()
        base_bytes = base_bytes or usage.memory_bytes
        if usage.threads > limits.tasks:
            return {"reason": "tasks"}
        if usage.memory_bytes - base_bytes > limits.memory_bytes:
            return {"reason": "memory"}
        if usage.cpu_s > limits.cpu_s:
            return {"reason": "cpu"}
        if control.fileno() in select.select(ends, [], [], WATCH_INTERVAL_S)[0]:
            return _await_end(worker)


def _await_end(worker: int) -> dict[str, Any]:
    """How a worker ends whose socket is closed, which the system does first. One that was too slow does not end."""
    until = time.monotonic() + END_GRACE_S
    while time.monotonic() < until:
        pid, status = os.waitpid(worker, os.WNOHANG)
        if pid:
            return _describe_end(os.waitstatus_to_exitcode(status))
        time.sleep(0.001)
    return {"reason": "dismissed"}


def _describe_end(code: int) -> dict[str, Any]:
    if code == -signal.SIGXCPU:
        return {"reason": "cpu"}
    return {"reason": "signal", "status": -code} if code < 0 else {"reason": "exit", "status": code}


def main() -> None:
    """Import what every model needs, and what the formats that are named need, and serve."""
    requests = socket.socket(fileno=int(sys.argv[1]))
    import_libraries(("pandas", "pyarrow", "lockgate.pipelines.scoring.measuring"))
    _, _, mode, *formats = sys.argv
    for name in formats:
        import_libraries(LIBRARIES.get(name, ()))
    serve(requests, fresh=mode == "fresh")


if __name__ == "__main__":
    main()
