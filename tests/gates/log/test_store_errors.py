"""An object store's error, as it is told.

Tests of gates/log/objects.py (errors).
"""

from __future__ import annotations

import pytest

from lockgate.gates.log.objects import describe_store_error

DENIED = "Server returned non-2xx status code: 403 Forbidden: <Error><Code>AccessDenied</Code></Error>"


@pytest.mark.parametrize(
    ("text", "described"),
    [
        (
            f"Generic S3 error: Error performing GET http://s3/b?prefix=x in 3.3ms - {DENIED}\n\nDebug source:\nS3",
            f"{DENIED} (GET http://s3/b)",
        ),
        (
            f"No rights: Error performing PUT http://s3/b/x in 1s, after 1 retries  - {DENIED}",
            f"{DENIED} (PUT http://s3/b/x)",
        ),
        ("Unable to extract metadata\n\nDebug", "Unable to extract metadata"),
        ("", "ValueError('')"),
    ],
    ids=["list", "put", "another", "nothing"],
)
def test_the_reason_comes_first(text: str, described: str) -> None:
    assert describe_store_error(ValueError(text)) == described


def test_it_is_never_long() -> None:
    long = describe_store_error(ValueError(f"Error performing GET http://{'s' * 500} in 1ms - {'why' * 300}"))
    assert long.startswith("whywhy")
    assert len(long) == 240
    assert len(describe_store_error(ValueError("x" * 5000))) == 240
