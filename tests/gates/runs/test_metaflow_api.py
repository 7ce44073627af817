"""What is taken from Metaflow beyond its documented interface stands in one file, and a version that lacks it is named.

That each of these names does what it should is seen where it is used, by real runs and clusters: artifacts in
test_artifacts.py and test_datastore.py, decorators in tests/pipelines/gating/test_flows.py, deployments in tests/argo,
and all that an own flow needs, with the oldest version, in tests/packaging/test_metaflow_range.py.
"""

from __future__ import annotations

import ast
import re
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

from lockgate.gates.errors import RunError
from lockgate.gates.runs import metaflow_api

ROOT = Path(__file__).parents[3]
DOCUMENTED = {"metaflow", "metaflow.cards", "metaflow.exception", "metaflow.integrations"}
PRIVATE = {"_objects", "_prefix", "_storage_impl", "_update_env", "ca_store", "statically_defined"}


def list_sources() -> list[Path]:
    return [file for room in ("gates", "pipelines", "lockgate") for file in (ROOT / room).rglob("*.py")]


def list_names(file: Path) -> set[str]:
    """The undocumented modules and attributes of Metaflow that a file names; none if it never says `metaflow`."""
    names: set[str] = set()
    text = file.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(text if "metaflow" in text else "")):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "metaflow":
            names |= {node.module} - DOCUMENTED
            names |= {alias.name for alias in node.names if alias.name in {"metaflow_config", "plugins"}}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names if alias.name.startswith("metaflow.")}
        elif isinstance(node, ast.Attribute) and node.attr in PRIVATE and ast.unparse(node.value) != "self":
            names.add(node.attr)
    return names


def test_only_one_file_names_what_is_not_documented() -> None:
    own = {str(file.relative_to(ROOT)): names for file in list_sources() if (names := list_names(file))}
    (names,) = (own.pop("gates/runs/metaflow_api.py"),)
    assert own == {}
    assert names >= PRIVATE | {"metaflow_config", "metaflow.datastore", "metaflow.packaging_sys"}


def test_the_range_is_the_one_that_is_installed_and_locked() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    (requirement,) = (line for line in extras["metaflow"] if re.match(r"metaflow\b", line))
    assert requirement == f"metaflow{metaflow_api.TESTED_RANGE}"
    assert metaflow_api.describe_version() == f"metaflow {version('metaflow')}"
    oldest, newest = (
        re.search(r"^metaflow==([\d.]+)", (ROOT / f"requirements/{name}.txt").read_text(), re.M)[1]
        for name in ("oldest", "metaflow")
    )
    lowest, below = re.fullmatch(r">=([\d.]+),<([\d.]+)", metaflow_api.TESTED_RANGE).groups()
    first, last, start, end = (tuple(map(int, text.split("."))) for text in (oldest, newest, lowest, below))
    assert first[: len(start)] == start
    assert last < end
    page = (ROOT / "docs/own-flow.md").read_text(encoding="utf-8")
    assert f"| {oldest} |" in page
    assert f"| {newest} |" in page


@pytest.mark.parametrize(
    "error",
    [
        ImportError("cannot import name 'UserStepDecorator' from 'metaflow'", name="metaflow"),
        ModuleNotFoundError("No module named 'metaflow.packaging_sys'", name="metaflow.packaging_sys"),
        AttributeError("'TaskDataStore' object has no attribute '_objects'"),
        TypeError("get_aws_client() got an unexpected keyword argument 'client_params'"),
    ],
)
def test_a_version_that_lacks_something_is_named(error: Exception) -> None:
    with pytest.raises(RunError) as caught, metaflow_api.name_version():
        raise error
    assert str(caught.value) == (
        f"metaflow {version('metaflow')} lacks what lockgate needs: {error}; expected metaflow "
        f"{metaflow_api.TESTED_RANGE} (install such a version: `pip install 'lockgate[metaflow]'`)"
    )


@pytest.mark.parametrize("name", ["metaflow", "kubernetes"])
def test_what_is_not_installed_is_left_to_who_names_the_extra(name: str) -> None:
    with pytest.raises(ModuleNotFoundError), metaflow_api.name_version():
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Metaflow's own, while it is imported
def test_a_setting_that_this_version_does_not_have() -> None:
    assert metaflow_api.read_setting("DEFAULT_DATASTORE") in {"local", "s3"}
    with pytest.raises(RunError, match=r"^metaflow [\d.]+ lacks what lockgate needs: .*'DEFAULT_BANANA'"):
        metaflow_api.read_setting("DEFAULT_BANANA")
