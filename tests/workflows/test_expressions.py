"""Expressions mean what GitHub's documentation says they mean."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.workflows.expressions import ExpressionError, condition, evaluate, interpolated

HELD: dict[str, Any] = {
    "github": {"ref": "refs/heads/main", "event": {"labels": [{"name": "bug"}, {"name": "Help wanted"}], "n": 7}},
    "needs": {"one": {"result": "success"}, "two": {"result": "failure", "outputs": {"found": "true"}}},
    "list": [1, "two", None], "empty": {},
}  # fmt: skip
VALUES: dict[str, Any] = {
    "null": None, "true": True, "false": False, "711": 711, "-9.2": -9.2, "0xff": 255, "0o17": 15, "-2.99e-2": -0.0299,
    "'it''s'": "it's", "''": "",
    "github.ref": "refs/heads/main", "GitHub.Ref": "refs/heads/main", "github['ref']": "refs/heads/main",
    "github.nothing": None, "github.nothing.more": None, "github.event.labels[1].name": "Help wanted",
    "github.event.labels[9]": None, "list[0]": 1, "list['1']": "two", "list[-1]": None, "github.ref.length": None,
    "github.event.labels.*.name": ["bug", "Help wanted"], "needs.*.result": ["success", "failure"],
    "needs.*.outputs.found": ["true"], "github.event.labels[*].nothing": [], "null.*": [],
    "!true": False, "!!'a'": True, "!''": True, "!0": True, "!needs": False,
    "1 < 2": True, "'a' < 'B'": True, "2 >= '2'": True, "'x' > 1": False, "null < 1": True, "needs < needs": False,
    "'True' == true": False, "true == 1": True,
    "'' == 0": True, "null == 0": True, "null == ''": True, "'1' == 1": True,
    "'abc' == 'ABC'": True, "needs == needs": True, "needs == github": False, "empty == 0": False, "NaN == NaN": False,
    "'x' != 'y'": True, "1 == 1 == true": True,
    "true && 'a'": "a", "'' && fromJSON('{')": "", "'' || 'b'": "b", "'a' || 'b'": "a", "null || false || 0": 0,
    "1 && 2 || 3": 2, "false && 2 || 3": 3, "(1 || 2) && 3": 3, "!(1 && 0)": True,
    "contains('Hello world', 'LLO')": True, "contains(github.event.labels.*.name, 'BUG')": True,
    "contains(list, '1')": True, "contains(list, 'w')": False, "startsWith('Hello', 'he')": True,
    "endsWith('Hello', 'LO')": True, "startsWith(12, 1)": True, "format('{{a}} {1} {0}', 'x', 2)": "{a} 2 x",
    "join(list, ', ')": "1, two, ", "join('alone')": "alone", "join(github.event.labels.*.name)": "bug,Help wanted",
    "toJSON(empty)": "{}", "fromJSON('[1, {\"a\": true}]')[1].A": True, "fromJSON('3') + 0": ExpressionError,
    "success()": True, "SUCCESS()": True, "failure()": False,
}  # fmt: skip
STATUS = {"success": lambda: True, "failure": lambda: False, "always": lambda: True, "cancelled": lambda: False}


@pytest.mark.parametrize(("text", "value"), VALUES.items(), ids=VALUES)
def test_values(text: str, value: Any) -> None:
    if value is ExpressionError:
        with pytest.raises(ExpressionError):
            evaluate(text, HELD, STATUS)
    else:
        found = evaluate(text, HELD, STATUS)
        assert found == value
        assert isinstance(found, bool) == isinstance(value, bool)


@pytest.mark.parametrize("text", [
    "", "nobody.knows", "'open", '"double"', "1 +", "github.", "github[", "github['ref'", "f(", "nothing()", "1 2",
    "()", "contains('a')", "contains()", "format('{0}')", "format('{')", "fromJSON('{')", "a..b", "=", "a = b", "&",
    "`x`",
    "(" * 200 + "1" + ")" * 200, "${{ 1 }}", "github.*.*.", "0x", "1.2.3",
])  # fmt: skip
def test_what_is_none(text: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        evaluate(text, HELD, STATUS)
    assert len(str(caught.value).splitlines()) == 1


PRINTED = {
    "a ${{ null }}b": "a b", "${{ true }}${{ false }}": "truefalse",
    "${{ 1.0 }} ${{ 1.50 }} ${{ 1e20 }}": "1 1.5 1e+20",
    "${{ needs }} ${{ list }}": "Object Array", "${{ '}}' }}": "}}", "$ { { 1 } }": "$ { { 1 } }", "}} $": "}} $",
    "${{ NaN }} ${{ Infinity }}": "NaN Infinity", "${{github.event.n}}": "7",
}  # fmt: skip


@pytest.mark.parametrize(("text", "printed"), PRINTED.items())
def test_texts_with_expressions(text: str, printed: str) -> None:
    assert interpolated(text, HELD, STATUS) == printed


@pytest.mark.parametrize("text", ["${{ 1", "${{ }}", "a ${{ 'x }}", "${{ 1 }} ${{"])
def test_texts_with_what_is_none(text: str) -> None:
    with pytest.raises(ExpressionError):
        interpolated(text, HELD, STATUS)


@pytest.mark.parametrize(
    ("said", "after_success", "after_failure"),
    [
        (None, True, False), ("", True, False), ("always()", True, True), ("${{ always() }}", True, True),
        ("failure()", False, True), ("!failure()", True, False), ("true", True, False), (True, True, False),
        (False, False, False), ("'' && failure()", False, False), ("github.event.n == 7", True, False),
        ("always() && github.nothing", False, False), ("${{ github.ref }} == 'no'", True, False),
        ("contains('always()', 'x') || 1", True, False), ("success() || failure()", True, True),
    ],
)  # fmt: skip
def test_a_condition_is_of_success_unless_it_asks(
    said: str | bool | None, *, after_success: bool, after_failure: bool
) -> None:
    for failed, expected in ((False, after_success), (True, after_failure)):
        status = {**STATUS, "success": lambda: not failed, "failure": lambda: failed}  # noqa: B023
        assert condition(said, HELD, status) is expected


@given(st.text(max_size=40))
def test_any_text_is_a_value_or_refused(text: str) -> None:
    with suppress(ExpressionError):
        evaluate(text, HELD, STATUS)
    quoted = "'" + text.replace("'", "''") + "'"
    assert evaluate(quoted, {}, {}) == text


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda one: st.lists(one) | st.dictionaries(st.text(), one),
    )
)
def test_json_there_and_back(value: Any) -> None:
    assert evaluate("fromJSON(toJSON(v))", {"v": value}, {}) == value


@given(st.floats(allow_nan=False) | st.integers(-(10**15), 10**15))
def test_numbers(value: float) -> None:
    if not math.isinf(value):
        assert float(evaluate(json.dumps(value), {}, {})) == float(value)
