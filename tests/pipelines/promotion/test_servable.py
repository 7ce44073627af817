"""What Predict could not load is not promoted, unless the platform says that somebody else serves."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest

from lockgate import Evidence
from lockgate.gates.errors import EvidenceError, ModelError
from lockgate.gates.strictness import Direction, compare_records
from lockgate.pipelines.models import MODELS
from lockgate.pipelines.promotion.servable import check_servable
from lockgate.pipelines.settings.platform import PlatformSettings
from lockgate.pipelines.settings.settings import Settings, compose

RESCORED = {"rows": 256, "max_difference": 0.0}


def use_platform(servable: str) -> Settings:
    plain = compose().settings.model_dump(mode="json")
    return Settings.parse({**plain, "platform": {**plain["platform"], "servable": servable}})


@pytest.fixture(scope="module")
def blob() -> bytes:
    import pandas as pd

    frame, labels = pd.DataFrame({"x": np.arange(40.0)}), np.arange(40) % 2 * 1.0
    baseline = MODELS["baseline"]
    return baseline.fit(frame, labels, params=baseline.Params(), task="binary", seed=0).to_bytes()


def check(
    blob: bytes,
    format: str = "skops",  # noqa: A002 - as the facts have it
    *,
    parity: Any = None,
    servable: str = "here",
    sha256: str = "",
) -> None:
    challenger = {"run": "EvaluateNewModel/7", "format": format, "sha256": sha256 or hashlib.sha256(blob).hexdigest()}
    evidence = Evidence.from_arrays(
        label=[0.0, 1.0], challenger=[0.1, 0.9], facts={"challenger": challenger, "parity": parity or {}}
    )
    platform: PlatformSettings = use_platform(servable).platform
    check_servable(platform, evidence, lambda: blob)


def test_a_model_that_can_be_loaded(blob: bytes) -> None:
    check(blob, parity=RESCORED)


@pytest.mark.parametrize(
    ("parity", "words"),
    [
        ({"problem": "the model gave no answer"}, "the model gave no answer"),
        *((claim, "no fact `parity` says") for claim in ({}, "?", {"rows": 0}, {"rows": "yes"}, {"rows": True})),
    ],
)
def test_a_model_that_no_other_process_has_scored(blob: bytes, parity: Any, words: str) -> None:
    """It is not loaded to see whether that works: the judge's process has the key."""
    with pytest.raises(ModelError, match=f"Predict could not load this model: {words}"):
        check(blob, parity=parity)
    check(blob, parity=parity, servable="elsewhere")


def test_a_format_that_predict_does_not_know(blob: bytes) -> None:
    with pytest.raises(ModelError) as caught:
        check(blob, "onnx", parity=RESCORED)
    assert str(caught.value) == (
        "Predict could not load this model: 'onnx' is not a model format; expected one of skops, xgboost-ubj @"
        " EvaluateNewModel/7 (if it is not Predict that serves, set `servable: elsewhere` in"
        " conf/platform)"
    )


@pytest.mark.parametrize("format_", ["skops", "xgboost-ubj"])
@pytest.mark.parametrize("content", [b"garbage", b"{}", b"PK\x05\x06" + bytes(18)])
def test_bytes_that_are_no_model(format_: str, content: bytes) -> None:
    with pytest.raises(ModelError, match=f"Predict could not load this model: these bytes are not {format_}"):
        check(content, format_, parity=RESCORED)


def test_whatever_a_parser_raises_is_one_line(blob: bytes) -> None:
    """A member that says that it is encrypted, and one that says that it is beyond all files: zipfile's own errors."""
    encrypted = bytearray(blob)
    central = encrypted.rfind(b"PK\x01\x02")
    for flags in (6, encrypted.find(b"PK\x03\x04") + 6, central + 8):
        encrypted[flags] |= 1
    with pytest.raises(ModelError, match="these bytes are not skops"):
        check(bytes(encrypted), parity=RESCORED)


def test_bytes_that_are_not_those_that_were_scored(blob: bytes) -> None:
    with pytest.raises(ModelError, match="Predict could not load this model: the model's bytes have SHA-256"):
        check(blob, parity=RESCORED, sha256="0" * 64)


def test_a_run_without_a_model(blob: bytes) -> None:
    def load() -> bytes:
        raise EvidenceError("the run has no such artifact")

    evidence = Evidence.from_arrays(label=[0.0, 1.0], challenger=[0.1, 0.9])
    with pytest.raises(ModelError, match="Predict could not load this model: the run has no such artifact"):
        check_servable(use_platform("here").platform, evidence, load)


def test_whoever_serves_elsewhere_says_so_and_that_is_weaker(blob: bytes) -> None:
    check(blob, "onnx", servable="elsewhere")
    (finding,) = compare_records(use_platform("here"), use_platform("elsewhere"), "")
    assert (finding.direction, finding.where) == (Direction.WEAKER, "platform.servable")
    assert "a model that Predict cannot load may be promoted" in finding.why
