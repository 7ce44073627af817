"""What a pull request's job hands to the judge: each candidate's evidence and model, as files in a folder.

| file | |
|---|---|
| `proposal.json` | the candidates: name, overrides, the run, and why one was not evaluated |
| `NAME.arrow` | the evidence of its run (`lockgate.gates.evidence.evidence`) |
| `NAME.model` | the bytes of its model |

The pull request's own code writes it, so the reader trusts nothing: sizes are limited, names are checked, and
everything in it is only a claim.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import rfc8785
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lockgate.gates.documents import parse_json
from lockgate.gates.errors import LockgateError
from lockgate.gates.evidence.evidence import MAX_EVIDENCE_BYTES, Evidence
from lockgate.pipelines.pull_requests.candidates import MAX_CANDIDATES, NAME_PATTERN

PROPOSAL_FILE = "proposal.json"
MAX_PROPOSED = MAX_CANDIDATES + 1
"""One more than the listed candidates: conf/ as it stands."""

MAX_PROPOSAL_BYTES = 1024**2
MAX_MODEL_BYTES = 2 * 1024**3
_RULES = ConfigDict(frozen=True, extra="forbid", strict=True)
_Line = Annotated[str, Field(max_length=2000)]


class ProposedCandidate(BaseModel):
    """One candidate: the run that evaluated it, or the reason why none did."""

    model_config = _RULES
    name: Annotated[str, Field(pattern=f"^{NAME_PATTERN.pattern}$")]
    overrides: Annotated[tuple[_Line, ...], Field(strict=False, max_length=64)]
    run: _Line | None
    error: _Line


class Proposal(BaseModel):
    """conf/ as it stands, and all candidates of a pull request, in its order."""

    model_config = _RULES
    format: Literal[1] = 1
    candidates: Annotated[tuple[ProposedCandidate, ...], Field(strict=False, min_length=1, max_length=MAX_PROPOSED)]

    def to_bytes(self) -> bytes:
        """Canonical JSON."""
        return rfc8785.dumps(self.model_dump(mode="json"))


def read_proposal(folder: Path) -> Proposal:
    """The candidates in a folder. Raises LockgateError for anything `lockgate propose` would not write."""
    blob = _read_capped(folder, PROPOSAL_FILE, MAX_PROPOSAL_BYTES)
    try:
        parse_json(blob)
        proposal = Proposal.model_validate_json(blob)
    except (ValueError, RecursionError) as err:  # pydantic's is a ValueError
        first = err.errors(include_url=False)[0] if isinstance(err, ValidationError) else None
        raise LockgateError(
            f"the proposal cannot be read: {(first['msg'] if first else str(err))[:200]}",
            expected="what `lockgate propose` writes",
            where=(".".join(map(str, first["loc"])) if first else "")[:120] or PROPOSAL_FILE,
        ) from err
    names = [candidate.name for candidate in proposal.candidates]
    if len(set(names)) < len(names):
        raise LockgateError("a candidate is in the proposal twice", expected="each name once", where=PROPOSAL_FILE)
    return proposal


def read_evidence(folder: Path, name: str) -> Evidence:
    """What the run of a candidate claims. Raises LockgateError."""
    return Evidence.from_bytes(_read_capped(folder, f"{name}.arrow", MAX_EVIDENCE_BYTES), where=f"{name}.arrow")


def read_model(folder: Path, name: str) -> bytes:
    """The bytes of a candidate's model, unread. Raises LockgateError."""
    return _read_capped(folder, f"{name}.model", MAX_MODEL_BYTES)


def _read_capped(folder: Path, name: str, cap: int) -> bytes:
    """A plain file of the folder."""
    file = folder / name
    try:
        if folder.is_symlink() or file.is_symlink() or not file.is_file():
            raise LockgateError(f"there is no file {name}", expected="what `lockgate propose` writes", where=name)
        with file.open("rb") as stream:
            blob = stream.read(cap + 1)
    except OSError as err:
        raise LockgateError(f"cannot read: {err.strerror}", where=name) from err
    if len(blob) > cap:
        raise LockgateError("the file is too large", expected=f"at most {cap:,} bytes", where=name)
    return blob
