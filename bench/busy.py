"""The tests beside processes that use every core: `make test-busy`, or `python -m bench.busy 30 tests/faults`.

No test may depend on its speed. A test that fails here but not alone waits too short, or relies on an order.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack

PROCESSES = 30
LOOP = "while True: pass"


def main(processes: int, arguments: list[str]) -> int:
    """The exit code of pytest with these arguments."""
    with ExitStack() as stack:
        for _ in range(processes):
            loop = stack.enter_context(subprocess.Popen([sys.executable, "-S", "-c", LOOP]))
            stack.callback(loop.kill)
        return subprocess.run(
            [sys.executable, "-m", "pytest", "--numprocesses=auto", *arguments], check=False
        ).returncode


if __name__ == "__main__":
    number, *rest = sys.argv[1:] or [str(PROCESSES)]
    raise SystemExit(main(int(number), rest))
