"""Annotations: what GitHub's runner makes of the lines, by a small parser of its own, is what was meant.

Tests of pipelines/github/annotations.py
"""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from lockgate.gates.errors import printable
from lockgate.pipelines.github.annotations import MAX_ANNOTATIONS, MAX_MESSAGE_LENGTH, format_annotations

COMMAND = re.compile(r"::(?P<name>[a-z-]+)(?: (?P<properties>.*?))?::(?P<message>.*)")


def parse_command(line: str) -> tuple[str, dict[str, str], str]:
    """Name, properties and message, as the runner reads them (actions/runner, ActionCommand.TryParseV2)."""
    match = COMMAND.fullmatch(line)
    assert match is not None
    pairs = [pair.split("=", 1) for pair in (match["properties"] or "").split(",") if pair]

    def plain(text: str) -> str:
        for code, character in (("%3A", ":"), ("%2C", ","), ("%0D", "\r"), ("%0A", "\n"), ("%25", "%")):
            text = text.replace(code, character)
        return text

    return match["name"], {name: plain(value) for name, value in pairs}, plain(match["message"])


@given(st.text(max_size=60), st.text(max_size=300))
def test_any_text_stays_text(title: str, message: str) -> None:
    (line,) = format_annotations("warning", [(title, message)])
    assert len(line.splitlines()) == 1
    name, properties, text = parse_command(line)
    assert name == "warning"
    assert list(properties) == ["title"]
    if "%" not in title + message:  # a cut may fall into an escape
        assert (properties["title"], text) == (printable(title), printable(message))


def test_what_would_be_a_command_of_its_own_is_none() -> None:
    hostile = "x\n::add-mask::y\r\n::error file=/etc/passwd,line=1::z\n##[error]w%0A::stop-commands::a"
    (line,) = format_annotations("warning", [("a,line=7::b", hostile)])
    name, properties, message = parse_command(line)
    assert (name, properties["title"]) == ("warning", "a,line=7::b")
    assert "\n" not in message
    assert message.startswith("x ::add-mask::y ::error")


def test_ten_are_shown_and_the_rest_is_counted() -> None:
    for count, expected in (
        (0, 0),
        (1, 1),
        (MAX_ANNOTATIONS, MAX_ANNOTATIONS),
        (MAX_ANNOTATIONS + 1, MAX_ANNOTATIONS),
        (500, MAX_ANNOTATIONS),
    ):
        assert len(list(format_annotations("error", [("t", "m")] * count))) == expected
    assert list(format_annotations("error", [("t", "m")] * 30))[-1].endswith("::21 more; all of them are in the report")
    assert len(next(format_annotations("error", [("t" * 500, "m" * 10**6)]))) < MAX_MESSAGE_LENGTH + 200
