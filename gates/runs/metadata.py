"""Questions to Metaflow's client, each answered or refused in one line within a time limit.

Metaflow sets no timeout on requests to its service, and retries on its own for half a minute or more. So each question
is asked in a thread that is abandoned when the time is over.
"""

from __future__ import annotations

import contextlib
import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Generic, TypeVar

from lockgate.gates.errors import RunError
from lockgate.gates.runs.metaflow_api import list_distributions, read_setting

if TYPE_CHECKING:
    from metaflow import Run

METADATA_TIMEOUT_S = 20.0
"""How long an answer may take, retries included."""

METADATA_TIMEOUT_VARIABLE = "LOCKGATE_METADATA_SECONDS"
"""The environment variable that overrides `METADATA_TIMEOUT_S`."""

T = TypeVar("T")
_RETRY_PAUSES_S = (0.1, 0.2, 0.4, 0.8, 1.6)
_TRANSIENT_CODES = {408, 409, 425, 429}  # of HTTP, besides every 5xx
# what Metaflow's client raises when an answer does not have the form it takes for granted
_UNREADABLE_ANSWERS = (ValueError, KeyError, TypeError, AttributeError, IndexError)


class NoSuchRunError(RunError):
    """Metaflow knows no such run."""


class UnreachableError(RunError):
    """Metaflow did not answer in time."""


def check_installation() -> None:
    """Raise RunError unless exactly one of metaflow and outerbounds provides the module `metaflow`."""
    installed = list_distributions()
    if len(installed) == 2:
        raise RunError(
            "both metaflow and ob-metaflow (of outerbounds) are installed; they overwrite each other's files",
            expected="one of them",
            hint="make a fresh environment: `make setup`, or `make setup extra=outerbounds`",
        )
    if not installed:
        raise RunError("Metaflow is not installed", expected="metaflow or outerbounds", hint="run `make setup`")


def metadata_timeout() -> float:
    """How long an answer may take, in seconds. Raises RunError if the environment gives no positive number."""
    return read_timeout(METADATA_TIMEOUT_VARIABLE, otherwise=METADATA_TIMEOUT_S)


def read_timeout(variable: str, *, otherwise: float) -> float:
    """The seconds that an environment variable gives. Raises RunError if that is no positive number."""
    text = os.environ.get(variable)
    if not text:
        return otherwise
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if 0 < seconds < threading.TIMEOUT_MAX:
        return seconds
    raise RunError(f"{text[:40]!r} is not a length of time", expected=f"seconds, as in {otherwise:g}", where=variable)


def retry_pauses() -> Iterator[float]:
    """Seconds to wait before each retry, longer and longer. Never ends."""
    yield from _RETRY_PAUSES_S
    while True:
        yield _RETRY_PAUSES_S[-1]


def ask_metaflow(question: Callable[[], T], *, where: str, seconds: float | None = None) -> T:
    """The answer of Metaflow's client. Transient failures are retried within `seconds` or `metadata_timeout()`.

    Raises:
        NoSuchRunError: there is no such run.
        UnreachableError: no readable answer in time.
        RunError: a refusal.
    """
    limit = metadata_timeout() if seconds is None else seconds
    deadline = time.monotonic() + limit
    problem = ""
    for pause in retry_pauses():
        answer = _Answer(question)
        answer.start()
        answer.join(max(0.0, deadline - time.monotonic()))
        if answer.is_alive():
            raise _unreachable_error(problem or "no answer", limit, where)
        if answer.error is None:
            return answer.value
        problem = _transient_problem(answer.error, where)
        if time.monotonic() + pause >= deadline:
            raise _unreachable_error(problem, limit, where) from answer.error
        time.sleep(pause)
    raise AssertionError("unreachable")


def find_run(pathspec: str, *, seconds: float | None = None) -> Run:
    """A run by its pathspec, in any namespace. Raises RunError."""
    if pathspec.count("/") != 1 or not all(pathspec.split("/")):
        raise RunError(f"{pathspec[:80]!r} is not a run", expected="FLOW/RUN_ID, as in EvaluateNewModel/1792")

    def question() -> Run:
        from metaflow import Run, namespace

        namespace(None)
        return Run(pathspec)

    return ask_metaflow(question, where=pathspec, seconds=seconds)


def check_metadata() -> None:
    """Raise UnreachableError or RunError unless the metadata service answers. Local metadata are a folder: no check."""
    if read_setting("DEFAULT_METADATA") != "local":
        with contextlib.suppress(NoSuchRunError):
            find_run("EvaluateNewModel/0")  # any answer will do, so the run need not exist


class _Answer(threading.Thread, Generic[T]):
    """One question, asked in a thread of its own that may be abandoned."""

    value: T

    def __init__(self, question: Callable[[], T]) -> None:
        super().__init__(name="lockgate-metadata", daemon=True)
        self._question = question
        self.error: BaseException | None = RunError("Metaflow ended without an answer")

    def run(self) -> None:
        from metaflow.exception import MetaflowException

        try:
            self.value = self._question()
        except (MetaflowException, RunError, OSError, *_UNREADABLE_ANSWERS) as err:
            self.error = err
        else:
            self.error = None


def _transient_problem(err: BaseException, where: str) -> str:
    """What went wrong, if asking again may help. Raises RunError if it cannot."""
    from metaflow.exception import MetaflowException, MetaflowNotFound

    if isinstance(err, RunError):
        raise err
    if isinstance(err, MetaflowNotFound):
        from lockgate.gates.runs.local import describe_missing_run

        place, hint = describe_missing_run(where)
        raise NoSuchRunError(
            "there is no such run",
            expected=place,
            where=where,
            hint=hint or "`lockgate history` lists the runs that were judged",
        ) from err
    message = _first_line(err)
    if isinstance(err, OSError | ValueError) and not isinstance(err, UnicodeError):
        return message
    if not isinstance(err, MetaflowException):
        return f"an answer that cannot be read ({type(err).__name__})"
    code = getattr(err, "http_code", None)  # Metaflow sets none where a request failed without an answer
    if (code is None and "ailed" in message) or (isinstance(code, int) and (code >= 500 or code in _TRANSIENT_CODES)):
        return message
    raise RunError(f"Metaflow refuses: {message}", where=where) from err


def _unreachable_error(problem: str, limit: float, where: str) -> UnreachableError:
    return UnreachableError(
        f"Metaflow cannot be reached: {problem}",
        expected=f"an answer within {limit:.3g} s",
        where=where,
        hint="check the metadata service that Metaflow is configured with",
    )


def _first_line(err: BaseException) -> str:
    """The start of an error's text, without the pages of HTML and control characters that a service may send."""
    text = str(err).strip() or type(err).__name__
    return "".join(character if character.isprintable() else " " for character in text.splitlines()[0][:200])
