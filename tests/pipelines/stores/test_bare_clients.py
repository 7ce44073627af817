"""Other applications read the current predictions without lockgate, as docs/stores.md says."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import boto3
import pyarrow.parquet as pq
import pytest
from boto3.dynamodb.conditions import Key

from tests.pipelines.stores.places import PLACES, publish

ROWS = {f"k{index}": index / 3000 for index in range(1000)}


def publish_two_versions(kind: str, request: Any, home: Path, draft: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    place = PLACES[kind](request, home)
    for name, value in place.env.items():
        monkeypatch.setenv(name, value)
    publish(place.open(), draft(1), {"k7": 0.5})
    publish(place.open(), draft(2, shards=2), {k: v for k, v in ROWS.items() if k != "k7"}, {"k7": 7 / 3000})
    return place.params


def test_pyarrow(request: Any, tmp_path: Path, draft: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    params = publish_two_versions("parquet", request, tmp_path, draft, monkeypatch)
    folder = Path(params["root"].removeprefix("file://")) / params["folder"]
    page = json.loads(max((folder / "orders" / "ledger").glob("*.json")).read_bytes())
    files = [f"{folder}/{part['path']}" for part in page["current"]["parts"]]
    assert pq.read_table(files, filters=[("key", "==", "k7")]).to_pylist() == [{"key": "k7", "score": 7 / 3000}]
    assert dict(zip(*pq.read_table(files).to_pydict().values(), strict=True)) == ROWS


def test_boto3(request: Any, tmp_path: Path, draft: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    params = publish_two_versions("dynamodb", request, tmp_path, draft, monkeypatch)
    table = boto3.resource("dynamodb", endpoint_url=params["endpoint"]).Table(params["table"])
    query = {"KeyConditionExpression": Key("pk").eq("orders/ledger"), "ScanIndexForward": False, "Limit": 1}
    page = json.loads(table.query(**query)["Items"][0]["document"])
    for key, score in ROWS.items():
        if key not in ("k7", "k8", "k999"):
            continue
        rows: dict[str, float] = {}
        for part in page["current"]["parts"]:
            bucket = zlib.crc32(key.encode()) % part["buckets"]
            item = table.get_item(Key={"pk": f"{part['path']}/{bucket}", "sk": "rows"})["Item"]
            rows |= json.loads(item["document"])
        assert rows[key] == score
