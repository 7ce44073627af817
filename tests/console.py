"""`lockgate` as its console command runs it, for tests/forked.py: in any directory, with any environment.

Nothing that looks at the environment when it is imported is imported first; so Metaflow is not.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Any

IMPORTED_FIRST = (
    "cryptography.hazmat.primitives.serialization",
    "hydra",
    "numpy",
    "obstore.store",
    "pyarrow.compute",
    "pydantic",
    "rich.console",
    "rich.table",
    "lockgate.gates.lifecycle.admission",
    "lockgate.gates.records.decision",
    "lockgate.gates.judge.engine",
    "lockgate.gates.evidence.evidence",
    "lockgate.gates.log",
    "lockgate.gates.policy.policy",
    "lockgate.gates.report.terminal",
    "lockgate.pipelines.cli.main",
    "lockgate.pipelines.settings.settings",
)


def run(expected: dict[str, Any], note: Callable[[str], None]) -> None:
    from lockgate.pipelines.cli.main import main

    os.chdir(expected["cwd"])
    os.environ.clear()
    os.environ.update(expected["env"])
    time.tzset()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.argv = expected["words"]
    main()
