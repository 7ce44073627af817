"""Models that somebody else made, loaded and scored in processes of their own, with limits: a `Fitted` that is remote.

Bytes of a model and columns of rows go in. Scores (float64), names of columns and times come out, and are checked
here. Whatever becomes of such a process (a crash, a hang, too much memory) is a ModelError that says so. The processes
are described in `confined_server`.
"""

from __future__ import annotations

import json
import math
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import IO, TYPE_CHECKING, Any, Literal

import lockgate
from lockgate.gates.errors import ModelError
from lockgate.pipelines.models import check_blob
from lockgate.pipelines.scoring import process_tree
from lockgate.pipelines.scoring.confined_limits import LIMITS, Limits
from lockgate.pipelines.settings.environment import restrict_model_environment

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

ANSWER_TIMEOUT_S = 600.0
"""How long an answer may take on a machine that is busy with other things. CPU time runs out long before."""

START_TIMEOUT_S = 600.0
END_TIMEOUT_S = 60.0
MAX_HEAD_BYTES = 2**22

PACKAGE_FOLDER = str(Path(lockgate.__file__).resolve().parents[1])
"""The folder of the package: a checkout, site-packages, or the code package of a pod."""

SERVER_COMMAND = (sys.executable, "-P", "-m", "lockgate.pipelines.scoring.confined_server")
MODE = "fork" if process_tree.HAS_PROC else "fresh"

Subject = Literal["columns", "latency", "scores"]


@dataclass(slots=True)
class _Server:
    process: subprocess.Popen[bytes]
    requests: socket.socket
    errors: IO[bytes]
    was_asked: bool = False

    @classmethod
    def start(cls, command: tuple[str, ...], formats: Collection[str]) -> _Server:
        """Raises ModelError if no process can be started."""
        ours, theirs = socket.socketpair()
        errors = tempfile.TemporaryFile()  # noqa: SIM115 - `close` closes it
        path = os.pathsep.join(filter(None, [PACKAGE_FOLDER, os.environ.get("PYTHONPATH", "")]))
        with theirs:
            try:
                process = subprocess.Popen(
                    (*command, str(theirs.fileno()), MODE, *formats),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=errors,
                    env={**restrict_model_environment(os.environ), "PYTHONPATH": path},
                    pass_fds=(theirs.fileno(),),
                    start_new_session=True,
                )
            except OSError as err:
                ours.close()
                errors.close()
                raise ModelError(f"the process for models cannot be started: {err.strerror}", where=command[0]) from err
        ours.settimeout(START_TIMEOUT_S)
        return cls(process, ours, errors)

    def forward(self, request: bytes, *sockets: socket.socket) -> bool:
        """Hand over a request with its sockets; whether it was accepted."""
        try:
            socket.send_fds(self.requests, [request], [end.fileno() for end in sockets])
            self.was_asked = True
            return bool(self.requests.recv(1))
        except OSError:
            return False

    def describe_failure(self) -> str:
        """The last line that a server said which accepts no request."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(1)
        self.errors.seek(0)
        line = self.errors.read(2**16).decode(errors="replace").strip().rpartition("\n")[2]
        return line[:200] or f"exit {self.process.returncode}"

    def close(self) -> None:
        """End the process, and with it all below it. One that was never asked may still import, and has none."""
        self.requests.close()
        if not self.was_asked:
            self.process.kill()
        try:
            self.process.wait(END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.errors.close()


class Confinement:
    """Where models are scored: a process that waits for questions. `open_confinement` starts and ends it.

    Questions may be asked by several threads. A server that ended is started again by the next question.
    """

    def __init__(self, formats: Collection[str], *, limits: Limits, seconds: float, command: tuple[str, ...]) -> None:
        """Start the server. Raises ModelError if it cannot be started."""
        self._limits, self._seconds = limits, seconds
        self._command, self._formats = command, formats
        self._lock = Lock()
        self._thread = ThreadPoolExecutor(1)
        self._server = _Server.start(self._command, self._formats)

    def close(self) -> None:
        """End the server and all below it."""
        self._thread.shutdown(cancel_futures=True)
        self._server.close()

    def load(self, format: str, blob: bytes, *, sha256: str) -> ConfinedModel:  # noqa: A002 - what the artifact calls it
        """The model in `blob`, which is parsed whenever it is asked for something, in a process that ends then.

        Raises:
            ModelError: the format is unknown, or the digest differs.
        """
        check_blob(format, blob, sha256=sha256)
        return ConfinedModel(confinement=self, format=format, blob=blob, sha256=sha256)

    def score(self, format: str, blob: bytes, *, sha256: str, frame: pd.DataFrame) -> Future[tuple[str, NDArray[Any]]]:  # noqa: A002
        """The future scores of a process that loads these bytes for them, and the version of its Python."""

        def answer() -> tuple[str, NDArray[np.float64]]:
            head, scores = self.ask("scores", self.load(format, blob, sha256=sha256), frame)
            return str(head.get("python", ""))[:40], scores

        return self._thread.submit(answer)

    def ask(
        self, subject: Subject, model: ConfinedModel, frame: pd.DataFrame | None
    ) -> tuple[dict[str, Any], NDArray[np.float64]]:
        """The head of the answer, and the scores (n,) if they were asked for. Raises ModelError where there is none."""
        rows = b"" if frame is None else _pack_rows(frame)
        count = 0 if frame is None else len(frame)
        head = {
            "ask": subject,
            "format": model.format,
            "sha256": model.sha256,
            "model": len(model.blob),
            "rows": len(rows),
        }
        question = json.dumps(head).encode() + b"\n" + model.blob + rows
        limits = self._limits.scale(rows=count, question_bytes=len(question))
        data, control = self._fork(model.format, limits)
        with data, control:
            expected = count if subject == "scores" else 0
            until = time.monotonic() + self._seconds
            answer = _exchange(data, question, until=until, max_bytes=MAX_HEAD_BYTES + 8 * expected)
            report = _dismiss(control)
        if answer is None:
            raise ModelError(f"the model gave no answer within {self._seconds:.0f} s, and was ended")
        return _parse_answer(answer, report, limits, count=expected)

    def _fork(self, format: str, limits: Limits) -> tuple[socket.socket, socket.socket]:  # noqa: A002
        """A socket to a new process that answers, and one to the process that watches it."""
        (data, answers), (control, watches) = socket.socketpair(), socket.socketpair()
        request = json.dumps({"format": format, "limits": limits.to_json()}).encode()
        with self._lock, answers, watches:
            if self._server.process.poll() is not None:
                self._server.close()
                self._server = _Server.start(self._command, self._formats)
            if not self._server.forward(request, answers, watches):
                data.close()
                control.close()
                raise ModelError(f"the process for models cannot be started: {self._server.describe_failure()}")
        return data, control


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfinedModel:
    """A model that this process never loads. See `Fitted`."""

    confinement: Confinement
    format: str
    blob: bytes
    sha256: str

    @property
    def columns(self) -> tuple[str, ...]:
        columns = self.confinement.ask("columns", self, None)[0].get("columns")
        if not isinstance(columns, list) or not all(isinstance(name, str) for name in columns):
            raise ModelError("the model's columns are no list of names")
        return tuple(columns)

    def score(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        """As `Fitted.score`. Raises ModelError also where a score is not finite, and for what became of the process."""
        return self.confinement.ask("scores", self, frame)[1]

    def measure_latency(self, frame: pd.DataFrame) -> dict[str, float]:
        """As `measuring.measure_latency`, measured beside the model."""
        from lockgate.pipelines.scoring.measuring import LATENCY_FACTS

        times = self.confinement.ask("latency", self, frame)[0].get("ms")
        if not isinstance(times, dict) or times.keys() != set(LATENCY_FACTS):
            raise ModelError("the model's times are not those that were asked for", expected=", ".join(LATENCY_FACTS))
        if not all(type(number) is float and 0 <= number < math.inf for number in times.values()):
            raise ModelError("the model's times are not finite numbers")
        return {name: times[name] for name in LATENCY_FACTS}

    def to_bytes(self) -> bytes:
        return self.blob


@contextmanager
def open_confinement(
    *formats: str,
    limits: Limits = LIMITS,
    seconds: float = ANSWER_TIMEOUT_S,
    command: tuple[str, ...] = SERVER_COMMAND,
) -> Iterator[Confinement]:
    """Start a process that models can be scored below. It, and all below it, have ended when the context is left.

    Args:
        formats: of the models; what they need is imported at once, while this process does something else.
        limits: of each question, before its rows and bytes are added.
        seconds: for each answer.
        command: what to run instead of `python -m lockgate.pipelines.scoring.confined_server`.

    Raises:
        ModelError: no process can be started.
    """
    confinement = Confinement(formats, limits=limits, seconds=seconds, command=command)
    try:
        yield confinement
    finally:
        confinement.close()


def _pack_rows(frame: pd.DataFrame) -> bytes:
    import pyarrow as pa

    table = pa.Table.from_pandas(frame, preserve_index=False)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def _exchange(data: socket.socket, question: bytes, *, until: float, max_bytes: int) -> bytes | None:
    """What was answered, up to little more than `max_bytes`; None if that took too long."""
    chunks, size = [], 0
    try:
        data.settimeout(max(0.001, until - time.monotonic()))
        with suppress(BrokenPipeError, ConnectionResetError):  # it ended before it had read everything
            data.sendall(question)
        while size <= max_bytes:
            data.settimeout(max(0.001, until - time.monotonic()))
            chunk = data.recv(2**20)
            if not chunk:
                break
            chunks.append(chunk)
            size += len(chunk)
    except TimeoutError:
        return None
    except OSError:
        return b""
    return b"".join(chunks)


def _dismiss(control: socket.socket) -> dict[str, Any]:
    """End whatever is left of the process that answered; how it had ended."""
    control.settimeout(END_TIMEOUT_S)
    try:
        control.shutdown(socket.SHUT_WR)
        with control.makefile("rb") as source:
            report = json.loads(source.read())
    except (OSError, ValueError):
        return {"reason": "unwatched"}
    return dict(report)


def _parse_answer(
    answer: bytes, report: dict[str, Any], limits: Limits, *, count: int
) -> tuple[dict[str, Any], NDArray[np.float64]]:
    """Raises ModelError for an answer that is none, or says that there is none."""
    import numpy as np

    line, newline, packed = answer.partition(b"\n")
    try:
        head = json.loads(line) if newline else None
    except (ValueError, RecursionError):
        head = None
    if not isinstance(head, dict):
        raise ModelError(_describe_end(report, limits))
    if "problem" in head:
        words = {name: str(head.get(name, ""))[:1000] for name in ("problem", "expected", "where", "hint")}
        raise ModelError(words.pop("problem"), **words)
    if len(packed) != 8 * count:
        if report.get("reason") != "exit":
            raise ModelError(_describe_end(report, limits))
        raise ModelError(f"the model gave {len(packed) / 8:,.0f} scores for {count:,} rows")
    scores = np.frombuffer(packed, dtype="<f8").astype(np.float64)
    if not np.isfinite(scores).all():
        raise ModelError(f"the model gave {int((~np.isfinite(scores)).sum()):,} scores that are not finite")
    return head, scores


def _describe_end(report: dict[str, Any], limits: Limits) -> str:
    """How a process ended that gave no answer, in words."""
    status = report.get("status")
    match report.get("reason"):
        case "signal":
            name = signal.Signals(status).name if status in set(signal.Signals) else f"signal {status}"
            return f"the model ended the process that scored it: {name}"
        case "memory":
            return f"the model took more than {limits.memory_bytes / 2**20:,.0f} MB of memory, and was ended"
        case "cpu":
            return f"the model took more than {limits.cpu_s:,} s of CPU time, and was ended"
        case "tasks":
            return f"the model started more than {limits.tasks} processes and threads, and was ended"
        case "exit":
            return f"the process that scored the model gave no answer, and ended with status {status}"
    return "the process that scored the model ended, and so did the one that watched it"
