"""The syntax of GitHub Actions' expressions: a text becomes a tree, or an ExpressionError says why it does not."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn

LONGEST = 21_000  # characters of an expression
DEEPEST = 50
KEYWORDS = {"null": None, "true": True, "false": False, "NaN": math.nan, "Infinity": math.inf}
LEVELS = (("||",), ("&&",), ("==", "!="), ("<", "<=", ">", ">="))  # the last binds most
CHAINS = 2  # so many of them are one operation on all their operands
EMBEDDED = re.compile(r"\$\{\{((?:[^'}]|'[^']*'|\}(?!\}))*+)\}\}")
TOKEN = re.compile(
    r"""(?P<string>'(?:[^']|'')*+')
    |(?P<number>[-+]?\.?[0-9][A-Za-z0-9_.+-]*|[-+]Infinity)
    |(?P<name>[A-Za-z_][A-Za-z0-9_-]*)
    |(?P<symbol>&&|\|\||[<>=!]=|[<>!()\[\],.*])
    |(?P<blank>\s+)""",
    re.VERBOSE,
)
DECIMAL = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?Infinity")
BASED = re.compile(r"0(?:x[0-9A-Fa-f]{1,8}|o[0-7]{1,10})")


class ExpressionError(Exception):
    """What is wrong, and where in the text, in one line."""


def refuse(what: str, text: str, at: int) -> NoReturn:
    rest = repr(text[at : at + 20]) if at < len(text) else "the end"
    raise ExpressionError(f"{' '.join(what.split())}, at {rest} (character {at + 1})")


def number(text: str) -> float:
    """The number that a text is, or NaN; nothing is 0."""
    text = text.strip()
    if BASED.fullmatch(text):
        return float(int(text, 0))
    return float(text or 0) if not text or DECIMAL.fullmatch(text) else math.nan


def pieces(text: str) -> Iterator[tuple[str, str | None]]:
    """Pairs of plain text and the expression that follows it in `${{ }}`; the last has none."""
    at = 0
    while (start := text.find("${{", at)) >= 0:
        found = EMBEDDED.match(text, start)
        if found is None:
            refuse("no }} ends it", text, start)
        yield text[at:start], found[1]
        at = found.end()
    yield text[at:], None


@dataclass(frozen=True)
class Node:
    """A literal, context, call, index, filter or operator; the value is that of a literal, or a name in lower case."""

    kind: str
    at: int
    value: Any = None
    parts: tuple[Node, ...] = ()
    depth: int = 1

    def walk(self) -> Iterator[Node]:
        yield self
        for part in self.parts:
            yield from part.walk()


class Token(NamedTuple):
    kind: str
    text: str
    at: int


class Parser:
    """Reads one expression by recursive descent."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.place = 0
        self.nesting = 0
        if len(text) > LONGEST:
            refuse(f"more than {LONGEST} characters", text, LONGEST)
        self.tokens = list(self._tokens())

    def tree(self) -> Node:
        tree = self._operation()
        if self._next.kind != "end":
            self._unexpected()
        return tree

    def _tokens(self) -> Iterator[Token]:
        at = 0
        while at < len(self.text):
            found = TOKEN.match(self.text, at)
            if found is None:
                refuse("not a symbol, and strings are in single quotes", self.text, at)
            if found.lastgroup != "blank":
                yield Token(str(found.lastgroup), found[0], at)
            at = found.end()
        yield Token("end", "", at)

    @property
    def _next(self) -> Token:
        return self.tokens[self.place]

    def _unexpected(self, expected: str = "") -> NoReturn:
        refuse(f"expected {expected}" if expected else "unexpected", self.text, self._next.at)

    def _take(self, *symbols: str) -> Token | None:
        token = self._next
        if token.kind != "symbol" or token.text not in symbols:
            return None
        self.place += 1
        return token

    def _expect(self, symbol: str) -> None:
        if not self._take(symbol):
            self._unexpected(symbol)

    def _node(self, kind: str, at: int, value: Any = None, parts: Sequence[Node] = ()) -> Node:
        depth = 1 + max((part.depth for part in parts), default=0)
        if depth > DEEPEST:
            refuse(f"nested more than {DEEPEST} deep", self.text, at)
        return Node(kind, at, value, tuple(parts), depth)

    def _operation(self, level: int = 0) -> Node:
        if level == len(LEVELS):
            return self._negation()
        parts = [self._operation(level + 1)]
        while sign := self._take(*LEVELS[level]):
            parts.append(self._operation(level + 1))
            if level >= CHAINS:
                parts = [self._node(sign.text, sign.at, parts=parts)]
        return parts[0] if len(parts) == 1 else self._node(LEVELS[level][0], parts[0].at, parts=parts)

    def _negation(self) -> Node:
        signs = []
        while sign := self._take("!"):
            signs.append(sign)
        tree = self._operand()
        for sign in reversed(signs):
            tree = self._node("!", sign.at, parts=[tree])
        return tree

    def _operand(self) -> Node:
        token = self._next
        if self._take("("):
            return self._selected(self._inner(")"))
        if token.kind not in {"string", "number", "name"}:
            self._unexpected("a value")
        self.place += 1
        if token.kind == "string":
            return self._node("literal", token.at, token.text[1:-1].replace("''", "'"))
        if token.kind == "number":
            if math.isnan(value := number(token.text)):
                refuse("not a number", self.text, token.at)
            return self._node("literal", token.at, value)
        if self._take("("):
            return self._selected(self._node("call", token.at, token.text.lower(), self._arguments()))
        if token.text in KEYWORDS:
            return self._node("literal", token.at, KEYWORDS[token.text])
        return self._selected(self._node("context", token.at, token.text.lower()))

    def _inner(self, end: str = "") -> Node:
        """What stands in brackets, with the bracket that ends it."""
        self.nesting += 1
        if self.nesting > DEEPEST:
            refuse(f"nested more than {DEEPEST} deep", self.text, self._next.at)
        tree = self._operation()
        self.nesting -= 1
        if end:
            self._expect(end)
        return tree

    def _arguments(self) -> list[Node]:
        if self._take(")"):
            return []
        found = [self._inner()]
        while self._take(","):
            found.append(self._inner())
        self._expect(")")
        return found

    def _selected(self, tree: Node) -> Node:
        """The tree with the properties, indices and filters that follow it."""
        while sign := self._take(".", "["):
            if self._take("*"):
                tree = self._node("filter", sign.at, parts=[tree])
            elif sign.text == "[":
                tree = self._node("index", sign.at, parts=[tree, self._inner()])
            elif self._next.kind == "name":
                name = self._node("literal", self._next.at, self._next.text)
                self.place += 1
                tree = self._node("index", sign.at, parts=[tree, name])
            else:
                self._unexpected("a name or *")
            if sign.text == "[":
                self._expect("]")
        return tree
