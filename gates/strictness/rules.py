"""Rules that a field declares: how a change of its value is to be read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

from pydantic import BaseModel

from lockgate.gates.strictness.findings import Category, Direction, Finding, finding

WEAKER, REVIEW, TIGHTER, NEUTRAL = Direction.WEAKER, Direction.REVIEW, Direction.TIGHTER, Direction.NEUTRAL
_SAID_ONLY = ("description", "owner")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a field is, the two records that it is of, and how records below it are compared."""

    where: str
    before: BaseModel
    after: BaseModel
    walk: Callable[[BaseModel, BaseModel, str], Iterator[Finding]]


@runtime_checkable
class Rule(Protocol):
    """What a changed value means. Called for values that differ; nothing found means that they say the same."""

    def compare(self, before: Any, after: Any, place: Place) -> Iterator[Finding]: ...


def _as_is(value: Any) -> Any:
    return value


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit: higher, or lower, is stricter. Not given is weaker than any, unless it means something else."""

    category: Category
    stricter: Literal["higher", "lower"]
    absent: Literal["weaker", "review"] = "weaker"
    size: Callable[[Any], Any] = _as_is

    def compare(self, before: Any, after: Any, place: Place) -> Iterator[Finding]:
        if before is None or after is None:
            direction = TIGHTER if before is None else WEAKER
            direction = REVIEW if self.absent == "review" else direction
        elif self.size(before) == self.size(after):
            return
        else:
            rises = self.size(after) > self.size(before)
            direction = TIGHTER if rises == (self.stricter == "higher") else WEAKER
        yield finding(self.category, direction, place.where, before, after)


def higher(category: Category, **given: Any) -> Limit:
    """A limit of which a higher value is stricter."""
    return Limit(category, "higher", **given)


def lower(category: Category, **given: Any) -> Limit:
    """A limit of which a lower value is stricter."""
    return Limit(category, "lower", **given)


@dataclass(frozen=True, slots=True)
class Ranked:
    """One of several words, the weakest first; `why` says what the weaker ones of them let through."""

    category: Category
    weakest_first: tuple[Any, ...]
    why: str = ""

    def compare(self, before: Any, after: Any, place: Place) -> Iterator[Finding]:
        known = {before, after} <= set(self.weakest_first)
        if not known:
            direction = REVIEW
        else:
            rises = self.weakest_first.index(after) > self.weakest_first.index(before)
            direction = TIGHTER if rises else WEAKER
        yield finding(self.category, direction, place.where, before, after, self.why if direction is WEAKER else "")


@dataclass(frozen=True, slots=True)
class Members:
    """Names whose order says nothing. `absent`: what no list at all stands for, every name or none."""

    category: Category
    added: Direction
    removed: Direction
    absent: Literal["every", "none"] = "none"

    def compare(self, before: Any, after: Any, place: Place) -> Iterator[Finding]:
        if self.absent == "every" and (before is None or after is None):
            direction = self.removed if before is None else self.added
            yield finding(self.category, direction, place.where, before or "all", after or "all")
            return
        old, new = _members(before), _members(after)
        for direction, names, said in ((self.removed, old - new, "no longer"), (self.added, new - old, "now")):
            if names:
                why = f"{said} among them: {', '.join(sorted(map(str, names)))}"
                yield finding(self.category, direction, place.where, before, after, why)


def _members(value: Any) -> set[Any]:
    if isinstance(value, Mapping):
        return {f"{name}: {held}" for name, held in value.items()}
    return {value} if isinstance(value, str) else set(value or ())


@dataclass(frozen=True, slots=True)
class Changed:
    """Any change is to be reviewed. With `identity` the field says what is asked: limits beside it then cannot be
    compared either."""

    category: Category
    identity: bool = False
    why: str = ""

    def compare(self, before: Any, after: Any, place: Place) -> Iterator[Finding]:
        yield finding(self.category, REVIEW, place.where, before, after, self.why)


@dataclass(frozen=True, slots=True)
class Given:
    """Something that is better there than not: taking it away is weaker, anything else is to be reviewed."""

    category: Category
    why: str

    def compare(self, before: Any, after: Any, place: Place) -> Iterator[Finding]:
        direction = WEAKER if after is None else REVIEW
        yield finding(self.category, direction, place.where, before, after, self.why if after is None else "")


@dataclass(frozen=True, slots=True)
class Neutral:
    """Nothing that is judged depends on it. `silent` where it is not even worth a line."""

    why: str
    silent: bool = False

    def compare(self, before: Any, after: Any, place: Place) -> Iterator[Finding]:
        if not self.silent:
            yield finding(Category.WORDING, NEUTRAL, place.where, before, after, self.why)


WORDING = Neutral("said of it, and no part of what is judged")
RUNNING = Neutral("how flows run, not how models are judged")
AUTHOR = Neutral("the author's choice", silent=True)


@dataclass(frozen=True, slots=True)
class Keyed:
    """A mapping with known keys, each with a rule of its own."""

    rules: Mapping[str, Rule] = field(hash=False)

    def compare(self, before: Any, after: Any, place: Place) -> Iterator[Finding]:
        for key, rule in self.rules.items():
            old, new = (before or {}).get(key), (after or {}).get(key)
            if old != new:
                yield from rule.compare(old, new, _below(place, key))


@dataclass(frozen=True, slots=True)
class Parts:
    """A record of its own: its fields declare their rules. A record of another kind is to be reviewed."""

    category: Category

    def compare(self, before: Any, after: Any, place: Place) -> Iterator[Finding]:
        if type(before) is type(after):
            yield from place.walk(before, after, place.where)
        else:
            yield finding(self.category, REVIEW, place.where, before, after)


PARTS = Parts(Category.DEFAULT)


@dataclass(frozen=True, slots=True)
class Named:
    """Records by name. One that only has another name is one change, which is to be reviewed."""

    category: Category
    added: Direction
    removed: Direction
    added_why: str = ""
    removed_why: str = ""

    def compare(self, before: Any, after: Any, place: Place) -> Iterator[Finding]:
        gone, new = [name for name in before if name not in after], [name for name in after if name not in before]
        for old, name in _renamed(gone, new, before, after):
            gone.remove(old)
            new.remove(name)
            yield finding(
                self.category,
                REVIEW,
                f"{place.where}.{old}",
                old,
                name,
                "another name, which waivers and reports go by; nothing else of it changed",
            )
        for name in gone:
            yield finding(
                self.category, self.removed, f"{place.where}.{name}", _body(before[name]), None, self.removed_why
            )
        for name in new:
            yield finding(self.category, self.added, f"{place.where}.{name}", None, _body(after[name]), self.added_why)
        both = [name for name in before if name in after]
        for name in both:
            if before[name] != after[name]:
                yield from place.walk(before[name], after[name], f"{place.where}.{name}")
        if not gone and not new and both != [name for name in after if name in before]:
            yield finding(Category.WORDING, NEUTRAL, place.where, both, list(after), "only the order differs")


def _renamed(
    gone: Collection[str], new: Collection[str], before: Mapping[str, BaseModel], after: Mapping[str, BaseModel]
) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for old in gone:
        taken = {name for _, name in pairs}
        same = (name for name in new if name not in taken and _body(before[old]) == _body(after[name]))
        if (found := next(same, None)) is not None:
            pairs.append((old, found))
    return pairs


def _body(held: BaseModel) -> dict[str, Any]:
    return held.model_dump(mode="json", exclude=set(_SAID_ONLY), exclude_none=True)


@dataclass(frozen=True, slots=True)
class Depends:
    """A rule that another field of the same record chooses; to be reviewed where that one changes too."""

    on: str
    when: Mapping[Any, Rule] = field(hash=False)
    otherwise: Limit

    def compare(self, before: Any, after: Any, place: Place) -> Iterator[Finding]:
        old, new = getattr(place.before, self.on), getattr(place.after, self.on)
        rule: Rule = self.when.get(old, self.otherwise)
        if old != new:
            rule = Changed(self.otherwise.category, why=f"{self.on} changes too, so that the two cannot be told apart")
        yield from rule.compare(before, after, place)


@dataclass(frozen=True, slots=True)
class Looks:
    """How often one holdout may be looked at: by a record with `kind` and `looks`, None for any number.

    Fewer of a fixed number share the same error rate, so that each is judged at a larger one: that is neither weaker
    nor stricter.
    """

    def compare(self, before: Any, after: Any, place: Place) -> Iterator[Finding]:
        old, new = before.looks, after.looks
        direction, why = REVIEW, "the looks that are left share the error rate: each is passed more easily"
        if old is not None and (new is None or new > old):
            direction, why = WEAKER, ""
        elif old is None:
            direction, why = TIGHTER, ""
        elif old == new:
            why = ""
        yield finding(Category.LOOKS, direction, place.where, _schedule(before), _schedule(after), why)


def _schedule(held: Any) -> str:
    return f"fixed, {held.looks} looks" if held.kind == "fixed" else str(held.kind)


def _below(place: Place, key: str) -> Place:
    return Place(where=f"{place.where}.{key}", before=place.before, after=place.after, walk=place.walk)
