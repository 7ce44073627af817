"""`make mutate`: change the judging code in thousands of places, one at a time, and count what no test notices.

Works in a copy of the checkout. Prints killed and survived for each file, then every survivor as the change that it is;
fails where fewer than 96% are killed. docs/mutation.md says why each survivor is one.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LEAST = 0.96
_SURVIVED, _KILLED, _UNTESTED = (0,), (1, 3), (5, 33)


def copied(to: Path) -> None:
    """The files that git knows, as they are in the checkout."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    for name in filter(None, listed):
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).exists():
            shutil.copyfile(ROOT / name, to / name)


def fates(folder: Path) -> dict[str, dict[str, int | None]]:
    """The exit code of the tests for each mutant, by file."""
    metas = {
        str(meta.relative_to(folder / "mutants")).removesuffix(".meta"): json.loads(meta.read_text(encoding="utf-8"))
        for meta in sorted((folder / "mutants").rglob("*.py.meta"))
    }
    return {file: meta["exit_code_by_key"] for file, meta in metas.items()}


def fate(code: int | None) -> str:
    """What became of a mutant. One on which the tests hang is noticed too."""
    if code in _SURVIVED:
        return "survived"
    if code in _UNTESTED:
        return "untested"
    return "killed" if code in _KILLED else "timeout" if code is not None else "unchecked"


def main() -> int:
    """Run, and print. The exit code: 1 where too many survive."""
    mutmut = str(Path(sys.executable).with_name("mutmut"))
    with tempfile.TemporaryDirectory(prefix="lockgate-mutants-") as scratch:
        folder = Path(scratch)
        copied(folder)
        env = {**os.environ, "OMP_NUM_THREADS": "1"}
        subprocess.run(
            [mutmut, "run", "--max-children", str(os.cpu_count() or 1)],
            cwd=folder,
            env=env,
            check=False,
            stdout=subprocess.DEVNULL,
        )
        found = fates(folder)
        total: Counter[str] = Counter()
        print("| file | killed | timeout | survived | untested |\n|---|---|---|---|---|")  # noqa: T201
        for file, codes in found.items():
            counted = Counter(fate(code) for code in codes.values())
            total += counted
            if codes:
                print(f"| `{file}` | {' | '.join(str(counted[one]) for one in _HEADS)} |")  # noqa: T201
        print(f"| all | {' | '.join(str(total[one]) for one in _HEADS)} |\n")  # noqa: T201
        for codes in found.values():
            for name, code in codes.items():
                if fate(code) in ("survived", "untested"):
                    shown = subprocess.run(
                        [mutmut, "show", name], cwd=folder, capture_output=True, text=True, check=False
                    )
                    print(f"{name}\n{_changed(shown.stdout)}")  # noqa: T201
        noticed = (total["killed"] + total["timeout"]) / max(1, sum(total.values()))
        print(f"{noticed:.1%} of {sum(total.values()):,} noticed; asked: {LEAST:.0%}")  # noqa: T201
        return 0 if noticed >= LEAST else 1


_HEADS = ("killed", "timeout", "survived", "untested")


def _changed(diff: str) -> str:
    lines = [line for line in diff.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    return "\n".join(f"    {line}" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
