"""The policy: declared criteria, validated and frozen. Only `Policy.parse` turns a mapping into one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import timedelta
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
from lockgate.gates.errors import PolicyError, SettingsError
from lockgate.gates.foreign import convert_foreign
from lockgate.gates.gate.check import MAX_INTEGER, GateName
from lockgate.gates.gate.table import DeclaredTable
from lockgate.gates.kinds import AnyCheck
from lockgate.gates.kinds.any_of import AnyOf
from lockgate.gates.kinds.useless import check_reachable
from lockgate.gates.policy.errors import describe_mistakes
from lockgate.gates.policy.upgrades import FIRST_SHAPE, SHAPE_KEY, current_shape, undo_upgrades
from lockgate.gates.strictness import Category, Direction, Looks, Named, Ranked, higher, lower

_STRICT = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class FixedSchedule(BaseModel):
    """`looks` comparisons on one holdout, each at alpha/looks. A promotion that replaces a champion retires it."""

    model_config = _STRICT
    kind: Literal["fixed"]
    looks: Annotated[int, Field(ge=1, le=1_000_000)]


class SingleSchedule(BaseModel):
    """One comparison on one holdout, at alpha."""

    model_config = _STRICT
    kind: Literal["single"]
    looks: Literal[1] = 1


class OpenSchedule(BaseModel):
    """Any number of comparisons, each at alpha: no guarantee if a holdout is used again."""

    model_config = _STRICT
    kind: Literal["open"]
    looks: None = None


_FIRST_MODEL = Ranked(Category.WAIVER, ("absolute_only", "hold"), "a first model is promoted without any comparison")
_CLUSTERED = Ranked(
    Category.WAIVER, ("ignore", "if_present", "required"), "rows that depend on each other may count as independent"
)
_SERIAL = Ranked(
    Category.WAIVER, ("ignore", "if_ordered"), "clusters that follow each other in time may count as independent"
)
_DISCLOSED = Ranked(
    Category.WAIVER, ("all", "promotion_only"), "challengers can be tuned on the numbers that are disclosed"
)
_GATES = Named(Category.GATES, added=Direction.TIGHTER, removed=Direction.WEAKER)


class Policy(BaseModel):
    """When a challenger may replace the champion. `Policy.parse` makes one from the mapping in conf/gate."""

    model_config = _STRICT

    if_no_champion: Annotated[Literal["absolute_only", "hold"], _FIRST_MODEL]
    confidence: Annotated[float, Field(gt=0.5, lt=1), higher(Category.CONFIDENCE)]
    clusters: Annotated[Literal["if_present", "required", "ignore"], _CLUSTERED]
    min_clusters: Annotated[int, Field(ge=2, le=MAX_INTEGER), higher(Category.ROWS)]
    min_class_rows: Annotated[int, Field(ge=2, le=MAX_INTEGER), higher(Category.ROWS)]
    serial_dependence: Annotated[Literal["if_ordered", "ignore"], _SERIAL]
    schedule: Annotated[FixedSchedule | SingleSchedule | OpenSchedule, Discriminator("kind"), Looks()]
    disclose: Annotated[Literal["all", "promotion_only"], _DISCLOSED]
    valid_for: Annotated[Duration, lower(Category.WAIVER, size=parse_duration)]
    checks: Annotated[
        Mapping[GateName, Annotated[Annotated[AnyCheck, Discriminator("kind")], AfterValidator(check_reachable)]],
        _GATES,
    ]

    @classmethod
    def parse(cls, mapping: Mapping[str, Any], *, where: str = "gate") -> Self:
        """A policy from plain dicts, lists, strings and numbers.

        Raises:
            PolicyError: with every mistake found, one line each: `problem; expected … @ gate.checks.NAME.KEY`.
        """
        if not isinstance(mapping, Mapping):
            raise PolicyError([f"{type(mapping).__name__} is no policy; expected a mapping @ {where}"])
        return convert_foreign(
            lambda: cls.model_validate(_drop_shape(dict(mapping))), lambda err: PolicyError(_list_problems(err, where))
        )

    @classmethod
    def read(cls, file: documents.FilePath) -> Self:
        """The policy in a YAML or JSON file, held to what conf/gate is held to.

        Raises:
            SettingsError: as `documents.read`. PolicyError: as `parse`.
        """
        return cls.parse(documents.read_document(documents.parse_path(file, SettingsError)))

    @field_validator("checks")
    @classmethod
    def _something_blocks(cls, checks: Mapping[str, AnyCheck]) -> Mapping[str, AnyCheck]:
        if not checks:
            raise PydanticCustomError("no_checks", "no gates are declared; expected at least one blocking check")
        if all(check.severity == "warn" for check in checks.values()):
            raise PydanticCustomError("warn_only", "every gate only warns; expected at least one with severity block")
        return checks

    def check_fit(self, table: DeclaredTable, *, where: str = "gate") -> None:
        """Refuse a policy by which no run on such a table could be judged.

        Raises:
            PolicyError: with a line for every gate and key that does not fit.
        """
        misfits = {
            f"checks.{name}.{key}": problem
            for name, check in self.checks.items()
            for key, problem in check.list_misfits(table).items()
        }
        if self.clusters == "required" and not table.has_clusters:
            expected = "data.cluster, or clusters: if_present"
            misfits = {"clusters": f"the table has no clusters; expected {expected}", **misfits}
        if misfits:
            raise PolicyError([f"{problem} @ {where}.{place}" for place, problem in misfits.items()])

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
        """How long after its promotion a model may serve."""
        return parse_duration(self.valid_for)

    @property
    def digest(self) -> str:
        """SHA-256 of what the policy means, as canonical JSON (RFC 8785).

        Left out are the `description` and `owner` of gates, which change nothing that is judged, and keys that a later
        version added where they mean what their absence did (`lockgate.gates.policy.upgrades`). So neither rewording a
        gate nor a new version of lockgate starts new looks, or makes the policy of earlier decisions another one.
        """
        judged = self.model_dump(mode="json", exclude={"checks"})
        judged["checks"] = {name: _judged_keys(check) for name, check in self.checks.items()}
        return hashlib.sha256(rfc8785.dumps(undo_upgrades(judged))).hexdigest()


def _drop_shape(mapping: dict[str, Any]) -> dict[str, Any]:
    """The keys without the number of this version's shape, which files have that lockgate itself wrote."""
    shape = current_shape()
    if shape > FIRST_SHAPE and mapping.get(SHAPE_KEY) == shape:
        del mapping[SHAPE_KEY]
    return mapping


def _list_problems(err: Exception, where: str) -> list[str]:
    """What keeps a mapping from being a policy, one line each."""
    if not isinstance(err, ValidationError):
        return [f"a mapping that cannot be read ({type(err).__name__}); expected plain values @ {where}"]
    details, schema = err.errors(include_url=False), TypeAdapter(Policy).core_schema
    return describe_mistakes(details, schema=schema, where=where)


def _judged_keys(check: AnyCheck) -> dict[str, Any]:
    """The keys of a check that matter for its verdict."""
    words = {"description", "owner"}
    if not isinstance(check, AnyOf):
        return check.model_dump(mode="json", exclude=words)
    inner = {name: _judged_keys(alternative) for name, alternative in check.checks.items()}
    return {**check.model_dump(mode="json", exclude={*words, "checks"}), "checks": inner}
