"""A DynamoDB table of documents: string keys `pk` and `sk`, and the string `document`."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache, cached_property
from itertools import islice
from threading import Lock
from typing import Any, TypeVar

from lockgate.gates.errors import StoreError
from lockgate.pipelines.stores.ledger import damaged_error

_T = TypeVar("_T")
_WRITTEN_AT_ONCE = 25  # items; the limit of DynamoDB
_READ_AT_ONCE = 100
_WRITERS = 4
_MAX_ATTEMPTS = 3
_CLIENT_LOCK = Lock()  # a session may make only one client at a time
_KEYS = ("pk", "HASH"), ("sk", "RANGE")


class DynamoTable:
    """A `Shelf` on which `folder/…/name` is the item (folder/…, name), and storage for items of rows."""

    def __init__(self, name: str, *, region: str | None, endpoint: str | None, create: bool, seconds: float) -> None:
        self.where = f"DynamoDB table {name}"
        self._name, self._region, self._endpoint, self._create, self._seconds = name, region, endpoint, create, seconds

    def read_document(self, name: str) -> bytes | None:
        request = {"TableName": self._name, "Key": _key(name), "ConsistentRead": True}
        item = self._ask(lambda: self._client.get_item(**request)).get("Item")
        return None if item is None else str(item["document"]["S"]).encode()

    def create(self, name: str, blob: bytes) -> bool:
        item = _key(name) | {"document": {"S": blob.decode()}}
        request = {"TableName": self._name, "Item": item, "ConditionExpression": "attribute_not_exists(pk)"}
        try:
            self._ask(lambda: self._client.put_item(**request))
        except FileExistsError:
            return self.read_document(name) == blob
        except StoreError:
            if self.read_document(name) != blob:  # not our item: the write failed, and not just its answer was lost
                raise
        return True

    def names(self, folder: str) -> list[str]:
        return list(self._names(folder, {"ScanIndexForward": True}))

    def last(self, folder: str) -> str | None:
        return next(self._names(folder, {"ScanIndexForward": False, "Limit": 1}), None)

    def remove(self, folder: str, names: Sequence[str]) -> None:
        self._write({"DeleteRequest": {"Key": _key(f"{folder}/{name}")}} for name in names)

    def put_items(self, rows: Iterable[tuple[str, str]]) -> None:
        """Write items of rows, several requests at a time, and wait until all are written."""
        self._write(
            {"PutRequest": {"Item": _key(f"{pk}/rows") | {"document": {"S": document}}}} for pk, document in rows
        )

    def delete_items(self, rows: Iterable[str]) -> None:
        """Delete items of rows."""
        self._write({"DeleteRequest": {"Key": _key(f"{pk}/rows")}} for pk in rows)

    def read_items(self, names: Sequence[str]) -> list[dict[str, float]]:
        """Items of rows, in any order. Raises FileNotFoundError if one is missing."""
        items: list[dict[str, float]] = []

        def get(keys: dict[str, Any]) -> Any:
            answer = self._ask(lambda: self._client.batch_get_item(RequestItems=keys))
            items.extend(json.loads(item["document"]["S"]) for item in answer["Responses"].get(self._name, ()))
            return answer.get("UnprocessedKeys")

        for start in range(0, len(names), _READ_AT_ONCE):
            keys = [_key(f"{pk}/rows") for pk in names[start : start + _READ_AT_ONCE]]
            self._until_done(get, {self._name: {"Keys": keys, "ConsistentRead": True}})
        if len(items) < len(names):
            raise FileNotFoundError(self.where)
        return items

    def _names(self, folder: str, how: dict[str, Any]) -> Iterator[str]:
        request = {
            "TableName": self._name,
            "ConsistentRead": True,
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {":pk": {"S": folder}},
            "ProjectionExpression": "sk",
            **how,
        }
        while True:
            answer = self._ask(lambda: self._client.query(**request))
            yield from (str(item["sk"]["S"]) for item in answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def _write(self, requests: Iterable[dict[str, Any]]) -> None:
        def write(batch: dict[str, Any]) -> Any:
            return self._ask(lambda: self._client.batch_write_item(RequestItems=batch)).get("UnprocessedItems")

        all_ = iter(requests)
        batches = iter(lambda: list(islice(all_, _WRITTEN_AT_ONCE)), [])
        with ThreadPoolExecutor(_WRITERS) as pool:
            while window := list(islice(batches, 8 * _WRITERS)):  # a few at a time, so that memory stays bounded
                list(pool.map(lambda batch: self._until_done(write, {self._name: batch}), window))

    def _until_done(self, ask: Callable[[dict[str, Any]], Any], pending: dict[str, Any]) -> None:
        """Repeat what DynamoDB left undone of a batch, which it does when the table's capacity is exceeded."""
        pause, until = 0.05, time.monotonic() + self._seconds
        while pending := ask(pending):
            if time.monotonic() > until:
                raise StoreError(
                    "the table accepts no more requests for now", where=self.where, hint="raise its capacity"
                )
            time.sleep(pause)
            pause = min(2 * pause, 1.0)

    @cached_property
    def _client(self) -> Any:
        from botocore.config import Config

        config = Config(
            connect_timeout=self._seconds / (2 * _MAX_ATTEMPTS),
            read_timeout=self._seconds / _MAX_ATTEMPTS,
            retries={"total_max_attempts": _MAX_ATTEMPTS, "mode": "standard"},
        )
        with _CLIENT_LOCK:
            client = _session().client("dynamodb", region_name=self._region, endpoint_url=self._endpoint, config=config)
        if self._create:
            self._ask(lambda: _create_table(client, self._name))
        return client

    def _ask(self, ask: Callable[[], _T]) -> _T:
        """The answer to a request; FileExistsError if its condition fails, StoreError for any other failure."""
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.parsers import ResponseParserError

        try:
            return ask()
        except ClientError as err:
            code = err.response.get("Error", {}).get("Code", "")
            if code == "ConditionalCheckFailedException":
                raise FileExistsError from err
            hint = "create it, or set create: true" if code == "ResourceNotFoundException" else "readers see no change"
            raise self._unreachable_error(err, hint=hint) from err
        except (BotoCoreError, ResponseParserError) as err:
            raise self._unreachable_error(err, hint="readers see no change; check the address of the table") from err
        except (
            AttributeError,
            KeyError,
            TypeError,
            UnicodeError,
            ValueError,
        ) as err:  # what botocore raises when another server answers
            raise damaged_error(self.where) from err

    def _unreachable_error(self, err: Exception, *, hint: str) -> StoreError:
        reason = " ".join(str(err).split())[:200]
        return StoreError(f"the prediction store cannot be reached: {reason}", where=self.where, hint=hint)


@cache
def _session() -> Any:
    """One session for all tables: loading its description of DynamoDB takes a tenth of a second."""
    from boto3.session import Session

    return Session()


def _create_table(client: Any, name: str) -> None:
    """Create the table if it does not exist, and wait until it does."""
    try:
        client.describe_table(TableName=name)
    except client.exceptions.ResourceNotFoundException:
        with suppress(client.exceptions.ResourceInUseException):  # another process was faster
            client.create_table(
                TableName=name,
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[{"AttributeName": name_, "AttributeType": "S"} for name_, _ in _KEYS],
                KeySchema=[{"AttributeName": name_, "KeyType": kind} for name_, kind in _KEYS],
            )
        client.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60})


def _key(name: str) -> dict[str, Any]:
    pk, _, sk = name.rpartition("/")
    return {"pk": {"S": pk}, "sk": {"S": sk}}
