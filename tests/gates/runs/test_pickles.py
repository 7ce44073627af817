from __future__ import annotations

import gzip
import os
import pickle
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.gates.errors import EvidenceError
from lockgate.gates.runs.pickles import PICKLED_TRUE, parse_literal, unpack_blob


@pytest.mark.parametrize("protocol", [4, 5])
@given(value=st.one_of(st.binary(max_size=600), st.text(st.characters(exclude_categories=["Cs"]), max_size=300)))
def test_bytes_and_text(protocol: int, value: bytes | str) -> None:
    assert parse_literal(pickle.dumps(value, protocol), where="a") == value


def test_large_constants_of_every_width() -> None:
    for size in (0, 255, 256, 65_536):
        assert parse_literal(pickle.dumps(b"x" * size, 4), where="a") == b"x" * size
    assert parse_literal(b"\x80\x04\x8e" + (3).to_bytes(8, "little") + b"abc.", where="a") == b"abc"
    assert parse_literal(b"\x80\x04\x8d" + (3).to_bytes(8, "little") + b"abc.", where="a") == "abc"


def test_true_is_what_metaflow_stores() -> None:
    assert pickle.dumps(True, 4) == PICKLED_TRUE


class Evil:
    """Writes a canary when it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.canary),)


def test_the_evil_pickle_works_where_pickles_are_loaded(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Evil(tmp_path / "canary")))
    assert (tmp_path / "canary").exists()


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("wrap", [lambda e: e, lambda e: [b"data", e], lambda e: {"data": e}, lambda e: (b"a", e)])
def test_no_pickle_with_code_is_loaded(tmp_path: Path, protocol: int, wrap) -> None:
    blob = pickle.dumps(wrap(Evil(tmp_path / "canary")), protocol)
    with pytest.raises(EvidenceError, match="does more than hold data"):
        parse_literal(blob, where="run/evidence")
    assert list(tmp_path.iterdir()) == []


CODE = b"cos\nmkdir\n(S'canary'\ntR"
CORPUS = {
    "GLOBAL and REDUCE": CODE + b".",
    "code after a constant": b"\x80\x04C\x01a" + CODE + b".",
    "code after STOP": b"\x80\x04C\x01a." + CODE + b".",
    "junk after STOP": b"\x80\x04C\x01a.x",
    "INST": b"(S'canary'\nios\nmkdir\n.",
    "STACK_GLOBAL": b"\x80\x04\x8c\x02os\x8c\x05mkdir\x93.",
    "OBJ": b"(cos\nmkdir\nS'canary'\no.",
    "EXT1": b"\x80\x02\x82\x01.",
    "PERSID": b"Pcanary\n.",
    "NEXT_BUFFER": b"\x80\x05\x97.",
    "BUILD": b"\x80\x04}}b.",
    "two constants": b"\x80\x04C\x01aC\x01b.",
    "a constant popped": b"\x80\x04C\x01a0C\x01b.",
    "nothing": b"\x80\x04.",
    "empty": b"",
    "None": pickle.dumps(None, 4),
    "True": PICKLED_TRUE,
    "number": pickle.dumps(3, 4),
    "list": pickle.dumps([b"a"], 4),
    "bytearray": pickle.dumps(bytearray(b"a"), 5),
    "old text": b"S'abc'\n.",
    "memo": b"\x80\x04C\x01aq\x00h\x00.",
    "long length": b"\x80\x04\x8e" + b"\xff" * 8 + b".",
    "long length, short of it": b"\x80\x04\x8e" + (1 << 40).to_bytes(8, "little") + b"abc.",
    "not UTF-8": b"\x80\x04\x8c\x01\xff.",
    "unknown opcode": b"\x80\x04\xff.",
}


@pytest.mark.parametrize("case", CORPUS)
def test_corpus(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(EvidenceError, match="@ run/evidence"):
        parse_literal(CORPUS[case], where="run/evidence")
    assert list(tmp_path.iterdir()) == []


def test_cut_anywhere() -> None:
    blob = pickle.dumps(b"evidence" * 40, 4)
    for end in range(len(blob)):
        with pytest.raises(EvidenceError):
            parse_literal(blob[:end], where="a")


@given(st.binary(max_size=60))
def test_any_bytes(blob: bytes) -> None:
    try:
        result = parse_literal(blob, where="a")
    except EvidenceError:
        return
    assert isinstance(result, bytes | str)


def test_a_pickle_within_a_constant_stays_a_constant(tmp_path: Path) -> None:
    inner = pickle.dumps(Evil(tmp_path / "canary"))
    assert parse_literal(pickle.dumps(inner, 4), where="a") == inner
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize(("size", "fits"), [(999, True), (1000, True), (1001, False), (3_000_000, False)])
def test_the_cap(tmp_path: Path, packed: bool, size: int, fits: bool) -> None:
    data = b"x" * size
    (tmp_path / "blob").write_bytes(gzip.compress(data) if packed else data)
    if fits:
        assert unpack_blob(tmp_path / "blob", packed=packed, cap=1000, where="a") == data
    else:
        with pytest.raises(EvidenceError, match=r"too large once unpacked; expected at most 1,000 bytes @ a"):
            unpack_blob(tmp_path / "blob", packed=packed, cap=1000, where="a")


BROKEN = {
    "no gzip": b"not gzip",
    "cut": gzip.compress(b"abc" * 999)[:-9],
    "zlib": zlib.compress(b"a"),
    "wrong checksum": gzip.compress(b"abc")[:-8] + bytes(8),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_gzip(tmp_path: Path, case: str) -> None:
    (tmp_path / "blob").write_bytes(BROKEN[case])
    with pytest.raises(EvidenceError, match="intact gzip"):
        unpack_blob(tmp_path / "blob", packed=True, cap=1 << 20, where="a")


BOMB = """
import resource, sys
from pathlib import Path
from lockgate.gates.runs.pickles import unpack_blob
from lockgate.gates.errors import EvidenceError
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    unpack_blob(Path(sys.argv[1]), packed=True, cap=16 << 20, where="a")
except EvidenceError as err:
    assert "too large" in str(err)
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def test_a_bomb_is_refused_without_room_for_it(tmp_path: Path) -> None:
    """1 GB of zeros in 1 MB of gzip; the cap is 16 MB."""
    zeros = bytes(1 << 20)
    with gzip.open(tmp_path / "bomb", "wb", compresslevel=1) as bomb:
        for _ in range(1024):
            bomb.write(zeros)
    assert (tmp_path / "bomb").stat().st_size < 6_000_000
    completed = subprocess.run(
        [sys.executable, "-c", BOMB, str(tmp_path / "bomb")], capture_output=True, text=True, check=True
    )
    assert int(completed.stdout) < 64, completed.stdout  # MB
