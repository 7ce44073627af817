"""A cluster for the harness's own tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.harness.argo.cluster import Cluster, open_cluster


@pytest.fixture(scope="module")
def cluster(
    tmp_path_factory: pytest.TempPathFactory, new_bucket: Callable[[], Any], new_metadata_service: Callable[[], str]
) -> Iterator[Cluster]:
    """Where templates are compiled and executed."""
    with open_cluster(tmp_path_factory.mktemp("cluster"), new_bucket(), new_metadata_service()) as cluster:
        yield cluster
