"""The syntax of GitHub Actions' expressions: a text becomes a tree, or an ExpressionError says why it does not."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn

MAX_CHARACTERS = 21_000  # characters of an expression
MAX_DEPTH = 50
KEYWORDS = {"null": None, "true": True, "false": False, "NaN": math.nan, "Infinity": math.inf}
LEVELS = (("||",), ("&&",), ("==", "!="), ("<", "<=", ">", ">="))  # the last binds most
CHAINS = 2  # so many of them are one operation on all their operands
EMBEDDED = re.compile(r"\$\{\{((?:[^'}]|'[^']*'|\}(?!\}))*)\}\}")  # `*+` is wrong in Python 3.11.2
TOKEN = re.compile(
    r"""(?P<string>'(?:[^']|'')*'(?!'))
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


def refuse(problem: str, text: str, position: int) -> NoReturn:
    rest = repr(text[position : position + 20]) if position < len(text) else "the end"
    raise ExpressionError(f"{' '.join(problem.split())}, at {rest} (character {position + 1})")


def number(text: str) -> float:
    """The number that a text is, or NaN; nothing is 0."""
    text = text.strip()
    if BASED.fullmatch(text):
        return float(int(text, 0))
    return float(text or 0) if not text or DECIMAL.fullmatch(text) else math.nan


def pieces(text: str) -> Iterator[tuple[str, str | None]]:
    """Pairs of plain text and the expression that follows it in `${{ }}`; the last has none."""
    position = 0
    while (start := text.find("${{", position)) >= 0:
        match = EMBEDDED.match(text, start)
        if match is None:
            refuse("no }} ends it", text, start)
        yield text[position:start], match[1]
        position = match.end()
    yield text[position:], None


@dataclass(frozen=True)
class SyntaxNode:
    """A literal, context, call, index, filter or operator; the value is that of a literal, or a name in lower case."""

    kind: str
    position: int
    value: Any = None
    parts: tuple[SyntaxNode, ...] = ()
    depth: int = 1

    def walk(self) -> Iterator[SyntaxNode]:
        yield self
        for part in self.parts:
            yield from part.walk()


class Token(NamedTuple):
    kind: str
    text: str
    position: int


class Parser:
    """Reads one expression by recursive descent."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.place = 0
        self.nesting = 0
        if len(text) > MAX_CHARACTERS:
            refuse(f"more than {MAX_CHARACTERS} characters", text, MAX_CHARACTERS)
        self.tokens = list(self._tokens())

    def tree(self) -> SyntaxNode:
        tree = self._operation()
        if self._next.kind != "end":
            self._refuse_next()
        return tree

    def _tokens(self) -> Iterator[Token]:
        position = 0
        while position < len(self.text):
            match = TOKEN.match(self.text, position)
            if match is None:
                refuse("not a symbol, and strings are in single quotes", self.text, position)
            if match.lastgroup != "blank":
                yield Token(str(match.lastgroup), match[0], position)
            position = match.end()
        yield Token("end", "", position)

    @property
    def _next(self) -> Token:
        return self.tokens[self.place]

    def _refuse_next(self, expected: str = "") -> NoReturn:
        refuse(f"expected {expected}" if expected else "unexpected", self.text, self._next.position)

    def _take(self, *symbols: str) -> Token | None:
        token = self._next
        if token.kind != "symbol" or token.text not in symbols:
            return None
        self.place += 1
        return token

    def _expect(self, symbol: str) -> None:
        if not self._take(symbol):
            self._refuse_next(symbol)

    def _node(self, kind: str, position: int, value: Any = None, parts: Sequence[SyntaxNode] = ()) -> SyntaxNode:
        depth = 1 + max((part.depth for part in parts), default=0)
        if depth > MAX_DEPTH:
            refuse(f"nested more than {MAX_DEPTH} deep", self.text, position)
        return SyntaxNode(kind, position, value, tuple(parts), depth)

    def _operation(self, level: int = 0) -> SyntaxNode:
        if level == len(LEVELS):
            return self._negation()
        parts = [self._operation(level + 1)]
        while sign := self._take(*LEVELS[level]):
            parts.append(self._operation(level + 1))
            if level >= CHAINS:
                parts = [self._node(sign.text, sign.position, parts=parts)]
        return parts[0] if len(parts) == 1 else self._node(LEVELS[level][0], parts[0].position, parts=parts)

    def _negation(self) -> SyntaxNode:
        signs = []
        while sign := self._take("!"):
            signs.append(sign)
        tree = self._operand()
        for sign in reversed(signs):
            tree = self._node("!", sign.position, parts=[tree])
        return tree

    def _operand(self) -> SyntaxNode:
        token = self._next
        if self._take("("):
            return self._follow_selectors(self._inner(")"))
        if token.kind not in {"string", "number", "name"}:
            self._refuse_next("a value")
        self.place += 1
        if token.kind == "string":
            return self._node("literal", token.position, token.text[1:-1].replace("''", "'"))
        if token.kind == "number":
            if math.isnan(value := number(token.text)):
                refuse("not a number", self.text, token.position)
            return self._node("literal", token.position, value)
        if self._take("("):
            return self._follow_selectors(self._node("call", token.position, token.text.lower(), self._arguments()))
        if token.text in KEYWORDS:
            return self._node("literal", token.position, KEYWORDS[token.text])
        return self._follow_selectors(self._node("context", token.position, token.text.lower()))

    def _inner(self, end: str = "") -> SyntaxNode:
        """What stands in brackets, with the bracket that ends it."""
        self.nesting += 1
        if self.nesting > MAX_DEPTH:
            refuse(f"nested more than {MAX_DEPTH} deep", self.text, self._next.position)
        tree = self._operation()
        self.nesting -= 1
        if end:
            self._expect(end)
        return tree

    def _arguments(self) -> list[SyntaxNode]:
        if self._take(")"):
            return []
        arguments = [self._inner()]
        while self._take(","):
            arguments.append(self._inner())
        self._expect(")")
        return arguments

    def _follow_selectors(self, tree: SyntaxNode) -> SyntaxNode:
        """The tree with the properties, indices and filters that follow it."""
        while sign := self._take(".", "["):
            if self._take("*"):
                tree = self._node("filter", sign.position, parts=[tree])
            elif sign.text == "[":
                tree = self._node("index", sign.position, parts=[tree, self._inner()])
            elif self._next.kind == "name":
                name = self._node("literal", self._next.position, self._next.text)
                self.place += 1
                tree = self._node("index", sign.position, parts=[tree, name])
            else:
                self._refuse_next("a name or *")
            if sign.text == "[":
                self._expect("]")
        return tree
