"""What an object store's error says, in a line."""

from __future__ import annotations

import re

MOST = 240
_REQUEST = re.compile(r"Error performing (?P<method>[A-Z]+) (?P<address>[^\s?]+)\S* in .*? - (?P<reason>.+)")
_ADDRESS = 100


def said(err: Exception) -> str:
    """The server's reason before the request, or else what the error says; at most 240 characters, nothing empty.

    obstore's own text begins with the request, whose address may be long, and goes on for pages of its insides.
    """
    line = next(iter(str(err).splitlines()), "") or repr(err)
    if found := _REQUEST.search(line):
        asked = f" ({found['method']} {found['address'][:_ADDRESS]})"
        return found["reason"][: MOST - len(asked)] + asked
    return line[:MOST]
