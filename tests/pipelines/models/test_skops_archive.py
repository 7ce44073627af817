from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

import numpy as np
import pytest
import skops.io
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures

from lockgate.gates.errors import ModelError
from lockgate.pipelines.models import FORMATS, MODELS, SKOPS_TYPES, skops_archive
from tests.pipelines.models.archives import read_members, write_members

SKOPS_MODELS = sorted(name for name in MODELS if MODELS[name].FORMAT == "skops")


@pytest.fixture(scope="module")
def blobs(conf, rows, labels) -> dict[tuple[str, str], bytes]:
    """The bytes of every model, for every task that it serves."""
    fitted = {}
    for name in SKOPS_MODELS:
        params = MODELS[name].Params.model_validate(conf(name))
        for task in ("binary", "regression"):
            if (name, task) != ("logistic", "regression"):
                model = MODELS[name].fit(rows, labels[task], params=params, task=task, seed=0)
                fitted[name, task] = model.to_bytes()
    return fitted


def list_types(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "__class__" in value:
            yield f"{value['__module__']}.{value['__class__']}"
        for part in value.values():
            yield from list_types(part)
    elif isinstance(value, list):
        for part in value:
            yield from list_types(part)


@pytest.mark.parametrize("name", SKOPS_MODELS)
def test_a_model_names_the_types_that_it_is_made_of_and_no_other(blobs, name) -> None:
    held = {
        type_name
        for (kind, _), blob in blobs.items()
        if kind == name
        for type_name in list_types(json.loads(read_members(blob)["schema.json"]))
    }
    assert set(MODELS[name].TYPES) - held <= {"builtins.slice"}
    assert held <= set(MODELS[name].TYPES)


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_honest_archives(blobs, task) -> None:
    for (_, served), blob in blobs.items():
        if served == task:
            skops_archive.check_archive(blob, SKOPS_TYPES)


def rewrite(change: Callable[[dict[str, bytes]], None], **how: Any) -> Callable[[bytes], bytes]:
    def apply(blob: bytes) -> bytes:
        members = read_members(blob)
        change(members)
        return write_members(members, **how)

    return apply


def replace_text(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    def change(members: dict[str, bytes]) -> None:
        assert old in members["schema.json"]
        members["schema.json"] = members["schema.json"].replace(old, new)

    return rewrite(change)


def ask_for_jobs(members: dict[str, bytes]) -> None:
    schema = json.loads(members["schema.json"])
    stack = [schema]
    while stack:
        value = stack.pop()
        if isinstance(value, dict):
            if "n_jobs" in value:
                value["n_jobs"]["content"] = "200"
            stack += value.values()
        elif isinstance(value, list):
            stack += value
    members["schema.json"] = json.dumps(schema).encode()


REFUSED = {
    "another type": (
        replace_text(b'"DummyClassifier"', b'"RandomForest"'),
        "holds the type sklearn.dummy.RandomForest",
    ),
    "another loader": (replace_text(b'"ObjectNode"', b'"MethodNode"'), "is loaded by MethodNode"),
    "jobs": (rewrite(ask_for_jobs), "it asks for several processes; expected n_jobs to be None or 1"),
    "compressed": (rewrite(lambda _: None, compression=zipfile.ZIP_DEFLATED), "is compressed; expected none that is"),
    "another member": (rewrite(lambda members: members.update({"../x": b""})), r"it has a member '\.\./x'; expected"),
    "no schema": (rewrite(lambda members: members.pop("schema.json")), "KeyError"),
    "deep": (rewrite(lambda members: members.update({"schema.json": b"[" * 10**6})), "RecursionError"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_archives_with_surprises(blobs, name) -> None:
    change, message = REFUSED[name]
    with pytest.raises(ModelError, match=f"these bytes are not skops: .*{message}"):
        FORMATS["skops"](change(blobs["baseline", "binary"]))


def test_members_that_are_stored_once_and_listed_often(blobs) -> None:
    blob = bytearray(blobs["baseline", "binary"])
    with zipfile.ZipFile(BytesIO(bytes(blob))) as archive:
        size = archive.getinfo("schema.json").file_size
    central = blob.rfind(b"PK\x01\x02", 0, blob.rfind(b"schema.json"))
    for place in (central + 20, central + 24):  # both of its sizes, which then reach beyond the end
        assert int.from_bytes(blob[place : place + 4], "little") == size
        blob[place : place + 4] = (2**31).to_bytes(4, "little")
    with pytest.raises(ModelError, match=r"it unpacks to 2,147,\d{3},\d{3} bytes, and has"):
        FORMATS["skops"](bytes(blob))


def test_what_scikit_learn_has_besides_is_refused_before_it_is_made() -> None:
    endless = make_pipeline(PolynomialFeatures(30)).fit(np.ones((2, 3)))
    with pytest.raises(ModelError, match=r"it holds the type sklearn.preprocessing._polynomial.PolynomialFeatures"):
        FORMATS["skops"](skops.io.dumps(endless))
