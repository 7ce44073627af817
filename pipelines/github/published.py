"""The champion that the protected branch last published: an artifact of its workflow that promotes."""

from __future__ import annotations

import io
import os
import zipfile
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from lockgate.gates.errors import GithubError
from lockgate.pipelines.github.client import SECONDS, client, errors

if TYPE_CHECKING:
    from github.Artifact import Artifact

WORKFLOW, ARTIFACT, MEMBER = "promote.yml", "champion", "champion.tar"
RUNS = 50
"""So many runs are looked through: one that promoted nothing published nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A bundle, as a run published it."""

    blob: bytes
    newest: bool  # whether no later run succeeded, whose bundle it would be instead


def champion(repository: str, *, branch: str, most: int) -> Published | None:
    """The bundle of the newest run that published one, at most `most` bytes; None where none has, or all have expired.

    Runs that a push to the branch started count, and no others: a pull request starts none of them. What is in the
    bundle is not looked at; whoever reads it holds it against its signatures.

    Raises:
        GithubError: GitHub cannot be reached or refuses, or what was published is no bundle.
    """
    with errors(f"{repository} {WORKFLOW}"):
        runs = (
            client().get_repo(repository).get_workflow(WORKFLOW).get_runs(branch=branch, event="push", status="success")
        )
        for place, run in enumerate(islice(runs, RUNS)):
            for one in run.get_artifacts():
                if one.name == ARTIFACT and not one.expired:
                    blob = _unpacked(_downloaded(one, most), most, where=f"{repository} run {run.id}")
                    return Published(blob=blob, newest=place == 0)
    return None


def _downloaded(artifact: Artifact, most: int) -> bytes:
    import requests

    token = os.environ.get("GITHUB_TOKEN", "")
    asked = requests.get(
        artifact.archive_download_url, headers={"Authorization": f"Bearer {token}"}, timeout=SECONDS, stream=True
    )  # requests takes the token away where it is sent on to another host
    with asked:
        asked.raise_for_status()
        held = bytearray()
        for piece in asked.iter_content(1024**2):
            held += piece
            if len(held) > most:
                raise _none("it is too large", where=str(artifact.id))
    return bytes(held)


def _unpacked(blob: bytes, most: int, *, where: str) -> bytes:
    """The one file in the archive that GitHub made."""
    try:
        with zipfile.ZipFile(io.BytesIO(blob)) as archive:
            (member,) = archive.infolist()
            if member.filename != MEMBER or member.file_size > most:
                raise _none(f"it holds {member.filename[:80]!r}, {member.file_size:,} bytes", where=where)
            with archive.open(member) as file:
                held = file.read(most + 1)
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, RuntimeError) as err:
        raise _none("it is no archive of one file", where=where) from err
    if len(held) > most:
        raise _none("it is too large", where=where)
    return held


def _none(problem: str, *, where: str) -> GithubError:
    return GithubError(f"what was published is no champion: {problem}", expected=MEMBER, where=where)
