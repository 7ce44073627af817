"""Expressions of GitHub Actions, what stands in `${{ }}`, as GitHub documents them.

A text is parsed whole before any of it is evaluated, so that a name that does not exist is an error wherever it
stands, also behind `false &&`. Numbers are doubles, and names, properties and strings are compared without case.
"""

from __future__ import annotations

import inspect
import json
import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NoReturn

from tests.harness.github.syntax import ExpressionError, Parser, SyntaxNode, number, pieces, refuse

__all__ = ["ExpressionError", "Functions", "condition", "context_names", "evaluate", "interpolate"]

Functions = Mapping[str, Callable[..., Any]]

STATUS = {"success", "failure", "always", "cancelled"}
ORDERS = {"<": operator.lt, "<=": operator.lt, ">": operator.gt, ">=": operator.gt}
BRACES = re.compile(r"\{\{|\}\}|\{([0-9]{1,3})\}|[{}]")
MISSING = object()


# --- values -----------------------------------------------------------------------------------------------------
class Filtered(list[Any]):
    """What `.*` selected: a property of it is that property of every item that has it."""


def _kind(value: object) -> str:
    kinds: tuple[tuple[Any, str], ...] = (
        (type(None), "null"),
        (bool, "boolean"),
        (int | float, "number"),
        (str, "string"),
        (Mapping, "object"),
        (Sequence, "array"),
    )
    for types, kind in kinds:
        if isinstance(value, types):
            return kind
    raise ValueError(f"expressions know no {type(value).__name__}")


def _primitive(value: object) -> bool:
    return _kind(value) not in {"object", "array"}


def _fold_case(text: str) -> str:
    """Upper case, character by character; the dotless i stays what it is."""
    return "".join(up if len(up := character.upper()) == 1 and character != "ı" else character for character in text)


def _number(value: Any) -> float:
    if isinstance(value, str):
        return number(value)
    return float(value or 0) if _primitive(value) else math.nan


def _to_string(value: Any) -> str:
    """The value as GitHub casts it to a string."""
    match _kind(value):
        case "number" if math.isinf(value):
            return "Infinity" if value > 0 else "-Infinity"
        case "number":
            return "NaN" if math.isnan(value) else format(float(value) or 0.0, ".15G")  # -0 is 0
        case "string":
            return str(value)
        case "null":
            return ""
        case "boolean":
            return "true" if value else "false"
        case kind:
            return kind.capitalize()


def _truthy(value: Any) -> bool:
    return not _primitive(value) or (value not in (None, "", 0) and value == value)  # NaN is not itself


def _equal(remaining: Any, right: Any) -> bool:
    if _kind(remaining) != _kind(right):
        return _number(remaining) == _number(right)
    if isinstance(remaining, str):
        return _fold_case(remaining) == _fold_case(right)
    return bool(remaining == right) if _primitive(remaining) else remaining is right


def _compare(sign: str, remaining: Any, right: Any) -> bool:
    if sign in {"==", "!="}:
        return _equal(remaining, right) == (sign == "==")
    if sign in {"<=", ">="} and _equal(remaining, right):
        return True
    if isinstance(remaining, str) and isinstance(right, str):
        return bool(ORDERS[sign](_fold_case(remaining), _fold_case(right)))
    return bool(ORDERS[sign](_number(remaining), _number(right)))


def _item(value: Any, key: Any) -> Any:
    """One property or element, or MISSING."""
    kind = _kind(value)
    if kind == "array":
        index = _number(key)
        return value[int(index)] if 0 <= index < len(value) else MISSING
    if kind != "object" or not _primitive(key):
        return MISSING
    name = _fold_case(_to_string(key))
    return next((element for own, element in value.items() if _fold_case(str(own)) == name), MISSING)


def _index(value: Any, key: Any) -> Any:
    if isinstance(value, Filtered):
        return Filtered(element for container in value if (element := _item(container, key)) is not MISSING)
    element = _item(value, key)
    return None if element is MISSING else element


def _elements(value: Any) -> Iterable[Any]:
    kind = _kind(value)
    return value.values() if kind == "object" else value if kind == "array" else ()


def _select_elements(value: Any) -> Filtered:
    nested = isinstance(value, Filtered)
    return (
        Filtered(element for container in value for element in _elements(container))
        if nested
        else Filtered(_elements(value))
    )


# --- functions --------------------------------------------------------------------------------------------------
def _contains(search: Any, item: Any) -> bool:
    if _kind(search) == "array":
        return any(_equal(element, item) for element in search)
    return _primitive(search) and _primitive(item) and _fold_case(_to_string(item)) in _fold_case(_to_string(search))


def _starts_with(text: Any, value: Any) -> bool:
    return (
        _primitive(text)
        and _primitive(value)
        and _fold_case(_to_string(text)).startswith(_fold_case(_to_string(value)))
    )


def _ends_with(text: Any, value: Any) -> bool:
    return (
        _primitive(text) and _primitive(value) and _fold_case(_to_string(text)).endswith(_fold_case(_to_string(value)))
    )


def _format(text: Any, *values: Any) -> str:
    def substitute(match: re.Match[str]) -> str:
        if match[1] is None:
            if len(match[0]) == 1:
                raise ValueError("format: a brace that is neither doubled nor around a number")
            return match[0][0]
        if int(match[1]) >= len(values):
            raise ValueError(f"format: no value for {match[0]}")
        return _to_string(values[int(match[1])])

    return BRACES.sub(substitute, _to_string(text))


def _join(array: Any, separator: Any = ",") -> str:
    if _kind(array) == "array":
        return (_to_string(separator) if _primitive(separator) else ",").join(map(_to_string, array))
    return _to_string(array) if _primitive(array) else ""


def _to_json(value: Any) -> str:
    def lines(items: list[str], ends: str) -> str:
        inner = ",\n".join(items).replace("\n", "\n  ")  # a line break within a string is escaped
        return f"{ends[0]}\n  {inner}\n{ends[1]}" if items else ends

    match _kind(value):
        case "array":
            return lines([_to_json(element) for element in value], "[]")
        case "object":
            return lines([f"{json.dumps(str(own), ensure_ascii=False)}: {_to_json(value[own])}" for own in value], "{}")
        case "string":
            return json.dumps(value, ensure_ascii=False)
        case kind:
            return "null" if kind == "null" else _to_string(value)


def _from_json(text: Any) -> Any:
    def refuse(constant: str) -> NoReturn:
        raise ValueError(f"{constant} is not JSON")

    return json.loads(_to_string(text), parse_int=float, parse_constant=refuse)


def _case(predicate: Any, value: Any, *rest: Any) -> NoReturn:
    """Tells how many arguments there are; it is evaluated like an operator, no further than needed."""
    raise NotImplementedError


BUILT_IN: Functions = {
    "contains": _contains,
    "startswith": _starts_with,
    "endswith": _ends_with,
    "format": _format,
    "join": _join,
    "tojson": _to_json,
    "fromjson": _from_json,
    "case": _case,
}


# --- evaluation -------------------------------------------------------------------------------------------------
class Expression:
    """A text that was found to be an expression over these contexts and functions."""

    def __init__(self, text: str, contexts: Mapping[str, Any], functions: Functions) -> None:
        self.text = text
        self.tree = Parser(text).tree()
        self.contexts = {name.lower(): value for name, value in contexts.items()}
        self.functions = {**BUILT_IN, **{name.lower(): function for name, function in functions.items()}}
        for node in self.tree.walk():
            if node.kind == "context" and node.value not in self.contexts:
                refuse(f"no context {node.value} here", text, node.position)
            if node.kind == "call":
                self._check(node)

    def _check(self, call: SyntaxNode) -> None:
        if call.value not in self.functions:
            refuse(f"no function {call.value} here", self.text, call.position)
        try:
            inspect.signature(self.functions[call.value]).bind(*call.parts)
        except TypeError as problem:
            refuse(f"{call.value}: {problem}", self.text, call.position)
        if call.value == "case" and len(call.parts) % 2 == 0:
            refuse("case: no default", self.text, call.position)

    @property
    def status(self) -> bool:
        """Whether it calls a status function."""
        return any(node.kind == "call" and node.value in STATUS for node in self.tree.walk())

    def value(self) -> Any:
        return self._value(self.tree)

    def _value(self, node: SyntaxNode) -> Any:
        try:
            result = self._evaluate(node)
            _kind(result)
        except (ValueError, RecursionError) as problem:
            refuse(f"{node.value or node.kind}: {problem}", self.text, node.position)
        return result

    def _evaluate(self, node: SyntaxNode) -> Any:
        match node.kind:
            case "literal":
                return node.value
            case "context":
                return self.contexts[node.value]
            case "&&" | "||":
                for part in node.parts[:-1]:
                    if _truthy(operand := self._value(part)) == (node.kind == "||"):
                        return operand
                return self._value(node.parts[-1])
            case "call" if node.value == "case":
                return self._choose_case(node.parts)
        values = [self._value(part) for part in node.parts]
        match node.kind:
            case "call":
                return self.functions[node.value](*values)
            case "index":
                return _index(*values)
            case "filter":
                return _select_elements(*values)
            case "!":
                return not _truthy(*values)
        return _compare(node.kind, *values)

    def _choose_case(self, parts: Sequence[SyntaxNode]) -> Any:
        for predicate, value in zip(parts[:-1:2], parts[1::2], strict=True):
            if not isinstance(is_met := self._value(predicate), bool):
                raise ValueError(f"a predicate is a boolean, not {_kind(is_met)}")
            if is_met:
                return self._value(value)
        return self._value(parts[-1])


def evaluate(text: str, contexts: Mapping[str, Any], functions: Functions) -> Any:
    """The value of an expression, which stands without `${{ }}`."""
    return Expression(text, contexts, functions).value()


def interpolate(text: str, contexts: Mapping[str, Any], functions: Functions) -> str:
    """The text with each `${{ }}` replaced by its value."""
    pairs = [
        (plain, None if expression is None else Expression(expression, contexts, functions))
        for plain, expression in pieces(text)
    ]
    return "".join(
        plain + ("" if expression is None else _to_string(expression.value())) for plain, expression in pairs
    )


def condition(text: str | bool | None, contexts: Mapping[str, Any], functions: Functions) -> bool:
    """What an `if:` comes to; success() is asked first where it calls no status function.

    Anything around a `${{ }}`, if only a line break, makes a string of it, which is true.
    """
    text = plain if (plain := _to_string(text)).strip() else "success()"
    parts = list(pieces(text)) if "${{" in text else [("", text)]
    expressions = [Expression(expression, contexts, functions) for _, expression in parts if expression is not None]
    if not any(expression.status for expression in expressions) and not _truthy(
        evaluate("success()", contexts, functions)
    ):
        return False
    mixed = len(expressions) > 1 or any(around for around, _ in parts)
    return _truthy(interpolate(text, contexts, functions) if mixed else expressions[0].value())


def context_names(text: str) -> set[str]:
    """The contexts, in lower case, that the `${{ }}` of a text use; without any, all of it is an expression."""
    expressions = [expression for _, expression in pieces(text) if expression is not None] or [text]
    return {
        node.value for expression in expressions for node in Parser(expression).tree().walk() if node.kind == "context"
    }
