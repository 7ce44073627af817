"""`lockgate push-data`: pods read what it wrote.

Tests of pipelines/scoring/tables.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from obstore.store import S3Store

from lockgate.gates.errors import DataError
from lockgate.pipelines.scoring.tables import push_tables
from lockgate.pipelines.settings.settings import compose
from tests.configuration import CONF

ROOT = Path(__file__).parents[4]


def test_the_table_is_where_production_reads_it(s3: Any, project_at: Any, tmp_path: Path) -> None:
    project = project_at(home=tmp_path, conf=CONF)
    file = (ROOT / "data" / "flights.parquet").read_bytes()
    for _ in range(2):
        completed = project.run("push-data", "--json", **s3.env)
        assert completed.returncode == 0, completed.stderr
        document = json.loads(completed.stdout)
        assert (document["to"], document["bytes"]) == (
            f"s3://{s3.bucket}/metaflow/lockgate/data/data/flights.parquet",
            len(file),
        )
    value = S3Store(**s3.store, prefix="metaflow/lockgate/data").get("data/flights.parquet").bytes()
    assert bytes(value) == file
    code = (
        "from lockgate.pipelines import data; from lockgate.pipelines.scoring.tables import data_files; "
        "from lockgate.pipelines.settings.settings import compose; "
        "made = compose(config='production').settings;"
        " print(data.plan_window(made.data, '2013-11', root=data_files(made), batch_rows=10_000).rows)"
    )
    contents = project.python("-c", code, **s3.env)
    assert (contents.returncode, contents.stdout.strip()) == (0, "27268"), contents.stderr


def test_a_folder_is_left_to_the_tools_of_the_store() -> None:
    settings = compose(("data.path=data",), config="production").settings
    with pytest.raises(
        DataError, match=r"data is a folder; expected a file of this checkout .* with the store's own tool"
    ):
        push_tables(settings)


def test_what_cannot_be_copied_is_one_line(s3: Any, project: Any, project_at: Any, tmp_path: Path) -> None:
    for expected, env, message in (
        (project, s3.env, "orders.csv exists only on this machine; expected a path in this checkout @ data.path"),
        (
            project_at(home=tmp_path, conf=CONF),
            {**s3.env, "METAFLOW_S3_ENDPOINT_URL": "http://127.0.0.1:9"},
            "data/flights.parquet cannot be written",
        ),
    ):
        completed = expected.run("push-data", **env, LOCKGATE_STORE_SECONDS="2")
        assert (completed.returncode, completed.stdout) == (2, "")
        (line,) = completed.stderr.splitlines()
        assert message in line
