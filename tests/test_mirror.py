"""Every source file has tests of its own, and a newcomer finds them.

`gates/ROOM/FILE.py` is tested by `tests/gates/ROOM/test_FILE.py`. Where its tests are elsewhere, the docstring of that
file has a line that begins with `Tests of` and names the paths of the sources.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parents[1]
NAMED = re.compile(r"\bTests of (.+)")
SOURCE = re.compile(r"(?:gates|pipelines)/[\w/]+\.py")
ADVICE = (
    """add the file of tests that is named, or the line `Tests of PATH` to the docstring of the file that has them:"""
)


def read_named_sources(source: str) -> Iterator[str]:
    """The paths that a test file's docstring names; several may stand in one line."""
    docstring = ast.get_docstring(ast.parse(source)) or ""
    for paths in NAMED.findall(docstring):
        yield from SOURCE.findall(paths)


def mirror_path(source: str) -> str:
    """`gates/stats/gaps.py` is tested by `tests/gates/stats/test_gaps.py`."""
    path = PurePosixPath(source)
    return str("tests" / path.with_name(f"test_{path.name}"))


def find_untested(sources: Sequence[str], tests: Mapping[str, str]) -> list[str]:
    """A line for each source without a test file, and for each named source that is not there. tests: text by path."""
    named = {path: test for test, text in tests.items() for path in read_named_sources(text)}
    untested = [path for path in sources if mirror_path(path) not in tests and path not in named]
    lost = [f"{test} names {path}, which is not there" for path, test in named.items() if path not in sources]
    return [f"{path} has no {mirror_path(path)}" for path in untested] + lost


def test_every_source_file_has_a_test_file() -> None:
    sources = [
        file.relative_to(ROOT).as_posix()
        for folder in ("gates", "pipelines")
        for file in sorted((ROOT / folder).rglob("*.py"))
        if file.name != "__init__.py"
    ]
    tests = {
        file.relative_to(ROOT).as_posix(): file.read_text(encoding="utf-8")
        for file in sorted((ROOT / "tests").rglob("test_*.py"))
    }
    if lines := find_untested(sources, tests):
        pytest.fail("\n".join([ADVICE, *lines]), pytrace=False)


@pytest.mark.parametrize(
    ("tests", "expected"),
    [
        ({"tests/gates/stats/test_gaps.py": ""}, []),
        ({"tests/gates/test_other.py": '"""Gaps.\n\nTests of gates/stats/gaps.py\n"""'}, []),
        ({"tests/gates/test_other.py": '"""Gaps.\n\nTests of gates/log/log.py and gates/stats/gaps.py.\n"""'}, ["log"]),
        ({"tests/gates/test_other.py": "# Tests of gates/stats/gaps.py"}, ["gaps"]),
        ({"tests/gates/test_gaps.py": ""}, ["gaps"]),
    ],
)
def test_a_source_file_without_tests_is_named(tests: dict[str, str], expected: list[str]) -> None:
    lines = find_untested(["gates/stats/gaps.py"], tests)
    assert len(lines) == len(expected)
    assert all(f"/{name}.py" in line for name, line in zip(expected, lines, strict=True))
