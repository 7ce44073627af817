"""What stands for a cluster's nodes: a Python for the pods, and the process of one pod, in places of its own."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import sysconfig
import threading
import venv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

OUT = "/mnt/out"
"""Where a pod leaves what it hands on. Pods here would share it, so each has a folder instead."""

_INPUT_PATHS = "/tmp/mf-input-paths"  # Metaflow's; in a cluster every pod has a /tmp
_PROJECT = ("lockgate", "__editable__")

_OWN_OUTPUTS = f"""
import builtins, os
_open = builtins.open
class Own:
    def __call__(self, file, *args, **kwargs):
        if isinstance(file, str) and file.startswith("{OUT}/"):
            file = os.environ["POD_OUT"] + file.removeprefix("{OUT}")
        return _open(file, *args, **kwargs)
builtins.open = Own()
"""

_TAR = """#!/bin/sh
# Beside the sources goes the bytecode that another pod has made of this very package: a third of a pod's time.
{tar} "$@" || exit
[ ! -d "$POD_BYTECODE" ] || cp -R "$POD_BYTECODE/." .
"""


def python_without_the_checkout(folder: Path) -> Path:
    """The bin/ of an environment with the packages of this one, but without this project and all that tells of it."""
    venv.create(folder, symlinks=True)
    (site,) = folder.glob("lib/python*/site-packages")
    for packages in {Path(sysconfig.get_paths()[kind]) for kind in ("purelib", "platlib")}:
        for package in packages.iterdir():
            if (
                not package.name.startswith(_PROJECT)
                and package.suffix != ".pth"
                and not (site / package.name).exists()
            ):
                (site / package.name).symlink_to(package)
    (site / "own_outputs.py").write_text(_OWN_OUTPUTS, encoding="utf-8")
    (site / "own_outputs.pth").write_text("import own_outputs\n", encoding="utf-8")  # sitecustomize may be the system's
    (folder / "bin" / "tar").write_text(_TAR.format(tar=shutil.which("tar")), encoding="utf-8")
    (folder / "bin" / "tar").chmod(0o755)
    return folder / "bin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """Has room for so many pods at once, and gives them variables."""

    python: Path
    scratch: Path
    environment: Mapping[str, str]
    at_once: int
    seconds: float  # that a pod has
    _used_folders: set[int] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _room: threading.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_room", threading.Semaphore(self.at_once))

    def run(
        self, command: Sequence[str], environment: Mapping[str, str], outputs: Mapping[str, str]
    ) -> tuple[int, str, dict[str, str]]:
        """The exit code, all that was said, and what was left in the files `outputs`, as soon as there is room."""
        with self._room, self._folder() as folder:
            own = [
                word.replace(_INPUT_PATHS, f"{folder}/mf-input-paths").replace(OUT, f"{folder}/out") for word in command
            ]
            bytecode = self.scratch / "bytecode" / environment.get("METAFLOW_CODE_SHA", "none")
            code, output = _run_process(
                own, folder / "work", self._environment(environment, folder, bytecode), self.seconds
            )
            with self._lock:
                _keep_bytecode(folder / "work" / "metaflow", bytecode)
            files = {name: folder / "out" / path.removeprefix(f"{OUT}/") for name, path in outputs.items()}
            missing = [name for name, file in files.items() if not file.is_file()]
            if code or missing:
                return code or 1, output if code else f"{output}\nit left no {', '.join(missing)}", {}
            values = {name: file.read_text(encoding="utf-8").removesuffix("\n") for name, file in files.items()}
            return 0, output, values

    def _environment(self, variables: Mapping[str, str], folder: Path, bytecode: Path) -> dict[str, str]:
        return {
            "PATH": f"{self.python}:/usr/local/bin:/usr/bin:/bin",
            "LC_ALL": "C.UTF-8",
            "HOME": str(folder / "home"),
            "TMPDIR": str(folder / "tmp"),
            "POD_OUT": str(folder / "out"),
            "POD_BYTECODE": str(bytecode),
            "METAFLOW_SKIP_INSTALL_DEPENDENCIES": "1",
            "OMP_NUM_THREADS": "1",
            **self.environment,
            **variables,
        }

    @contextmanager
    def _folder(self) -> Iterator[Path]:
        """An empty folder for one pod; the next gets it when this one is done."""
        with self._lock:
            number = next(number for number in itertools.count() if number not in self._used_folders)
            self._used_folders.add(number)
        folder = self.scratch / f"pod-{number}"
        shutil.rmtree(folder, ignore_errors=True)
        for name in ("work", "home", "tmp", "out"):
            (folder / name).mkdir(parents=True)
        try:
            yield folder
        finally:
            with self._lock:
                self._used_folders.remove(number)


def _keep_bytecode(package: Path, cache: Path) -> None:
    for file in package.rglob("__pycache__/*.pyc"):
        to = cache / file.relative_to(package)
        if not to.exists():
            to.parent.mkdir(parents=True, exist_ok=True)
            os.link(file, to)


def _run_process(command: Sequence[str], cwd: Path, env: Mapping[str, str], seconds: float) -> tuple[int, str]:
    """The exit code and all that was said; who takes too long is killed with all that it started."""
    with subprocess.Popen(
        command,
        cwd=cwd,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    ) as pod:
        try:
            output, _ = pod.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(pod.pid, signal.SIGKILL)
            output, _ = pod.communicate()
            return -signal.SIGKILL, f"{output}\nkilled after {seconds:g} s"
        return pod.returncode, output
