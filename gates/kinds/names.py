"""What a gate may be called."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

_NAME = re.compile(r"[a-z][a-z0-9_]*")


def _named(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise PydanticCustomError(
            "name", "'{name}' is no name for a gate; expected lower case, digits and _", {"name": name[:80]}
        )
    return name


GateName = Annotated[str, AfterValidator(_named)]
