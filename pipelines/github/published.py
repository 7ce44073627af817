"""The champion that the protected branch last published: an artifact of its workflow that promotes."""

from __future__ import annotations

import io
import os
import zipfile
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from lockgate.gates.errors import GithubError
from lockgate.pipelines.github.client import GITHUB_TIMEOUT_S, connect_github, translate_errors

if TYPE_CHECKING:
    from github.Artifact import Artifact

ARTIFACT, MEMBER = "champion", "champion.tar"
MAX_RUNS = 50
"""How many runs are searched: a run that promoted nothing published nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedBundle:
    """A bundle, as a run published it."""

    blob: bytes
    newest: bool  # whether no later run succeeded, whose bundle it would be instead


def find_bundle(repository: str, *, workflow: str, branch: str, max_bytes: int) -> PublishedBundle | None:
    """The bundle of the newest run that published one, of at most `max_bytes`; None where none has or all are expired.

    workflow: the name of the file whose runs are asked.

    Runs that a push to the branch started count, and no others: a pull request starts none of them. What is in the
    bundle is not looked at; whoever reads it holds it against its signatures.

    Raises:
        GithubError: GitHub cannot be reached or refuses, or what was published is no bundle.
    """
    with translate_errors(f"{repository} {workflow}"):
        runs = (
            connect_github()
            .get_repo(repository)
            .get_workflow(workflow)
            .get_runs(branch=branch, event="push", status="success")
        )
        for place, run in enumerate(islice(runs, MAX_RUNS)):
            for artifact in run.get_artifacts():
                if artifact.name == ARTIFACT and not artifact.expired:
                    blob = _unpack(_download(artifact, max_bytes), max_bytes, where=f"{repository} run {run.id}")
                    return PublishedBundle(blob=blob, newest=place == 0)
    return None


def _download(artifact: Artifact, max_bytes: int) -> bytes:
    import requests

    token = os.environ.get("GITHUB_TOKEN", "")
    response = requests.get(
        artifact.archive_download_url,
        headers={"Authorization": f"Bearer {token}"},
        timeout=GITHUB_TIMEOUT_S,
        stream=True,
    )  # requests takes the token away where it is sent on to another host
    with response:
        response.raise_for_status()
        content = bytearray()
        for piece in response.iter_content(1024**2):
            content += piece
            if len(content) > max_bytes:
                raise _no_bundle_error("it is too large", where=str(artifact.id))
    return bytes(content)


def _unpack(blob: bytes, max_bytes: int, *, where: str) -> bytes:
    """The one file in the archive that GitHub made."""
    try:
        with zipfile.ZipFile(io.BytesIO(blob)) as archive:
            (member,) = archive.infolist()
            if member.filename != MEMBER or member.file_size > max_bytes:
                raise _no_bundle_error(f"it holds {member.filename[:80]!r}, {member.file_size:,} bytes", where=where)
            with archive.open(member) as file:
                content = file.read(max_bytes + 1)
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, RuntimeError) as err:
        raise _no_bundle_error("it is not an archive with one file", where=where) from err
    if len(content) > max_bytes:
        raise _no_bundle_error("it is too large", where=where)
    return content


def _no_bundle_error(problem: str, *, where: str) -> GithubError:
    return GithubError(f"the published artifact is not a champion: {problem}", expected=MEMBER, where=where)
