"""The locks: hashes, no addresses, and in step with pyproject.toml."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
INSTALLED = ("pipeline", "stores", "github")  # the extras of every environment of this repository
LOCKS = ["build", "comment", "core", "data", "dev", "metaflow", "mutate", "oldest", "outerbounds", "uv"]


def pins(name: str) -> dict[str, list[str]]:
    lines = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    actual: dict[str, list[str]] = {}
    for package, version in re.findall(r"^([a-z0-9._-]+)==(\S+)", lines, flags=re.MULTILINE):
        actual.setdefault(package, []).append(version)
    return actual


def test_locks_carry_hashes_and_no_address() -> None:
    locks = sorted((ROOT / "requirements").glob("*.txt"))
    assert [lock.stem for lock in locks] == LOCKS
    for lock in locks:
        text = lock.read_text(encoding="utf-8")
        assert not re.search(r"://|--index|--extra-index|--find-links|^-|file:|^/|^\.", text, flags=re.MULTILINE), lock
        pins = re.split(r"\n(?=\S)", text.strip())
        assert all(re.match(r"[a-z0-9._-]+==\S+( ;[^\n]+)? \\\n    --hash=sha256:", pin) for pin in pins), lock


def test_the_locks_of_tests_and_of_runs_agree() -> None:
    assert pins("metaflow").items() <= pins("dev").items()
    oldest = pins("oldest")
    assert oldest.pop("metaflow") != pins("dev")["metaflow"]
    assert oldest.items() <= pins("dev").items()


def test_the_judge_alone_is_at_most_25_distributions() -> None:
    """What `pip install lockgate` brings, lockgate itself among it; of two versions a machine has one."""
    assert len({*pins("core"), "lockgate"}) <= 25
    assert pins("core").items() <= pins("comment").items()
    for package, versions in pins("comment").items():
        assert set(pins("dev")[package]) & set(versions), f"{package} is another version than the one that is tested"


def test_the_locks_follow_pyproject() -> None:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project, groups = pyproject["project"], pyproject["dependency-groups"]
    extras = project["optional-dependencies"]
    everywhere = [*project["dependencies"], *(line for name in ("log", *INSTALLED) for line in extras[name])]
    everywhere.remove("lockgate[log]")
    expected = {
        "core": project["dependencies"],
        "comment": project["dependencies"] + extras["github"],
        "metaflow": everywhere + extras["metaflow"],
        "outerbounds": everywhere + extras["outerbounds"],
        "dev": everywhere + extras["metaflow"] + groups["test"] + groups["lint"],
        "mutate": everywhere + extras["metaflow"] + groups["test"] + groups["mutate"],
        "oldest": [*project["dependencies"], *extras["log"], *extras["metaflow"], *groups["oldest"]],
        "data": groups["data"],
        "build": pyproject["build-system"]["requires"],
    }
    for name, requirements in expected.items():
        locked = pins(name)
        for requirement in map(Requirement, requirements):
            versions = locked.get(requirement.name.lower(), [])
            assert versions, f"{requirement} is not in requirements/{name}.txt; run: make lock"
            assert all(requirement.specifier.contains(version) for version in versions), (
                f"{requirement}; run: make lock"
            )
