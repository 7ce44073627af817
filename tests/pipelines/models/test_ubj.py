from __future__ import annotations

import pytest

from lockgate.gates.errors import ModelError
from lockgate.pipelines.models import xgb
from lockgate.pipelines.models.ubj import parse_object


@pytest.mark.parametrize(
    "blob",
    [
        b"{}",
        b"{i\x01aZ}",
        b"{i\x01aSi\x02hiU\x01bD" + bytes(8) + b"}",
        b"{i\x01a[$d#L" + (2).to_bytes(8, "big") + bytes(8) + b"}",
        b"{i\x01a[#i\x02TF}",
        b"{i\x01a[[]{}]}",
        b"{#i\x01i\x01aZ",
        b"{i\x01a" + b"[" * 63 + b"]" * 63 + b"}",
    ],
)
def test_objects(blob) -> None:
    assert isinstance(parse_object(blob), dict)


def test_values() -> None:
    document = parse_object(
        b"{i\x01aSi\x02hiU\x01bd?\x80\x00\x00u\x00\x01cI\xff\xfeL\0\0\0\0\0\0\0\x01d[TFZi\x05]i\x01e[$l#i\x02\0\0\0\x01\xff\xff\xff\xff}"
    )
    numbers = document.pop("e")
    assert document == {"a": "hi", "b": 1.0, "c": -2, "d": [True, False, None, 5]}
    assert (numbers.dtype.str, numbers.tolist()) == (">i4", [1, -1])


@pytest.mark.parametrize(
    "blob",
    [
        b"",
        b"{",
        b"[]",
        b"{}}",
        b"{i\x01a",
        b"{i\x01ax}",
        b"{i\x05aZ}",
        b"{i\xffaZ}",  # a negative length
        b"{Z}",
        b"{i\x01aD}",
        b"{i\x01a[$d#L" + (2**40).to_bytes(8, "big") + b"}",
        b"{i\x01a[$",
        b"{i\x01a[$d#",
        b"{i\x01a[$S#i\x01}",
        b"{i\x01a" + b"[" * 64 + b"]" * 64 + b"}",
        b'{"learner": {}}',
        b"{i\x01aZi\x01aZ}",  # a key twice
        b"{i\x01\xffZ}",  # a key that is no text
        b"{i\x01a[#",
    ],
)
def test_what_is_none(blob) -> None:
    with pytest.raises(ValueError, match=r"byte|object|twice"):
        parse_object(blob)


@pytest.mark.parametrize("blob", [b"{}", b"{U\x07learnerZ}", b"{U\x07learner{}}", b"{U\x07version[i\x01i\x01i\x01]}"])
def test_objects_that_are_no_model(blob) -> None:
    with pytest.raises(ModelError, match=r"these bytes are not xgboost-ubj|has no preprocessing in it"):
        xgb.load(blob)
