"""The image of the pods holds what the lock says, and nothing is installed when a pod starts."""

from __future__ import annotations

import re
from pathlib import Path

TEXT = (Path(__file__).parents[1] / "Dockerfile").read_text(encoding="utf-8")
INSTRUCTIONS = [line for line in TEXT.replace("\\\n", " ").splitlines() if line and not line.startswith("#")]


def test_every_base_is_one_image_by_its_digest() -> None:
    bases = [line.split()[1] for line in INSTRUCTIONS if line.startswith("FROM")]
    assert len(set(bases)) == 1
    assert re.fullmatch(r"python:3\.11-slim-bookworm@sha256:[0-9a-f]{64}", bases[0])


def test_every_installation_is_from_a_lock_with_hashes() -> None:
    installs = [part for line in INSTRUCTIONS for part in line.split("&&") if "pip install" in part]
    assert len(installs) == 2
    assert all("--require-hashes" in part and "--requirement /requirements/" in part for part in installs)
    assert "METAFLOW_SKIP_INSTALL_DEPENDENCIES=1" in TEXT
    assert INSTRUCTIONS.index("USER 1000") < len(INSTRUCTIONS)


def test_no_secret_can_get_into_the_build() -> None:
    ignored = (Path(__file__).parents[1] / ".dockerignore").read_text(encoding="utf-8").split()
    assert ignored == ["*", "!requirements/*.txt"]
