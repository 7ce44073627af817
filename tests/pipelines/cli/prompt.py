"""`lockgate`, as a person at a prompt runs it: one command after the other, each a line of JSON on stdin.

A script, not a module: one process for many commands, so that Metaflow is imported once. Answers are lines of JSON.
"""

from __future__ import annotations

import json
import os
import sys
import warnings

from typer.testing import CliRunner

if __name__ == "__main__":
    warnings.simplefilter("ignore")
    from lockgate.pipelines.cli.main import app

    for line in sys.stdin:
        asked = json.loads(line)
        os.environ |= asked["env"]
        done = CliRunner().invoke(app, asked["words"])
        ended = done.exception is None or isinstance(done.exception, SystemExit)
        code = done.exit_code if ended else 2  # as main() does
        said = done.output if ended else str(done.exception)
        print(json.dumps({"code": code, "said": said}), flush=True)
