"""`make mutate`: change the judging code in thousands of places, one at a time, and count what no test notices.

Works in a copy of the checkout. Prints the counts for each file, then the change of every survivor. Fails if fewer than
96% are noticed. docs/mutation.md explains the survivors.
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

from lockgate.pipelines.settings.groups import ROOT

MIN_NOTICED = 0.96
_SURVIVED, _KILLED, _UNTESTED = (0,), (1, 3), (5, 33)


def copy_tree(to: Path) -> None:
    """Copy the files that git tracks, as they are in the checkout."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    for name in filter(None, listed):
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).exists():
            shutil.copyfile(ROOT / name, to / name)


def read_exit_codes(folder: Path) -> dict[str, dict[str, int | None]]:
    """The tests' exit code for each mutant, by file."""
    metas = {
        str(meta.relative_to(folder / "mutants")).removesuffix(".meta"): json.loads(meta.read_text(encoding="utf-8"))
        for meta in sorted((folder / "mutants").rglob("*.py.meta"))
    }
    return {file: meta["exit_code_by_key"] for file, meta in metas.items()}


def classify_exit_code(code: int | None) -> str:
    """What happened to a mutant. If the tests hang, that counts as noticed."""
    if code in _SURVIVED:
        return "survived"
    if code in _UNTESTED:
        return "untested"
    return "killed" if code in _KILLED else "timeout" if code is not None else "unchecked"


def main() -> int:
    """Run mutmut and print what it found. Returns the exit code, 1 if too many survive."""
    mutmut = str(Path(sys.executable).with_name("mutmut"))
    with tempfile.TemporaryDirectory(prefix="lockgate-mutants-") as scratch:
        folder = Path(scratch)
        copy_tree(folder)
        env = {**os.environ, "OMP_NUM_THREADS": "1"}
        subprocess.run(
            [mutmut, "run", "--max-children", str(os.cpu_count() or 1)],
            cwd=folder,
            env=env,
            check=False,
            stdout=subprocess.DEVNULL,
        )
        codes_by_file = read_exit_codes(folder)
        total: Counter[str] = Counter()
        print("| file | killed | timeout | survived | untested |\n|---|---|---|---|---|")  # noqa: T201
        for file, codes in codes_by_file.items():
            counted = Counter(classify_exit_code(code) for code in codes.values())
            total += counted
            if codes:
                print(f"| `{file}` | {' | '.join(str(counted[head]) for head in _HEADS)} |")  # noqa: T201
        print(f"| all | {' | '.join(str(total[head]) for head in _HEADS)} |\n")  # noqa: T201
        for codes in codes_by_file.values():
            for name, code in codes.items():
                if classify_exit_code(code) in ("survived", "untested"):
                    mutant = subprocess.run(
                        [mutmut, "show", name], cwd=folder, capture_output=True, text=True, check=False
                    )
                    print(f"{name}\n{_changed_lines(mutant.stdout)}")  # noqa: T201
        noticed = (total["killed"] + total["timeout"]) / max(1, sum(total.values()))
        print(f"{noticed:.1%} of {sum(total.values()):,} noticed; asked: {MIN_NOTICED:.0%}")  # noqa: T201
        return 0 if noticed >= MIN_NOTICED else 1


_HEADS = ("killed", "timeout", "survived", "untested")


def _changed_lines(diff: str) -> str:
    lines = [line for line in diff.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    return "\n".join(f"    {line}" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
