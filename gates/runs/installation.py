"""Whether one Metaflow is installed, and one only."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from gates.errors import RunError


def check_installation() -> None:
    """Refuse an environment in which both metaflow and outerbounds put the module `metaflow`."""
    found = []
    for name in ("metaflow", "ob-metaflow"):
        try:
            version(name)
        except PackageNotFoundError:
            continue
        found.append(name)
    if len(found) == 2:
        raise RunError(
            "both metaflow and ob-metaflow (of outerbounds) are installed; they overwrite each other's files",
            expected="one of them",
            hint="make a fresh environment: `make setup`, or `make setup extra=outerbounds`",
        )
    if not found:
        raise RunError("Metaflow is not installed", expected="metaflow or outerbounds", hint="run `make setup`")
