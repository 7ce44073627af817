from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.proxy import Proxy, proxied


@pytest.fixture(scope="session")
def proxy(s3_server: str) -> Iterator[Proxy]:
    """Before the S3 server."""
    with proxied(s3_server) as opened_proxy:
        yield opened_proxy
