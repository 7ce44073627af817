"""Fields that were added to records after records without them had been written to logs."""

from __future__ import annotations

from typing import Any

from pydantic import Field


def _is_absent(value: Any) -> bool:
    return value is None


ADDED_LATER: Any = Field(default=None, exclude_if=_is_absent)
"""The value of a field that older records do not have, as in `information: Number = ADDED_LATER`.

It is None in these, and left out of the bytes wherever it is None: so an entry that is read has the bytes, the digest
and the signature that it was written with, and a version that does not know the field reads every record that does not
use it. A record that uses it is refused there, in a line that asks for a newer version (`gates/log/unreadable.py`).
"""
