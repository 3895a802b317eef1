"""What the end of a child means: a value, or the one error that a person reads."""

import json
import os
import signal
from typing import NoReturn

from documents import errors
from documents.errors import CrashedError, ParseTimeoutError, TooComplexError
from processing.sandbox.child import memory_sentence
from processing.sandbox.exchange import Ended
from processing.sandbox.limits import Limits, size
from processing.sandbox.wire import JSON

# What C++, Rust and C libraries print before they abort for want of memory.
OUT_OF_MEMORY = (
    "bad_alloc",
    "MemoryError",
    "memory allocation of",
    "out of memory",
    "Cannot allocate memory",
)
# Some say nothing, as PDFium: but a buffer that is doubled is refused once it has a third.
ABORTS_FOR_MEMORY_ABOVE = 1 / 3


def value_of(answer: bytearray, *, ended: Ended, limits: Limits, log: str) -> JSON:
    """Return the value of the task, or raise what went wrong instead.

    `answer` comes from the child and may have been written by whoever wrote
    the document: it is JSON, it names errors, and it can do nothing else.
    """
    if ended.refused:
        raise CrashedError("The sandbox could not start a process.", cause=ended.refused)
    if os.WIFSIGNALED(ended.status):
        _raise_for_signal(os.WTERMSIG(ended.status), ended, limits, log)
    code = os.waitstatus_to_exitcode(ended.status)
    if code != os.EX_OK or not answer:
        raise CrashedError(f"Reading the document ended with exit code {code}.", log=log)
    return _value_or_error(answer, log)


def _raise_for_signal(number: int, ended: Ended, limits: Limits, log: str) -> NoReturn:
    name = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
    out_of_time = number == signal.SIGKILL and ended.cpu_seconds >= limits.cpu_seconds
    if number == signal.SIGXCPU or out_of_time:
        seconds = limits.cpu_seconds
        raise ParseTimeoutError(
            f"Reading the document needs more than {seconds} seconds of processor time.", log=log
        )
    if number == signal.SIGXFSZ:
        raise TooComplexError(f"The document unpacks to more than {size(limits.file_bytes)}.")
    if number == signal.SIGABRT and _ran_out_of_memory(ended, limits, log):
        raise TooComplexError(memory_sentence(limits), log=log)
    raise CrashedError(f"Reading the document crashed ({name}).", signal=name, log=log)


def _ran_out_of_memory(ended: Ended, limits: Limits, log: str) -> bool:
    is_large = ended.peak_bytes > ABORTS_FOR_MEMORY_ABOVE * limits.memory_bytes
    return is_large or any(word in log for word in OUT_OF_MEMORY)


def _value_or_error(answer: bytearray, log: str) -> JSON:
    try:
        message = json.loads(answer.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise CrashedError("Reading the document gave no usable answer.", log=log) from error
    match message:
        case {"value": value}:
            return value  # type: ignore[no-any-return]  # json.loads makes nothing but JSON
        case {"error": {"class": str(name), "detail": str(detail), "details": dict(details)}}:
            raise _error(name, detail, details)
    raise CrashedError("Reading the document gave no usable answer.", log=log)


def _error(name: str, detail: str, details: dict[str, JSON]) -> errors.SluiceError:
    kind = getattr(errors, name, None)
    if not (isinstance(kind, type) and issubclass(kind, errors.SluiceError)):
        return CrashedError("Reading the document gave no usable answer.", named=name)
    error = kind(detail)
    # Set afterwards: a detail may have the name of an argument.
    error.details = dict(details)
    return error


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
