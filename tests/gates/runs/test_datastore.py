"""Where the log lives, on a disk and on S3, and what is said where that cannot be reached."""

from __future__ import annotations

import re
import textwrap
from typing import Any

import obstore
import pytest
from obstore.store import S3Store


@pytest.mark.parametrize("prefix", ["/metaflow", "/metaflow/", ""])
def test_on_s3_the_log_lives_below_the_datastore(project: Any, s3: Any, prefix: str) -> None:
    code = """
        from datetime import UTC, datetime
        from lockgate import Evidence, Policy
        from lockgate.gates import runs
        from lockgate.gates.log import Log
        from lockgate.gates.lifecycle.commit import commit
        policy = Policy.parse({"if_no_champion": "absolute_only", "confidence": .95, "clusters": "ignore",
            "min_clusters": 10, "min_class_rows": 2, "serial_dependence": "ignore",
            "schedule": {"kind": "open"}, "disclose": "all", "valid_for": "90d", "checks":
            {"auc": {"kind": "threshold", "metric": "auc", "min": .6, "decide": "point"}}})
        evidence = Evidence.from_arrays(label=[0, 1, 0, 1], challenger=[.1, .9, .2, .8])
        log = Log(runs.open_log_store("orders"), project="orders")
        commit(policy, evidence, log, actor="ada", clock=lambda: datetime.now(UTC))
        print(log.head().event.verdict)
    """
    env = s3.env | {"METAFLOW_DATASTORE_SYSROOT_S3": f"s3://{s3.bucket}{prefix}"}
    completed = project.python("-c", textwrap.dedent(code), **env)
    assert (completed.returncode, completed.stdout) == (0, "PROMOTE\n"), completed.stderr
    listed = [item["path"] for page in obstore.list(S3Store(**s3.store)) for item in page]
    root = f"{prefix.strip('/')}/lockgate/orders".lstrip("/")
    log, policy = f"{root}/log/00000001.json", rf"{root}/policies/[0-9a-f]{{64}}\.json"
    assert sorted(listed)[:2] == [f"{root}/head.json", log]
    assert [re.fullmatch(policy, item) is not None for item in sorted(listed)[2:]] == [True]  # and no probe is left
    assert not (project.home / ".metaflow" / "lockgate").exists()


@pytest.mark.parametrize("verb", [("champion",), ("history",), ("evaluate",), ("judge", "EvaluateNewModel/1")])
def test_a_store_that_is_down_is_one_line_and_nothing_is_trained(project: Any, s3: Any, verb: tuple[str, ...]) -> None:
    env = s3.env | {"METAFLOW_S3_ENDPOINT_URL": "http://127.0.0.1:9", "LOCKGATE_STORE_SECONDS": "1"}
    completed = project.run(*verb, **env)
    assert completed.returncode == 2
    (line,) = completed.stderr.splitlines()
    assert line.startswith("lockgate: ")
    assert "bug" not in line
    assert project.runs() == []


def test_a_bucket_that_is_not_there_is_one_line(project: Any, s3: Any) -> None:
    completed = project.run("champion", **s3.env | {"METAFLOW_DATASTORE_SYSROOT_S3": "s3://no-such-bucket/metaflow"})
    assert completed.returncode == 2
    assert len(completed.stderr.splitlines()) == 1


def test_a_datastore_that_cannot_be_written_is_one_line(project: Any) -> None:
    (project.home / ".metaflow").write_text("in the way", encoding="utf-8")
    completed = project.run("champion")
    assert completed.returncode == 2
    (line,) = completed.stderr.splitlines()
    assert "cannot be opened" in line


def test_s3_without_credentials_is_one_line(project: Any, s3: Any) -> None:
    env = {name: value for name, value in s3.env.items() if not name.startswith("AWS_")}
    completed = project.run("champion", AWS_EC2_METADATA_DISABLED="true", **env)
    assert completed.returncode == 2
    (line,) = completed.stderr.splitlines()
    assert "credentials" in line
