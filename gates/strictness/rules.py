"""The rules that fields declare, each of which classifies a change of the field's value."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

from pydantic import BaseModel

from lockgate.gates.strictness.findings import Category, Direction, Finding, make_finding

WEAKER, REVIEW, TIGHTER, NEUTRAL = Direction.WEAKER, Direction.REVIEW, Direction.TIGHTER, Direction.NEUTRAL
_NOT_JUDGED = ("description", "owner")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a field is, the two records that have it, and the function that compares records below it."""

    where: str
    before: BaseModel
    after: BaseModel
    walk: Callable[[BaseModel, BaseModel, str], Iterator[Finding]]


@runtime_checkable
class Rule(Protocol):
    """Classifies a changed value. It is called for values that differ, and yields nothing if they mean the same."""

    def compare(self, before: Any, after: Any, place: Place) -> Iterator[Finding]: ...


def _as_is(value: Any) -> Any:
    return value


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit for which a higher, or a lower, value is stricter. `absent` says how to classify a missing limit."""

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
        yield make_finding(self.category, direction, place.where, before, after)


def higher(category: Category, **options: Any) -> Limit:
    """A limit for which a higher value is stricter. `options` are further fields of `Limit`."""
    return Limit(category, "higher", **options)


def lower(category: Category, **options: Any) -> Limit:
    """A limit for which a lower value is stricter. `options` are further fields of `Limit`."""
    return Limit(category, "lower", **options)


@dataclass(frozen=True, slots=True)
class Ranked:
    """One of several words, the weakest first. `why` says what a weaker word lets through."""

    category: Category
    weakest_first: tuple[Any, ...]
    why: str = ""

    def compare(self, before: Any, after: Any, place: Place) -> Iterator[Finding]:
        if not {before, after} <= set(self.weakest_first):
            direction = REVIEW
        else:
            rises = self.weakest_first.index(after) > self.weakest_first.index(before)
            direction = TIGHTER if rises else WEAKER
        yield make_finding(
            self.category, direction, place.where, before, after, self.why if direction is WEAKER else ""
        )


@dataclass(frozen=True, slots=True)
class Members:
    """Names whose order does not matter. `absent` says what a missing list means, every name or none."""

    category: Category
    added: Direction
    removed: Direction
    absent: Literal["every", "none"] = "none"

    def compare(self, before: Any, after: Any, place: Place) -> Iterator[Finding]:
        if self.absent == "every" and (before is None or after is None):
            direction = self.removed if before is None else self.added
            yield make_finding(self.category, direction, place.where, before or "all", after or "all")
            return
        old, new = _member_set(before), _member_set(after)
        for direction, names, change in ((self.removed, old - new, "no longer"), (self.added, new - old, "now")):
            if names:
                why = f"{change} among them: {', '.join(sorted(map(str, names)))}"
                yield make_finding(self.category, direction, place.where, before, after, why)


def _member_set(value: Any) -> set[Any]:
    if isinstance(value, Mapping):
        return {f"{name}: {member}" for name, member in value.items()}
    return {value} if isinstance(value, str) else set(value or ())


@dataclass(frozen=True, slots=True)
class Changed:
    """Any change needs review. With `identity`, the field decides what is measured: if it changes, limits in the same
    record cannot be compared either."""

    category: Category
    identity: bool = False
    why: str = ""

    def compare(self, before: Any, after: Any, place: Place) -> Iterator[Finding]:
        yield make_finding(self.category, REVIEW, place.where, before, after, self.why)


@dataclass(frozen=True, slots=True)
class Given:
    """A value that is better present than absent: removing it is weaker, any other change needs review."""

    category: Category
    why: str

    def compare(self, before: Any, after: Any, place: Place) -> Iterator[Finding]:
        direction = WEAKER if after is None else REVIEW
        yield make_finding(self.category, direction, place.where, before, after, self.why if after is None else "")


@dataclass(frozen=True, slots=True)
class Neutral:
    """No judgement depends on it. With `silent`, a change is not even reported."""

    why: str
    silent: bool = False

    def compare(self, before: Any, after: Any, place: Place) -> Iterator[Finding]:
        if not self.silent:
            yield make_finding(Category.WORDING, NEUTRAL, place.where, before, after, self.why)


WORDING = Neutral("a description, which no judgement depends on")
RUNNING = Neutral("how flows run, not how models are judged")
AUTHOR = Neutral("the author's choice", silent=True)


@dataclass(frozen=True, slots=True)
class Keyed:
    """A mapping with fixed keys, each with its own rule."""

    rules: Mapping[str, Rule] = field(hash=False)

    def compare(self, before: Any, after: Any, place: Place) -> Iterator[Finding]:
        for key, rule in self.rules.items():
            old, new = (before or {}).get(key), (after or {}).get(key)
            if old != new:
                yield from rule.compare(old, new, _place_below(place, key))


@dataclass(frozen=True, slots=True)
class Parts:
    """A record whose fields declare their own rules. A record of another kind needs review."""

    category: Category

    def compare(self, before: Any, after: Any, place: Place) -> Iterator[Finding]:
        if type(before) is type(after):
            yield from place.walk(before, after, place.where)
        else:
            yield make_finding(self.category, REVIEW, place.where, before, after)


PARTS = Parts(Category.DEFAULT)


@dataclass(frozen=True, slots=True)
class Named:
    """Records by name. A record that only got another name is one change, which needs review."""

    category: Category
    added: Direction
    removed: Direction
    added_why: str = ""
    removed_why: str = ""

    def compare(self, before: Any, after: Any, place: Place) -> Iterator[Finding]:
        gone, new = [name for name in before if name not in after], [name for name in after if name not in before]
        for old, name in _pair_renamed(gone, new, before, after):
            gone.remove(old)
            new.remove(name)
            yield make_finding(
                self.category,
                REVIEW,
                f"{place.where}.{old}",
                old,
                name,
                "only the name changed, which waivers and reports refer to",
            )
        for name in gone:
            yield make_finding(
                self.category, self.removed, f"{place.where}.{name}", _body(before[name]), None, self.removed_why
            )
        for name in new:
            yield make_finding(
                self.category, self.added, f"{place.where}.{name}", None, _body(after[name]), self.added_why
            )
        both = [name for name in before if name in after]
        for name in both:
            if before[name] != after[name]:
                yield from place.walk(before[name], after[name], f"{place.where}.{name}")
        if not gone and not new and both != [name for name in after if name in before]:
            yield make_finding(Category.WORDING, NEUTRAL, place.where, both, list(after), "only the order differs")


def _pair_renamed(
    gone: Collection[str], new: Collection[str], before: Mapping[str, BaseModel], after: Mapping[str, BaseModel]
) -> list[tuple[str, str]]:
    """Old and new names of records that are otherwise equal."""
    pairs: list[tuple[str, str]] = []
    for old in gone:
        paired = {name for _, name in pairs}
        same = (name for name in new if name not in paired and _body(before[old]) == _body(after[name]))
        if (renamed := next(same, None)) is not None:
            pairs.append((old, renamed))
    return pairs


def _body(record: BaseModel) -> dict[str, Any]:
    return record.model_dump(mode="json", exclude=set(_NOT_JUDGED), exclude_none=True)


@dataclass(frozen=True, slots=True)
class Depends:
    """A rule that depends on another field of the same record. If that field changes too, the change needs review."""

    on: str
    when: Mapping[Any, Rule] = field(hash=False)
    otherwise: Limit

    def compare(self, before: Any, after: Any, place: Place) -> Iterator[Finding]:
        old, new = getattr(place.before, self.on), getattr(place.after, self.on)
        rule: Rule = self.when.get(old, self.otherwise)
        if old != new:
            rule = Changed(self.otherwise.category, why=f"{self.on} changes too, so the two values cannot be compared")
        yield from rule.compare(before, after, place)


@dataclass(frozen=True, slots=True)
class Looks:
    """How many looks one holdout may have: a record with `kind` and `looks`, where None means any number.

    Fewer looks share the same error rate, so that each one is judged at a larger rate: that is neither weaker nor
    stricter.
    """

    def compare(self, before: Any, after: Any, place: Place) -> Iterator[Finding]:
        old, new = before.looks, after.looks
        direction, why = REVIEW, "fewer looks share the error rate, so each is easier to pass"
        if old is not None and (new is None or new > old):
            direction, why = WEAKER, ""
        elif old is None:
            direction, why = TIGHTER, ""
        elif old == new:
            why = ""
        yield make_finding(
            Category.LOOKS, direction, place.where, _format_schedule(before), _format_schedule(after), why
        )


def _format_schedule(schedule: Any) -> str:
    return f"fixed, {schedule.looks} looks" if schedule.kind == "fixed" else str(schedule.kind)


def _place_below(place: Place, key: str) -> Place:
    return Place(where=f"{place.where}.{key}", before=place.before, after=place.after, walk=place.walk)
