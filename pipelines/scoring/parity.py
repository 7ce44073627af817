"""The model's bytes, loaded by a process that did not train it, on some rows: the fact `parity`.

`python -m lockgate.pipelines.scoring.parity` is that process: it imports what it needs while the parent still fits,
and waits at its standard input. The parent writes one line of JSON {"format", "sha256", "model", "rows"}, the latter
two lengths in bytes, then the model, then the rows as an Arrow IPC file. The answer on standard output is one line of
JSON, and the scores as little-endian float64. Where the parent ends, the input does, and so does this process.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import lockgate
from lockgate.gates.errors import LockgateError, ModelError
from lockgate.pipelines.settings.environment import restrict_environment

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

PARITY_ROWS = 256
ANSWER_TIMEOUT_S = 60.0
"""How long the fresh process may take once it has the rows; after that it is killed."""

MODEL_IMPORTS = {"xgb": ("lockgate.pipelines.models.bare_xgboost",)}
SKOPS_IMPORTS = ("sklearn.compose", "sklearn.pipeline", "skops.io")
"""The libraries of a model by its name, imported while the parent still fits. All other models use skops."""

PACKAGE_FOLDER = str(Path(lockgate.__file__).resolve().parents[1])
"""The folder of the package: a checkout, site-packages, or the code package of a pod."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FreshProcess:
    """A Python process that waits for a model and rows. `fresh_process` starts and ends it."""

    child: subprocess.Popen[bytes]
    thread: ThreadPoolExecutor
    seconds: float

    def score(self, format: str, blob: bytes, *, sha256: str, frame: pd.DataFrame) -> Future[bytes]:  # noqa: A002
        """The future answer, within `seconds`. May be called once."""
        rows = _pack_rows(frame)
        head = {"format": format, "sha256": sha256, "model": len(blob), "rows": len(rows)}
        return self.thread.submit(self._answer, json.dumps(head).encode() + b"\n" + blob + rows)

    def _answer(self, question: bytes) -> bytes:
        try:
            answer, errors = self.child.communicate(question, timeout=self.seconds)
        except subprocess.TimeoutExpired as err:
            self.child.kill()
            raise ModelError(f"the fresh process did not answer within {self.seconds:.0f} s") from err
        except OSError as err:
            raise ModelError(f"the fresh process cannot be asked: {err.strerror}") from err
        if self.child.returncode:
            last = errors.decode(errors="replace").strip().rpartition("\n")[2] or f"exit {self.child.returncode}"
            raise ModelError(f"the fresh process failed: {last[:200]}")
        return answer


@contextmanager
def fresh_process(
    model: str, *, declared: Collection[str] = (), seconds: float = ANSWER_TIMEOUT_S, command: tuple[str, ...] = ()
) -> Iterator[FreshProcess]:
    """Start a fresh Python that imports what scoring needs. It has ended when the context is left.

    Args:
        model: the model's name in `MODELS`.
        declared: environment variables that it gets in addition to those of every model process.
        command: what to run instead of `python -m lockgate.pipelines.scoring.parity`.

    Raises:
        ModelError: no process can be started.
    """
    path = os.pathsep.join(filter(None, [PACKAGE_FOLDER, os.environ.get("PYTHONPATH", "")]))
    words = command or (sys.executable, "-P", "-m", "lockgate.pipelines.scoring.parity", model)
    pipe, environment = subprocess.PIPE, {**restrict_environment(os.environ, declared=declared), "PYTHONPATH": path}
    try:
        child = subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe, env=environment)
    except OSError as err:
        raise ModelError(f"a fresh process cannot be started: {err.strerror}", where=words[0]) from err
    with child, ThreadPoolExecutor(1) as thread:
        try:
            yield FreshProcess(child=child, thread=thread, seconds=seconds)
        finally:
            child.kill()


def measure_parity(answer: Future[bytes], scores: NDArray[np.float64]) -> dict[str, Any]:
    """The fact `parity`: how far the answer is from these scores (k,), or `problem` if there is no usable answer."""
    import numpy as np

    try:
        head, _, packed = answer.result().partition(b"\n")
        header = json.loads(head)
        again = np.frombuffer(packed, dtype="<f8")
    except LockgateError as err:
        return {"problem": str(err)}
    except ValueError:
        return {"problem": "the answer of the fresh process is not scores"}
    if again.shape != scores.shape or not isinstance(header, dict):
        return {"problem": f"the fresh process answered {again.size:,} scores for {scores.size:,} rows"}
    max_difference = float(np.abs(again - scores).max(initial=0.0))
    if not np.isfinite(max_difference):
        return {"problem": "scores are not finite"}
    return {"rows": int(scores.size), "max_difference": max_difference, "python": str(header.get("python", ""))}


def _pack_rows(frame: pd.DataFrame) -> bytes:
    import pyarrow as pa

    table = pa.Table.from_pandas(frame, preserve_index=False)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def answer_question(source: IO[bytes], sink: IO[bytes]) -> None:
    """The work of the fresh process: read one question, score, write one answer. Without a question it ends."""
    import numpy as np
    import pyarrow as pa

    from lockgate.pipelines.models import load_model

    line = source.readline()
    if not line:
        return
    head = json.loads(line)
    blob, rows = source.read(head["model"]), source.read(head["rows"])
    frame = pa.ipc.open_file(pa.BufferReader(rows)).read_all().to_pandas()
    scores = load_model(head["format"], blob, sha256=head["sha256"]).score(frame)
    sink.write(json.dumps({"python": platform.python_version()}).encode() + b"\n")
    sink.write(np.ascontiguousarray(scores, dtype="<f8").tobytes())
    sink.flush()


def main() -> None:
    """Run the fresh process. A user's mistake is one line on standard error."""
    for name in ("pandas", "pyarrow", *MODEL_IMPORTS.get(" ".join(sys.argv[1:]), SKOPS_IMPORTS)):
        with suppress(ImportError):  # a missing library shows when the model is loaded
            import_module(name)
    try:
        answer_question(sys.stdin.buffer, sys.stdout.buffer)
    except LockgateError as err:
        sys.stderr.write(f"{err}\n")
        sys.exit(1)
    except (BrokenPipeError, KeyboardInterrupt):
        sys.exit(1)


if __name__ == "__main__":
    main()
