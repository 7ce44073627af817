"""Policies and other files of plain values: read as conf/ is, each key once, within bounds; else one line says why."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from lockgate import Policy
from lockgate.gates import documents
from lockgate.gates.errors import PolicyError, SettingsError
from lockgate.pipelines.settings.groups import ROOT
from lockgate.pipelines.settings.settings import compose

HEAD = (
    "if_no_champion: absolute_only\nconfidence: 0.95\nclusters: if_present\nmin_clusters: 10\n"
    "min_class_rows: 2\nserial_dependence: if_ordered\n"
    "schedule: {kind: fixed, looks: 5}\ndisclose: all\nvalid_for: 90d\n"
)
FLOOR = "  auc_floor: {kind: threshold, metric: auc, min: %s, decide: point}\n"
CANARY = "!!python/object/apply:os.system ['touch canary']"


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., Path]:
    def write(text: str | bytes, name: str = "policy.yaml") -> Path:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def refusal(path: Path) -> str:
    with pytest.raises(SettingsError) as caught:
        documents.read_document(path)
    line = str(caught.value)
    assert "\n" not in line
    assert str(path) in line
    assert len(line) < 400
    return line


def test_a_gate_that_is_there_twice_is_refused(file: Callable[..., Path]) -> None:
    assert "'auc_floor' occurs twice; expected each key once" in refusal(
        file(HEAD + "checks:\n" + FLOOR % 0.95 + FLOOR % 0.5)
    )


@pytest.mark.parametrize(
    "text",
    [
        "a: 1\na: 2\n",
        "a: 1\n'a': 2\n",
        'a: 1\n"\\x61": 2\n',
        "b: [{c: {a: 1, a: 1}}]\n",
        "b:\n  - c:\n      a: 1\n      b: 1\n      a: 1\n",
        "a: {x: 1}\nb: {<<: {a: 1}, a: 2, a: 3}\n",
        "a: &a {a: 1, a: 2}\n",
    ],
)
def test_a_key_that_is_there_twice_at_any_depth(file: Callable[..., Path], text: str) -> None:
    assert "'a' occurs twice" in refusal(file(text))


@pytest.mark.parametrize("text", ['{"a": 1, "a": 2}', '{"b": [{"c": {"a": 1, "a": 1}}]}', '{"\\u0061": 1, "a": 2}'])
def test_a_key_of_json_that_is_there_twice(file: Callable[..., Path], text: str) -> None:
    assert "'a' occurs twice; expected each key once" in refusal(file(text, "policy.json"))
    assert "'a' occurs twice" in refusal(file(text, "policy.yaml"))  # JSON is YAML


@pytest.mark.parametrize(
    "text", ["[NaN]", "[Infinity]", "[-Infinity]", "[1e999]", "[-1e999]", "", "[", "{a: 1}", "[1] 2"]
)
def test_what_is_no_json(file: Callable[..., Path], text: str) -> None:
    assert "the file is not JSON" in refusal(file(text, "policy.json"))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: [", "the file is not YAML"),
        ("--- 1\n--- 2", "the file is not YAML"),
        (b"a: \xff", "the file is not YAML: it is not UTF-8"),
        ("a: " + "[" * 30_000, "the file is not YAML"),
        (f"a: {CANARY}", "a tag is not allowed"),
        ("a: !include x", "a tag is not allowed"),
        ("a: !!binary aGVsbG8=", "a tag is not allowed"),
        ("a: !!timestamp 2024-05-01", "a tag is not allowed"),
        ("? [1, 2]\n: 3", "a key is not plain text"),
        ("a: &a [*a]", "nested too deeply"),
        ("a: " + "[" * 21 + "]" * 21, "nested too deeply"),
        (
            "a0: &a0 [x, x]\n"
            + "".join(f"a{index}: &a{index} [{', '.join([f'*a{index - 1}'] * 9)}]\n" for index in range(1, 9)),
            "the file has too many values",
        ),
    ],
)
def test_what_is_no_plain_yaml(
    file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str | bytes, problem: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert problem in refusal(file(text))
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize(
    ("name", "maximum"), [("a.yaml", documents.MAX_YAML_BYTES), ("a.json", documents.MAX_JSON_BYTES)]
)
def test_the_largest_file_that_is_read(file: Callable[..., Path], name: str, maximum: int) -> None:
    for size in (maximum - 1, maximum):
        assert documents.read_document(file(b"[1]".ljust(size), name)) == [1]
    assert f"the file is too large; expected at most {maximum:,} bytes" in refusal(
        file(b"[1]".ljust(maximum + 1), name)
    )


def test_the_most_values_that_are_read(file: Callable[..., Path]) -> None:
    for values in (documents.MAX_YAML_VALUES - 2, documents.MAX_YAML_VALUES - 1):
        assert len(documents.read_document(file(f"[{'1,' * values}]"))) == values
    assert "the file has too many values" in refusal(file(f"[{'1,' * documents.MAX_YAML_VALUES}]"))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert "cannot read: No such file or directory" in refusal(tmp_path / "none.yaml")
    assert "cannot read: Is a directory" in refusal(tmp_path)


def as_conf(text: str) -> Any:
    """What a file of conf/ that says this is; None where it is refused."""
    try:
        return OmegaConf.to_container(OmegaConf.create(text), resolve=False)
    except (OmegaConfBaseException, YAMLError, ValueError, AssertionError):
        return None


def own(text: str) -> Any:
    try:
        return documents.parse_yaml(text.encode(), where="it")
    except SettingsError:
        return None


def same(text: str) -> None:
    """What is read is what conf/ would make of it, in the same type; or it is refused."""
    contents, conf = own(text), as_conf(text)
    assert contents is None or (json.dumps(contents), repr(contents)) == (json.dumps(conf), repr(conf)), text


SCALARS = [
    "010",
    "0200",
    "08",
    "0o10",
    "0x1F",
    "0b11",
    "1_000",
    "1e3",
    "1E3",
    "1e+3",
    "1.e3",
    "1.5e3",
    "12e03",
    ".5",
    "+.5e-3",
    ".5e3",
    "1:30",
    "190:20:30",
    "190:20:30.15",
    "yes",
    "No",
    "ON",
    "off",
    "y",
    "n",
    "true",
    "TRUE",
    "null",
    "~",
    "NULL",
    "2024-05-01",
    "2024-05-01T10:00:00Z",
    "2024-05-01 10:00:00 +1",
    "90d",
    "-.inf",
    ".inf",
    ".NaN",
    "nan",
    "inf",
    "1e400",
    "'0.5'",
    '"yes"',
    "!!str 0.5",
    "!!int '3'",
    "!!float 3",
    "!!bool 'yes'",
    "|\n  text\n",
    ">-\n  a\n  b\n",
    "1.",
    "-1",
    "- 1",
    "0.1_0",
    "1__0",
    "é",
    "''",
    "0",
    "-0",
    "-0.0",
    "+1",
    "1 000",
    "1,000",
    "0x",
    "0.",
    "e3",
    "1e",
    "_1",
    "=",
]


@pytest.mark.parametrize("scalar", SCALARS)
def test_a_value_is_what_conf_makes_of_it(scalar: str) -> None:
    same(f"a: {scalar}")
    if "\n" not in scalar and "- 1" not in scalar:
        same(f"a: [{scalar}]\n")
        same(f"b: {{{scalar}: 1}}\n")


def test_values_that_other_readers_of_yaml_read_otherwise() -> None:
    text = "a: 1e3\nb: 2024-05-01\nc: 08\nd: 90d\n"
    assert own(text) == as_conf(text) == {"a": 1000.0, "b": "2024-05-01", "c": "08", "d": "90d"}


@pytest.mark.parametrize(
    ("scalar", "reading"),
    [
        ("0300", "192"),
        ("-017", "-15"),
        ("2_500", "2500"),
        ("0x20", "32"),
        ("0b101", "5"),
        ("0o17", "a text, and elsewhere as a number"),
        ("2:45", "165"),
        ("16:00", "960"),
        ("2:45.5", "165.5"),
        ("0.1_5", "0.15"),
        ("on", "true"),
        ("Yes", "true"),
        ("NO", "false"),
        ("off", "false"),
        ("!!int '010'", "8"),
    ],
)
def test_what_is_not_read_as_it_looks(file: Callable[..., Path], scalar: str, reading: str) -> None:
    problem = (
        f"{scalar.removeprefix('!!int ').strip(chr(39))} in line 2 is read as {reading}; expected a number in decimal"
    )
    for text in (f"b: 1\na: {scalar}", f"b: 1\na: [{scalar}]", f"b: 1\n{scalar}: a"):
        assert problem in refusal(file(text))
    if "!!" not in scalar:
        assert own(f"a: '{scalar}'") == {"a": scalar}


@pytest.mark.parametrize(
    "text", ["1: a\n1.0: b", "true: a\nTrue: b", "1: a\ntrue: b", "0: a\n-0.0: b", ".5: a\n0.5: b"]
)
def test_keys_that_are_one_to_python(file: Callable[..., Path], text: str) -> None:
    assert "occurs twice" in refusal(file(text))


@settings(max_examples=120, deadline=None)
@given(st.text(alphabet="0123456789.eE+-_:xobynstfal~", min_size=1, max_size=8))
def test_any_scalar_is_what_conf_makes_of_it(scalar: str) -> None:
    same(f"a: {scalar}")


def test_aliases_and_merges_are_what_conf_makes_of_them() -> None:
    same("a: &x {min: 1}\nb: {<<: *x, max: 2}\nc: {<<: *x, min: 3}\nd: *x\n")
    assert own("a: &x {min: 1}\nb: {<<: *x, min: 3}\n") == {"a": {"min": 1}, "b": {"min": 3}}


@pytest.mark.parametrize("name", ["default", "independent_rows"])
def test_a_shipped_policy_is_the_one_that_is_composed(name: str, tmp_path: Path) -> None:
    shipped = Policy.read(ROOT / f"conf/gate/{name}.yaml")
    assert shipped == compose([f"gate={name}"]).policy
    (tmp_path / "policy.json").write_text(shipped.model_dump_json(exclude_unset=True), encoding="utf-8")
    assert Policy.read(tmp_path / "policy.json") == shipped


def test_a_policy_that_is_read_names_its_mistakes(file: Callable[..., Path]) -> None:
    with pytest.raises(PolicyError, match=r"gate.checks.auc_floor.min"):
        Policy.read(file(HEAD + "checks:\n" + FLOOR % ".nan"))
    with pytest.raises(PolicyError, match="NoneType is no policy"):
        Policy.read(file(""))
