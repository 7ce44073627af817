"""Expressions of GitHub Actions, as GitHub documents them: literals, operators, contexts, functions.

https://docs.github.com/actions/reference/workflows-and-actions/expressions
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.workflows.values import BUILT_IN, Filtered, Functions, equal, number, ordered, printed, property_of, truthy

STATUS = {"success", "failure", "always", "cancelled"}
DEEPEST = 50

_TOKEN = re.compile(
    r"""\s*(?:(?P<text>'(?:[^']|'')*')
    |(?P<number>[-+]?(?:0x[0-9a-fA-F]+|0o[0-7]+|(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)(?![\w.]))
    |(?P<name>[A-Za-z_][A-Za-z0-9_-]*)
    |(?P<sign>&&|\|\||==|!=|<=|>=|[<>!()\[\].,*]))""",
    re.VERBOSE,
)
_WHOLE = re.compile(r"\$\{\{((?:[^'}]|'(?:[^']|'')*'|\}(?!\}))*)\}\}")
_NAMES: dict[str, Any] = {"null": None, "true": True, "false": False, "nan": math.nan, "infinity": math.inf}


class ExpressionError(Exception):
    """The expression is none."""


@dataclass(slots=True)
class _Parser:
    text: str
    contexts: Mapping[str, Any]
    functions: Functions
    tokens: list[tuple[str, str]] = field(default_factory=list)
    at: int = 0
    depth: int = 0
    called: set[str] = field(default_factory=set)
    dry: int = 0  # >0: read, and do not evaluate

    def error(self, why: str) -> ExpressionError:
        return ExpressionError(f"{why}: {self.text.strip()[:200]!r}")

    def read(self) -> Any:
        at = 0
        while self.text[at:].strip():
            found = _TOKEN.match(self.text, at)
            if found is None:
                raise self.error(f"unexpected symbol at {at}")
            assert found.lastgroup is not None
            self.tokens.append((found.lastgroup, found[found.lastgroup]))
            at = found.end()
        self.tokens.append(("end", ""))
        value = self.either()
        if self.tokens[self.at][0] != "end":
            raise self.error(f"unexpected {self.tokens[self.at][1]!r}")
        return value

    def took(self, *signs: str) -> str:
        kind, text = self.tokens[self.at]
        if kind == "sign" and text in signs:
            self.at += 1
            return text
        return ""

    def need(self, sign: str) -> None:
        if not self.took(sign):
            raise self.error(f"expected {sign!r}, got {self.tokens[self.at][1]!r}")

    def either(self) -> Any:
        self.depth += 1
        if self.depth > DEEPEST:
            raise self.error(f"nested deeper than {DEEPEST}")
        value = self.both()
        while self.took("||"):
            other = self.unless(truthy(value), self.both)
            value = value if truthy(value) else other
        self.depth -= 1
        return value

    def both(self) -> Any:
        value = self.equal()
        while self.took("&&"):
            other = self.unless(not truthy(value), self.equal)
            value = other if truthy(value) else value
        return value

    def unless(self, known: bool, read: Callable[[], Any]) -> Any:
        self.dry += known
        try:
            return read()
        finally:
            self.dry -= known

    def equal(self) -> Any:
        value = self.ordered()
        while sign := self.took("==", "!="):
            value = equal(value, self.ordered()) == (sign == "==")
        return value

    def ordered(self) -> Any:
        value = self.negated()
        while sign := self.took("<", "<=", ">", ">="):
            value = ordered(sign, value, self.negated())
        return value

    def negated(self) -> Any:
        many = 0
        while self.took("!"):
            many += 1
        value = self.reached()
        return (not truthy(value)) == bool(many % 2) if many else value

    def reached(self) -> Any:
        value = self.first()
        while sign := self.took(".", "["):
            if self.took("*"):
                held = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
                value = Filtered(held)
            elif sign == ".":
                kind, name = self.tokens[self.at]
                if kind != "name":
                    raise self.error("expected a property's name")
                self.at += 1
                value = property_of(value, name)
            else:
                value = property_of(value, self.either())
            if sign == "[":
                self.need("]")
        return value

    def first(self) -> Any:
        kind, text = self.tokens[self.at]
        if self.took("("):
            value = self.either()
            self.need(")")
            return value
        self.at += 1
        if kind == "text":
            return text[1:-1].replace("''", "'")
        if kind == "number":
            return number(text)
        if kind != "name":
            raise self.error(f"unexpected {text or 'end'!r}")
        if self.took("("):
            return self.call(text.lower())
        if text.lower() in _NAMES:
            return _NAMES[text.lower()]
        for name, held in self.contexts.items():
            if name.lower() == text.lower():
                return held
        raise self.error(f"unrecognized named-value {text!r}")

    def call(self, name: str) -> Any:
        given = []
        if not self.took(")"):
            given.append(self.either())
            while self.took(","):
                given.append(self.either())
            self.need(")")
        self.called.add(name)
        known = {**BUILT_IN, **{key.lower(): one for key, one in self.functions.items()}}
        if name not in known:
            raise self.error(f"unrecognized function {name!r}")
        if self.dry:
            return None
        try:
            return known[name](*given)
        except (TypeError, ValueError, IndexError) as err:
            raise self.error(f"{name}: {err}") from err


def evaluate(text: str, contexts: Mapping[str, Any], functions: Functions) -> Any:
    """The value of an expression without `${{ }}`. Raises ExpressionError."""
    return _Parser(text, contexts, functions).read()


def interpolated(text: str, contexts: Mapping[str, Any], functions: Functions) -> str:
    """The text with each `${{ }}` in it replaced. Raises ExpressionError."""
    if "${{" in _WHOLE.sub("", text):
        raise ExpressionError(f"an expression is not closed: {text[:200]!r}")
    return _WHOLE.sub(lambda found: printed(evaluate(found[1], contexts, functions)), text)


def condition(text: str | bool | None, contexts: Mapping[str, Any], functions: Functions) -> bool:
    """What an `if:` says; without a status function, `success() && (…)`. Raises ExpressionError."""
    said = "success()" if text is None or text == "" else str(text).lower() if isinstance(text, bool) else text.strip()
    whole = _WHOLE.fullmatch(said)
    if whole is None and "${{" in said:
        return truthy(interpolated(said, contexts, functions)) and truthy(functions["success"]())
    parser = _Parser(whole[1] if whole else said, contexts, functions)
    value = parser.read()
    return truthy(value) and (bool(parser.called & STATUS) or truthy(functions["success"]()))
