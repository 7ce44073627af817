"""Questions to Metaflow's client: each is answered, or refused in one line, within a time that is declared here.

Metaflow's requests to its service have no timeout, and it tries again on its own, for half a minute or more. So each
question is asked in a thread that is left behind when the time is over.
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

if TYPE_CHECKING:
    from metaflow import Run

from importlib.metadata import PackageNotFoundError, version


def check_installation() -> None:
    """Refuse an environment in which both metaflow and outerbounds put the module `metaflow`."""
    found = []
    for name in ("metaflow", "ob-metaflow"):
        try:
            version(name)
        except PackageNotFoundError:
            continue
        found.append(name)
    if len(found) == 2:
        raise RunError(
            "both metaflow and ob-metaflow (of outerbounds) are installed; they overwrite each other's files",
            expected="one of them",
            hint="make a fresh environment: `make setup`, or `make setup extra=outerbounds`",
        )
    if not found:
        raise RunError("Metaflow is not installed", expected="metaflow or outerbounds", hint="run `make setup`")


METADATA_TIMEOUT_S = 20.0
"""How long the metadata have for an answer, with everything that is tried again; the variable below says otherwise."""

METADATA_TIMEOUT_VARIABLE = "LOCKGATE_METADATA_SECONDS"

T = TypeVar("T")
_RETRY_PAUSES_S = (0.1, 0.2, 0.4, 0.8, 1.6)
_UNREADABLE_ANSWERS = (
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    IndexError,
)  # of answers that are not what they should be
_TRANSIENT_CODES = {408, 409, 425, 429}


class NoSuchRunError(RunError):
    """The metadata do not know the run."""


class UnreachableError(RunError):
    """The metadata did not answer in time."""


def metadata_timeout() -> float:
    """How long the metadata have for an answer, in seconds. Raises RunError where that is no number above 0."""
    return read_timeout(METADATA_TIMEOUT_VARIABLE, otherwise=METADATA_TIMEOUT_S)


def read_timeout(variable: str, *, otherwise: float) -> float:
    """The seconds that an environment variable gives. Raises RunError where that is no number above 0."""
    told = os.environ.get(variable)
    if not told:
        return otherwise
    try:
        seconds = float(told)
    except ValueError:
        seconds = math.nan
    if 0 < seconds < threading.TIMEOUT_MAX:
        return seconds
    raise RunError(f"{told[:40]!r} is no length of time", expected=f"seconds, as in {otherwise:g}", where=variable)


def retry_pauses() -> Iterator[float]:
    """Seconds to wait before the next try, longer and longer."""
    yield from _RETRY_PAUSES_S
    while True:
        yield _RETRY_PAUSES_S[-1]


def ask_metaflow(question: Callable[[], T], *, where: str, seconds: float | None = None) -> T:
    """What Metaflow's client answers; asked again while it fails for a moment, within `seconds` or `metadata_timeout()`.

    Raises:
        NoSuchRunError: there is no such run.
        RunError: no answer in time, an answer that cannot be read, or a refusal.
    """
    limit = metadata_timeout() if seconds is None else seconds
    until = time.monotonic() + limit
    last = ""
    for pause in retry_pauses():
        answer = _Answer(question)
        answer.start()
        answer.join(max(0.0, until - time.monotonic()))
        if answer.is_alive():
            raise _unreachable_error(last or "no answer", limit, where)
        if answer.error is None:
            return answer.value
        last = _transient_problem(answer.error, where)
        if time.monotonic() + pause >= until:
            raise _unreachable_error(last, limit, where) from answer.error
        time.sleep(pause)
    raise AssertionError("unreachable")


def find_run(pathspec: str, *, seconds: float | None = None) -> Run:
    """A run by its pathspec, in whatever namespace it is. Raises RunError."""
    if pathspec.count("/") != 1 or not all(pathspec.split("/")):
        raise RunError(f"{pathspec[:80]!r} is no run", expected="FLOW/RUN_ID, as in EvaluateNewModel/1792")

    def question() -> Run:
        from metaflow import Run, namespace

        namespace(None)
        return Run(pathspec)

    return ask_metaflow(question, where=pathspec, seconds=seconds)


def check_metadata() -> None:
    """A metadata service answers. Local metadata are a folder, and are not asked. Raises UnreachableError, RunError."""
    from metaflow.metaflow_config import DEFAULT_METADATA

    if DEFAULT_METADATA != "local":
        with contextlib.suppress(NoSuchRunError):
            find_run("EvaluateNewModel/0")  # what any answer is asked for


class _Answer(threading.Thread, Generic[T]):
    """One question, asked in a thread that nobody needs to wait for."""

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
    """What went wrong, where asking again may help. Raises RunError where it does not."""
    from metaflow.exception import MetaflowException, MetaflowNotFound

    if isinstance(err, RunError):
        raise err
    if isinstance(err, MetaflowNotFound):
        raise NoSuchRunError(
            "there is no such run", where=where, hint="`lockgate history` lists what was judged"
        ) from err
    said = _first_line(err)
    if isinstance(err, OSError | ValueError) and not isinstance(err, UnicodeError):
        return said
    if not isinstance(err, MetaflowException):
        return f"an answer that cannot be read ({type(err).__name__})"
    code = getattr(err, "http_code", None)
    if (code is None and "ailed" in said) or (isinstance(code, int) and (code >= 500 or code in _TRANSIENT_CODES)):
        return said
    raise RunError(f"Metaflow refuses: {said}", where=where) from err


def _unreachable_error(last: str, limit: float, where: str) -> UnreachableError:
    return UnreachableError(
        f"Metaflow cannot be reached: {last}",
        expected=f"an answer within {limit:.3g} s",
        where=where,
        hint="check the metadata service that Metaflow is configured with",
    )


def _first_line(err: BaseException) -> str:
    """Without what a service may have sent: pages of HTML, control characters."""
    said = str(err).strip() or type(err).__name__
    return "".join(mark if mark.isprintable() else " " for mark in said.splitlines()[0][:200])
