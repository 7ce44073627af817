"""The process that loads and scores one untrusted model: it limits itself, answers one question, and ends."""

from __future__ import annotations

import json
import os
import platform
import socket
import sys
from importlib import import_module
from typing import Any, NoReturn

from lockgate.gates.errors import LockgateError, ModelError, printable
from lockgate.gates.foreign import convert_foreign
from lockgate.pipelines.scoring import process_tree
from lockgate.pipelines.scoring.confined_limits import Limits, limit_resources

MAX_PROBLEM_CHARS = 400
"""What a model makes its library say is cut to this."""

_DATA_FD = 3
_FAILED = 70


def run_worker(data: socket.socket, limits: Limits) -> NoReturn:
    """Answer the question on `data`, within `limits`, and end this process."""
    status = _FAILED
    try:
        os.setsid()
        process_tree.end_with_parent()
        _answer(_keep_only(data), limits)
        status = 0
    finally:
        os._exit(status)  # whatever was raised: the frames above belong to the process that was forked


def run_fresh_worker() -> NoReturn:
    """The same in a Python that was started for it: `confined_worker 3 LIMITS` with the socket as descriptor 3."""
    run_worker(socket.socket(fileno=int(sys.argv[1])), Limits.parse(sys.argv[2]))


def _keep_only(data: socket.socket) -> socket.socket:
    """`data` as the only open file but for three that lead nowhere."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    descriptor = os.dup(data.fileno())
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    os.dup2(descriptor, _DATA_FD)
    os.closerange(_DATA_FD + 1, os.sysconf("SC_OPEN_MAX"))
    return socket.socket(fileno=_DATA_FD)


def _answer(data: socket.socket, limits: Limits) -> None:
    source = data.makefile("rb")  # the end of this process closes it: whoever sees that sees how it ended
    question = json.loads(source.readline())
    blob, rows = source.read(question["model"]), source.read(question["rows"])
    limit_resources(limits)
    head, scores = _work(question, blob, rows)
    data.sendall(json.dumps(head).encode() + b"\n" + scores)


def _work(question: dict[str, Any], blob: bytes, rows: bytes) -> tuple[dict[str, Any], bytes]:
    """The answer's head, and the scores; where the model cannot be loaded or scored, the head says why."""
    try:
        return convert_foreign(lambda: _score(question, blob, rows), _describe_failure)
    except LockgateError as err:
        parts = {"problem": err.problem, "expected": err.expected, "where": err.where, "hint": err.hint}
        return {name: printable(text)[:MAX_PROBLEM_CHARS] for name, text in parts.items()}, b""


def _describe_failure(err: Exception) -> LockgateError:
    if isinstance(err, MemoryError):
        return ModelError("it needs more memory than a model may have")
    return ModelError(f"it cannot be scored: {type(err).__name__}: {err}")


def _score(question: dict[str, Any], blob: bytes, rows: bytes) -> tuple[dict[str, Any], bytes]:
    from lockgate.pipelines.models import load_model

    model = load_model(question["format"], blob, sha256=question["sha256"])
    head: dict[str, Any] = {"python": platform.python_version(), "columns": list(model.columns)}
    if question["ask"] == "columns":
        return head, b""

    import numpy as np
    import pyarrow as pa

    from lockgate.pipelines.scoring.measuring import measure_latency

    frame = pa.ipc.open_file(pa.BufferReader(rows)).read_all().to_pandas(use_threads=False)
    if question["ask"] == "latency":
        return {**head, "ms": measure_latency(model, frame)}, b""
    return head, np.ascontiguousarray(model.score(frame), dtype="<f8").tobytes()


def import_libraries(names: tuple[str, ...]) -> None:
    """Import what models of a format need; what is missing shows when a model is loaded."""
    for name in names:
        try:
            import_module(name)
        except ImportError:
            continue


if __name__ == "__main__":
    run_fresh_worker()
