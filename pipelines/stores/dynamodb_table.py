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
from lockgate.pipelines.stores.ledger import damaged

T = TypeVar("T")
_WRITTEN_AT_ONCE = 25  # items; DynamoDB takes no more
_READ_AT_ONCE = 100
_WRITERS = 4
_TRIES = 3
_OPENING = Lock()  # a session makes one client at a time
_KEYS = ("pk", "HASH"), ("sk", "RANGE")


class Table:
    """A `Shelf` in which `folder/…/name` has the keys (folder/…, name); and items of rows beside it."""

    def __init__(self, name: str, *, region: str | None, endpoint: str | None, create: bool, seconds: float) -> None:
        self.where = f"DynamoDB table {name}"
        self._name, self._region, self._endpoint, self._create, self._seconds = name, region, endpoint, create, seconds

    def read(self, name: str) -> bytes | None:
        asked = {"TableName": self._name, "Key": _key(name), "ConsistentRead": True}
        item = self._asked(lambda: self._client.get_item(**asked)).get("Item")
        return None if item is None else str(item["document"]["S"]).encode()

    def create(self, name: str, blob: bytes) -> bool:
        item = _key(name) | {"document": {"S": blob.decode()}}
        asked = {"TableName": self._name, "Item": item, "ConditionExpression": "attribute_not_exists(pk)"}
        try:
            self._asked(lambda: self._client.put_item(**asked))
        except FileExistsError:
            return self.read(name) == blob
        except StoreError:
            if self.read(name) != blob:  # the write was lost and not its answer
                raise
        return True

    def names(self, folder: str) -> list[str]:
        return list(self._names(folder, {"ScanIndexForward": True}))

    def last(self, folder: str) -> str | None:
        return next(self._names(folder, {"ScanIndexForward": False, "Limit": 1}), None)

    def remove(self, folder: str, names: Sequence[str]) -> None:
        self._write({"DeleteRequest": {"Key": _key(f"{folder}/{name}")}} for name in names)

    def put(self, rows: Iterable[tuple[str, str]]) -> None:
        """Write items of rows, some requests at a time, and wait until all are there."""
        self._write({"PutRequest": {"Item": _key(f"{pk}/rows") | {"document": {"S": held}}}} for pk, held in rows)

    def delete(self, rows: Iterable[str]) -> None:
        """Delete items of rows."""
        self._write({"DeleteRequest": {"Key": _key(f"{pk}/rows")}} for pk in rows)

    def rows(self, asked: Sequence[str]) -> list[dict[str, float]]:
        """Items of rows, in no order that is promised. Raises FileNotFoundError where one is not there."""
        found: list[dict[str, float]] = []

        def get(keys: dict[str, Any]) -> Any:
            answer = self._asked(lambda: self._client.batch_get_item(RequestItems=keys))
            found.extend(json.loads(item["document"]["S"]) for item in answer["Responses"].get(self._name, ()))
            return answer.get("UnprocessedKeys")

        for at in range(0, len(asked), _READ_AT_ONCE):
            keys = [_key(f"{pk}/rows") for pk in asked[at : at + _READ_AT_ONCE]]
            self._until_done(get, {self._name: {"Keys": keys, "ConsistentRead": True}})
        if len(found) < len(asked):
            raise FileNotFoundError(self.where)
        return found

    def _names(self, folder: str, how: dict[str, Any]) -> Iterator[str]:
        asked = {
            "TableName": self._name,
            "ConsistentRead": True,
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {":pk": {"S": folder}},
            "ProjectionExpression": "sk",
            **how,
        }
        while True:
            answer = self._asked(lambda: self._client.query(**asked))
            yield from (str(item["sk"]["S"]) for item in answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return
            asked["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def _write(self, requests: Iterable[dict[str, Any]]) -> None:
        def write(some: dict[str, Any]) -> Any:
            return self._asked(lambda: self._client.batch_write_item(RequestItems=some)).get("UnprocessedItems")

        all_ = iter(requests)
        batches = iter(lambda: list(islice(all_, _WRITTEN_AT_ONCE)), [])
        with ThreadPoolExecutor(_WRITERS) as pool:
            while some := list(islice(batches, 8 * _WRITERS)):  # so that few are held
                list(pool.map(lambda one: self._until_done(write, {self._name: one}), some))

    def _until_done(self, ask: Callable[[dict[str, Any]], Any], left: dict[str, Any]) -> None:
        """Ask again for what DynamoDB leaves undone of a batch, as it does of more than the table has paid for."""
        pause, until = 0.05, time.monotonic() + self._seconds
        while left := ask(left):
            if time.monotonic() > until:
                raise StoreError("the table takes no more for now", where=self.where, hint="raise its capacity")
            time.sleep(pause)
            pause = min(2 * pause, 1.0)

    @cached_property
    def _client(self) -> Any:
        from botocore.config import Config

        config = Config(
            connect_timeout=self._seconds / (2 * _TRIES),
            read_timeout=self._seconds / _TRIES,
            retries={"total_max_attempts": _TRIES, "mode": "standard"},
        )
        with _OPENING:
            client = _session().client("dynamodb", region_name=self._region, endpoint_url=self._endpoint, config=config)
        if self._create:
            self._asked(lambda: _created(client, self._name))
        return client

    def _asked(self, ask: Callable[[], T]) -> T:
        """What is answered; FileExistsError where a condition does not hold, StoreError for what else is wrong."""
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.parsers import ResponseParserError

        try:
            return ask()
        except ClientError as err:
            code = err.response.get("Error", {}).get("Code", "")
            if code == "ConditionalCheckFailedException":
                raise FileExistsError from err
            hint = (
                "create it, or set create: true"
                if code == "ResourceNotFoundException"
                else "nothing was changed that readers see"
            )
            raise self._failed(err, hint=hint) from err
        except (BotoCoreError, ResponseParserError) as err:
            raise self._failed(err, hint="nothing was changed that readers see; check where it is") from err
        except (AttributeError, KeyError, TypeError, UnicodeError, ValueError) as err:  # botocore, of another's answer
            raise damaged(self.where) from err

    def _failed(self, err: Exception, *, hint: str) -> StoreError:
        told = " ".join(str(err).split())[:200]
        return StoreError(f"the prediction store cannot be reached: {told}", where=self.where, hint=hint)


@cache
def _session() -> Any:
    """One for all tables, as it takes a tenth of a second to read what it knows of DynamoDB."""
    from boto3.session import Session

    return Session()


def _created(client: Any, name: str) -> None:
    """Make the table, where it is not there, and wait until it is."""
    try:
        client.describe_table(TableName=name)
    except client.exceptions.ResourceNotFoundException:
        with suppress(client.exceptions.ResourceInUseException):  # another process was faster
            client.create_table(
                TableName=name,
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[{"AttributeName": one, "AttributeType": "S"} for one, _ in _KEYS],
                KeySchema=[{"AttributeName": one, "KeyType": kind} for one, kind in _KEYS],
            )
        client.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60})


def _key(name: str) -> dict[str, Any]:
    pk, _, sk = name.rpartition("/")
    return {"pk": {"S": pk}, "sk": {"S": sk}}
