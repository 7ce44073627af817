"""What a process that scores an untrusted model may use, and how it is held to that."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Self

from lockgate.pipelines.scoring import process_tree

MAX_OPEN_FILES = 64
ROWS_PER_CPU_S = 5_000
BYTES_PER_BYTE = 8
"""How many bytes of memory a byte of the model or of its rows may take once it is read."""

MAX_QUESTION_MEMORY_BYTES = 4 * 2**30
"""The most memory that the model's bytes and its rows add: whoever made them chose how many there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the process that scores a model may use, with all that it starts."""

    memory_bytes: int  # beyond what it has when it begins
    cpu_s: int
    tasks: int  # processes and threads

    @classmethod
    def parse(cls, text: str) -> Self:
        return cls(**json.loads(text))

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    def scale(self, *, rows: int, question_bytes: int) -> Limits:
        """These limits for so many rows, in a question of so many bytes."""
        return replace(
            self,
            memory_bytes=self.memory_bytes + min(BYTES_PER_BYTE * question_bytes, MAX_QUESTION_MEMORY_BYTES),
            cpu_s=self.cpu_s + rows // ROWS_PER_CPU_S,
        )


LIMITS = Limits(memory_bytes=2 * 2**30, cpu_s=60, tasks=32)
"""Of any model, before its rows and bytes are added."""


def limit_resources(limits: Limits) -> None:
    """Bound what this process may use. It can write to no file; what it has mapped before does not count."""
    import resource  # not on Windows, where models of others are not scored

    sys.dont_write_bytecode = True
    bounds = {resource.RLIMIT_CORE: 0, resource.RLIMIT_FSIZE: 0, resource.RLIMIT_NOFILE: MAX_OPEN_FILES}
    if process_tree.HAS_PROC:  # elsewhere the system does not hold a process to it
        mapped_bytes = int(Path("/proc/self/statm").read_bytes().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        bounds[resource.RLIMIT_AS] = mapped_bytes + limits.memory_bytes
    for which, bound in bounds.items():
        resource.setrlimit(which, (bound, bound))
    resource.setrlimit(resource.RLIMIT_CPU, (limits.cpu_s, limits.cpu_s + 1))  # at the first it gets SIGXCPU
