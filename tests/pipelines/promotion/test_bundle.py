"""A bundle is checked before it is used: its digests, its signatures, its members, and that it is always the same.

Tests of pipelines/promotion/tar.py
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from obstore.store import MemoryStore

from lockgate import Evidence, Policy
from lockgate.gates.errors import AdmissionError, LockgateError, LogError
from lockgate.gates.lifecycle.actions import retract, revoke
from lockgate.gates.lifecycle.admission import admit
from lockgate.gates.lifecycle.commit import commit
from lockgate.gates.log import Keyring, Log, Signer
from lockgate.gates.log.signing import fingerprint, public_line
from lockgate.pipelines.data import UsedRows
from lockgate.pipelines.data.settings import FreshHoldout
from lockgate.pipelines.promotion import bundle, tar
from lockgate.pipelines.scoring.champion import load_bundled_champion
from lockgate.pipelines.settings.settings import compose

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
MODEL = b"a model's bytes"
POLICY = Policy.parse(
    {
        "if_no_champion": "absolute_only",
        "confidence": 0.95,
        "clusters": "if_present",
        "min_clusters": 10,
        "min_class_rows": 2,
        "serial_dependence": "if_ordered",
        "schedule": {"kind": "fixed", "looks": 20},
        "disclose": "all",
        "valid_for": "90d",
        "checks": {"auc": {"kind": "threshold", "metric": "auc", "min": 0.6, "decide": "point"}},
    }
)


def keys() -> tuple[Keyring, Signer]:
    private = Ed25519PrivateKey.generate()
    public = public_line(private.public_key())
    return Keyring.from_listed([("ci", "judge", public, None)], where="keys"), Signer(
        private, fingerprint(private.public_key())
    )


KEYRING, SIGNER = keys()


def make_promoted_log(
    *, project: str = "orders", keyring: Keyring | None = KEYRING, signer: Signer | None = SIGNER
) -> Log:
    log = Log(MemoryStore(), project=project, keyring=keyring, signer=signer)
    label = np.tile([0.0, 1.0], 20)
    actual = {"run": "EvaluateNewModel/1", "sha256": hashlib.sha256(MODEL).hexdigest(), "format": "xgboost-ubj"}
    evidence = Evidence.from_arrays(
        label=label, challenger=0.3 + label / 3, facts={"challenger": actual, "champion": None}
    )
    commit(POLICY, evidence, log, actor="ada", clock=lambda: NOON)
    return log


def files(log: Log, **options: Any) -> dict[str, bytes]:
    return bundle.build_bundle(log, admit(log, now=NOON), **({"model": MODEL, "features": {"a": 1}} | options))


@pytest.fixture(scope="module")
def whole() -> dict[str, bytes]:
    return files(make_promoted_log())


@pytest.fixture
def write_bundle(tmp_path: Path) -> Callable[..., Path]:
    def write(value: dict[str, bytes]) -> Path:
        file = tmp_path / "b.tar"
        file.write_bytes(tar.pack_tar(value))
        return file

    return write


def open_bundle(path: Path, *, project: str = "orders", keyring: Keyring = KEYRING) -> bundle.Bundle:
    return bundle.read_bundle(path, project=project, keyring=keyring)


def rewrite_manifest(value: dict[str, bytes], **changed: bytes) -> dict[str, bytes]:
    """With files changed, and a manifest that says so: what somebody could make who has no key."""
    value = value | {name.replace("_", "."): blob for name, blob in changed.items()}
    manifest = json.loads(value["manifest.json"])
    manifest["files"] = {
        name: {"sha256": hashlib.sha256(value[name]).hexdigest(), "bytes": len(value[name])}
        for name in manifest["files"]
    }
    return value | {"manifest.json": json.dumps(manifest).encode()}


def test_it_says_which_rows_are_fresh_no_longer(whole: Any, write_bundle: Any) -> None:
    """Only where fresh rows are held out; and whoever holds them out is not left to take all rows for fresh."""
    used = UsedRows(hashes=np.array([7, 2**63], np.uint64), largest=("2024-05",))
    contents = open_bundle(write_bundle(files(make_promoted_log(), used=used.to_plain())))
    assert UsedRows.parse(contents.used).to_plain() == used.to_plain()
    assert json.loads(whole["facts.json"]) == {"features": {"a": 1}}
    settings = compose().settings
    growing = settings.data.model_copy(update={"holdout": FreshHoldout(kind="fresh", share=0.5, by=None)})
    opened = open_bundle(write_bundle(whole))

    def load(*_: Any, **__: Any) -> Any:
        return None

    assert load_bundled_champion(opened, settings, load=load).used is None
    with pytest.raises(LockgateError, match="the bundle does not say which rows are fresh; expected one that was made"):
        load_bundled_champion(opened, settings.model_copy(update={"data": growing}), load=load)


def test_it_gives_back_the_champion_its_model_and_the_head(whole: Any, write_bundle: Any, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for name, blob in whole.items():
        (folder / name).write_bytes(blob)
    for path in (write_bundle(whole), folder):
        result = open_bundle(path)
        assert (result.model, result.features, result.head.seq) == (MODEL, {"a": 1}, 1)
        assert result.admitted.champion.run == "EvaluateNewModel/1"
        assert result.log.state() == result.head.state
        assert result.refusal(NOON) == ""
        assert "expired" in result.refusal(datetime(2025, 1, 1, tzinfo=UTC))


def test_the_same_head_gives_the_same_bytes_and_nothing_of_this_machine() -> None:
    log = make_promoted_log()
    first, second = tar.pack_tar(files(log)), tar.pack_tar(files(log))
    assert first == second
    with tarfile.open(fileobj=io.BytesIO(first)) as archive:
        members = archive.getmembers()
    assert [member.name for member in members] == sorted(bundle.MAX_FILE_BYTES)
    assert {(member.mtime, member.uid, member.gid, member.uname, member.mode) for member in members} == {
        (0, 0, 0, "", 0o644)
    }


def later(log: Log, signer: Signer | None, count: int) -> None:
    """More entries, by one key."""
    for _ in range(count):
        mine = Log(log.store, project=log.project, keyring=log.keyring, signer=signer)
        retract(mine, metric="brier", reason="other rows", actor="ada", clock=lambda: NOON)


@pytest.mark.parametrize("later_ones", [("judge", 1), ("judge", 3), ("approver", 1), ("approver", 4)])
def test_a_head_after_the_promotion_comes_along_with_what_it_is_held_against(
    write_bundle: Any, later_ones: Any
) -> None:
    who, count = later_ones
    private = Ed25519PrivateKey.generate()
    mine, theirs = public_line(SIGNER.private.public_key()), public_line(private.public_key())
    keyring = Keyring.from_listed([("ci", "judge", mine, None), ("ann", "approver", theirs, None)], where="keys")
    log = make_promoted_log(keyring=keyring)
    later(log, SIGNER, 2)
    later(log, {"judge": SIGNER, "approver": Signer(private, fingerprint(private.public_key()))}[who], count)
    value = files(log)
    lines = value["entries.jsonl"].split(b"\n")
    assert len(lines) == {"judge": 3, "approver": count + 2}[who]  # the promotion, and the head with its grounds
    result = open_bundle(write_bundle(value), keyring=keyring)
    assert (result.head.seq, result.admitted.champion.seq) == (3 + count, 1)
    assert result.log.state() == log.state()
    for index, message in (
        (0, "has no entry 1"),
        (-2, f"has no entry {2 + count}"),
        (-1, "another model or head|has no entry"),
    ):
        fewer = b"\n".join(lines[:index] + (lines[index + 1 :] if index != -1 else []))
        with pytest.raises(LockgateError, match=message) as caught:
            open_bundle(write_bundle(rewrite_manifest(value, entries_jsonl=fewer)), keyring=keyring)
        assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("count", [0, 1, 4])
def test_an_unsigned_log_has_the_entry_before_its_head(write_bundle: Any, count: int) -> None:
    log = make_promoted_log(keyring=None, signer=None)
    later(log, None, count)
    result = open_bundle(write_bundle(files(log)), keyring=Keyring())
    assert (result.head.seq, result.admitted.champion.seq) == (1 + count, 1)


def test_other_bytes_are_refused_whether_the_manifest_admits_them_or_not(whole: Any, write_bundle: Any) -> None:
    with pytest.raises(LockgateError, match="model in the bundle does not match its manifest"):
        open_bundle(write_bundle(whole | {"model": b"evil"}))
    with pytest.raises(AdmissionError, match="is not what was judged"):
        open_bundle(write_bundle(rewrite_manifest(whole, model=b"evil")))
    with pytest.raises(AdmissionError, match="is not what was judged"):
        files(make_promoted_log(), model=b"evil")


def test_another_format_is_refused_by_the_number_that_is_written(whole: Any, write_bundle: Any) -> None:
    manifest = json.loads(whole["manifest.json"])
    other = json.dumps(manifest | {"format": manifest["format"] + 1}).encode()
    with pytest.raises(LockgateError, match=f"manifest cannot be read: .*; expected format {manifest['format']} @"):
        open_bundle(write_bundle(whole | {"manifest.json": other}))


def test_only_keys_of_ones_own_configuration_count(whole: Any, write_bundle: Any) -> None:
    mallory, signer = keys()
    theirs = files(make_promoted_log(keyring=mallory, signer=signer))
    open_bundle(write_bundle(theirs), keyring=mallory)
    with pytest.raises(LogError, match="unknown key"):
        open_bundle(write_bundle(theirs))
    with pytest.raises(LogError, match="not signed"):
        open_bundle(write_bundle(files(make_promoted_log(keyring=None, signer=None))))
    assert open_bundle(write_bundle(whole), keyring=Keyring()).head.signature is not None


def test_an_entry_that_was_changed_is_refused(whole: Any, write_bundle: Any) -> None:
    changed = whole["entries.jsonl"].replace(b'"actor":"ada"', b'"actor":"eve"')
    assert changed != whole["entries.jsonl"]
    with pytest.raises(LogError, match="does not match the entry"):
        open_bundle(write_bundle(rewrite_manifest(whole, entries_jsonl=changed)))
    for twice in (changed, whole["entries.jsonl"]):
        with pytest.raises(LockgateError, match="entry 1 follows entry 1 in the bundle; expected each once"):
            open_bundle(write_bundle(rewrite_manifest(whole, entries_jsonl=whole["entries.jsonl"] + b"\n" + twice)))
    for none in (b"", b"{}", whole["entries.jsonl"] + b"\n"):
        with pytest.raises(LogError, match="not an entry of the promotion log"):
            open_bundle(write_bundle(rewrite_manifest(whole, entries_jsonl=none)))


def test_another_project_and_another_manifest_are_refused(whole: Any, write_bundle: Any) -> None:
    with pytest.raises(LockgateError, match="belongs to project 'orders'"):
        open_bundle(write_bundle(whole), project="flights")
    manifest = json.loads(whole["manifest.json"])
    for change, message in [
        ({"run": "EvaluateNewModel/2"}, "another model or head"),
        ({"project": "flights"}, "belongs to project 'flights'"),
        ({"format": 1}, "manifest cannot be read"),
        ({"files": {}}, "does not list its files"),
        ({"extra": 1}, "manifest cannot be read"),
    ]:
        with pytest.raises(LockgateError, match=message):
            open_bundle(write_bundle(whole | {"manifest.json": json.dumps(manifest | change).encode()}))
    twice = json.dumps(manifest)[:-1] + ', "project": "orders"}'
    with pytest.raises(LockgateError, match="manifest cannot be read: 'project' occurs twice"):
        open_bundle(write_bundle(whole | {"manifest.json": twice.encode()}))


def make_unpromoted_log(*, keyring: Keyring | None = KEYRING, signer: Signer | None = SIGNER) -> Log:
    """A log of one entry, which held the challenger."""
    log = Log(MemoryStore(), project="orders", keyring=keyring, signer=signer)
    label = np.tile([0.0, 1.0], 20)
    actual = {"run": "EvaluateNewModel/1", "sha256": hashlib.sha256(MODEL).hexdigest(), "format": "xgboost-ubj"}
    evidence = Evidence.from_arrays(label=label, challenger=1 - label, facts={"challenger": actual, "champion": None})
    commit(POLICY, evidence, log, actor="ada", clock=lambda: NOON)
    return log


def test_a_log_that_never_had_a_champion_is_shown_by_its_head(whole: Any, write_bundle: Any) -> None:
    log = make_unpromoted_log()
    value = bundle.build_bundle_without_champion(log, 1)
    result = open_bundle(write_bundle(value))
    assert (result.admitted, result.model, result.features, result.refusal(NOON)) == (None, b"", None, "")
    assert result.head.state == log.state()
    assert tar.pack_tar(value) == tar.pack_tar(bundle.build_bundle_without_champion(log, 1))
    with pytest.raises(LogError, match="not signed"):
        open_bundle(
            write_bundle(bundle.build_bundle_without_champion(make_unpromoted_log(keyring=None, signer=None), 1))
        )


def test_a_champion_cannot_be_left_out_of_a_bundle(whole: Any, write_bundle: Any) -> None:
    """By who has no key: the entries say that there is one, or was."""
    manifest = json.loads(whole["manifest.json"])
    none = {"manifest.json": json.dumps(manifest | {"run": None, "model_sha256": None}).encode()}
    with pytest.raises(LockgateError, match="names another model or head"):
        open_bundle(write_bundle(whole | none))
    with pytest.raises(AdmissionError, match="is not what was judged"):
        open_bundle(write_bundle(rewrite_manifest(whole | none, model=b"")))
    log = make_promoted_log()
    revoke(log, "EvaluateNewModel/1", reason="it leaks", actor="ada", clock=lambda: NOON)
    with pytest.raises(AdmissionError, match="no model reigns: the champion was revoked"):
        open_bundle(write_bundle(bundle.build_bundle_without_champion(log, 2)))
    value = bundle.build_bundle_without_champion(make_unpromoted_log(), 1)
    with pytest.raises(AdmissionError, match="no model has been promoted yet"):
        open_bundle(write_bundle(rewrite_manifest(value, model=MODEL)))
    manifest = json.loads(value["manifest.json"])
    with pytest.raises(AdmissionError, match="no model has been promoted yet"):
        open_bundle(
            write_bundle(value | {"manifest.json": json.dumps(manifest | {"run": "EvaluateNewModel/1"}).encode()})
        )


def odd(whole: dict[str, bytes], change: Callable[[tarfile.TarInfo], tarfile.TarInfo]) -> bytes:
    """The bundle, with one member that is not as it should be."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, blob in whole.items():
            member = tarfile.TarInfo(name)
            member.size = len(blob)
            member = change(member) if name == "keys.json" else member
            archive.addfile(member, io.BytesIO(blob) if member.isreg() else None)
    return out.getvalue()


def make_link(kind: bytes) -> Callable[[tarfile.TarInfo], tarfile.TarInfo]:
    def change(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.type, member.linkname, member.size = kind, "/etc/passwd", 0
        return member

    return change


def rename_member(name: str) -> Callable[[tarfile.TarInfo], tarfile.TarInfo]:
    def change(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.name = name
        return member

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (make_link(tarfile.SYMTYPE), "is not a plain file"),
        (make_link(tarfile.LNKTYPE), "is not a plain file"),
        (make_link(tarfile.DIRTYPE), "is not a plain file"),
        (make_link(tarfile.FIFOTYPE), "is not a plain file"),
        (make_link(tarfile.CHRTYPE), "is not a plain file"),
        (rename_member("../keys.json"), "the archive contains '../keys.json'"),
        (rename_member("/keys.json"), "the archive contains"),
        (rename_member("x" * 300), "the archive contains"),
        (rename_member("model"), "model is in the archive twice"),
    ],
)
def test_members_that_do_not_belong_are_refused(whole: Any, tmp_path: Path, change: Any, message: str) -> None:
    (tmp_path / "b.tar").write_bytes(odd(whole, change))
    with pytest.raises(LockgateError, match=message) as err:
        open_bundle(tmp_path / "b.tar")
    assert len(str(err.value).splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["b.tar"]


def test_sizes_are_looked_at_before_bytes_are_read(whole: Any, tmp_path: Path) -> None:
    blob = tar.pack_tar(whole)
    caps = dict.fromkeys(bundle.MAX_FILE_BYTES, 10)
    with pytest.raises(LockgateError, match="too large"):
        tar.unpack_tar(io.BytesIO(blob), caps=caps, size=len(blob), where="b")
    with pytest.raises(LockgateError, match="the archive is too large"):
        tar.unpack_tar(io.BytesIO(blob), caps=caps, size=10**6, where="b")


def test_names_without_an_end_are_no_crash(tmp_path: Path) -> None:
    """Each header says that the next one has the longer name."""
    member = tarfile.TarInfo("././@LongLink")
    member.type = tarfile.GNUTYPE_LONGNAME
    (tmp_path / "b.tar").write_bytes(member.tobuf(tarfile.GNU_FORMAT) * 3000)
    with pytest.raises(LockgateError, match="not a tar archive"):
        open_bundle(tmp_path / "b.tar")


@pytest.mark.parametrize("blob", [b"", b"garbage" * 200, b"\x1f\x8b\x08\0", b"\x80\x04\x88.", b"PK\x03\x04"])
def test_what_is_no_bundle_is_one_line(tmp_path: Path, blob: bytes) -> None:
    (tmp_path / "b.tar").write_bytes(blob)
    with pytest.raises(LockgateError) as err:
        open_bundle(tmp_path / "b.tar")
    assert len(str(err.value).splitlines()) == 1


def test_a_bundle_that_was_cut_is_refused(whole: Any, tmp_path: Path) -> None:
    blob = tar.pack_tar(whole)
    for length in range(0, len(blob) - 10240, 2048):
        (tmp_path / "b.tar").write_bytes(blob[:length])
        with pytest.raises(LockgateError):
            open_bundle(tmp_path / "b.tar")


def test_links_in_a_folder_are_not_followed(whole: Any, tmp_path: Path) -> None:
    for name, blob in whole.items():
        (tmp_path / name).write_bytes(blob)
    (tmp_path / "model").rename(tmp_path / "elsewhere")
    (tmp_path / "model").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(LockgateError, match="model is not in the bundle"):
        open_bundle(tmp_path)
    with pytest.raises(LockgateError, match="cannot read the bundle"):
        open_bundle(tmp_path / "nowhere.tar")
