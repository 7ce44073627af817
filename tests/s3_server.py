"""The S3 and DynamoDB server of the tests: moto, answering one request at a time; it says on stderr where it is.

moto itself looks whether an object exists and then writes it, in a thread for each request. Two conditional writes that
meet there both succeed, and the later one overwrites the earlier. S3 never does that, and the promotion log and the
prediction stores rest on it: with moto alone a ledger page is lost once in some thousand writes, more often on a busy
machine. Requests are short, so taking turns costs nothing.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Iterable
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import run_simple

_TURN = threading.Lock()
_MOTO = DomainDispatcherApplication(create_backend_app)


def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """moto's answer, made while no other request is answered. The body is read before, however slowly it comes."""
    if size := int(environ.get("CONTENT_LENGTH") or 0):
        environ["wsgi.input"] = io.BytesIO(environ["wsgi.input"].read(size))
    with _TURN:
        return list(_MOTO(environ, start_response))


if __name__ == "__main__":
    run_simple("127.0.0.1", 0, answer, threaded=True, request_handler=MotoRequestHandler)
