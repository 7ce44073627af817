"""A Metaflow metadata service on whatever port is free; prints its address. A script: `service.py ROOT`.

It is metaflow-local-service, with the two questions about one artifact that it does not answer.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import uvicorn
from fastapi import FastAPI, HTTPException
from metaflow_local_service import server, store

TASK = "/flows/{flow}/runs/{run}/steps/{step}/tasks/{task}"


def app(root: str) -> FastAPI:
    made = server.create_app(root)

    @made.get(TASK + "/artifacts/{name}")
    @made.get(TASK + "/artifacts/{name}/attempt/{attempt}")
    @made.get(TASK + "/attempt/{attempt}/artifacts/{name}")
    async def artifact(flow: str, run: str, step: str, task: str, name: str, attempt: int | None = None) -> Any:
        held = [one for one in store.get_artifacts(flow, run, step, task, attempt) if one["name"] == name]
        if not held:
            raise HTTPException(status_code=404, detail="Artifact not found")
        return max(held, key=lambda one: one["attempt_id"])

    return made


async def serve(root: str) -> None:
    held = uvicorn.Server(uvicorn.Config(app(root), host="127.0.0.1", port=0, log_level="error", ws="none"))
    task = asyncio.create_task(held.serve())
    while not held.started:
        await asyncio.sleep(0.01)
    print(f"http://127.0.0.1:{held.servers[0].sockets[0].getsockname()[1]}", flush=True)
    await task


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
