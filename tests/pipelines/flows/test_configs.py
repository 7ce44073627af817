"""What a flow that is started without Configs composes by itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from lockgate.pipelines.settings.settings import compose
from tests.configuration import CONF


def call_default(name: str, *, conf: Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """A default of `configs`, printed by a Python of its own, as it is kept for the life of a process."""
    code = f"import json; from lockgate.pipelines.flows import configs; print(json.dumps(configs.{name}()))"
    environment = {**os.environ, "LOCKGATE_CONF": str(conf)}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=cwd or conf.parent,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_defaults_are_conf_without_overrides() -> None:
    composed = compose(conf=CONF)
    settings, policy = (call_default(name, conf=CONF) for name in ("default_settings", "default_policy"))
    assert json.loads(settings.stdout) == json.loads(composed.settings.to_json())
    assert json.loads(policy.stdout) == composed.policy.model_dump(mode="json")


def test_a_flow_without_configuration_ends_in_one_line(tmp_path: Path) -> None:
    refused = call_default("default_settings", conf=tmp_path)
    assert refused.returncode != 0
    (line,) = refused.stderr.splitlines()
    assert line.startswith("lockgate: no configuration; expected a file config.yaml")


def test_a_flow_that_is_started_where_nobody_would_look_for_its_runs_ends_in_one_line(tmp_path: Path) -> None:
    refused = call_default("default_settings", conf=CONF, cwd=tmp_path)
    assert refused.returncode != 0
    (line,) = refused.stderr.splitlines()
    assert line.startswith("lockgate: Metaflow keeps the runs of this process outside of the project's datastore; exp")
    assert line.endswith(
        f"(start it in {CONF.parent}, or anywhere in the project with METAFLOW_DATASTORE_SYSROOT_LOCAL={CONF.parent})"
    )
