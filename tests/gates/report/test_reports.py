"""What a reader is told, in the terminal and in markdown.

Tests of gates/report/markdown.py
Tests of gates/report/tables.py
Tests of gates/report/terminal.py
Tests of gates/report/wording.py
"""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
from rich.console import Console

from lockgate import Decision, Outcome, Verdict, judge
from lockgate.gates.kinds import KINDS, PART_NOUNS
from lockgate.gates.records.numbers import format_fitting
from lockgate.gates.records.outcome import summarise_parts
from lockgate.gates.report import markdown, terminal, wording

FLOOR = {"kind": "threshold", "metric": "accuracy", "min": 0.999, "decide": "bound"}


def in_markdown(decision: Decision) -> str:
    return markdown.render(decision, part_nouns=PART_NOUNS)


def in_terminal(decision: Decision, width: int = 200) -> str:
    """As a pipe gets it."""
    out = Console(file=io.StringIO(), width=width, highlight=False)
    out.print(terminal.render(decision))
    return out.file.getvalue()


def sites(make, count: int = 30, mark: str = ""):
    names = np.array([f"s{number:02}{mark}" for number in range(count)])
    return make.evidence(slices={"site": names[np.arange(600) % count]})


def part(verdict: Verdict, name: str = "x") -> Outcome:
    return Outcome(name=name, kind="slices", severity="block", verdict=verdict)


def test_parts_come_worst_first_and_the_rest_is_counted() -> None:
    verdicts = ["SKIP", "PASS", "FAIL", "PASS", "ERROR", "INCONCLUSIVE", "FAIL"]
    parts = [part(Verdict(verdict), str(number)) for number, verdict in enumerate(verdicts)]
    worst, rest = wording.take_worst(parts, 3)
    assert [outcome.name for outcome in worst] == ["4", "2", "6"]
    assert rest == "4 more not shown: 1 INCONCLUSIVE, 2 PASS, 1 SKIP"
    assert wording.take_worst(parts, 7)[1] == ""
    assert summarise_parts(parts, "clause") == "7 clauses: 1 ERROR, 2 FAIL, 1 INCONCLUSIVE, 2 PASS, 1 SKIP"
    assert summarise_parts(parts[:1], "slice") == "1 slice: 1 SKIP"


@pytest.mark.parametrize(
    ("kind", "metric", "observed", "interval"),
    [
        ("improvement", "auc", "+0.020", "-0.100 … +0.300 (0.95)"),  # of which more is better
        ("improvement", "log_loss", "-0.020", "-0.300 … +0.100 (0.95)"),
        ("slices", "recall@0.3", "+0.020", "-0.100 … +0.300 (0.95)"),
        ("periods", "rmse", "-0.020", "-0.300 … +0.100 (0.95)"),
        ("improvement", "of another version", "0.020", "-0.100 … 0.300 (0.95)"),
        ("threshold", "log_loss", "0.020", "-0.100 … 0.300 (0.95)"),
        ("calibration", "gap", "0.020", "-0.100 … 0.300 (0.95)"),
    ],
)
def test_above_0_a_gain_is_better_whatever_the_metric(kind: str, metric: str, observed: str, interval: str) -> None:
    numbers = {"metric": metric, "observed": 0.02, "low": -0.1, "high": 0.3, "level": 0.95}
    outcome = Outcome(name="a", kind=kind, severity="block", verdict=Verdict.INCONCLUSIVE, **numbers)
    assert (wording.format_observed(outcome), wording.format_interval(outcome)) == (observed, interval)
    other = Outcome(name="b", kind="threshold", severity="block", verdict=Verdict.FAIL, metric="auc", observed=0.5)
    either = outcome.model_copy(update={"kind": "any_of", "parts": (other, outcome)})
    assert (wording.format_observed(either), wording.format_interval(either)) == (observed, interval)
    assert wording.format_observed(either.model_copy(update={"observed": 0.5, "metric": "auc"})) == "0.500"


def test_the_kinds_whose_numbers_are_differences_are_those_that_compare_a_metric(make) -> None:
    """A condition compares accuracies alone, where a difference is a gain as it is; `any_of` has its parts."""
    comparing = {kind for kind in KINDS if make.policy({"a": make.check(kind)}).checks["a"].compared_metrics}
    turned = {
        kind
        for kind in comparing
        if wording.gain_sign(
            Outcome(name="a", kind=kind, severity="block", verdict=Verdict.PASS, metric="log_loss", observed=-0.5)
        )
    }
    assert comparing - {"condition", "any_of"} == turned == {"improvement", "slices", "periods"}


def test_a_loss_reads_as_a_gain_and_the_heading_says_so(make) -> None:
    decision = make.judge(make.check("improvement", metric="log_loss", margin=0.0), make.evidence())
    outcome = decision.outcomes[0]
    assert outcome.observed < 0  # the record keeps challenger − champion
    for text in (in_terminal(decision), in_markdown(decision)):
        assert "observed (+ is better)" in text
        assert f" {wording.format_observed(outcome)} " in text
        assert (
            wording.format_observed(outcome)
            == f"+{format_fitting([-outcome.observed], (outcome.low, outcome.high))[0]}"
        )


@pytest.mark.parametrize(("kind", "noun"), [("slices", "slice"), ("condition", "clause"), ("any_of", "check")])
def test_parts_are_called_what_they_are(make, kind: str, noun: str) -> None:
    decision = make.judge(make.check(kind), make.evidence())
    assert re.search(rf"<summary>gate: \d+ {noun}s?&#58; \d+ PASS</summary>", in_markdown(decision))
    assert f"| {noun} | verdict |" in in_markdown(decision)


def test_the_terminal_shows_parts_that_are_not_settled(make) -> None:
    text = in_terminal(make.judge(make.check("slices", min_rows=25), sites(make)))
    assert len(re.findall(r"^ +INCONCLUSIVE  s\d\d: 20 rows, at least 25 are asked", text, re.MULTILINE)) == 5
    assert "25 more not shown: 25 INCONCLUSIVE" in text
    assert "not shown" not in in_terminal(make.judge(make.checks["condition"], make.evidence()))


def test_markdown_shows_twenty_parts_and_counts_the_rest(make) -> None:
    text = in_markdown(make.judge(make.check("slices", min_rows=25), sites(make)))
    assert len(re.findall(r"^\| s\d\d \|", text, re.MULTILINE)) == 20
    assert "10 more not shown&#58; 10 INCONCLUSIVE." in text


def test_parts_of_parts_have_a_table_of_their_own(make) -> None:
    checks = {"a": FLOOR, "b": make.check("slices", min_rows=300)}
    text = in_markdown(make.judge({"kind": "any_of", "checks": checks}, make.evidence()))
    assert "<summary>gate: 2 checks&#58; 1 FAIL, 1 INCONCLUSIVE</summary>" in text
    assert "<summary>gate / b: 3 slices&#58; 3 INCONCLUSIVE</summary>" in text
    assert text.index("gate: 2 checks") < text.index("gate / b: 3 slices")


@pytest.mark.parametrize("schedule", [{"kind": "fixed", "looks": 3}, {"kind": "single"}, {"kind": "open"}])
@pytest.mark.parametrize("kind", ["threshold", "improvement"])
def test_the_guarantee_is_always_said(make, schedule: dict, kind: str) -> None:
    decision = make.judge(make.checks[kind], make.evidence(), schedule=schedule)
    for reported in (decision, decision.seal()):
        for text in (" ".join(in_terminal(reported).split()), in_markdown(reported)):
            assert decision.guarantee[1:] in text.replace("&#58;", ":")
            assert (decision.look.message[1:] in text.replace("&#58;", ":")) == (reported is decision)
    if kind == "improvement" and schedule["kind"] != "open":
        assert decision.look.message.startswith(f"look 1 of {schedule.get('looks', 1)} at this holdout")


def test_the_words_of_the_policy_stand_beside_what_does_not_pass(make) -> None:
    words = {"description": "the law asks", "owner": "risk@example.org"}
    checks = {
        "bad": {**FLOOR, **words},
        "good": {**FLOOR, "min": 0.5, **words, "owner": "nobody"},
        "odd": {**FLOOR, "metric": "rmse", "owner": "data"},
    }
    decision = judge(make.policy(checks), make.evidence())
    text = in_terminal(decision)
    assert text.count("why: the law asks; ask: risk@example.org") == 1
    assert text.count("ask: data") == 1
    assert "nobody" not in text
    page = in_markdown(decision)
    assert "(why&#58; the law asks; ask&#58; risk&#64;example.org)" in page
    assert "(ask&#58; data)" in page
    assert "nobody" not in page


def test_neither_a_terminal_nor_a_page_can_be_made_to_do_anything(make) -> None:
    mark = "\x1b[31m\u202e\x07<b>|`*"
    check = {**make.check("slices", min_rows=300), "description": f"why{mark}", "owner": f"@me{mark}"}
    policy = make.policy({"gate": check})
    decision = judge(policy, sites(make, 3, mark))
    for text in (in_terminal(decision), in_markdown(decision)):
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202e]", text)
    page = in_markdown(decision)
    assert "<b>" not in page
    assert "@me" not in page
    assert "s00�&#91;31m��&lt;b&gt;&#124;&#96;&#42;" in page


def test_no_line_needs_a_terminal(make) -> None:
    text = in_terminal(judge(make.policy(make.checks), make.evidence()), width=160)
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 160


OF_CLUSTERS = (
    "rests on {{rarer}} rows of the rarer class; 30 clusters, as good as 30 equal ones; {df} degrees of freedom"
)


@pytest.mark.parametrize(
    ("options", "metric", "said"),
    [
        ({}, "accuracy", ""),
        ({}, "auc", "rests on {rarer} rows of the rarer class"),
        (
            {"cluster": np.arange(600) // 20},
            "log_loss",
            OF_CLUSTERS.format(df="29") + "; events in less than 0.1 of the clusters may be unseen",
        ),
        (
            {"cluster": np.arange(600) // 20, "time": [f"2024-01-{day // 20 + 1:02}" for day in range(600)]},
            "brier",
            OF_CLUSTERS.format(df="{df:.3g}")
            + "; a correlation of {lag_1:.2f} between neighbours in time, allowed for",
        ),
        (
            {"weight": np.where(np.arange(600) < 300, 3.0, 1.0)},
            "accuracy",
            "rests on weights as good as 480 equal rows",
        ),
    ],
)
def test_what_a_number_rests_on_is_said_beside_it(make, options: dict, metric: str, said: str) -> None:
    evidence = make.evidence(**options)
    decision = make.judge({"kind": "improvement", "metric": metric, "margin": 0.0}, evidence)
    information = decision.outcomes[0].information
    rarer = int(min(evidence.label.sum(), 600 - evidence.label.sum()))
    phrase = said.format(rarer=rarer, df=information.degrees_of_freedom or 0.0, lag_1=information.lag_1 or 0.0)
    assert wording.format_information(decision.outcomes[0]) == phrase
    for text in (" ".join(in_terminal(decision).split()), in_markdown(decision).replace("&#58;", ":")):
        assert ("rests on" in text) == bool(said)
        assert phrase in text
