"""A flow for the tests of the pods: it fails at first, and tells where it is."""

import os
from pathlib import Path

from metaflow import FlowSpec, Parameter, current, retry, step

import lockgate


class Parcels(FlowSpec):
    text = Parameter("text", default="plain")

    @retry(times=1, minutes_between_retries=0)
    @step
    def start(self) -> None:
        self.told = {
            "attempt": current.retry_count,
            "here": str(Path.cwd()),
            "code": str(lockgate.__file__),
            "home": [str(entry) for entry in Path.home().iterdir()],
            "variables": sorted(os.environ),
        }
        if current.retry_count == 0:
            raise RuntimeError("the first try")
        self.next(self.end)

    @step
    def end(self) -> None:
        pass


if __name__ == "__main__":
    Parcels()
