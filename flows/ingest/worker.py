"""A parser process: reads framed requests from standard input, answers on standard output.

Started by `flows.ingest.workers`, never by hand. It confines itself before it reads a byte
(`confinement.py`); processor time is given anew for each request. Frames are a length and JSON, so
nothing is unpickled on either side. The environment is empty and no other descriptor is open: there
is no key to find and no file of ours to hold.
"""

import json
import struct
import sys
from typing import IO, Any

from flows.ingest.confinement import confine, forbidden_act, limit_cpu
from flows.ingest.drafts import Rejected, to_json
from flows.ingest.params import Columns
from flows.ingest.parsing import Limits, parse

LENGTH = struct.Struct(">I")
OUT_OF_MEMORY = 3  # exit status when not even the request fits


def serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    """Answer requests until the other side closes."""
    while head := read_frame(requests):
        request = json.loads(head)
        data = read_frame(requests)
        limit_cpu(request["timeout_s"])
        write_frame(answers, json.dumps(_answer(data, request)).encode())


def _answer(data: bytes, request: dict[str, Any]) -> dict[str, Any]:
    answer = _parsed(data, request)
    if tried := forbidden_act():  # whatever the parser made of the refusal
        return _no(Rejected("forbidden", tried, "the parser tried what no parser may"))
    return answer


def _parsed(data: bytes, request: dict[str, Any]) -> dict[str, Any]:
    limits = dict(request["limits"])
    if limits["columns"] is not None:
        limits["columns"] = Columns(**limits["columns"])
    try:
        return {"parsed": to_json(parse(data, request["media_type"], Limits(**limits)))}
    except Rejected as problem:
        return _no(problem)
    except MemoryError:
        return _no(Rejected("memory", "address_space"))
    except Exception as error:  # noqa: BLE001 - whatever a foreign parser throws condemns one file only
        return _no(Rejected("corrupt", "parser_error", type(error).__name__))


def _no(problem: Rejected) -> dict[str, Any]:
    return {"rejected": [problem.code, problem.rule, problem.detail]}


def read_frame(stream: IO[bytes]) -> bytes:
    """Read one frame; empty at the end of the stream."""
    head = stream.read(LENGTH.size)
    return stream.read(LENGTH.unpack(head)[0]) if len(head) == LENGTH.size else b""


def write_frame(stream: IO[bytes], data: bytes) -> None:
    """Write one frame and flush it."""
    stream.write(LENGTH.pack(len(data)) + data)
    stream.flush()


def main() -> None:
    """Confine this process (argument: megabytes of address space) and serve."""
    confine(int(sys.argv[1]))
    try:
        serve(sys.stdin.buffer, sys.stdout.buffer)
    except MemoryError:
        sys.exit(OUT_OF_MEMORY)


if __name__ == "__main__":
    main()
