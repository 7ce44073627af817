"""What a step hands on to other steps and jobs: lines of the file that GITHUB_OUTPUT names."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

_PLAIN = re.compile(r"[A-Za-z0-9_./-]{0,200}")


def lines(values: Mapping[str, object]) -> str:
    """A NAME=VALUE a line. Of a value that is no plain word, and could be read as more than one line, nothing."""
    return "".join(f"{name}={_plain(value)}\n" for name, value in values.items())


def _plain(value: object) -> str:
    text = json.dumps(value) if isinstance(value, bool) else str("" if value is None else value)
    return text if _PLAIN.fullmatch(text) else ""
