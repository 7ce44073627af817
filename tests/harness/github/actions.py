"""The four actions that the workflows use, as far as they use them: an input that is not known here is refused."""

from __future__ import annotations

import io
import shutil
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.harness.github.documents import RejectedByGitHubError
from tests.harness.github.repository import Repository


class ActionError(Exception):
    """The action fails, and its step with it."""


@dataclass(frozen=True, slots=True)
class Artifacts:
    """Those of one run, each a zip."""

    archives: dict[str, bytes] = field(default_factory=dict)

    def read_member(self, name: str, member: str) -> bytes:
        with zipfile.ZipFile(io.BytesIO(self.archives[name])) as archive:
            return archive.read(member)

    def members(self, name: str) -> dict[str, bytes]:
        with zipfile.ZipFile(io.BytesIO(self.archives[name])) as archive:
            return {member: archive.read(member) for member in archive.namelist()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an action runs."""

    workspace: Path
    repository: Repository
    ref: str  # of the event, which is checked out when no other is named
    token: str
    artifacts: Artifacts

    def inside(self, path: str) -> Path:
        """A path of the workspace. Raises ActionError for one that leads out of it."""
        target = (self.workspace / path).resolve()
        if not target.is_relative_to(self.workspace.resolve()):
            raise ActionError(f"{path!r} is not under {self.workspace}")
        return target


Inputs = Mapping[str, str]


def checkout(place: Place, inputs: Inputs) -> None:
    folder = place.inside(inputs.get("path", "."))
    if folder.exists():
        for entry in folder.iterdir():
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    ref = inputs.get("ref") or place.ref
    if "ref" in inputs and not inputs["ref"]:
        raise RejectedByGitHubError("an empty `ref` checks out the default branch, which nobody means here")
    place.repository.checkout(ref, folder)
    if inputs.get("persist-credentials", "true") == "true":
        header = f"AUTHORIZATION: basic {place.token}"
        place.repository.git("-C", str(folder), "config", "http.https://github.com/.extraheader", header)


def setup_uv(place: Place, inputs: Inputs) -> None:
    file = place.workspace / inputs["version-file"]  # or of an action, which lies beside it
    if not file.is_file() or "uv==" not in file.read_text(encoding="utf-8"):
        raise ActionError(f"{file} names no version of uv")


def upload(place: Place, inputs: Inputs) -> None:
    """One file or one folder; nothing whose name begins with a dot is taken."""
    source = place.inside(inputs["path"])
    files = [source] if source.is_file() else sorted(source.rglob("*")) if source.is_dir() else []
    root = source.parent if source.is_file() else source
    included = [
        file
        for file in files
        if file.is_file() and not any(part.startswith(".") for part in file.relative_to(root).parts)
    ]
    if not included:
        if inputs.get("if-no-files-found", "warn") == "error":
            raise ActionError(f"No files were found with the provided path: {inputs['path']}")
        return
    if inputs["name"] in place.artifacts.archives:
        raise ActionError(f"Conflict: an artifact with this name already exists: {inputs['name']}")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in included:
            archive.write(file, file.relative_to(root).as_posix())
    place.artifacts.archives[inputs["name"]] = packed.getvalue()


def download(place: Place, inputs: Inputs) -> None:
    folder = place.inside(inputs.get("path", "."))
    if inputs["name"] not in place.artifacts.archives:
        raise ActionError(f"Unable to download artifact(s): Artifact not found for name: {inputs['name']}")
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(io.BytesIO(place.artifacts.archives[inputs["name"]])) as archive:
        archive.extractall(folder)


Action = Callable[[Place, Inputs], None]
ACTIONS: dict[str, tuple[Action, frozenset[str]]] = {
    "actions/checkout": (checkout, frozenset({"ref", "path", "persist-credentials"})),
    "actions/download-artifact": (download, frozenset({"name", "path"})),
    "actions/upload-artifact": (upload, frozenset({"name", "path", "if-no-files-found", "retention-days"})),
    "astral-sh/setup-uv": (setup_uv, frozenset({"version-file", "enable-cache"})),
}


def run_action(uses: str, place: Place, inputs: Inputs) -> None:
    """Raises ActionError; RejectedByGitHubError for an action or an input that is not known."""
    name = uses.split("@", maxsplit=1)[0]
    if name not in ACTIONS:
        raise RejectedByGitHubError(f"the action {name} is not known here")
    action, allowed_inputs = ACTIONS[name]
    if unknown := inputs.keys() - allowed_inputs:
        raise RejectedByGitHubError(f"{name}: unexpected inputs {sorted(unknown)}")
    action(place, inputs)
