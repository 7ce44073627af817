"""A Metaflow metadata service on whatever port is free; prints its address. A script: `service.py ROOT`.

It is metaflow-local-service, with what it lacks: the two questions about one artifact, and runs and tasks whose ids the
client brings along, as those of pods are.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI, HTTPException, Request
from metaflow_local_service import server, store

TASK = "/flows/{flow}/runs/{run}/steps/{step}/tasks/{task}"


def app(root: str) -> FastAPI:
    application = server.create_app(root)

    @application.get(TASK + "/artifacts/{name}")
    @application.get(TASK + "/artifacts/{name}/attempt/{attempt}")
    @application.get(TASK + "/attempt/{attempt}/artifacts/{name}")
    async def artifact(flow: str, run: str, step: str, task: str, name: str, attempt: int | None = None) -> Any:
        matching = [
            candidate for candidate in store.get_artifacts(flow, run, step, task, attempt) if candidate["name"] == name
        ]
        if not matching:
            raise HTTPException(status_code=404, detail="Artifact not found")
        return max(matching, key=lambda candidate: candidate["attempt_id"])

    @application.post("/flows/{flow}/run")
    async def run(flow: str, request: Request) -> Any:
        with _draw_id(store, "new_run_id", (await request.json()).get("run_number")):
            return store.create_run(flow, await request.json())

    @application.post("/flows/{flow}/runs/{run_id}/steps/{step}/task")
    async def task(flow: str, run_id: str, step: str, request: Request) -> Any:
        with _draw_id(store, "_next_task_id", (await request.json()).get("task_id")):
            return store.create_task(flow, run_id, step, await request.json())

    application.router.routes[:0] = [
        application.router.routes.pop(),
        application.router.routes.pop(),
    ]  # before those of the same path
    return application


@contextmanager
def _draw_id(module: Any, drawn: str, client_id: str | None) -> Iterator[None]:
    """While this lasts the module draws the id that was given, if one was."""
    draws = getattr(module, drawn)
    if client_id is not None:
        setattr(module, drawn, lambda *_: str(client_id))
    try:
        yield
    finally:
        setattr(module, drawn, draws)


async def serve(root: str) -> None:
    web_server = uvicorn.Server(uvicorn.Config(app(root), host="127.0.0.1", port=0, log_level="error", ws="none"))
    task = asyncio.create_task(web_server.serve())
    while not web_server.started:
        await asyncio.sleep(0.01)
    print(f"http://127.0.0.1:{web_server.servers[0].sockets[0].getsockname()[1]}", flush=True)
    await task


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
