"""A version of a repository as files in memory: a git revision, or a directory that holds a checkout.

Of this repository, and of others like it, these are conf/ and the code that judges. Of a repository with a
`lockgate.yaml` they are that file and the policy that it names.

Nothing in it is run or trusted: a revision is read as git objects (no checkout, so no hooks and no filters; no
network), a directory without following links, and both within size limits.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import re
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from lockgate.gates.documents import parse_yaml
from lockgate.gates.errors import LockgateError, PolicyError, SettingsError, printable
from lockgate.pipelines.pull_requests.git import ask_git
from lockgate.pipelines.settings.scope import PROJECT_FILE, is_conf, two_configurations_error

MAX_FILES = 2000
MAX_FILE_BYTES = 2 * 2**20  # of one file
MAX_TOTAL_BYTES = 32 * 2**20
MAX_NAME_LENGTH = 200

CONF = "conf"
JUDGING = ("gates", "lockgate", "pipelines")
"""Code that splits, scores, measures, judges and reports, and everything imported in a process with the judge's key."""

LINKS = {"lockgate/gates": "../gates", "lockgate/pipelines": "../pipelines"}
"""The only links that a version may contain: they make both folders importable as `lockgate`."""

_LISTED = re.compile(rb"(\d{6}) (\w+) ([0-9a-f]{40,64}) +(-|\d+)\t(.+)", re.DOTALL)
_REGULAR = ("100644", "100755")
_LINK = "120000"


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryVersion:
    """The configuration of a version, and with conf/ the code that judges: files of conf/ and JUDGING, by path."""

    name: str
    files: Mapping[str, bytes]
    sha256: Callable[[str], str | None]  # of any file, by its path; None if it is not a regular file
    list_files: Callable[[str], Sequence[str]]  # the paths of everything below a folder; none if it is no folder

    def table_sha256(self, path: str) -> str | None:
        """The digest of a table: of a file, or of the names and digests of the files in a folder; None for neither."""
        names = sorted(self.list_files(path.rstrip("/")))
        if not names:
            return self.sha256(path)
        lines = [f"{name}\0{self.sha256(name)}\n" for name in names]
        return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()

    @property
    def conf(self) -> dict[str, bytes]:
        return {path: content for path, content in self.files.items() if path.startswith(f"{CONF}/")}

    @property
    def has_project_file(self) -> bool:
        return PROJECT_FILE in self.files

    @property
    def code(self) -> dict[str, bytes]:
        return {path: content for path, content in self.files.items() if not path.startswith(f"{CONF}/")}


def load_version(text: str, *, repository: Path) -> RepositoryVersion:
    """The version that `text` names: a directory if it contains a `/` and is one, else a revision of `repository`.

    So `main` is always the revision, and `./main` the directory.

    Raises:
        SettingsError: it does not exist, has no configuration or two, or holds special files, too much data, or too
            many files.
    """
    shown_name = printable(text)[:80]
    if not text or len(text) > MAX_NAME_LENGTH or not text.isprintable():
        raise SettingsError(
            f"{shown_name!r} is not a version",
            expected=f"a git revision, or a directory with conf/ or {PROJECT_FILE}",
        )
    if "/" in text and Path(text).is_dir():
        return load_folder(Path(text), name=shown_name)
    return _load_revision(text, shown_name, repository)


def load_folder(root: Path, *, name: str) -> RepositoryVersion:
    """The checkout in a directory, without `__pycache__`."""
    if os.path.lexists(root / PROJECT_FILE):
        if is_conf(root / CONF):
            raise two_configurations_error(name)
        return _take_project_file(name, partial(_read_in_folder, root, name), partial(_sha256_in_folder, root))
    files: dict[str, bytes] = {}
    bytes_left = MAX_TOTAL_BYTES
    for path in _walk(root, (CONF, *JUDGING), name):
        _check_number(len(files) + 1, name)
        if path in LINKS:
            files[path] = LINKS[path].encode()
            continue
        files[path] = _read_bytes(root / path, f"{name}: {path}", max_bytes=min(MAX_FILE_BYTES, bytes_left))
        bytes_left -= len(files[path])
    return _require_conf(
        RepositoryVersion(
            name=name,
            files=files,
            sha256=partial(_sha256_in_folder, root),
            list_files=partial(_list_files_in_folder, root),
        )
    )


def _take_project_file(
    name: str, read: Callable[[str], bytes | None], sha256: Callable[[str], str | None]
) -> RepositoryVersion:
    """A version by its `lockgate.yaml` and the policy that this names. Raises SettingsError.

    read: the bytes of a regular file by its path; None if there is none.
    """
    files = {PROJECT_FILE: _require_file(read, PROJECT_FILE, name)}
    content = parse_yaml(files[PROJECT_FILE], where=f"{name}: {PROJECT_FILE}")
    policy = content.get("policy") if isinstance(content, dict) else None
    if isinstance(policy, str):
        path = posixpath.normpath(policy)
        files[path] = _require_file(read, path, name)
    return RepositoryVersion(name=name, files=files, sha256=sha256, list_files=lambda _: ())  # it has no table


def _require_file(read: Callable[[str], bytes | None], path: str, name: str) -> bytes:
    content = read(path) if _is_inside(path) else None
    if content is None:
        raise SettingsError(
            "there is no such file", expected="a regular file", where=f"{name}: {printable(path)[:200]}"
        )
    return content


def _read_in_folder(root: Path, name: str, path: str) -> bytes | None:
    """A file below `root`; None without one. Links on the way are not followed."""
    if (root / path).resolve() != root.resolve() / path or not (root / path).is_file():
        return None
    return _read_bytes(root / path, f"{name}: {path}", max_bytes=MAX_FILE_BYTES)


def _walk(root: Path, starts: Sequence[str], name: str) -> Iterator[str]:
    """Paths of files below the starts. Symbolic links are refused, except those of LINKS with the right target."""
    waiting, count = list(starts), 0
    for folder in {start.partition("/")[0] for start in starts}:
        if (root / folder).is_symlink():
            raise _no_file(name, folder)
    while waiting:
        path = waiting.pop()
        if Path(path).name == "__pycache__":
            continue
        try:
            mode = (root / path).lstat().st_mode
            if path in LINKS:
                _check_link(name, path, str((root / path).readlink()) if stat.S_ISLNK(mode) else None)
                yield path
                continue
            if stat.S_ISDIR(mode):
                inside = [child.name for child in (root / path).iterdir()]
                count += len(inside)
                _check_number(count, name)
                waiting += [f"{path}/{child}" for child in inside]
                continue
        except FileNotFoundError:
            continue
        except OSError as err:
            raise SettingsError(f"cannot read: {err.strerror}", where=f"{name}: {printable(path)[:200]}") from err
        if not stat.S_ISREG(mode):
            raise _no_file(name, path)
        yield path


def load_conf(conf: Path, *, name: str) -> dict[str, bytes]:
    """The files of a directory that replaces conf/, by the paths they would have there."""
    files = {f"{CONF}/{path.relative_to(conf).as_posix()}": path for path in sorted(conf.rglob("*.yaml"))}
    return {path: _read_bytes(file, f"{name}: {path}", max_bytes=MAX_FILE_BYTES) for path, file in files.items()}


def _read_bytes(file: Path, where: str, *, max_bytes: int) -> bytes:
    try:
        with open(os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as stream:  # noqa: PTH123
            content = stream.read(max_bytes + 1)
    except OSError as err:
        raise SettingsError(f"cannot read: {err.strerror}", where=printable(where)[:200]) from err
    if len(content) > max_bytes:
        raise _too_large(where)
    return content


def _load_revision(text: str, name: str, repository: Path) -> RepositoryVersion:
    if shutil.which("git") is None:
        raise SettingsError("git is not installed", expected="git in PATH, to read a revision")
    commit = ask_git(repository, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{text}^{{commit}}")
    if commit is None:
        raise SettingsError(
            f"{name!r} is not a revision of {repository}",
            expected="a branch, a tag or a commit that was fetched",
            hint="write a directory with a /, as in ./other",
        )
    sha = _find_tree(repository, commit.decode().strip())
    find_sha256 = partial(_sha256_in_revision, repository, sha)
    if _list_in_revision(repository, sha, PROJECT_FILE):
        if all(_list_in_revision(repository, sha, path) for path in (f"{CONF}/config.yaml", f"{CONF}/gate")):
            raise two_configurations_error(name)
        return _take_project_file(name, partial(_read_small_file, repository, sha, name), find_sha256)
    listed = ask_git(repository, "ls-tree", "-r", "-z", "-l", "--full-tree", sha, "--", CONF, *JUDGING)
    if listed is None:
        raise SettingsError("git cannot list the files", where=name)
    objects = dict(_parse_entries(listed, name))
    batch = ask_git(
        repository, "cat-file", "--batch", "--buffer", fed="".join(f"{blob}\n" for blob in objects.values())
    )
    if batch is None:
        raise SettingsError("git cannot read the files", where=name)
    files = dict(zip(objects, _split_blobs(batch, len(objects), name), strict=True))
    for path in LINKS.keys() & files.keys():
        _check_link(name, path, files[path].decode("utf-8", "replace"))
    return _require_conf(
        RepositoryVersion(
            name=name,
            files=files,
            sha256=find_sha256,
            list_files=partial(_list_files_in_revision, repository, sha),
        )
    )


def _find_tree(repository: Path, commit: str) -> str:
    """The tree of the project's folder in a commit: the whole one, unless the project is in a folder of its own."""
    prefix = (ask_git(repository, "rev-parse", "--show-prefix") or b"").decode("utf-8", "surrogateescape").strip("/\n")
    return f"{commit}:{prefix}" if prefix else commit


def _parse_entries(listed: bytes, name: str) -> Iterator[tuple[str, str]]:
    """Path and object id of every file. Raises SettingsError if there are too many, or one is too large."""
    bytes_left, number = MAX_TOTAL_BYTES, 0
    for line in filter(None, listed.split(b"\0")):
        match = _LISTED.fullmatch(line)
        if match is None:
            raise SettingsError("git cannot list the files", where=name)
        mode, _, blob, size, raw = match.groups()
        path = raw.decode("utf-8", "surrogateescape")
        if link := next((link for link in LINKS if path == link or path.startswith(f"{link}/")), None):
            if mode.decode() != _LINK:
                _check_link(name, link, None)
        elif mode.decode() not in _REGULAR:
            raise _no_file(name, path)
        number, bytes_left = number + 1, bytes_left - int(size)
        _check_number(number, name)
        if int(size) > MAX_FILE_BYTES or bytes_left < 0:
            raise _too_large(f"{name}: {path}")
        yield path, blob.decode()


def _split_blobs(batch: bytes, number: int, name: str) -> Iterator[bytes]:
    """Split the output of `cat-file --batch`: a line that ends with a size, that many bytes, and a newline."""
    position = 0
    for _ in range(number):
        end = batch.find(b"\n", position)
        words = batch[position:end].split()
        if end < 0 or len(words) != 3 or words[1] != b"blob":
            raise SettingsError("an object is missing", expected="a revision that was fetched whole", where=name)
        position = end + 1 + int(words[2])
        yield batch[end + 1 : position]
        position += 1


def _sha256_in_folder(root: Path, path: str) -> str | None:
    """Digest of a file below `root`. Links on the way are not followed."""
    file = root / path
    try:
        if not _is_inside(path) or file.resolve() != root.resolve() / path:
            return None
        with open(os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as stream:  # noqa: PTH123
            regular = stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
            return hashlib.file_digest(stream, "sha256").hexdigest() if regular else None
    except (OSError, ValueError):
        return None


def _sha256_in_revision(repository: Path, tree: str, path: str) -> str | None:
    blob = _read_in_revision(repository, tree, path)
    return None if blob is None else hashlib.sha256(blob).hexdigest()


def _read_in_revision(repository: Path, tree: str, path: str) -> bytes | None:
    """A regular file of a tree; None if there is none."""
    match = _LISTED.fullmatch(_list_in_revision(repository, tree, path))
    if match is None or match[1].decode() not in _REGULAR:
        return None
    return ask_git(repository, "cat-file", "blob", match[3].decode())


def _read_small_file(repository: Path, tree: str, name: str, path: str) -> bytes | None:
    """As `_read_in_revision`. Raises SettingsError if the file is too large."""
    match = _LISTED.fullmatch(_list_in_revision(repository, tree, path))
    if match is not None and match[4] != b"-" and int(match[4]) > MAX_FILE_BYTES:
        raise _too_large(f"{name}: {path}")
    return _read_in_revision(repository, tree, path)


def _list_in_revision(repository: Path, tree: str, path: str) -> bytes:
    """How git lists a file or a folder of a tree; empty if there is none."""
    listed = ask_git(repository, "ls-tree", "-z", "-l", "--full-tree", tree, "--", path) if _is_inside(path) else None
    return (listed or b"").rstrip(b"\0")


def _list_files_in_folder(root: Path, path: str) -> Sequence[str]:
    """The paths of the files below a folder of `root`. Links are listed, and not followed."""
    folder = root / path
    if not _is_inside(path) or folder.resolve() != root.resolve() / path or not folder.is_dir():
        return ()
    return [file.relative_to(root).as_posix() for file in folder.rglob("*") if file.is_symlink() or not file.is_dir()]


def _list_files_in_revision(repository: Path, tree: str, path: str) -> Sequence[str]:
    if not _is_inside(path):
        return ()
    listed = ask_git(repository, "ls-tree", "-r", "-z", "--name-only", "--full-tree", tree, "--", f"{path}/")
    return [name.decode("utf-8", "surrogateescape") for name in (listed or b"").split(b"\0") if name]


def _is_inside(path: str) -> bool:
    return path.isprintable() and not path.startswith("/") and not {"", ".", ".."} & {*path.split("/")}


def _require_conf(version: RepositoryVersion) -> RepositoryVersion:
    if not version.conf:
        raise SettingsError("no configuration", expected=f"a directory conf/, or {PROJECT_FILE}", where=version.name)
    return version


@contextmanager
def locate_errors(version: RepositoryVersion, file: str, copy: Path) -> Iterator[None]:
    """Make errors name the version and the file instead of `copy`, the temporary folder that holds it."""
    where = f"{version.name}: {file}"
    try:
        yield
    except PolicyError as err:
        raise PolicyError([line.replace(" @ ", f" @ {where}: ") for line in err.problems]) from err
    except LockgateError as err:
        inside = err.where.replace(str(copy), "").strip("/")
        raise SettingsError(
            err.problem.replace(str(copy), copy.name),
            expected=err.expected,
            hint=err.hint,
            where=f"{where}: {inside}" if inside and inside != file else where,
        ) from err


def _check_link(name: str, path: str, target: str | None) -> None:
    """Refuse a link that leads elsewhere, or no link: other code would be imported under this name."""
    if target != LINKS[path]:
        problem = "it is not a link" if target is None else f"the link leads to {printable(target)[:80]!r}"
        raise SettingsError(
            problem,
            expected=f"a link to {LINKS[path]}",
            where=f"{name}: {path}",
            hint="what is imported as lockgate would not be what was reviewed",
        )


def _check_number(number: int, name: str) -> None:
    if number > MAX_FILES:
        raise SettingsError("too many files", expected=f"at most {MAX_FILES:,}", where=name)


def _too_large(where: str) -> SettingsError:
    expected = f"at most {MAX_FILE_BYTES:,} bytes, and {MAX_TOTAL_BYTES:,} in all files together"
    return SettingsError("a file is too large", expected=expected, where=printable(where)[:200])


def _no_file(name: str, path: str) -> SettingsError:
    return SettingsError(
        "it is a symbolic link or another special file",
        expected="regular files",
        where=f"{name}: {printable(path)[:200]}",
    )
