from __future__ import annotations

import math
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.gates.kinds.condition_language import Clause, parse_condition


def numbers(text: str) -> list[tuple[float, float, float, bool, float, float]]:
    return [(item.n, item.o, item.d, item.greater, item.limit, item.within) for item in parse_condition(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [  # the conditions that the paper gives as examples, and the one its repository ships
        ("n - o > 0.02 +/- 0.01", [(1, -1, 0, True, 0.02, 0.01)]),
        ("n - o > 0.1 +/- 0.1", [(1, -1, 0, True, 0.1, 0.1)]),
        ("n > 0.8 +/- 0.05", [(1, 0, 0, True, 0.8, 0.05)]),
        ("n - 1.1 * o > 0.01 +/- 0.01", [(1, -1.1, 0, True, 0.01, 0.01)]),
        ("1.1 * n - o > .5 +/- 1e-2", [(1.1, -1, 0, True, 0.5, 0.01)]),
        ("n - o > 0.02 +/- 0.01 /\\ d < 0.1 +/- 0.01", [(1, -1, 0, True, 0.02, 0.01), (0, 0, 1, False, 0.1, 0.01)]),
    ],
)
def test_what_a_condition_says(text: str, expected: list[tuple]) -> None:
    assert numbers(text) == expected


@pytest.mark.parametrize(
    ("item", "other"),
    [
        ("n-o>0.02+/-0.01", " n  -  o\n > 0.02 +/- 0.01 "),
        ("n * 2 > 1 +/- 0.1", "2 * n > 1 +/- .1"),
        ("- o + n > 0 +/- 0.1", "n - o > -0 +/- 0.1"),
        ("n + n - o > 0.5 +/- 0.1", "2*n - o > 5e-1 +/- 1E-1"),
        ("n - o - d + d > 0 +/- 0.1", "+ n - o > +0 +/- 0.1"),
    ],
)
def test_two_ways_to_say_the_same(item: str, other: str) -> None:
    assert numbers(item) == numbers(other)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "got the end at character 1 …; expected A TERM"),
        ("   ", "got the end at character 4 …; expected A TERM"),
        ("n", "got the end at character 2 of the condition; expected +, -, > or <"),
        ("n >", "got the end at character 4 of the condition; expected a number"),
        ("n > 0.5", "got the end at character 8 of the condition; expected +/-"),
        ("n > 0.5 +/-", "got the end at character 12 of the condition; expected a number"),
        ("n > 0.5 + 0.1", "got '+' at character 9 of the condition; expected +/-"),
        ("n >= 0.5 +/- 0.1", "got '=' at character 4 of the condition; expected a number"),
        ("n == 0.5 +/- 0.1", "got '=' at character 3 of the condition; expected +, -, > or <"),
        ("x > 0.5 +/- 0.1", "got 'x' at character 1 …; expected A TERM"),
        ("no > 0.5 +/- 0.1", "got 'no' at character 1 …; expected A TERM"),
        ("1.1n > 0.5 +/- 0.1", "got 'n' at character 4 of the condition; expected * and a variable"),
        ("1.1 * 2 > 0.5 +/- 0.1", "got '2' at character 7 of the condition; expected one of the variables n, o, d"),
        ("n * o > 0.5 +/- 0.1", "got 'o' at character 5 of the condition; expected a number"),
        ("0.5 < n +/- 0.1", "got '<' at character 5 of the condition; expected * and a variable"),
        ("(n - o) > 0 +/- 0.1", "got '(' at character 1 …; expected A TERM"),
        ("n > 0.5 +/- 0.1 /\\", "got the end at character 19 …; expected A TERM"),
        ("n > 0.5 +/- 0.1 and d < 0.1 +/- 0.1", "got 'and' at character 17 of the condition; expected the end"),
        ("n > 0.5 +/- 0.1 \\/ d < 0.1 +/- 0.1", "got '\\\\' at character 17 of the condition; expected the end"),
        ("n > nan +/- 0.1", "got 'nan' at character 5 of the condition; expected a number"),
        ("n > 0.5 +/- -0.1", "got '-' at character 13 of the condition; expected a number"),
        ("n > ٣ +/- 0.1", "got '٣' at character 5 of the condition; expected a number"),
        ("n > ² +/- 0.1", "got '²' at character 5 of the condition; expected a number"),
        ("__import__('os')", "got '__import__' at character 1 …; expected A TERM"),
        ("n > 1e999 +/- 0.1", "1e999 at character 5 is not finite; expected a finite number"),
        ("n > 0.5 +/- 1e999", "1e999 at character 13 is not finite; expected a finite number"),
        (
            "1e308 * n + 1e308 * n > 0.5 +/- 1",
            "the coefficients of '1e308 * n + 1e308 * n > 0.5 +/- 1' are too large; expected finite sums",
        ),
        ("n > 0.5 +/- 0", "the half-width after +/- of 'n > 0.5 +/- 0' is 0; expected more than 0"),
        ("n > 0.5 +/- 1e-999", "the half-width after +/- of 'n > 0.5 +/- 1e-999' is 0; expected more than 0"),
        ("n - n > 0 +/- 0.1", "every coefficient of 'n - n > 0 +/- 0.1' is 0; expected one that is not"),
        (
            "0 * n + 0 * d < 0 +/- 0.1",
            "every coefficient of '0 * n + 0 * d < 0 +/- 0.1' is 0; expected one that is not",
        ),
        ("d < 2 +/- 0.1", "'d < 2 +/- 0.1' is always true; expected a limit inside 0 … 1"),
        ("d < 1 +/- 0.1", "'d < 1 +/- 0.1' is always true; expected a limit inside 0 … 1"),
        ("d < 0 +/- 0.1", "'d < 0 +/- 0.1' is always false; expected a limit inside 0 … 1"),
        ("n > 1 +/- 0.1", "'n > 1 +/- 0.1' is always false; expected a limit inside 0 … 1"),
        ("n > -0.5 +/- 0.1", "'n > -0.5 +/- 0.1' is always true; expected a limit inside 0 … 1"),
        ("n - o > -1 +/- 0.1", "'n - o > -1 +/- 0.1' is always true; expected a limit inside -1 … 1"),
        ("n - o + d > -0.5 +/- 0.1", "'n - o + d > -0.5 +/- 0.1' is always true; expected a limit inside 0 … 2"),
        ("1.1 * n - o > 1.1 +/- 0.1", "'1.1 * n - o > 1.1 +/- 0.1' is always false; expected a limit inside -1 … 1.1"),
        (
            "n > 0.5 +/- 0.1 /\\ n > 0.6 +/- 0.1",
            "'n > 0.6 +/- 0.1' bounds what 'n > 0.5 +/- 0.1' bounds; expected different clauses",
        ),
        (
            "o - n < 0 +/- 0.1 /\\ 2*n - 2*o > 0 +/- 0.1",
            "'2*n - 2*o > 0 +/- 0.1' bounds what 'o - n < 0 +/- 0.1' bounds; expected different clauses",
        ),
    ],
)
def test_nonsense_is_refused_with_its_place(text: str, problem: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 (the whole message is compared)
        parse_condition(text)
    message = problem.replace("…; ", "of the condition; ").replace(
        "A TERM", "one of the variables n, o, d, or a number"
    )
    assert str(caught.value) == message


def test_both_sides_may_be_bounded() -> None:
    assert len(parse_condition("n - o > 0 +/- 0.1 /\\ n - o < 0.5 +/- 0.1")) == 2


def test_too_many_clauses() -> None:
    with pytest.raises(ValueError, match="more than 100 clauses; expected fewer"):
        parse_condition(" /\\ ".join(f"n - {index} * o > 0 +/- 0.1" for index in range(1, 200)))


@pytest.mark.parametrize(
    ("text", "scheduled"),
    [
        ("n - o > 0 +/- 0.1", True),
        ("n - o > 0.02 +/- 0.1", True),
        ("n - o > -0.02 +/- 0.1", False),
        ("o - n < 0 +/- 0.1", True),
        ("o - n < 0.01 +/- 0.1", False),
        ("2 * n - 2 * o > 0 +/- 0.1", True),
        ("n - 1.1 * o > 0 +/- 0.1", True),  # ten percent better, of any champion
        ("n - 0.9 * o > 0 +/- 0.1", False),  # ten percent worse is allowed
        ("1.1 * n - o > 0.05 +/- 0.1", True),  # asks for a gain of a champion below .5
        ("n > 0.9 +/- 0.1", False),
        ("o > 0.5 +/- 0.1", False),
        ("d < 0.1 +/- 0.1", False),
        ("n - d > 0.5 +/- 0.1", False),
        ("n - o < 0.2 +/- 0.1", False),
    ],
)
def test_a_clause_that_the_champion_itself_could_miss_asks_for_a_gain(text: str, scheduled: bool) -> None:
    assert parse_condition(text)[0].is_scheduled is scheduled


def test_values_of_a_row() -> None:
    (clause,) = parse_condition("n - 1.5 * o + 0.25 * d > 0 +/- 0.1")
    assert clause.row_values == (-0.5, 1.25, -1.25, 0.0, 0.25)
    assert clause.compares
    assert clause.only_variable == ""
    assert [parse_condition(f"{name} > 0.5 +/- 0.1")[0].only_variable for name in "nod"] == ["n", "o", "d"]
    assert not parse_condition("n > 0.5 +/- 0.1")[0].compares


WORDS = st.sampled_from(["n", "o", "d", "+", "-", "*", ">", "<", "+/-", "/\\", "0.1", "2", "1e9", " ", "x", "é", "\n"])


@settings(max_examples=300)
@given(st.lists(WORDS, max_size=14).map(" ".join) | st.text(max_size=20))
def test_only_value_errors_leave_the_parser(text: str) -> None:
    with suppress(ValueError):
        clauses = parse_condition(text)
        assert clauses
        for clause in clauses:
            assert isinstance(clause, Clause)
            assert clause.within > 0
            assert all(map(math.isfinite, (clause.n, clause.o, clause.d, clause.limit, clause.within)))
            assert parse_condition(clause.text) == (clause,)
