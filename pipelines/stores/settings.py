"""The settings of conf/store/*.yaml that all stores have in common."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from lockgate.gates.strictness import RUNNING, Category, Changed, lower


class StoreSettings(BaseModel):
    """Where predictions go; the parameters of the store itself are declared in its own file."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True, allow_inf_nan=False)
    kind: Annotated[str, Changed(Category.DEFAULT)]
    keep: Annotated[int, Field(ge=2, le=10_000), RUNNING]  # versions; the current one always is kept
    # from the current version's scores; None: any
    max_drift: Annotated[Annotated[float, Field(gt=0, le=1)] | None, lower(Category.FLOOR)]

    @cached_property
    def params(self) -> BaseModel:
        """The store's own parameters, validated when they are first asked for. Raises pydantic's ValidationError."""
        from lockgate.pipelines.stores import STORES

        return STORES[self.kind].Params.model_validate(self.model_extra or {})
