"""A PostgreSQL server of the tests' own, on a socket in a directory of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

_SETTINGS = {"listen_addresses": "", "fsync": "off", "full_page_writes": "off", "shared_buffers": "32MB"}
_AS = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}  # it refuses to be root
PASSWORD = "no-secret: it is only for tests"


def _program(name: str) -> str:
    """Debian keeps those of a server away from PATH."""
    path = shutil.which(name) or max(map(str, Path("/usr/lib/postgresql").glob(f"*/bin/{name}")), default=None)
    if not path:
        pytest.skip(f"there is no {name}; `sh requirements/servers.sh` installs it")
    return path


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The DSN of its owner, whom it trusts; of `asked` it wants PASSWORD."""
    with tempfile.TemporaryDirectory(prefix="pg") as folder:
        data = Path(folder) / "data"
        if _AS:
            shutil.chown(folder, _AS["user"], _AS["group"])
        options = ["--auth=trust", "--no-sync", "--no-locale", "--encoding=UTF8", "--username=owner"]
        subprocess.run(
            [_program("initdb"), "-D", str(data), *options], check=True, capture_output=True, cwd=folder, **_AS
        )  # type: ignore[call-overload]
        rules = data / "pg_hba.conf"
        rules.write_text("local all asked scram-sha-256\nlocal all all trust\n", encoding="ascii")
        settings = [word for name, value in _SETTINGS.items() for word in ("-c", f"{name}={value}")]
        command = [_program("postgres"), "-D", str(data), "-k", folder, *settings]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=folder, **_AS) as server:  # type: ignore[call-overload]
            assert any("ready to accept connections" in line for line in server.stderr)
            drain = threading.Thread(target=lambda: [None for _ in server.stderr], daemon=True)
            drain.start()
            yield f"host={folder} user=owner dbname=postgres"
            server.send_signal(signal.SIGINT)  # ends connections that are still open
            drain.join()
