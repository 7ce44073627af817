"""GitHub's REST API, as far as comments of pull requests go, on whatever port is free.

It numbers comments, tells who wrote them, pages them, refuses what a token may not do and what is too long, in
GitHub's own words, and can be told to fail at a request: by a status, before it (dropped) or after the write (lost).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

REPOSITORY = "acme/models"
BOT = "github-actions[bot]"
MAX_COMMENT_CHARACTERS = 65_536


@dataclass
class State:
    """What GitHub holds."""

    tokens: dict[str, tuple[str, Mapping[str, str]]] = field(default_factory=dict)  # token -> login and rights
    heads: dict[int, str] = field(default_factory=dict)  # of pull requests, by number
    comments: dict[int, dict[str, Any]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)  # METHOD path
    faults: list[tuple[str, int | str]] = field(default_factory=list)  # method and what, once each, in this order
    meanwhile: Callable[[], None] | None = None  # called once, after the next listing was answered
    runs: list[dict[str, Any]] = field(default_factory=list)  # of workflows, newest first: file, branch, event, …
    last: int = 0
    url: str = ""
    elsewhere: str = ""  # where artifacts lie; whoever is sent there must bring no token
    lock: threading.RLock = field(default_factory=threading.RLock)

    def write(self, login: str, body: str, *, pull: int = 7) -> dict[str, Any]:
        """Somebody comments."""
        with self.lock:
            self.last += 1
            comment = {
                "id": self.last,
                "body": body,
                "user": {"login": login},
                "url": f"{self.url}/repos/{REPOSITORY}/issues/comments/{self.last}",
                "html_url": f"https://github.example/{REPOSITORY}/pull/{pull}#issuecomment-{self.last}",
                "issue_url": f"{self.url}/repos/{REPOSITORY}/issues/{pull}",
            }
            self.comments[self.last] = comment
            return comment

    def comments_of(self, pull: int) -> list[dict[str, Any]]:
        """A pull request's comments."""
        return [comment for comment in self.comments.values() if comment["issue_url"].endswith(f"/{pull}")]

    def bodies(self, login: str = BOT, *, pull: int = 7) -> list[str]:
        return [comment["body"] for comment in self.comments_of(pull) if comment["user"]["login"] == login]

    def writes(self) -> list[str]:
        return [request for request in self.requests if not request.startswith("GET")]


class RefusedError(Exception):
    def __init__(self, status: int, message: str, **headers: str) -> None:
        self.status, self.message, self.headers = status, message, headers


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_: Any) -> None:
        """Nothing."""

    def _answer(self) -> None:
        state: State = self.server.state  # type: ignore[attr-defined]
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        url = urlsplit(self.path)
        with state.lock:
            state.requests.append(f"{self.command} {url.path}")
            index = next((index for index, (method, _) in enumerate(state.faults) if method == self.command), None)
            fault = None if index is None else state.faults.pop(index)[1]
        if fault == "dropped":
            self.close_connection = True
            return
        headers: dict[str, str] = {}
        try:
            if fault == "limit":
                raise RefusedError(403, "You have exceeded a secondary rate limit", **{"Retry-After": "1"})
            if isinstance(fault, int):
                raise RefusedError(fault, "Server Error")
            with state.lock:
                status, document, headers = self._handle(state, url.path, parse_qs(url.query), body)
        except RefusedError as err:
            status, document, headers = err.status, {"message": err.message}, err.headers
        if fault == "lost":
            self.close_connection = True
            return
        sent = b"" if status == 204 else json.dumps(document).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)
        if url.path.endswith("/comments") and self.command == "GET" and state.meanwhile:
            state.meanwhile, call = None, state.meanwhile
            call()

    do_DELETE = do_GET = do_PATCH = do_POST = _answer  # noqa: N815 (the library's names)

    def _handle(
        self, state: State, path: str, query: dict[str, list[str]], body: dict[str, Any]
    ) -> tuple[int, Any, dict[str, str]]:
        token = self.headers.get("Authorization", "").removeprefix("token ").removeprefix("Bearer ")
        if token not in state.tokens:
            raise RefusedError(401, "Bad credentials")
        login, rights = state.tokens[token]
        scope = "actions" if "/actions/" in path else "pull-requests"
        level = rights.get(scope, "none")
        if path != "/user" and level not in (("read", "write") if self.command == "GET" else ("write",)):
            raise RefusedError(403, "Resource not accessible by integration")
        if len(body.get("body", "")) > MAX_COMMENT_CHARACTERS:
            raise RefusedError(422, "Validation Failed: body is too long (maximum is 65536 characters)")
        root = f"/repos/{REPOSITORY}"
        if path.startswith(f"{root}/actions/"):
            return self._actions(state, path.removeprefix(f"{root}/actions"), query)
        if (self.command, path) == ("GET", "/user"):
            return 200, {"login": login, "url": f"{state.url}/users/{login}"}, {}
        words = path.removeprefix(root).strip("/").split("/")
        pull = int(words[1]) if len(words) > 1 and words[1].isdecimal() else 0
        if pull in state.heads and (self.command, words) == ("GET", ["pulls", str(pull)]):
            return 200, self._pull(state, pull), {}
        if pull in state.heads and words == ["issues", str(pull), "comments"]:
            if self.command == "POST":
                return 201, state.write(login, body["body"], pull=pull), {}
            return self._page(state, state.comments_of(pull), query)
        number = path.removeprefix(f"{root}/issues/comments/")
        if number.isdecimal() and int(number) in state.comments:
            comment = state.comments[int(number)]
            if self.command == "DELETE":
                del state.comments[int(number)]
                return 204, None, {}
            if self.command == "PATCH":
                comment["body"] = body["body"]
            return 200, comment, {}
        raise RefusedError(404, "Not Found")

    def _actions(self, state: State, path: str, query: dict[str, list[str]]) -> tuple[int, Any, dict[str, str]]:
        root = f"{state.url}/repos/{REPOSITORY}/actions"
        match path.strip("/").split("/"):
            case ["workflows", file]:
                return 200, {"id": 1, "path": file, "url": f"{root}/workflows/{file}"}, {}
            case ["workflows", file, "runs"]:
                filters = {"file": file, **{name: query[name][0] for name in ("branch", "event", "status")}}
                matching = [
                    {"id": run_id, "url": f"{root}/runs/{run_id}", "artifacts_url": f"{root}/runs/{run_id}/artifacts"}
                    for run_id, run in enumerate(state.runs)
                    if filters.items() <= run.items()
                ]
                return 200, {"total_count": len(matching), "workflow_runs": matching}, {}
            case ["runs", at, "artifacts"]:
                listed = [
                    {
                        "id": int(at),
                        "name": name,
                        "expired": blob is None,
                        "archive_download_url": f"{root}/zips/{at}/{name}",
                    }
                    for name, blob in state.runs[int(at)].get("artifacts", {}).items()
                ]
                return 200, {"total_count": len(listed), "artifacts": listed}, {}
            case ["zips", at, name]:
                return 302, {}, {"Location": f"{state.elsewhere}/{at}/{name}"}
        raise RefusedError(404, "Not Found")

    def _pull(self, state: State, number: int) -> dict[str, Any]:
        root = f"{state.url}/repos/{REPOSITORY}"
        return {
            "number": number,
            "url": f"{root}/pulls/{number}",
            "issue_url": f"{root}/issues/{number}",
            "comments_url": f"{root}/issues/{number}/comments",
            "head": {"sha": state.heads[number], "ref": "$(touch x)"},
            "base": {"ref": "main", "repo": {"full_name": REPOSITORY, "url": root}},
        }

    def _page(
        self, state: State, comments: list[dict[str, Any]], query: dict[str, list[str]]
    ) -> tuple[int, Any, dict[str, str]]:
        size, page = int(query.get("per_page", ["30"])[0]), int(query.get("page", ["1"])[0])
        remaining = comments[(page - 1) * size :]
        more = f'<{state.url}{urlsplit(self.path).path}?per_page={size}&page={page + 1}>; rel="next"'
        return 200, remaining[:size], {"Link": more} if len(remaining) > size else {}


class _Blobs(BaseHTTPRequestHandler):
    """Artifacts, on another host name, as GitHub's are."""

    def log_message(self, *_: Any) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        state: State = self.server.state  # type: ignore[attr-defined]
        _, run_id, name = self.path.split("/")
        blob = state.runs[int(run_id)]["artifacts"][name]
        self.send_response(403 if "Authorization" in self.headers else 200)
        self.send_header("Content-Length", str(len(blob)))
        self.end_headers()
        self.wfile.write(blob)


@contextmanager
def serve_github() -> Iterator[State]:
    """An API for as long as the block lasts."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as api, ThreadingHTTPServer(("127.0.0.1", 0), _Blobs) as blobs:
        state = State(url=f"http://127.0.0.1:{api.server_port}", elsewhere=f"http://localhost:{blobs.server_port}")
        threads = []
        for server in (api, blobs):
            server.daemon_threads = True
            server.state = state  # type: ignore[attr-defined]
            threads.append(threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True))
            threads[-1].start()
        yield state
        for server, thread in zip((api, blobs), threads, strict=True):
            server.shutdown()
            thread.join()
