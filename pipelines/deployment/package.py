"""Metaflow's code package, rebuilt so that the same code gives the same bytes on every machine."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lockgate.gates import runs
from lockgate.gates.errors import DeployError
from lockgate.pipelines.deployment.normal import drop_machine_info

_INFO, _DISTRIBUTIONS, _FILES = ".mf_meta/INFO", ".mf_meta/DIST_INFO", ".mf_install"
_SHA1_DIGITS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class MovedPackage:
    """A package and its replacement, as addresses in Metaflow's datastore."""

    old: str
    new: str

    def rename_package(self, text: str) -> str:
        """Replace the old package's address, key and digest in a text by the new one's."""
        old, new = self.old.split("/")[-2:], self.new.split("/")[-2:]
        return text.replace("/".join(old), "/".join(new)).replace(old[1], new[1])


def store_reproducible(address: str) -> MovedPackage:
    """Store the package at `address` once more, in its reproducible form.

    Raises DeployError if the datastore cannot be read or written.
    """
    import obstore
    from obstore.exceptions import BaseError

    folder, _, name = address.rpartition("/")
    root = folder.rpartition("/")[0]
    if len(name) != _SHA1_DIGITS:
        raise DeployError("the address of the code package is not as Metaflow writes it", where=address)
    try:
        store = runs.open_object_store("", root=root, error_type=DeployError)
        tar = make_reproducible(bytes(obstore.get(store, f"{name[:2]}/{name}").bytes()))
        # Metaflow takes the SHA-1 of the compressed bytes, which differ from one zlib to the next
        new = hashlib.sha1(tar, usedforsecurity=False).hexdigest()
        obstore.put(store, f"{new[:2]}/{new}", gzip.compress(tar, mtime=0))
    except (BaseError, OSError, tarfile.TarError) as err:
        raise DeployError(
            f"the code package cannot be stored: {str(err).splitlines()[0][:200]}", where=address
        ) from err
    return MovedPackage(old=address, new=f"{root}/{new[:2]}/{new}")


def make_reproducible(blob: bytes) -> bytes:
    """A package as a plain tar: files sorted by name, without owner, time, and details of the machine."""
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(blob))) as old:
        files = {member.name: (member, old.extractfile(member)) for member in old.getmembers() if member.isfile()}
        contents = {name: (member.mode, b"" if file is None else file.read()) for name, (member, file) in files.items()}
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as new:
        for name, (mode, content) in sorted(contents.items()):
            written = (
                json.dumps(_NORMALIZERS[name](json.loads(content)), sort_keys=True).encode()
                if name in _NORMALIZERS
                else content
            )
            info = tarfile.TarInfo(name)
            info.size, info.mtime, info.mode = len(written), 0, 0o755 if mode & 0o100 else 0o644
            new.addfile(info, io.BytesIO(written))
    return out.getvalue()


def _keep_headers(distributions: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """Keep name, version and requirements of each distribution; drop its README and the paths of this machine."""
    return {
        name: {"METADATA": distribution["METADATA"].partition("\n\n")[0] + "\n"}
        for name, distribution in distributions.items()
    }


def _sort_modules(info: dict[str, Any]) -> dict[str, Any]:
    return info | {"module_files": sorted(info.get("module_files", ()))}


_NORMALIZERS: Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    _INFO: drop_machine_info,
    _DISTRIBUTIONS: _keep_headers,
    _FILES: _sort_modules,
}
"""Metaflow's own files in a package, each with a function that keeps what does not depend on the machine."""
