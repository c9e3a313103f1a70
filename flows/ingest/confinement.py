"""Take away from a parser process what no parser needs: memory without end, files to write, the network, children.

Limits of the kernel come first: address space, no core dumps, no written bytes. A user and network
namespace of its own leaves the process without any interface, native code included; where the kernel
forbids namespaces (some containers do) that layer is missing and `confine` says so. An audit hook of
the interpreter, which cannot be taken off again, refuses sockets, new processes and changes to files to
Python code in every case, and remembers the attempt: a parser that hides the refusal is found out.
"""

import ctypes
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

from flows.ingest.archive import MEGABYTE

NEW_USER, NEW_NETWORK = 0x10000000, 0x40000000  # CLONE_NEWUSER and CLONE_NEWNET of <linux/sched.h>
PROBE_MB, PROBE_S = 2048, 20  # enough for an interpreter that only confines itself
_FORBIDDEN = {
    "network": ("socket.",),
    "process": ("subprocess.", "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.kill"),
    "file": ("os.remove", "os.rename", "os.link", "os.symlink", "os.truncate", "os.mkdir", "os.rmdir", "os.chmod"),
    "audit": ("sys.addaudithook",),
}
_CHANGING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

_attempts: list[str] = []


def confine(memory_mb: int) -> bool:
    """Confine this process for good; return whether it has a network namespace of its own.

    Args:
        memory_mb: Address space, in megabytes.
    """
    memory = memory_mb * MEGABYTE
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    sys.dont_write_bytecode = True
    alone = _leave_network()
    sys.addaudithook(_refuse)
    return alone


def network_is_closed() -> bool:
    """Return whether the kernel gives a process like a parser's, started for this, a network namespace of its own."""
    code = f"import sys; from {__name__} import confine; sys.exit(not confine({PROBE_MB}))"
    place = Path(__file__).parents[2]
    return subprocess.run([sys.executable, "-c", code], cwd=place, check=False, timeout=PROBE_S).returncode == 0


def limit_cpu(seconds: float) -> None:
    """Give the process this much more processor time; beyond it the kernel ends it with SIGXCPU."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    spent = int(usage.ru_utime + usage.ru_stime)
    resource.setrlimit(resource.RLIMIT_CPU, (spent + int(seconds) + 1, resource.RLIM_INFINITY))


def forbidden_act() -> str:
    """Return what was tried and refused since the last call, such as `network`, or nothing."""
    tried, _attempts[:] = sorted(set(_attempts)), []
    return next(iter(tried), "")


def _leave_network() -> bool:
    """Move into namespaces without interfaces; as root the network alone may be allowed."""
    try:
        unshare = ctypes.CDLL(None).unshare
    except AttributeError:
        return False
    return any(unshare(flags) == 0 for flags in (NEW_USER | NEW_NETWORK, NEW_NETWORK))


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    rule = next((rule for rule, starts in _FORBIDDEN.items() if event.startswith(starts)), "")
    if event == "open" and isinstance(arguments[2], int) and arguments[2] & _CHANGING:
        rule = "file"
    if rule:
        _attempts.append(rule)
        raise PermissionError(f"{event} is refused to parsers")
