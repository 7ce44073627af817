"""Predictions in PostgreSQL: one table has the rows of all versions, and the books say which version is current."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BaseModel, Field

from lockgate.gates.errors import StoreError
from lockgate.pipelines.stores.books import SCHEMA, VIEW, Books, Row, version_of
from lockgate.pipelines.stores.store import (
    PARAMS_CONFIG,
    Draft,
    Prediction,
    PublishedVersion,
    VersionRows,
    check_keep,
    missing_version_error,
    no_current_version_error,
    repeated_key_error,
    split_keys,
)

if TYPE_CHECKING:
    import psycopg
    import pyarrow as pa

    from lockgate.pipelines.stores.tally import Tally

_TABLES = f"""
{SCHEMA.format(id="BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY")}
CREATE TABLE IF NOT EXISTS predictions (
    id BIGINT NOT NULL,                         -- no foreign key, which would be looked up for every row
    key TEXT COLLATE "C" NOT NULL,
    score DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (id, key)
);
CREATE OR REPLACE VIEW current_predictions AS {VIEW};
"""
_BEGIN = """
SELECT set_config('search_path', %(schema)s, true), set_config('statement_timeout', %(milliseconds)s, true),
    to_regclass(%(schema)s || '.current_predictions') IS NOT NULL AS there
"""
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(%(name)s, 0))"
_COPY = "COPY predictions (id, key, score) FROM STDIN (FORMAT binary)"
_NEXT = """
SELECT max(key) AS key FROM (
    SELECT key FROM predictions WHERE id = %(id)s AND (%(last)s::text IS NULL OR key > %(last)s)
    ORDER BY key LIMIT 500000
) AS few
"""
_DELETE = "DELETE FROM predictions WHERE id = %(id)s AND (%(last)s::text IS NULL OR key > %(last)s) AND key <= %(key)s"
_ROWS_AT_ONCE = 50_000
_RIGHTS = (
    "to publish, a role needs USAGE on the schema and SELECT, INSERT, UPDATE, DELETE on its tables, to read, USAGE and "
    "SELECT; the first publication makes the schema, which needs CREATE on the database"
)


def _without_password(dsn: str) -> str:
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    try:
        parameters = conninfo_to_dict(dsn)
    except psycopg.Error:  # its text repeats the DSN
        raise ValueError(
            "this is not a connection string of libpq; expected one like host=db dbname=predictions"
        ) from None
    if parameters.keys() & {"password", "sslpassword"}:
        raise ValueError("it contains a password; expected none, as the password comes from PGPASSWORD or PGPASSFILE")
    return dsn


class Params(BaseModel):
    model_config = PARAMS_CONFIG
    dsn: Annotated[str, AfterValidator(_without_password)]  # libpq's; what it leaves out comes from PGHOST, PGUSER, …
    namespace: str = Field(pattern="^[a-z_][a-z0-9_]{0,40}$")  # the schema; made where it is not there
    connect_seconds: int = Field(ge=2, le=600)  # for one host
    statement_seconds: float = Field(gt=0, le=86_400)  # for one statement; 50,000 rows are one


def open_store(params: Params, home: Path) -> PostgresStore:  # noqa: ARG001 (it is nowhere on this machine)
    """The store in the schema that `params` names."""
    return PostgresStore(params)


class PostgresStore:
    """Any client reads: `SELECT score FROM lockgate.current_predictions WHERE project = 'orders' AND key = '…'`."""

    def __init__(self, params: Params) -> None:
        self._params = params
        self._where = " ".join(f"PostgreSQL {params.dsn} schema {params.namespace}".split())

    def stage(self, draft: Draft, shard: int, rows: pa.RecordBatchReader, tally: Tally) -> None:
        import psycopg

        with self._open(making=True) as db:  # a transaction of its own, so that shards do not wait for each other
            books = self._books(db)
            if books.find_published(draft):
                return
            version_id = books.begin(draft)
        with self._open() as db:
            if not self._books(db).receive(
                version_id, shard, tally
            ):  # waits for another process that stages this shard
                return
            try:
                for batch in rows:
                    for start in range(0, batch.num_rows, _ROWS_AT_ONCE):
                        part = batch.slice(start, _ROWS_AT_ONCE).sort_by("key")
                        with db.cursor() as cursor, cursor.copy(_COPY) as copy:
                            copy.write(as_binary_copy(version_id, part))
            except psycopg.errors.UniqueViolation as err:
                raise repeated_key_error(draft, where=self._where) from err

    def staged_shards(self, draft: Draft) -> Mapping[int, Tally]:
        with self._open() as db:
            return self._books(db).staged_shards(draft) if db else {}

    def commit(self, draft: Draft, *, revoked: Collection[str] = ()) -> PublishedVersion:
        with self._open(making=True, locking=draft.project) as db:
            return self._books(db).commit(draft, revoked)

    def discard(self, project: str, source: str) -> int:
        with self._open(locking=project) as db:
            return self._books(db).discard(project, source) if db else 0

    def drafts(self, project: str) -> list[Draft]:
        with self._open() as db:
            return self._books(db).drafts(project) if db else []

    def get(self, project: str, key: str, *, version: int | None) -> Prediction | None:
        with self._open(reading=True) as db:
            version_row = self._version(db, project, version)
            if version_row is None:
                return None
            statement = "SELECT score FROM predictions WHERE id = %s AND key = %s"
            row = db.execute(statement, (version_row["id"], key), binary=True).fetchone()
            return None if row is None else Prediction(key=key, score=row["score"], version=version_of(version_row))

    def read_rows(self, project: str, *, keys: Sequence[str] | None, version: int | None) -> VersionRows:
        batches = self._read_snapshot(project, keys, version)
        return VersionRows(version=next(batches), batches=batches)

    def _read_snapshot(self, project: str, keys: Sequence[str] | None, version: int | None) -> Iterator[Any]:
        """The version, then its rows as record batches, all in one snapshot."""
        import pyarrow as pa
        from psycopg.rows import tuple_row

        statement = "SELECT key, score FROM predictions WHERE id = %s"
        with self._open(reading=True) as db:
            version_row = self._version(db, project, version)
            if version_row is None:
                raise missing_version_error(version, where=self._where)
            yield version_of(version_row)
            for part in [[]] if keys is None else split_keys(keys, _ROWS_AT_ONCE):
                among, values = (" AND key = ANY (%s)", [part]) if keys is not None else ("", [])
                with db.cursor("rows", row_factory=tuple_row) as cursor:
                    cursor.execute(statement + among, (version_row["id"], *values), binary=True)
                    while rows := cursor.fetchmany(_ROWS_AT_ONCE):
                        row_keys, scores = zip(*rows, strict=True)
                        yield pa.record_batch(
                            {"key": pa.array(row_keys, pa.string()), "score": pa.array(scores, pa.float64())}
                        )

    def versions(self, project: str) -> list[PublishedVersion]:
        with self._open() as db:
            return self._books(db).versions(project) if db else []

    def rollback(self, project: str, *, to: int | None, revoked: Collection[str] = ()) -> PublishedVersion:
        with self._open(locking=project) as db:
            if db is None:
                raise no_current_version_error(where=self._where)
            return self._books(db).rollback(project, to, revoked)

    def withdraw(self, project: str, models: Collection[str]) -> tuple[int, ...]:
        if not models:
            return ()
        with self._open(locking=project) as db:
            return self._books(db).withdraw(project, models) if db else ()

    def prune(self, project: str, *, keep: int) -> tuple[int, ...]:
        check_keep(keep, where=self._where)
        with self._open(locking=project) as db:
            return self._books(db).prune(project, keep) if db else ()

    def _version(self, db: psycopg.Connection[Row] | None, project: str, version: int | None) -> Row | None:
        if db is None:
            raise no_current_version_error(where=self._where)
        return self._books(db).version(project, version)

    def _books(self, db: psycopg.Connection[Row]) -> Books:
        def ask(statement: str, values: Mapping[str, Any]) -> Sequence[Row]:
            cursor = db.execute(re.sub(r":(\w+)", r"%(\1)s", statement), values)
            return cursor.fetchall() if cursor.description else ()

        def forget(version_id: int) -> None:  # in portions, as each statement has limited time
            last = None
            while key := db.execute(_NEXT, {"id": version_id, "last": last}).fetchone():
                if key["key"] is None:
                    return
                db.execute(_DELETE, {"id": version_id, "last": last, "key": key["key"]})
                last = key["key"]

        return Books(ask=ask, where=self._where, forget=forget, locking="FOR UPDATE OF v")

    @contextmanager
    def _open(self, *, making: bool = False, reading: bool = False, locking: str | None = None) -> Iterator[Any]:
        """A connection in one transaction; None if the tables do not exist and are not to be made.

        With `locking` the transaction has this project for itself, with `reading` it sees one snapshot. Errors of
        psycopg become a StoreError of one line.
        """
        import psycopg
        from psycopg.rows import tuple_row

        params = self._params
        values = {"schema": params.namespace, "milliseconds": str(max(1, round(params.statement_seconds * 1000)))}
        try:
            with closing(self._connect()) as db:
                if reading:
                    db.isolation_level, db.read_only = psycopg.IsolationLevel.REPEATABLE_READ, True
                ((_, _, is_set_up),) = db.cursor(row_factory=tuple_row).execute(_BEGIN, values)
                if making and not is_set_up:
                    db.execute(_LOCK, {"name": f"lockgate {params.namespace}"})
                    db.execute(f"CREATE SCHEMA IF NOT EXISTS {params.namespace}")
                    db.execute(_TABLES)
                if locking is not None:
                    db.execute(_LOCK, {"name": f"lockgate {params.namespace} {locking}"})
                yield db if is_set_up or making else None
                db.commit()
        except (psycopg.Error, UnicodeError) as err:
            hint = _RIGHTS if isinstance(err, psycopg.errors.InsufficientPrivilege) else ""
            raise StoreError(f"the prediction store cannot be used: {err}", where=self._where, hint=hint) from err

    def _connect(self) -> psycopg.Connection[Row]:
        import psycopg
        from psycopg.rows import dict_row

        patience = self._params.statement_seconds + 5  # a server that is alive ends the statement first

        class Patient(psycopg.Connection[Any]):
            def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = patience) -> Any:
                return super().wait(gen, interval, timeout)

        return Patient.connect(
            self._params.dsn,
            connect_timeout=self._params.connect_seconds,
            client_encoding="utf8",
            application_name="lockgate",
            row_factory=dict_row,
            prepare_threshold=None,
        )


def as_binary_copy(version_id: int, batch: pa.RecordBatch) -> memoryview:
    """`id, key, score` of every row as `COPY … (FORMAT binary)` reads them, assembled without a loop over rows.

    A row is the number of its fields, then each field's length and bytes, big-endian (PostgreSQL's manual, COPY).
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    keys = batch.column("key").cast(pa.binary())
    head = np.empty(len(keys), dtype=[("fields", ">i2"), ("id_size", ">i4"), ("id", ">i8"), ("key_size", ">i4")])
    head["fields"], head["id_size"], head["id"], head["key_size"] = 3, 8, version_id, pc.binary_length(keys).to_numpy()
    tail = np.empty(len(keys), dtype=[("size", ">i4"), ("score", ">f8")])
    tail["size"], tail["score"] = 8, batch.column("score").to_numpy()
    fixed = [
        pa.FixedSizeBinaryArray.from_buffers(pa.binary(part.itemsize), len(part), [None, pa.py_buffer(part)])
        for part in (head, tail)
    ]
    rows = pc.binary_join_element_wise(fixed[0].cast(pa.binary()), keys, fixed[1].cast(pa.binary()), b"")
    body = rows.buffers()[2] or b""
    return memoryview(b"".join((b"PGCOPY\n\xff\r\n\0", bytes(8), body, b"\xff\xff")))
