"""Running a flow as a subprocess: its progress on stderr, its failure in one line."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.gates.errors import RunError, TooFewRowsError
from lockgate.pipelines.flows import FLOW_FOLDER
from lockgate.pipelines.promotion import events
from lockgate.pipelines.promotion.actor import UNNAMED_ACTOR_VARIABLE
from lockgate.pipelines.settings.environment import restrict_environment

if TYPE_CHECKING:
    from lockgate.gates.policy.policy import Policy
    from lockgate.pipelines.settings.settings import Settings

MAX_FAILURE_LINES = 12


def set_user() -> str:
    """Set METAFLOW_USER, and return it. Call this before Metaflow is imported.

    Metaflow takes its user from these variables, refuses root, and fails if none is set, as in most containers. The
    user is `lockgate` then.
    """
    users = (os.environ.get(name) for name in ("METAFLOW_USER", "SUDO_USER", "USERNAME", "USER"))
    user_name = next((name for name in users if name and name != "root"), "")
    if not user_name:
        user_name = "lockgate"
        os.environ[UNNAMED_ACTOR_VARIABLE] = "1"
    os.environ["METAFLOW_USER"] = user_name
    return user_name


def check_home() -> None:
    """Raise RunError unless Metaflow can keep runs in its local folder; no other datastore is asked.

    Metaflow itself would say so in many lines, in the middle of a run.
    """
    from lockgate.gates import runs

    kind, root = runs.datastore()
    if kind != "local":
        return
    try:
        Path(root).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=root):
            pass  # permissions alone do not tell: root may write anywhere but on a read-only disk
    except OSError as err:
        raise RunError(
            f"runs cannot be kept here: {err.strerror}",
            expected="a folder that you may write to",
            where=root,
            hint="make it writable, or name another folder in METAFLOW_DATASTORE_SYSROOT_LOCAL",
        ) from err


def run_flow(
    flow: str,
    settings: Settings,
    arguments: Sequence[str] = (),
    *,
    policy: Policy | None = None,
    meanwhile: Callable[[], None] | None = None,
) -> str:
    """Run `pipelines/FLOW.py` with these settings and return its run id. The flow sees only the variables it needs.

    Args:
        flow: the file's name without its ending.
        settings: the value of the flow's Config `settings`.
        arguments: further words for Metaflow's `run`.
        policy: the value of its Config `policy`, for a flow that has one.
        meanwhile: called once the flow is running, so that its time does not count.

    Raises:
        TooFewRowsError: the flow trained nothing, as the holdout is too small.
        RunError: the flow failed; the line says why.
    """
    from lockgate.gates import runs
    from lockgate.pipelines.flows.output import ERROR_FILE_VARIABLE, PROGRESS_PREFIX

    runs.check_metadata()  # Metaflow would wait forever, and report the failure in many lines
    debug = bool(os.environ.get("LOCKGATE_DEBUG"))
    with tempfile.TemporaryDirectory(prefix="lockgate-") as scratch:
        id_file, error_file = Path(scratch) / "run-id", Path(scratch) / "error"
        command = [
            sys.executable,
            str(FLOW_FOLDER / f"{flow}.py"),
            "--no-pylint",
            "--config-value",
            "settings",
            settings.to_json(),
            *(["--config-value", "policy", policy.model_dump_json()] if policy else []),
            "run",
            "--run-id-file",
            str(id_file),
            *arguments,
        ]
        inherited = restrict_environment(os.environ, declared=settings.platform.environment, flow=flow)
        environment = {
            "OMP_WAIT_POLICY": "passive",
            **inherited,
            ERROR_FILE_VARIABLE: str(error_file),
            "PYTHONUNBUFFERED": "1",
        }
        output_lines: list[str] = []
        with subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            env=environment,
        ) as child:
            if meanwhile:
                meanwhile()
            for line in child.stdout or ():
                output_lines.append(line.rstrip())
                if debug:
                    sys.stderr.write(line)
                elif events.JSON_MARK in line:
                    sys.stderr.write(line[line.index(events.JSON_MARK) :])
                elif PROGRESS_PREFIX in line and not error_file.exists():
                    sys.stderr.write(f"  {line.split(PROGRESS_PREFIX, 1)[1]}")
                sys.stderr.flush()
        if child.returncode == 0 and id_file.exists():
            return id_file.read_text().strip()
        if error_file.exists():
            name, _, line = error_file.read_text(encoding="utf-8").partition("\n")
            raise (TooFewRowsError if name == TooFewRowsError.__name__ else RunError)(line)
        last_line = next((line for line in reversed(output_lines) if line.strip()), "nothing")
        if not debug:
            sys.stderr.write("".join(f"  {line}\n" for line in output_lines[-MAX_FAILURE_LINES:]))
        raise RunError(
            f"the flow {flow} failed; it last said: {last_line.strip()[:200]}", hint="run it again with --debug"
        )
