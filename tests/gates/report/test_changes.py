"""What changed, for people: the worst first, escaped, and cut."""

from __future__ import annotations

import io
import json

from rich.console import Console

from lockgate.gates.report import changes as report
from lockgate.gates.strictness import Category, Changes, Direction, Finding, make_finding

EVIL = "<script>alert(1)</script> @everyone | [x](http://evil) `rm` \x1b[31m\u202e"


def make_changes(*findings: Finding, **keys: int) -> Changes:
    return Changes(before="main", after="mine", findings=findings, **keys)


def floor_finding(direction: Direction, where: str = "gate.checks.floor.min", after: str = "0.5") -> Finding:
    return make_finding(Category.FLOOR, direction, where, 0.6, after)


def print_changes(changes: Changes) -> str:
    console = Console(width=200, file=io.StringIO())
    console.print(report.render(changes))
    return console.file.getvalue()


def test_nothing() -> None:
    assert "nothing is weaker from main to mine" in print_changes(make_changes())
    assert report.render_markdown(make_changes()) == "### policy\n\nNothing is weaker from main to mine.\n\n"
    assert make_changes().exit_code == 0


def test_the_worst_comes_first_and_is_counted() -> None:
    findings = [
        floor_finding(direction)
        for direction in (Direction.NEUTRAL, Direction.TIGHTER, Direction.REVIEW, Direction.WEAKER)
    ]
    page = report.render_markdown(make_changes(*findings, authors=2, reworded=1))
    places = [page.index(word) for word in ("🔴 weaker", "🟡 review", "🟢 tighter", "⚪ neutral")]
    assert places == sorted(places)
    assert "1 weaker, 1 to be reviewed, 1 tighter from main to mine" in page
    assert "2 files of conf/model" in page
    assert "1 file of the configuration changed without" in page
    text = print_changes(make_changes(*findings))
    assert all(word in text for word in ("lower floor", "gate.checks.floor.min", "0.6", "0.5", "easier to meet"))


def test_what_an_author_wrote_cannot_speak() -> None:
    changes = make_changes(floor_finding(Direction.WEAKER, where=EVIL, after=EVIL))
    for page in (
        report.render_markdown(changes),
        report.render_markdown(Changes(before=EVIL, after=EVIL, findings=())),
    ):
        assert not any(word in page for word in ("<script>", "@everyone", "](", "`rm`", "\x1b", "\u202e"))
    (line,) = [line for line in report.render_markdown(changes).splitlines() if "weaker |" in line]
    assert line.count("|") == 7
    assert "\x1b" not in print_changes(changes)


def test_many_are_cut() -> None:
    page = report.render_markdown(
        make_changes(*(floor_finding(Direction.WEAKER, where=f"gate.checks.g{number}.min") for number in range(500)))
    )
    assert "440 more of these are not shown." in page
    assert page.count("🔴") == 60
    assert "500 weaker" in page
    assert len(report.render_markdown(make_changes(floor_finding(Direction.WEAKER, after="x" * 10**6)))) < 1500


def test_json_says_all_of_it() -> None:
    plain = json.loads(
        json.dumps(
            report.as_json(make_changes(floor_finding(Direction.WEAKER), floor_finding(Direction.TIGHTER), authors=3))
        )
    )
    assert plain["weakenings"] == [
        {
            "category": "floor",
            "name": "lower floor",
            "where": "gate.checks.floor.min",
            "file": None,
            "before": "0.6",
            "after": "0.5",
            "why": "the limit is easier to meet: models that were held may pass",
        },
    ]
    assert [finding["name"] for finding in plain["tightenings"]] == ["higher floor"]
    assert (plain["reviews"], plain["authors_files"], plain["before"]) == ([], 3, "main")
