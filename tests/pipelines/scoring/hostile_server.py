"""A server for models that are Python code, as if a model's bytes had taken its library over.

`hostile_server.py [fresh] FD MODE FORMAT…`: with `fresh` a new Python is started for each worker, as on macOS.
"""

from __future__ import annotations

import socket
import sys
from typing import Any

from lockgate.pipelines.models import FORMATS
from lockgate.pipelines.scoring.confined_server import serve


class Code:
    """A model whose columns are what its code leaves in `columns`."""

    def __init__(self, blob: bytes) -> None:
        names: dict[str, Any] = {"columns": ("x",)}
        exec(blob, names)
        self.columns = names["columns"]


FORMATS["code"] = Code
serve(socket.socket(fileno=int(sys.argv[-2])), fresh="fresh" in sys.argv)
