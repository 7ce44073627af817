"""A conf/ that somebody else wrote reaches nothing but itself: not the disk, the environment, or code."""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.gates.documents import MAX_YAML_BYTES
from lockgate.gates.errors import LockgateError, PolicyError
from lockgate.pipelines.pull_requests.changes import compare_folders
from lockgate.pipelines.settings.files import MAX_CONF_FILES, write_conf
from lockgate.pipelines.settings.groups import ROOT
from tests.configuration import CONF

SECRET = "s3cr3t-c4n4ry"
LAUGHS = "a0: &a0 [x, x]\n" + "".join(
    f"a{index}: &a{index} [{', '.join([f'*a{index - 1}'] * 9)}]\n" for index in range(1, 9)
)


@pytest.fixture
def head(tmp_path: Path) -> Path:
    """A checkout whose conf/ a test may spoil."""
    shutil.copytree(CONF, tmp_path / "head" / "conf")
    return tmp_path / "head"


def refusal_of(head: Path) -> str:
    """The one line, or the first of several, with which the comparison ends."""
    with pytest.raises(LockgateError) as caught:
        compare_folders(ROOT, head)
    lines = caught.value.problems if isinstance(caught.value, PolicyError) else (str(caught.value),)
    for line in lines:
        assert "\n" not in line
        assert len(line) < 700
        assert SECRET not in line
    return lines[0]


HOSTILE = [
    ("config.yaml", "hydra: {searchpath: ['file:///tmp']}", "'hydra' is not allowed"),
    ("config.yaml", "hydra: {run: {dir: canary}}", "'hydra' is not allowed"),
    ("config.yaml", "hydra/launcher: basic", "'hydra/launcher' is not allowed"),
    ("gate/default.yaml", "_target_: os.system", "'_target_' is not allowed"),
    ("model/xgb.yaml", "more: {_target_: os.system, command: touch canary}", "'_target_' is not allowed"),
    ("gate/default.yaml", "# @package hydra.job", "an @package line is not allowed"),
    ("data/flights.yaml", "# @package gate", "an @package line is not allowed"),
    ("model/xgb.yaml", "# @package _group_", "an @package line is not allowed"),
    ("data/flights.yaml", "path2: !!python/object/apply:os.system ['touch canary']", "a tag is not allowed"),
    ("data/flights.yaml", "path2: !include /etc/passwd", "a tag is not allowed"),
    ("config.yaml", "home: ${oc.env:CANARY}", "a resolver is not allowed"),
    ("config.yaml", "home: '${oc.decode:${oc.env:CANARY}}'", "a resolver is not allowed"),
    ("config.yaml", "now: ${now:%Y}", "a resolver is not allowed"),
    ("config.yaml", "home: ${seed}", "interpolation is not allowed"),
    ("config.yaml", LAUGHS, "the file has too many values"),
    ("config.yaml", "a: &a [*a]", "nested too deeply"),
    ("config.yaml", "a: " + "[" * 200 + "]" * 200, "nested too deeply"),
    ("config.yaml", "a: " + "[" * 30_000, "the file is not YAML"),
    ("config.yaml", "? [1, 2]\n: 3", "a key is not plain text"),
    ("config.yaml", "a: [", "the file is not YAML"),
    ("config.yaml", "--- 1\n--- 2", "the file is not YAML"),
    ("gate/default.yaml", "more: 1", "unknown key 'more'"),
]


@pytest.mark.parametrize(("file", "line", "message"), HOSTILE, ids=[f"{item[0]}-{item[1][:24]!a}" for item in HOSTILE])
def test_a_hostile_line_is_refused(
    head: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, line: str, message: str
) -> None:
    monkeypatch.setenv("CANARY", SECRET)
    monkeypatch.chdir(tmp_path)
    value = head / "conf" / file
    value.write_text(f"{value.read_text(encoding='utf-8')}\n{line}\n", encoding="utf-8")
    assert message in refusal_of(head)
    assert list(tmp_path.rglob("*canary*")) == []


@pytest.mark.parametrize(
    "entry",
    [
        "gate: ../../../../etc/passwd",
        "gate: /etc/passwd",
        "gate: ${oc.env:CANARY}",
        "gate@hydra: default",
        "override hydra/launcher: basic",
        "override /hydra/job_logging: none",
        "/hydra: default",
        "gate: pkg://os",
        "gate: file:///etc/passwd",
        "gate: [default, ../secret]",
        "../secret",
        "hydra/job_logging: none",
        "[x]",
        "{}",
        "7.5",
        "gate@_global_: default",
        "gate: {a: b}",
        "override hydra: x",
    ],
)
def test_a_default_that_leads_out_is_refused(head: Path, tmp_path: Path, entry: str) -> None:
    (tmp_path / "secret.yaml").write_text(f"leak: {SECRET}\n", encoding="utf-8")
    value = head / "conf" / "config.yaml"
    text = value.read_text(encoding="utf-8").replace("  - gate: default ", f"  - {entry} ")
    value.write_text(text, encoding="utf-8")
    assert "the defaults are not plain" in refusal_of(head)


@pytest.mark.parametrize("path", ["hydra/config.yaml", "hydra/default.yaml", "hydra.yaml"])
def test_hydras_own_settings_are_refused(head: Path, path: str) -> None:
    (head / "conf" / path).parent.mkdir(exist_ok=True)
    (head / "conf" / path).write_text("searchpath: ['file:///tmp']\n", encoding="utf-8")
    assert "Hydra's own settings are not allowed" in refusal_of(head)


def test_too_much(tmp_path: Path) -> None:
    with pytest.raises(LockgateError, match="too many files"):
        write_conf({f"conf/{index}.yaml": b"" for index in range(MAX_CONF_FILES + 1)}, tmp_path, name="head")
    with pytest.raises(LockgateError, match="too large"):
        write_conf({"conf/a.yaml": b"#" * (MAX_YAML_BYTES + 1)}, tmp_path, name="head")
    assert not (tmp_path / "conf").exists()


def test_only_what_can_be_chosen_is_written(tmp_path: Path) -> None:
    names = [
        "conf/config.yaml",
        "conf/gate/a.yaml",
        "conf/gate/b.yml",
        "conf/../x.yaml",
        "conf/gate/../../y.yaml",
        "conf/gate/deep/c.yaml",
        "conf/.hidden.yaml",
        "conf//z.yaml",
        "conf/run.py",
    ]
    write_conf(dict.fromkeys(names, b"a: 1"), tmp_path / "in", name="head")
    text = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    assert text == ["in/conf/config.yaml", "in/conf/gate/a.yaml"]


WORDS = ["default", "_self_", "gate", "xgb", "???", "${seed}"]
ENTRIES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(WORDS),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["gate", "data", "defaults", "override /gate", "checks", "optional model"]),
            inner,
            max_size=2,
        )
    ),
    max_leaves=5,
)


SMALL = ("config", "gate/default", "data/flights", "platform/local", "store/sqlite", "model/xgb", "train/all")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with one file of each group."""
    root = tmp_path_factory.mktemp("small")
    for name in SMALL:
        (root / "conf" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(CONF / f"{name}.yaml", root / "conf" / f"{name}.yaml")
    return root


@pytest.mark.nightly
@settings(max_examples=20)
@given(document=ENTRIES, file=st.sampled_from(["config", "gate/default", "data/flights", "production"]))
def test_any_document_is_compared_or_refused(
    small: Path, tmp_path_factory: pytest.TempPathFactory, document: object, file: str
) -> None:
    head = tmp_path_factory.mktemp("head")
    shutil.copytree(small / "conf", head / "conf")
    (head / "conf" / f"{file}.yaml").write_text(json.dumps(document), encoding="utf-8")
    with suppress(LockgateError):
        assert compare_folders(small, head).before == "base"
