"""A moto server with a promotion log in each of two buckets. It prints its address once they are filled.

The objects are written into the server's memory instead of through HTTP, which would take minutes.
"""

from __future__ import annotations

import sys
import time

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends
from moto.server import ThreadedMotoServer

from bench.log import LOG_PROJECT, LONG, SHORT, log_objects

if __name__ == "__main__":
    backend = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
    for bucket, length in (("short", SHORT), ("long", LONG)):
        backend.create_bucket(bucket, "us-east-1")
        for name, blob in log_objects(length):
            backend.put_object(bucket, f"metaflow/lockgate/{LOG_PROJECT}/{name}", blob)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    sys.stdout.write(f"http://{host}:{port}\n")
    sys.stdout.flush()
    while True:
        time.sleep(60)
