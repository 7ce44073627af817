r"""Conditions in the language of ease.ml/ci: text → clauses. No `eval`: a tokenizer and a parser of one look ahead.

    condition = clause { "/\" clause }
    clause    = [sign] term { sign term } cmp [sign] number "+/-" number
    term      = variable | number "*" variable | variable "*" number
    variable  = "n" | "o" | "d"
    cmp       = ">" | "<"
    sign      = "+" | "-"

Source: Renggli, Karlaš et al., Continuous Integration of Machine Learning Models with ease.ml/ci, MLSys 2019
(arXiv:1903.00278), section 2.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import NoReturn

MAX_CLAUSES = 100
_NUMBER = r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_TOKEN = re.compile(_NUMBER + r"|[A-Za-z_][A-Za-z_0-9]*|\+/-|/\\|\S")
_VARIABLES = ("n", "o", "d")
_END = "the end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """n·(accuracy of the new model) + o·(of the old) + d·(share of rows whose decision differs), against a limit.

    n, o, d: finite coefficients, not all 0.
    greater: whether the sum must lie above `limit` (finite), or below it.
    within: half-width that the sum's interval may have at most, above 0.
    """

    text: str
    n: float
    o: float
    d: float
    greater: bool
    limit: float
    within: float

    @property
    def row_values(self) -> tuple[float, ...]:
        """A row's sum: both models right, only the new, only the old, both wrong alike, both wrong differently."""
        return self.n + self.o, self.n + self.d, self.o + self.d, 0.0, self.d

    @property
    def compares(self) -> bool:
        """Whether the old model is needed."""
        return self.o != 0 or self.d != 0

    @property
    def only_variable(self) -> str:
        """The only variable of the sum: n, o or d; empty where there are several."""
        present = [name for name, weight in zip(_VARIABLES, (self.n, self.o, self.d), strict=True) if weight]
        return present[0] if len(present) == 1 else ""

    @property
    def is_scheduled(self) -> bool:
        """Whether it asks for a gain: the old model, judged as the new one, could miss the limit.

        With n = o = x and d = 0 the sum is (n + o)·x. The clause allows a loss if that lies on the right side of the
        limit for every x between 0 and 1; it does not if the sum never gets beyond the limit, as in `n - o > 0`.
        """
        if not (self.n and self.o):
            return False
        sign = 1.0 if self.greater else -1.0
        ends = (-sign * self.limit, sign * (self.n + self.o - self.limit))
        return min(ends) < 0 or max(ends) == 0


def parse_condition(text: str) -> tuple[Clause, ...]:
    r"""The clauses of a condition such as `n - o > 0.02 +/- 0.01 /\ d < 0.1 +/- 0.01`.

    Raises:
        ValueError: `problem; expected …`. Errors of grammar name the character, counted from 1. Other reasons are an
            unknown variable, a clause that is always true or always false, coefficients that cancel, numbers that
            are not finite, a half-width of 0, and two clauses about the same sum.
    """
    tokens = _Tokens(text)
    clauses = [_clause(tokens)]
    while tokens.take("/\\"):
        clauses.append(_clause(tokens))
        if len(clauses) > MAX_CLAUSES:
            raise ValueError(f"more than {MAX_CLAUSES} clauses; expected fewer")
    tokens.expect(_END)
    clause_of: dict[tuple[float, ...], Clause] = {}
    for clause in clauses:
        size = max(abs(clause.n), abs(clause.o), abs(clause.d)) * (1.0 if clause.greater else -1.0)
        coefficients = clause.n / size, clause.o / size, clause.d / size
        if coefficients in clause_of:
            raise ValueError(
                f"{clause.text!r} bounds what {clause_of[coefficients].text!r} bounds; expected different clauses"
            )
        clause_of[coefficients] = clause
    return tuple(clauses)


class _Tokens:
    """The words of a condition, read one after the other."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.words = [(match[0], match.start()) for match in _TOKEN.finditer(text)] + [(_END, len(text))]
        self.position = 0

    @property
    def word(self) -> str:
        return self.words[self.position][0]

    @property
    def place(self) -> int:
        return self.words[self.position][1]

    def take(self, *words: str) -> str:
        """Move on and return the current word if it is one of these; else return an empty text and stay."""
        word = self.word
        if word not in words:
            return ""
        self.position += 1
        return word

    def expect(self, *words: str, description: str = "") -> str:
        """Move on and return the current word, which must be one of these."""
        return self.take(*words) or self.refuse(description or " or ".join(words))

    def sign(self) -> float:
        """−1 after a minus, else 1."""
        return -1.0 if self.take("+", "-") == "-" else 1.0

    def number(self) -> float:
        """Move on and return the current word, which must be a finite number."""
        word = self.word
        if not re.fullmatch(_NUMBER, word):
            self.refuse("a number")
        value = float(word)
        if not math.isfinite(value):
            raise ValueError(f"{word[:40]} at character {self.place + 1} is not finite; expected a finite number")
        self.position += 1
        return value

    def refuse(self, expected: str) -> NoReturn:
        """Raise ValueError: the current word is not what is expected."""
        actual = self.word if self.word == _END else repr(self.word[:40])
        raise ValueError(f"got {actual} at character {self.place + 1} of the condition; expected {expected}")


def _term(tokens: _Tokens) -> tuple[str, float]:
    if name := tokens.take(*_VARIABLES):
        return name, tokens.number() if tokens.take("*") else 1.0
    if not re.fullmatch(_NUMBER, tokens.word):
        tokens.refuse("one of the variables n, o, d, or a number")
    weight = tokens.number()
    tokens.expect("*", description="* and a variable")
    return tokens.expect(*_VARIABLES, description="one of the variables n, o, d"), weight


def _clause(tokens: _Tokens) -> Clause:
    start = tokens.place
    sums = dict.fromkeys(_VARIABLES, 0.0)
    sign = tokens.sign()
    while True:
        name, weight = _term(tokens)
        sums[name] += sign * weight
        if tokens.word not in ("+", "-"):
            break
        sign = tokens.sign()
    greater = tokens.expect(">", "<", description="+, -, > or <") == ">"
    limit = tokens.sign() * tokens.number() + 0.0  # −0 is 0
    tokens.expect("+/-")
    within = tokens.number()
    text = " ".join(tokens.text[start : tokens.place].split())
    clause = Clause(text=text, **sums, greater=greater, limit=limit, within=within)
    _refuse_nonsense(clause)
    return clause


def _refuse_nonsense(clause: Clause) -> None:
    if not all(map(math.isfinite, clause.row_values)):
        raise ValueError(f"the coefficients of {clause.text!r} are too large; expected finite sums")
    if not any((clause.n, clause.o, clause.d)):
        raise ValueError(f"every coefficient of {clause.text!r} is 0; expected one that is not")
    if clause.within <= 0:
        raise ValueError(f"the half-width after +/- of {clause.text!r} is 0; expected more than 0")
    low, high, limit = min(clause.row_values), max(clause.row_values), clause.limit
    if not clause.greater:
        low, high, limit = -high, -low, -limit
    # a limit of 0 is strict, so `d > 0` can be false
    always = low > limit or (low == limit and limit != 0)
    if always or high <= limit:
        raise ValueError(
            f"{clause.text!r} is always {'true' if always else 'false'}; expected a limit inside "
            f"{min(clause.row_values):.12g} … {max(clause.row_values):.12g}"
        )
