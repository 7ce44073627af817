"""Declared criteria → a frozen, validated Policy. The only place that reads a mapping."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import rfc8785
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    TypeAdapter,
    ValidationError,
    field_validator,
)
from pydantic_core import PydanticCustomError

from lockgate.gates import documents
from lockgate.gates.durations import Duration, parse_duration
from lockgate.gates.errors import PolicyError
from lockgate.gates.gate.check import MOST, GateName
from lockgate.gates.kinds import AnyCheck
from lockgate.gates.kinds.any_of import AnyOf
from lockgate.gates.kinds.useless import reachable
from lockgate.gates.policy.errors import describe_mistakes
from lockgate.gates.strictness import Category, Direction, Looks, Named, Ranked, higher, lower

_STRICT = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Fixed(BaseModel):
    """`looks` comparisons on one holdout, each at alpha/looks; retired once a challenger replaces a champion."""

    model_config = _STRICT
    kind: Literal["fixed"]
    looks: Annotated[int, Field(ge=1, le=1_000_000)]


class Single(BaseModel):
    """One comparison on one holdout, at alpha."""

    model_config = _STRICT
    kind: Literal["single"]
    looks: Literal[1] = 1


class Open(BaseModel):
    """Any number of comparisons, each at alpha: no guarantee under reuse."""

    model_config = _STRICT
    kind: Literal["open"]
    looks: None = None


_FIRST = Ranked(Category.WAIVER, ("absolute_only", "hold"), "a first model is promoted without any comparison")
_CLUSTERED = Ranked(
    Category.WAIVER, ("ignore", "if_present", "required"), "rows that depend on each other may count as independent"
)
_TOLD = Ranked(Category.WAIVER, ("all", "promotion_only"), "numbers are told, to which challengers can be tuned")
_GATES = Named(Category.GATES, added=Direction.TIGHTER, removed=Direction.WEAKER)


class Policy(BaseModel):
    """When a challenger may replace the champion. `Policy.parse` makes one from the mapping in conf/gate."""

    model_config = _STRICT

    if_no_champion: Annotated[Literal["absolute_only", "hold"], _FIRST]
    confidence: Annotated[float, Field(gt=0.5, lt=1), higher(Category.CONFIDENCE)]
    clusters: Annotated[Literal["if_present", "required", "ignore"], _CLUSTERED]
    min_clusters: Annotated[int, Field(ge=2, le=MOST), higher(Category.ROWS)]
    schedule: Annotated[Fixed | Single | Open, Discriminator("kind"), Looks()]
    disclose: Annotated[Literal["all", "promotion_only"], _TOLD]
    valid_for: Annotated[Duration, lower(Category.WAIVER, size=parse_duration)]
    checks: Annotated[
        Mapping[GateName, Annotated[Annotated[AnyCheck, Discriminator("kind")], AfterValidator(reachable)]], _GATES
    ]

    @classmethod
    def parse(cls, mapping: Mapping[str, Any], *, where: str = "gate") -> Self:
        """A policy from plain dicts, lists, strings and numbers.

        Raises:
            PolicyError: with every mistake found, one line each: `problem; expected … @ gate.checks.NAME.KEY`.
        """
        if not isinstance(mapping, Mapping):
            raise PolicyError([f"{type(mapping).__name__} is no policy; expected a mapping @ {where}"])
        try:
            return cls.model_validate(dict(mapping))
        except ValidationError as err:
            details, schema = err.errors(include_url=False), TypeAdapter(cls).core_schema
            raise PolicyError(describe_mistakes(details, schema=schema, where=where)) from err

    @classmethod
    def read(cls, file: Path) -> Self:
        """The policy in a YAML or JSON file, held to what conf/gate is held to.

        Raises:
            SettingsError: as `documents.read`. PolicyError: as `parse`.
        """
        return cls.parse(documents.read(file))

    @field_validator("checks")
    @classmethod
    def _something_blocks(cls, checks: Mapping[str, AnyCheck]) -> Mapping[str, AnyCheck]:
        if not checks:
            raise PydanticCustomError("no_checks", "no gates are declared; expected at least one blocking check")
        if all(check.severity == "warn" for check in checks.values()):
            raise PydanticCustomError("warn_only", "every gate only warns; expected at least one with severity block")
        return checks

    @property
    def alpha(self) -> float:
        """Error rate of one bound, one-sided."""
        return 1.0 - self.confidence

    @property
    def scheduled_alpha(self) -> float:
        """Error rate of one scheduled comparison: alpha divided by the looks declared."""
        return self.alpha / (self.schedule.looks or 1)

    @property
    def validity(self) -> timedelta:
        """How long a promotion may be served."""
        return parse_duration(self.valid_for)

    @property
    def digest(self) -> str:
        """SHA-256 of the policy as canonical JSON (RFC 8785), without what is only said of a gate.

        `description` and `owner` change nothing that is judged: rewording one neither starts new looks nor
        makes a decision another policy's.
        """
        judged = self.model_dump(mode="json", exclude={"checks"})
        judged["checks"] = {name: _judged(check) for name, check in self.checks.items()}
        return hashlib.sha256(rfc8785.dumps(judged)).hexdigest()


def _judged(check: AnyCheck) -> dict[str, Any]:
    said = {"description", "owner"}
    if not isinstance(check, AnyOf):
        return check.model_dump(mode="json", exclude=said)
    inner = {name: _judged(one) for name, one in check.checks.items()}
    return {**check.model_dump(mode="json", exclude={*said, "checks"}), "checks": inner}
