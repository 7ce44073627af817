"""What a run stores, and what a bundle holds, is what can be read back of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lockgate.gates.errors import EvidenceError, LockgateError
from lockgate.gates.evidence.evidence import MAX_EVIDENCE_BYTES
from lockgate.gates.runs.artifacts import MAX_FACTS_BYTES
from lockgate.pipelines.promotion import bundle, tar
from lockgate.pipelines.scoring.evidence import Evaluated, check_sizes
from tests.pipelines.promotion.test_bundle import files, make_promoted_log, open_bundle

MOST = {"evidence": MAX_EVIDENCE_BYTES, "facts": MAX_FACTS_BYTES, "model": MAX_EVIDENCE_BYTES}


def artifacts(name: str, size: int) -> Evaluated:
    blob: Any = "f" * size if name == "facts" else bytes(size)  # bytes of zeros take no memory until they are read
    return Evaluated(**{"evidence": b"", "facts": "", "model": b"", name: blob})


@pytest.mark.parametrize("name", MOST)
def test_an_artifact_is_stored_only_if_it_is_read_back(name: str) -> None:
    for spare in (1, 0):
        check_sizes(artifacts(name, MOST[name] - spare))
    with pytest.raises(EvidenceError, match=f"the run's {name} would have {MOST[name] + 1:,} bytes") as caught:
        check_sizes(artifacts(name, MOST[name] + 1))
    line = str(caught.value)
    assert f"expected at most {MOST[name]:,}" in line
    assert "nothing was stored" in line
    assert "\n" not in line


def test_a_file_is_in_a_bundle_only_if_it_is_read_back(tmp_path: Path) -> None:
    log, maximum = make_promoted_log(), bundle.MAX_FILE_BYTES["facts.json"]
    room = maximum - len(files(log, features="")["facts.json"])
    for spare in (1, 0):
        bundled = files(log, features="a" * (room - spare))
        assert len(bundled["facts.json"]) == maximum - spare
        (tmp_path / "b.tar").write_bytes(tar.pack_tar(bundled))
        assert len(open_bundle(tmp_path / "b.tar").features) == room - spare
    with pytest.raises(LockgateError, match=r"facts\.json of the bundle would have 67,108,865 bytes") as caught:
        files(log, features="a" * (room + 1))
    line = str(caught.value)
    assert "expected at most 67,108,864, the most that can be read back" in line
    assert "nothing was written" in line
    assert "\n" not in line
