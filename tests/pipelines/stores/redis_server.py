"""A Redis server of the tests' own, on a socket in a directory of its own."""

from __future__ import annotations

import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def serving(*options: str) -> Iterator[str]:
    """The URL of a server that runs with these options, and keeps nothing on a disk."""
    with tempfile.TemporaryDirectory(prefix="redis") as folder:
        path = f"{folder}/socket"
        command = ["redis-server", "--port", "0", "--unixsocket", path, "--dir", folder, "--save", "", *options]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            assert any("ready to accept connections" in line for line in server.stdout)
            drain = threading.Thread(target=lambda: [None for _ in server.stdout], daemon=True)
            drain.start()
            try:
                yield f"unix://{path}"
            finally:
                server.terminate()
                drain.join()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[str]:
    with serving() as url:
        yield url
