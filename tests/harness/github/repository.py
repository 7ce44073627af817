"""A git repository as GitHub keeps it: branches, the refs of pull requests, and their trial merges."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

Change = str | bytes | None
"""A file's new content; None takes it away."""


class ConflictError(Exception):
    """The two sides cannot be merged."""


@dataclass(frozen=True, slots=True)
class Repository:
    """A bare repository."""

    store: Path

    @classmethod
    def of(cls, source: Path, store: Path) -> Repository:
        """One commit on main, with the files that git knows, or would take, in `source` as they are now."""
        repository = cls(store)
        subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", str(store)], check=True)
        repository.git("config", "uploadpack.allowAnySHA1InWant", "true")
        with repository._index() as env:
            listed = repository.git("-C", str(source), "ls-files", "-z", "--cached", "--others", "--exclude-standard")
            names = "\0".join(
                name
                for name in listed.split("\0")
                if name and ((source / name).is_file() or (source / name).is_symlink())
            )
            repository.git(f"--work-tree={source}", "update-index", "-z", "--add", "--stdin", env=env, stdin=names)
            repository._commit_tree(
                repository.git("write-tree", env=env), (), "The project", "maintainer", branch="main"
            )
        return repository

    def git(
        self, *words: str, env: Mapping[str, str] | None = None, stdin: str | bytes = b"", check: bool = True
    ) -> str:
        stdin_bytes = stdin.encode() if isinstance(stdin, str) else stdin
        command = ["git", *([] if words[0] == "-C" else [f"--git-dir={self.store}"]), *words]
        clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        process = subprocess.run(
            command, input=stdin_bytes, env={**clean, **(env or {})}, capture_output=True, check=False
        )
        if check and process.returncode:
            raise subprocess.CalledProcessError(process.returncode, command, process.stdout, process.stderr)
        return process.stdout.decode().rstrip("\n")

    def sha(self, ref: str) -> str:
        return self.git("rev-parse", "--verify", f"{ref}^{{commit}}")

    def point(self, ref: str, sha: str) -> None:
        self.git("update-ref", ref, sha)

    def commit(self, parent: str, changes: Mapping[str, Change], *, message: str, author: str, branch: str) -> str:
        """Put a commit with these changes on a branch; gives its SHA."""
        with self._index() as env:
            self.git("read-tree", parent, env=env)
            for path, content in changes.items():
                if content is None:
                    self.git("update-index", "--index-info", env=env, stdin=f"0 {'0' * 40}\t{path}\n")
                    continue
                blob = self.git("hash-object", "-w", "--stdin", stdin=content)
                self.git("update-index", "--add", "--cacheinfo", "100644", blob, path, env=env)
            tree = self.git("write-tree", env=env)
        return self._commit_tree(tree, (self.sha(parent),), message, author, branch=branch)

    def merge(self, base: str, head: str, *, message: str, ref: str) -> str:
        """Merge `head` into `base`, at `ref`; gives the merge's SHA. Raises ConflictError."""
        sides = self.sha(base), self.sha(head)
        try:
            tree = self.git("merge-tree", "--write-tree", *sides)
        except subprocess.CalledProcessError as err:
            raise ConflictError(f"{head} into {base}") from err
        commit = self._commit_tree(tree, sides, message, "github", branch=None)
        self.point(ref, commit)
        return commit

    def checkout(self, ref: str, folder: Path) -> str:
        """The one commit in a new repository at `folder`, as actions/checkout leaves it; gives its SHA."""
        sha = self.sha(ref)
        folder.mkdir(parents=True, exist_ok=True)
        for words in (
            ("init", "--quiet", "."),
            ("remote", "add", "origin", f"file://{self.store}"),
            ("fetch", "--quiet", "--no-tags", "--depth=1", "origin", sha),
            ("checkout", "--quiet", "--detach", sha),
        ):
            self.git("-C", str(folder), *words)
        return sha

    def _commit_tree(
        self, tree: str, parents: tuple[str, ...], message: str, author: str, *, branch: str | None
    ) -> str:
        who = {
            f"GIT_{role}_{attribute}": value
            for role in ("AUTHOR", "COMMITTER")
            for attribute, value in (("NAME", author), ("EMAIL", f"{author}@users.example"))
        }
        words = [word for parent in parents for word in ("-p", parent)]
        commit = self.git("commit-tree", tree, *words, "-F", "-", env=who, stdin=message)
        if branch is not None:
            self.point(f"refs/heads/{branch}", commit)
        return commit

    @contextmanager
    def _index(self) -> Iterator[dict[str, str]]:
        with TemporaryDirectory() as folder:
            yield {"GIT_INDEX_FILE": str(Path(folder) / "index")}
