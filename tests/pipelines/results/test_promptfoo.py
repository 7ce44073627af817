"""Results that promptfoo wrote (fixtures/README.md), what they become, and damaged and foreign ones."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lockgate.gates.errors import EvidenceError
from lockgate.pipelines.results import Selection
from lockgate.pipelines.results.pairing import pair_results
from lockgate.pipelines.results.promptfoo import read_promptfoo
from lockgate.pipelines.results.results import MAX_DOCUMENT_BYTES

FIXTURES = Path(__file__).with_name("fixtures")
BOTH, ERRORS = FIXTURES / "promptfoo.json", FIXTURES / "promptfoo-errors.json"


def test_two_providers_of_one_file_are_paired_and_repeats_are_tries() -> None:
    new, old = (
        read_promptfoo(BOTH, Selection(variant=name, cluster="group", slices=("hard",))) for name in ("new", "old")
    )
    evidence = pair_results(new, old, task="score", slices=("hard",), missing=None)
    assert evidence.n == 48
    assert len(evidence.query.values) == 24
    assert evidence.cluster.values == tuple(f"group {number}" for number in range(9))
    assert evidence.slices["hard"].values == ("false", "true")
    assert evidence.row_id[0].as_py().startswith('{"item": "item 1"} ')
    assert evidence.challenger.mean() > evidence.champion.mean()


def test_the_numbers_are_those_that_promptfoo_itself_summed() -> None:
    own = {prompt["provider"]: prompt["metrics"] for prompt in json.loads(BOTH.read_bytes())["results"]["prompts"]}
    for provider, metrics in own.items():
        for score, total in {
            "score": metrics["score"],
            "pass": metrics["testPassCount"],
            "agrees": metrics["namedScores"]["agrees"],
        }.items():
            results = read_promptfoo(BOTH, Selection(variant=provider, score=score))
            assert sum(row.score for row in results.rows) == pytest.approx(total)


def test_a_tests_place_in_the_file_does_not_matter(tmp_path: Path) -> None:
    document = json.loads(BOTH.read_bytes())
    document["results"]["results"].reverse()
    for result in document["results"]["results"]:
        result["testIdx"] = 100 - result["testIdx"]
    moved = tmp_path / "moved.json"
    moved.write_text(json.dumps(document), encoding="utf-8")
    first = read_promptfoo(BOTH, Selection(variant="new"))
    again = read_promptfoo(moved, Selection(variant="new"))
    evidence = pair_results(first, again, task="score", slices=(), missing=None)
    by_sample = [
        np.bincount(evidence.query.codes, weights=scores) for scores in (evidence.challenger, evidence.champion)
    ]
    np.testing.assert_array_equal(*by_sample)


def test_a_provider_with_several_prompts_is_chosen_with_its_prompt() -> None:
    with pytest.raises(EvidenceError) as refused:
        read_promptfoo(ERRORS, Selection())
    assert str(refused.value).startswith(
        "the file has results of 2 providers or prompts; expected --variant with one of new / Is it {{item}}?, new"
    )
    with pytest.raises(
        EvidenceError, match="there is no provider or prompt 'new'; expected --variant with one of new /"
    ):
        read_promptfoo(ERRORS, Selection(variant="new"))


def test_a_test_that_could_not_run_has_no_score_and_one_that_failed_has() -> None:
    results = read_promptfoo(ERRORS, Selection(variant="new / Is it {{item}}?"))
    error, failed = results.rows
    assert math.isnan(error.score)
    assert (error.problem, failed.score) == ("an error", 0.0)
    with pytest.raises(
        EvidenceError, match=r"1 of 2 results have no score, 1 of them because of an error \(first: '\{"
    ):
        pair_results(results, None, task="score", slices=(), missing=None)


def change(edit: Callable[[Any], object]) -> Callable[[Any], Any]:
    """The document, with its first result edited."""

    def apply(document: Any) -> Any:
        edit(document["results"]["results"][0])
        return document

    return apply


@pytest.mark.parametrize(
    ("edit", "selection", "problem"),
    [
        (lambda _: [], Selection(), "the file is no result of promptfoo"),
        (lambda _: {"results": {"results": [{}]}}, Selection(), "the file is no result of promptfoo"),
        (lambda _: {"results": {"results": []}}, Selection(), "there are no results"),
        (lambda document: document, Selection(variant="new", score="agres"), "(did you mean 'agrees'?)"),
        (
            lambda document: document,
            Selection(variant="new", cluster="grp"),
            "has no metadata 'grp'; expected one of item, group, hard",
        ),
        (change(lambda result: result.update(score="high")), Selection(variant="new"), "is 'high'; expected a number"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_in_one_line(
    tmp_path: Path, edit: Callable[[Any], Any], selection: Selection, problem: str
) -> None:
    file = tmp_path / "results.json"
    file.write_text(json.dumps(edit(json.loads(BOTH.read_bytes()))), encoding="utf-8")
    with pytest.raises(EvidenceError) as refused:
        read_promptfoo(file, selection)
    assert problem in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_that_is_cut_off_or_too_large_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    file.write_bytes(BOTH.read_bytes()[:-200])
    with pytest.raises(EvidenceError, match="the file is not JSON, or is cut off"):
        read_promptfoo(file, Selection())
    with file.open("wb") as large:
        large.truncate(MAX_DOCUMENT_BYTES + 1)
    with pytest.raises(EvidenceError, match="the file is too large; expected at most 268,435,456 bytes"):
        read_promptfoo(file, Selection())
