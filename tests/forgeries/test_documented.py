"""SECURITY.md names a test for each attack, and no test that is not there."""

from __future__ import annotations

import re
from pathlib import Path

from tests.configuration import ROOT

HERE = Path(__file__).parent


def test_the_attacks_that_are_listed_are_tested_and_the_other_way_round() -> None:
    table = (ROOT / "SECURITY.md").read_text(encoding="utf-8").partition("## Attacks that are tested")[2]
    listed, file = set(), ""
    for cell in re.findall(r"`([^`]+)`", table):
        listed_file, separator, test = cell.rpartition("::")
        if cell.startswith("tests/"):
            assert (ROOT / listed_file if separator else ROOT / cell).exists(), cell
        elif separator:
            file = listed_file or file
            listed.add(f"{file}::{test}")
    written = {
        f"{path.name}::{test}"
        for path in HERE.glob("test_*.py")
        if path != Path(__file__)
        for test in re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    controls = {name for name in written if "nobody_attacks" in name or "without_a_forgery" in name or "sings" in name}
    assert listed == written - controls
