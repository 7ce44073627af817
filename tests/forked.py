"""Commands in forks of a process in which everything is imported: what takes long to import is there before the first.

A test starts it with `started`. The process runs a script that says `IMPORTED_FIRST`, names of modules, and has a
function `run(asked, note)`: it does what was asked, and may note something to be answered beside what it prints.
"""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

Note = Callable[[str], None]


@contextmanager
def started(script: Path, *, cwd: Path | str, env: dict[str, str]) -> Iterator[Callable[[dict[str, Any]], Any]]:
    """While this lasts, answers to what is asked: `code` (−9: killed), `out`, `err` and `notes`."""
    command = [sys.executable, "-P", __file__, str(script)]  # -P: tests/gates is not the package `gates`
    with subprocess.Popen(
        command, cwd=cwd, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as position:
        asks, answers = position.stdin, position.stdout
        assert asks is not None
        assert answers is not None

        def ask(expected: dict[str, Any]) -> Any:
            asks.write(json.dumps(expected) + "\n")
            asks.flush()
            return json.loads(answers.readline())

        yield ask
        asks.close()


def _child(run: Callable[[dict[str, Any], Note], None], expected: dict[str, Any], notes: int) -> NoReturn:
    """Does what was asked, in this process."""

    def note(message: str) -> None:
        os.write(notes, message.encode())

    code: Any = 0
    try:
        run(expected, note)
    except SystemExit as completed:
        code = completed.code
    except Exception as err:  # noqa: BLE001 (whatever it is)
        sys.stderr.write(f"Traceback: {err!r}\n")
        code = 99
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 0 if code is None else 1)


def _answer(run: Callable[[dict[str, Any], Note], None], expected: dict[str, Any]) -> dict[str, Any]:
    """Fork, run, wait."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, tempfile.TemporaryFile() as notes:
        forked = os.fork()
        if not forked:
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            _child(run, expected, notes.fileno())
        code = os.waitstatus_to_exitcode(os.waitpid(forked, 0)[1])
        results = []
        for file in (out, err, notes):
            file.seek(0)
            results.append(file.read().decode())
    return {"code": code} | dict(zip(("out", "err", "notes"), results, strict=True))


def _main() -> None:
    script = runpy.run_path(sys.argv[1])
    for name in script["IMPORTED_FIRST"]:
        import_module(name)
    conf = Path(__file__).parents[1] / "conf"
    import_module("lockgate.pipelines.settings.settings").compose(conf=conf)  # for what Hydra imports
    for line in sys.stdin:
        print(json.dumps(_answer(script["run"], json.loads(line))), flush=True)


if __name__ == "__main__":
    _main()
