"""Expressions: known answers from GitHub's documentation and from what its runner does, and any text at all."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.harness.github.expressions import ExpressionError, Functions, condition, context_names, evaluate, interpolate

pytestmark = pytest.mark.nightly

FRUITS = [{"name": "apple", "quantity": 1}, {"name": "orange", "quantity": 2}, {"name": "pear", "quantity": 1}]
CONTEXTS: dict[str, Any] = {
    "github": {"ref": "refs/heads/main", "event_name": "push", "event": {"issue": {"labels": [{"name": "bug"}, {}]}}},
    "fruits": FRUITS,
    "vegetables": {"beets": {"colors": ["purple", "red"]}, "leeks": {"colors": ["green"]}},
    "steps": {"first": {"outputs": {"Found": "true", "with-dash": "x"}}},
    "Env": {"time": "3", "empty": "", "format": "f"},
    "list": ["zero", "one", "two"],
}
FUNCTIONS: Functions = {
    "success": lambda: True,
    "failure": lambda: False,
    "always": lambda: True,
    "cancelled": lambda: False,
    "hashFiles": lambda *patterns: "+".join(patterns),
}
FAILED: Functions = {**FUNCTIONS, "success": lambda: False, "failure": lambda: True}


def value(text: str) -> Any:
    return evaluate(text, CONTEXTS, FUNCTIONS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("null", None),
        ("false", False),
        ("true", True),
        ("711", 711),
        ("-9.2", -9.2),
        ("0xff", 255),
        ("0o17", 15),
        ("-2.99e-2", -2.99e-2),
        ("1E+2", 100),
        ("+1", 1),
        (".5", 0.5),
        ("-Infinity", -math.inf),
        ("''", ""),
        ("'It''s open source!'", "It's open source!"),
        ("' }} ${{ '", " }} ${{ "),
    ],
)
def test_literals(text: str, expected: object) -> None:
    result = value(text)
    assert result == expected
    assert isinstance(result, bool) == isinstance(expected, bool)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 || 2 && 3", 1),
        ("(1 || 2) && 3", 3),
        ("!2 < 3", True),
        ("!(2 < 3)", False),
        ("3 < 2 < 1", True),
        ("2 <= 3 == true", True),
        ("2 == 2 == 1", True),
        ("false || 'default'", "default"),
        ("'a' && 'b'", "b"),
        ("'' && fromJSON('')", ""),
        ("0 || null", None),
        ("1 || fromJSON('')", 1),
        ("!!'false'", True),
        ("!-0", True),
        ("!null", True),
        ("!NaN", True),
        ("!fruits", False),
        ("!fromJSON('{}')", False),
    ],
)
def test_operators_bind_and_give_an_operand(text: str, expected: object) -> None:
    assert value(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("'Main' == 'mAIN'", True),
        ("'a' < 'B'", True),
        ("'a' < '['", True),
        ("'ς' == 'Σ'", True),
        ("'ı' == 'I'", False),
        ("null == 0", True),
        ("true == 1", True),
        ("true == 'true'", False),
        ("'' == 0", True),
        ("' 0xff ' == 255", True),
        ("'x' == 0", False),
        ("'x' != 0", True),
        ("null == ''", True),
        ("NaN == NaN", False),
        ("NaN != NaN", True),
        ("'x' > 1", False),
        ("'x' <= 1", False),
        ("fruits > 1", False),
        ("fruits == fruits", True),
        ("fromJSON('[]') == fromJSON('[]')", False),
        ("fruits == github", False),
        ("fruits == 'Array'", False),
        ("env.time > 2", True),
        ("false > null", False),
        ("null >= null", True),
        ("1 <= 1", True),
        ("2 != 2", False),
    ],
)
def test_comparisons_are_loose(text: str, expected: bool) -> None:
    assert value(text) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("github.ref", "refs/heads/main"),
        ("GitHub.REF", "refs/heads/main"),
        ("github['Ref']", "refs/heads/main"),
        ("env.format", "f"),
        ("steps.first.outputs.found", "true"),
        ("steps.first.outputs.with-dash", "x"),
        ("steps.second.outputs.found", None),
        ("github.ref.name", None),
        ("fruits[1].name", "orange"),
        ("list['2']", "two"),
        ("list[1.9]", "one"),
        ("list[true]", "one"),
        ("list[-1]", None),
        ("list[3]", None),
        ("list['x']", None),
        ("list[NaN]", None),
        ("list[Infinity]", None),
        ("list[fruits]", None),
        ("list[list.*[9] || 0]", None),
        ("(fromJSON('{\"5\": 1}'))[5]", 1),
        ("fromJSON('[7]')[0]", 7),
        ("fruits.*.name", ["apple", "orange", "pear"]),
        ("fruits[*].name", ["apple", "orange", "pear"]),
        ("vegetables.*.colors", [["purple", "red"], ["green"]]),
        ("vegetables.*.colors.*", ["purple", "red", "green"]),
        ("vegetables.*.colors[0]", ["purple", "green"]),
        ("github.event.issue.labels.*.name", ["bug"]),
        ("github.ref.*", []),
        ("github.none.*.name", []),
    ],
)
def test_properties_indices_and_filters(text: str, expected: object) -> None:
    assert value(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("contains('Hello world', 'LLO')", True),
        ("contains('1234', 23)", True),
        ("contains(list, 'ONE')", True),
        ("contains(list, 'on')", False),
        ("contains('Object', github)", False),
        ("contains(github.event.issue.labels.*.name, 'bug')", True),
        ('contains(fromJSON(\'["push", "pull_request"]\'), github.event_name)', True),
        ("startsWith('Hello world', 'he')", True),
        ("startsWith('Hello', 'lo')", False),
        ("endsWith('Hello world', 'LD')", True),
        ("endsWith('Hello', 'he')", False),
        ("format('Hello {0} {1} {2}', 'Mona', 'the', 'Octocat')", "Hello Mona the Octocat"),
        ("format('{{Hello {0} {1} {2}!}}', 'Mona', 'the', 'Octocat')", "{Hello Mona the Octocat!}"),
        ("format('{0}{0}|{1}|{2}|{3}', 1.50, null, list, github)", "1.51.5||Array|Object"),
        ("join(list)", "zero,one,two"),
        ("join(list, ', ')", "zero, one, two"),
        ("join('x', '-')", "x"),
        ("join(github)", ""),
        ("join(fromJSON('[null, 1, [2]]'), '-')", "-1-Array"),
        ("join(list, list)", "zero,one,two"),
        (
            'toJSON(fromJSON(\'{"a": [1, true, null], "b": {}, "c": "ä\\n"}\'))',
            '{\n  "a": [\n    1,\n    true,\n    null\n  ],\n  "b": {},\n  "c": "ä\\n"\n}',
        ),
        ("fromJSON(env.time)", 3),
        ("fromJSON('true')", True),
        ("hashfiles('a', 'b')", "a+b"),
        ("FAILURE()", False),
        ("case(github.ref == 'refs/heads/main', 'production', 'development')", "production"),
        ("case(false, fromJSON(''), 1 == 1, 'second', 'default')", "second"),
        ("case(false, 1, 'default')", "default"),
    ],
)
def test_functions(text: str, expected: object) -> None:
    assert value(text) == expected


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "expected a value, at the end"),
        (" ", "expected a value"),
        ('"x"', "single quotes, at '\"x\"'"),
        ("'x", "not a symbol"),
        ("a = b", "not a symbol"),
        ("github.ref/x", "not a symbol"),
        ("1 <", "expected a value"),
        ("1 2", r"unexpected, at '2' \(character 3\)"),
        ("(1)2", "unexpected"),
        ("(1", r"expected \)"),
        ("(1,", r"expected \)"),
        ("fruits.1", "unexpected"),
        ("fruits.", "a name or"),
        ("fruits[0", "expected ]"),
        ("'x'.y", "unexpected"),
        ("*", "expected a value"),
        ("-0xff", "not a number"),
        ("0xfg", "not a number"),
        ("-Inf", "not a symbol"),
        ("nosuch.ref", "no context nosuch here"),
        ("true || nosuch", "no context nosuch here"),
        ("TRUE", "no context"),
        ("false && nosuch()", "no function nosuch here"),
        ("startsWith('x')", "startswith: missing"),
        ("join(list, ',', 1)", "join: too many"),
        ("always(1)", "always: "),
        ("toJSON()", "tojson: missing"),
        ("case(true, 1, false, 2)", "case: no default"),
        ("case(1, 2, 3)", "case: a predicate is a boolean, not number"),
        ("format('{0')", "format: a brace"),
        ("format('{0}}', 1)", "format: a brace"),
        ("format('{1}', 1)", "no value for"),
        ("fromJSON('')", "fromjson: "),
        ("fromJSON('NaN')", "NaN is not JSON"),
        (f"fromJSON('{'[' * 9999}')", "fromjson: "),
        ("!" * 50 + "true", "nested more than 50 deep"),
        ("(" * 51 + "1" + ")" * 51, "nested"),
        ("github" + ".x" * 50, "nested"),
        ("1" + "==1" * 50, "nested"),
        ("'" + "x" * 21_000 + "'", "more than 21000"),
    ],
)
def test_what_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ExpressionError, match=problem) as refused:
        value(text)
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize(
    "text", ["!" * 49 + "true", "github" + ".x" * 49, "(" * 50 + "1" + ")" * 50, "1" + "&&1" * 200]
)
def test_what_is_just_allowed(text: str) -> None:
    value(text)


def test_values_of_other_types_are_refused() -> None:
    with pytest.raises(ExpressionError, match="env: expressions know no set"):
        evaluate("env == 1", {"env": {1}}, {})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("none", "none"),
        ("", ""),
        ("ci-${{ github.ref }}", "ci-refs/heads/main"),
        ("${{ 'a}}b' }}}", "a}}b}"),
        ("${{ null }}|${{ true }}|${{ 1.0 }}|${{ 0.1 }}|${{ -0 }}", "|true|1|0.1|0"),
        ("${{ github }}", "Object"),
        ("${{ fruits.* }}", "Array"),
        ("${{ 1e15 }} ${{ 1e14 }} ${{ 1e-5 }}", "1E+15 100000000000000 1E-05"),
        ("${{ NaN }} ${{ -Infinity }}", "NaN -Infinity"),
        ("$${{ 'It''s' }} }}", "$It's }}"),
        ("{{ x }}", "{{ x }}"),
    ],
)
def test_interpolation(text: str, expected: str) -> None:
    assert interpolate(text, CONTEXTS, FUNCTIONS) == expected


@pytest.mark.parametrize("text", ["${{ }}", "${{ 1", "${{ 'a }}", "x ${{ 1 }} ${{ nosuch }}"])
def test_interpolation_of_what_is_no_expression(text: str) -> None:
    with pytest.raises(ExpressionError):
        interpolate(text, CONTEXTS, FUNCTIONS)


@pytest.mark.parametrize(
    ("text", "passing", "failing"),
    [
        (None, True, False),
        ("", True, False),
        (" \n", True, False),
        (True, True, False),
        (False, False, False),
        ("always()", True, True),
        ("${{ always() }}", True, True),
        ("!cancelled()", True, True),
        ("failure() && github.ref", False, True),
        ("github.ref == 'refs/heads/main'", True, False),
        ("${{ github.ref == 'x' }}", False, False),
        ("'always()'", True, False),
        ("steps.first.outputs.found", True, False),
        ("env.empty", False, False),
        ("${{ env.empty }}", False, False),
        ("${{ env.empty }}${{ env.empty }}", False, False),
        ("${{ github.ref }} == 'x'", True, False),
        ("${{ false }}\n", True, False),
        ("${{ failure() }} == true", True, True),
        ("Success() || failure()", True, True),
        ("!(always() && false)", True, True),
    ],
)
def test_conditions(text: str | bool | None, *, passing: bool, failing: bool) -> None:
    assert condition(text, CONTEXTS, FUNCTIONS) is passing
    assert condition(text, CONTEXTS, FAILED) is failing


def test_a_condition_is_read_also_where_success_decides() -> None:
    with pytest.raises(ExpressionError, match="no context nosuch"):
        condition("nosuch", CONTEXTS, FAILED)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("github.env == 'vars.x' && Needs.a[matrix.b]", {"github", "needs", "matrix"}),
        ("always()", set()),
        ("a ${{ inputs.x }} secrets.y ${{ join(needs.*.result, env.z) }}", {"inputs", "needs", "env"}),
    ],
)
def test_names(text: str, names: set[str]) -> None:
    assert context_names(text) == names


SYMBOLS = "( ) [ ] . , ! < <= == && || * 'x' 1 -.5e1 null github fruits name contains( format( toJSON( case( {0} ' \""


@given(st.text() | st.lists(st.sampled_from(SYMBOLS.split()), max_size=12).map(" ".join))
@example("(" * 20_000)
@example("!" * 20_000)
@example("${{" * 5_000)
def test_any_text_has_a_value_or_is_refused(text: str) -> None:
    for reader in (evaluate, interpolate, condition):
        message = ""
        try:
            reader(text, CONTEXTS, FUNCTIONS)
        except ExpressionError as refused:
            message = str(refused)
        assert len(message.splitlines()) <= 1


@given(st.text(max_size=200))
def test_a_quoted_string_is_itself(text: str) -> None:
    quoted = "'" + text.replace("'", "''") + "'"
    assert value(quoted) == text
    assert interpolate(f"<${{{{ {quoted} }}}}>", CONTEXTS, FUNCTIONS) == f"<{text}>"
    assert value(f"fromJSON(toJSON({quoted}))") == text


@given(st.floats(min_value=-1e15, max_value=1e15).map(lambda number: round(number, 3)))
def test_a_printed_number_is_that_number(number: float) -> None:
    assert value(f"fromJSON(format('{{0}}', {number!r}))") == float(format(number, ".15g"))
