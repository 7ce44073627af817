"""Why something that lockgate should have written cannot be read: by a newer lockgate, or by hand."""

from __future__ import annotations

from pydantic import ValidationError

import lockgate
from lockgate.gates.errors import LogError

_UNKNOWN = {"extra_forbidden": "the field", "union_tag_invalid": "the kind of", "enum": "the value of"}
"""Mistakes that only a version with more fields, kinds or values makes, and what they are about."""


def unreadable_error(err: ValidationError, *, what: str, where: str, newest_format: int | None = None) -> LogError:
    """The error for a document of the log that does not fit its model.

    Args:
        err: what the model says.
        what: the document should be, such as `an entry of the promotion log`.
        newest_format: the `format` that this version writes, where the document has one.
    """
    mistakes = err.errors(include_url=False)
    unknown = [mistake for mistake in mistakes if mistake["type"] in _UNKNOWN]
    formats = [mistake["input"] for mistake in mistakes if mistake["loc"] == ("format",)]
    if formats and isinstance(formats[0], int) and newest_format is not None and formats[0] > newest_format:
        unknown, problem = mistakes, f"it has format {formats[0]}, and this version reads {newest_format}"
    elif unknown:
        path = ".".join(map(str, unknown[0]["loc"]))[:200]
        problem = f"this version does not know {_UNKNOWN[unknown[0]['type']]} {path or 'this document'}"
    if len(unknown) == len(mistakes):
        return LogError(
            f"this is not {what} that lockgate {lockgate.__version__} can read: {problem}",
            where=where,
            hint="a newer lockgate wrote it: install that version; if there is none, somebody wrote it by hand",
        )
    return LogError(
        f"this is not {what}: {mistakes[0]['msg'][:200]}",
        where=where,
        hint="somebody wrote this object by hand; nothing is promoted until it is repaired",
    )
