"""Files of conf/model, conf/train and conf/experiment change nothing that belongs to the owners of the gates."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lockgate.gates.errors import SettingsError
from lockgate.pipelines.settings.groups import AUTHOR_GROUPS
from lockgate.pipelines.settings.settings import compose
from tests.configuration import CONF


@pytest.fixture
def conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of conf/ that a test may change."""
    monkeypatch.setenv("LOCKGATE_CONF", str(tmp_path / "conf"))
    return Path(shutil.copytree(CONF, tmp_path / "conf"))


REACHES = {
    "a package": "# @package _global_\ngate: {confidence: 0.6}\n",
    "two groups on": "# @package _global_\nstore: {keep: 3}\nmodel: {name: xgb}\n",
    "another file": "defaults:\n  - /gate@_global_.gate: independent_rows\n",
    "an override": "defaults:\n  - override /gate: independent_rows\n",
    "a scalar": "# @package _global_\nseed: 4\n",
}


@pytest.mark.parametrize("text", REACHES.values(), ids=REACHES)
@pytest.mark.parametrize("group", AUTHOR_GROUPS)
@pytest.mark.parametrize("how", ["named", "default", "among the defaults of one that is", "among escaped defaults"])
def test_no_file_of_the_authors_reaches_the_owners(conf: Path, group: str, text: str, how: str) -> None:
    """Hydra would let any file of any group change any other part of the configuration."""
    if how == "named":
        (conf / group / "mine.yaml").write_text(text, encoding="utf-8")
        overrides, where = [f"{group}=mine"], f"conf/{group}/mine.yaml"
    else:
        config, chosen = conf / "config.yaml", {"model": "xgb", "train": "all", "experiment": "fresher_window"}[group]
        config.write_text(config.read_text(encoding="utf-8").replace("experiment: null", f"experiment: {chosen}"))
        where, overrides = f"conf/{group}/{chosen}.yaml", []
        if how != "default":
            (conf / group / "other.yaml").write_text(text, encoding="utf-8")
            defaults = "defaults" if how == "among the defaults of one that is" else '"def\\x61ults"'
            text = f"{defaults}:\n  - other\n  - _self_\n"
        file = conf / group / f"{chosen}.yaml"
        file.write_text(text + file.read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.raises(SettingsError, match=rf"{where} changes|does not compose"):
        compose(overrides)


def test_an_authors_file_may_be_made_of_others_of_its_group(conf: Path) -> None:
    (conf / "model" / "deep.yaml").write_text("defaults: [xgb, _self_]\nmax_depth: 9\n", encoding="utf-8")
    composed = compose(["model=deep", "gate.confidence=0.9", "model.trees=3"])
    assert composed.settings.model.model_dump()["max_depth"] == 9
    assert composed.guarded == ("gate.confidence=0.9",)
