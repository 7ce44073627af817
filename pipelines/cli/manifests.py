"""`lockgate manifests`: the compiled Argo template of Predict."""

from __future__ import annotations

import typer

_SKIP = "METAFLOW_ARGO_WORKFLOWS_ENV_VARS_TO_SKIP"


def manifests() -> None:
    """Print the Argo WorkflowTemplate of Predict as JSON. No champion is in it: Predict looks it up when it runs."""
    import os
    import subprocess
    import sys

    from gates import runs
    from gates.errors import RunError
    from pipelines.cli.flow_run import FLOWS
    from pipelines.settings import compose

    runs.check_installation()
    also = os.environ.get(_SKIP, "")
    skipped = {
        _SKIP: ",".join(name for name in ("METAFLOW_SERVICE_HEADERS", also) if name)
    }  # it holds the service's key
    settings = compose(["platform=argo"]).settings.to_json()
    done = subprocess.run(
        [
            sys.executable, str(FLOWS / "predict.py"), "--no-pylint", "--quiet", "--config-value", "settings", settings,
            "--production", "argo-workflows", "create", "--only-json",
        ],
        env={**os.environ, **skipped}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        lines = [line.strip() for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        raise RunError(
            f"Predict does not compile: {' '.join(lines[-3:])[:300] or 'no reason given'}",
            hint="production needs the S3 datastore: METAFLOW_DEFAULT_DATASTORE=s3 and its root",
        )
    typer.echo(done.stdout[done.stdout.index("{") :])
