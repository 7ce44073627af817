"""What a step says to GitHub is read as GitHub reads it."""

from __future__ import annotations

import pytest

from tests.harness.github.commands import Annotation, FileError, annotations, values

pytestmark = pytest.mark.nightly


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        ("", {}),
        ("a=1\n\nb=x=y\n", {"a": "1", "b": "x=y"}),
        ("a=1\na=2\n", {"a": "2"}),
        ("a=\n", {"a": ""}),
        ("a<<EOF\none\ntwo=2\nEOF\nb=3\n", {"a": "one\ntwo=2", "b": "3"}),
        ("a=x<<EOF\n", {"a": "x<<EOF"}),
        ("a<<b=c\nin\nb=c\n", {"a": "in"}),
    ],
)
def test_a_file_of_values(text: str, variables: dict[str, str]) -> None:
    assert values(text) == variables


@pytest.mark.parametrize("text", ["word", "=value", "a<<EOF\nnever closed", "<<EOF\nx\nEOF"])
def test_a_file_that_is_none_fails_its_step(text: str) -> None:
    with pytest.raises(FileError, match=r"Invalid|delimiter"):
        values(text)


def test_annotations_are_lines_of_their_own() -> None:
    text = "::warning title=a%3A b%2C,file=x::one%0Atwo%25\nsaid ::error::no\n  ::notice::three\n::debug::no\n"
    assert annotations(text) == [
        Annotation(level="warning", title="a: b,", message="one\ntwo%"),
        Annotation(level="notice", title="", message="three"),
    ]


def test_ten_of_each_level_are_shown() -> None:
    shown_annotations = annotations("::warning::w\n" * 12 + "::error::e\n" * 11)
    assert [annotation.level for annotation in shown_annotations] == ["warning"] * 10 + ["error"] * 10


def test_commands_can_be_stopped() -> None:
    assert [
        annotation.message for annotation in annotations("::stop-commands::x\n::error::no\n::x::\n::error::yes\n")
    ] == ["yes"]
