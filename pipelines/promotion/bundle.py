"""The champion and the head of its log in one file, for jobs that can read neither: pull requests, other machines.

If the log has entries but never had a champion, the bundle holds the head alone, which shows that: no model, no run.

| file | |
|---|---|
| `manifest.json` | what this is, and the SHA-256 and size of every other file |
| `model` | the champion's bytes, as they were judged; empty if there never was a champion |
| `facts.json` | `features`: what the champion's run recorded about its training columns, or null; `used`, where fresh |
|              | rows are held out: which rows are fresh no longer |
| `entries.jsonl` | entries of the promotion log, a line each, byte for byte: the head, entries before it to check by |
|                 | (`Log.load_head_chain`), and the entry that promoted the champion |
| `keys.json` | the public keys that the log's platform trusts: for information, as whoever makes a bundle writes them |

A reader trusts the signatures of the entries, by the keys in the reader's own conf/platform: they bind the digest of
the model. `facts.json` is bound by the manifest alone, so gates that read it (`drift` against the champion) and the
choice of fresh rows are only as trustworthy as whoever made the bundle.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import rfc8785
from obstore.store import MemoryStore
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lockgate.gates.documents import parse_json
from lockgate.gates.durations import MAX_CLOCK_SKEW, shift_time
from lockgate.gates.errors import LockgateError
from lockgate.gates.lifecycle import admission
from lockgate.gates.log import Keyring, Log, LogEntry
from lockgate.gates.log.entry import entry_path
from lockgate.gates.log.signing import public_line
from lockgate.gates.records.state import Champion
from lockgate.pipelines.promotion import tar
from lockgate.pipelines.promotion.log import build_keyring
from lockgate.pipelines.settings.governance import Governance

MIB = 1024**2
MAX_FILE_BYTES = {
    "manifest.json": MIB,
    "model": 2048 * MIB,
    "facts.json": 64 * MIB,
    "entries.jsonl": 512 * MIB,
    "keys.json": MIB,
}
"""The files of a bundle, and the most bytes that each may have."""

_RULES = ConfigDict(frozen=True, extra="forbid")


class FileDigest(BaseModel):
    """Digest and size of a file, as the manifest lists them."""

    model_config = _RULES
    sha256: str
    bytes: Annotated[int, Field(ge=0)]


class Manifest(BaseModel):
    """What a bundle is about, and which files it has."""

    model_config = _RULES
    format: Literal[2] = 2
    project: str
    log_id: str
    seq: int  # of the head
    run: str | None  # of the champion; None where there never was one
    model_sha256: str | None
    files: Mapping[str, FileDigest]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A bundle whose digests and signatures were checked."""

    log: Log  # of the bundle's entries only; for reading
    head: LogEntry
    admitted: admission.Admission | None  # None where the log never had a champion
    model: bytes
    features: Any
    used: Any  # None unless fresh rows are held out

    def refusal(self, now: datetime) -> str:
        """Why the champion may not be served at `now`, as far as the bundle shows; empty where it may."""
        if self.admitted is None:
            return ""
        return self.admitted.champion.refusal(shift_time(now, -MAX_CLOCK_SKEW), revoked=self.head.state.revoked)


def build_bundle(
    log: Log, admitted: admission.Admission, *, model: bytes, features: Any, used: Any = None
) -> dict[str, bytes]:
    """The files of a bundle for the admitted champion, by name. The same head of the log gives the same bytes.

    features, used: as in `facts.json`.

    Raises AdmissionError if `model` is not what was judged, LockgateError if a file is too large to be read back.
    """
    champion = admitted.champion
    facts = {"features": features} if used is None else {"features": features, "used": used}
    files = {"model": admitted.check(model), "facts.json": rfc8785.dumps(facts)}
    return _add_manifest(log, admitted.head.seq, files, champion=champion)


def build_bundle_without_champion(log: Log, seq: int) -> dict[str, bytes]:
    """As `build_bundle`, for a log that never had a champion and whose head is entry `seq`."""
    return _add_manifest(log, seq, {"model": b"", "facts.json": rfc8785.dumps({"features": None})}, champion=None)


def _add_manifest(log: Log, seq: int, files: Mapping[str, bytes], *, champion: Champion | None) -> dict[str, bytes]:
    """These files together with the entries that vouch for them, the keys and a manifest."""
    head, *before = log.load_head_chain(seq)
    promotion = [log.entry(champion.seq)] if champion else []
    entries = {entry.seq: entry.to_bytes() for entry in (head, *before, *promotion)}
    keys = [
        {"name": key.name, "role": key.role, "key": public_line(key.public), "last_entry": key.last}
        for key in sorted(log.keyring.keys.values(), key=lambda key: key.name)
    ]
    files = {
        **files,
        "entries.jsonl": b"\n".join(entries[seq] for seq in sorted(entries)),
        "keys.json": rfc8785.dumps(keys),
    }
    manifest = Manifest(
        project=log.project,
        log_id=head.log_id,
        seq=head.seq,
        run=champion and str(champion.run),
        model_sha256=champion and str(champion.sha256),
        files={name: _digest_file(blob) for name, blob in files.items()},
    )
    files = {"manifest.json": rfc8785.dumps(manifest.model_dump(mode="json")), **files}
    for name, blob in files.items():
        if len(blob) > MAX_FILE_BYTES[name]:
            raise LockgateError(
                f"{name} of the bundle would have {len(blob):,} bytes",
                expected=f"at most {MAX_FILE_BYTES[name]:,}, the most that can be read back",
                where=f"entry {head.seq}",
                hint="nothing was written; pull requests are judged without a champion until it is smaller",
            )
    return files


def read_bundle(path: Path, *, project: str, keyring: Keyring) -> Bundle:
    """The bundle in a tar file or a folder. All of it is checked before any of it is used.

    Raises:
        LockgateError: a file is missing, is a link, or has another size or digest; the bundle is another project's.
        LogError, AdmissionError: the entries are not signed by a key of `keyring` (if the log is signed) or do not
            promote this model, or the bundle leaves out a champion that its entries name.
    """
    files = _read_files(path)
    where = str(path)
    manifest = _parse_manifest(files, where)
    for name, listed in manifest.files.items():
        if _digest_file(files[name]) != listed:
            raise LockgateError(
                f"{name} in the bundle does not match its manifest",
                expected=f"SHA-256 {listed.sha256[:64]}",
                where=where,
                hint="it was changed or cut off on the way; make it again",
            )
    if manifest.project != project:
        raise LockgateError(
            f"the bundle belongs to project {manifest.project[:64]!r}", expected=f"project {project!r}", where=where
        )
    log, head = _build_log(files, project=project, keyring=keyring, where=where)
    admitted = None
    if manifest.run is not None or files["model"] or not head.state.never_promoted:
        admitted = admission.admit(log, now=head.time)
        admitted.check(files["model"])
    champion = admitted and admitted.champion
    identity = (head.log_id, head.seq, champion and str(champion.run), champion and str(champion.sha256))
    if (manifest.log_id, manifest.seq, manifest.run, manifest.model_sha256) != identity:
        raise LockgateError(
            "the manifest names another model or head than the bundle's entries",
            expected=f"{identity[2] or 'no champion'}, entry {identity[1]}",
            where=where,
        )
    facts = _parse_facts(files, where)
    return Bundle(
        log=log,
        head=head,
        admitted=admitted,
        model=files["model"],
        features=facts.get("features"),
        used=facts.get("used"),
    )


def read_trusted_bundle(path: Path, settings: Governance) -> Bundle:
    """The bundle at `path` for this project, checked by the keys of conf/platform. Raises as `read_bundle`."""
    return read_bundle(path, project=settings.project, keyring=build_keyring(settings.keys))


def _read_files(path: Path) -> dict[str, bytes]:
    where = str(path)
    try:
        if path.is_dir():
            files = {}
            for name, cap in MAX_FILE_BYTES.items():
                file = path / name
                if file.is_symlink() or not file.is_file():
                    raise LockgateError(f"{name} is not in the bundle", expected=", ".join(MAX_FILE_BYTES), where=where)
                if file.stat().st_size > cap:
                    raise LockgateError(f"{name} is too large", expected=f"at most {cap:,} bytes", where=where)
                files[name] = file.read_bytes()
            return files
        with path.open("rb") as archive:
            files = tar.unpack_tar(archive, caps=MAX_FILE_BYTES, size=path.stat().st_size, where=where)
    except OSError as err:
        raise LockgateError(
            f"cannot read the bundle: {err.strerror}", expected="what `lockgate bundle` writes", where=where
        ) from err
    if missing := [name for name in MAX_FILE_BYTES if name not in files]:
        raise LockgateError(f"{missing[0]} is not in the bundle", expected=", ".join(MAX_FILE_BYTES), where=where)
    return files


def _parse_manifest(files: Mapping[str, bytes], where: str) -> Manifest:
    try:
        parse_json(files["manifest.json"])
        manifest = Manifest.model_validate_json(files["manifest.json"])
    except (ValueError, RecursionError) as err:  # pydantic's ValidationError is a ValueError
        problem = err.errors(include_url=False)[0]["msg"] if isinstance(err, ValidationError) else str(err)
        raise LockgateError(
            f"the bundle's manifest cannot be read: {problem[:200]}",
            expected=f"format {Manifest.model_fields['format'].default}",
            where=where,
            hint="it was made by another version of lockgate, or by hand",
        ) from err
    if set(manifest.files) != MAX_FILE_BYTES.keys() - {"manifest.json"}:
        raise LockgateError(
            "the bundle's manifest does not list its files", expected=", ".join(MAX_FILE_BYTES), where=where
        )
    return manifest


def _build_log(files: Mapping[str, bytes], *, project: str, keyring: Keyring, where: str) -> tuple[Log, LogEntry]:
    """A log of the bundle's entries alone. Reading it checks numbers, signatures and states, as of any log."""
    store, seqs = MemoryStore(), [0]
    for number, blob in enumerate(files["entries.jsonl"].split(b"\n"), start=1):
        entry = LogEntry.from_bytes(blob, where=f"{where} entries.jsonl, line {number}")
        if entry.seq <= seqs[-1]:
            raise LockgateError(
                f"entry {entry.seq} follows entry {seqs[-1]} in the bundle", expected="each once, in order", where=where
            )
        store.put(entry_path(entry.seq), blob)
        seqs.append(entry.seq)
    store.put("head.json", json.dumps({"seq": seqs[-1]}).encode())
    log = Log(store, project=project, keyring=keyring)
    return log, log.load_head_chain(seqs[-1])[0]


def _parse_facts(files: Mapping[str, bytes], where: str) -> dict[str, Any]:
    try:
        facts = parse_json(files["facts.json"])
    except (ValueError, RecursionError) as err:
        raise LockgateError("the bundle's facts are not JSON", expected="a JSON object", where=where) from err
    return facts if isinstance(facts, dict) else {}


def _digest_file(blob: bytes) -> FileDigest:
    return FileDigest(sha256=hashlib.sha256(blob).hexdigest(), bytes=len(blob))
