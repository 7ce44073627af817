"""Errors in one line, and the tree of them that the module draws."""

from __future__ import annotations

import inspect
import re

import pytest

from lockgate.gates import errors
from lockgate.gates.errors import DeployError, GithubError, LockgateError, PolicyError, printable


@pytest.mark.parametrize(
    ("parts", "line"),
    [
        ({}, "it broke"),
        ({"expected": "glue"}, "it broke; expected glue"),
        ({"where": "here.yaml"}, "it broke @ here.yaml"),
        ({"hint": "mend it"}, "it broke (mend it)"),
        (
            {"expected": "glue", "where": "here.yaml", "hint": "mend it"},
            "it broke; expected glue @ here.yaml (mend it)",
        ),
    ],
)
def test_an_error_is_one_line(parts: dict[str, str], line: str) -> None:
    assert str(LockgateError("it broke", **parts)) == line


def test_text_from_elsewhere_stays_in_the_line() -> None:
    assert printable("a\n  b\tc") == "a b c"
    assert printable("\x1b[31mred\u202e") == "�[31mred�"
    assert str(LockgateError("a\x1b[0m", where="b\nc")) == "a�[0m @ b c"


def test_errors_that_carry_several_problems() -> None:
    assert str(PolicyError(["one"])) == "one"
    assert str(PolicyError(["one", "two\n"])) == "2 problems: one | two"
    assert DeployError("no image", where="platform").problems == ("no image @ platform",)
    assert DeployError("two things", problems=["one", "two"]).problems == ("one", "two")
    assert (GithubError("refused", status=403).status, GithubError("gone").status) == (403, None)


def test_the_tree_in_the_docstring_is_the_tree_of_classes() -> None:
    drawn = re.findall(r"^ +(│   )?[├└]── (\w+)|^    (LockgateError)$", errors.__doc__ or "", re.MULTILINE)
    depth = {child or root: 0 if root else 2 if nested else 1 for nested, child, root in drawn}
    classes = {
        name: len(kind.__mro__) - len(LockgateError.__mro__)
        for name, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, LockgateError)
    }
    assert depth == classes
