"""Every error the project raises on purpose, and the exit code each class ends with.

    LlmopsError                  (an OSError, such as a full disk, ends with 74; Ctrl-C and SIGTERM with 130)
    ├── TransientError          75  try again later; Prefect retries these and nothing else
    │   ├── ProviderDownError   75  the provider did not answer, or asked us to wait
    │   └── LockedError         75  another run holds the lock
    └── TerminalError            1  repeating changes nothing until somebody acts
        ├── UsageError           2  wrong command line
        ├── ParamsError          2  wrong key or value in params.yaml
        ├── SettingsError        2  wrong environment
        ├── InputError          66  something that must be there is missing or unreadable
        ├── ContractError       65  data breaks a table's contract
        ├── ProviderRefusedError 69 the provider will not do this (key, quota, model, policy)
        ├── BudgetError         77  the money that was allowed does not suffice
        ├── GateError            1  the gate did not pass
        └── IntegrityError      70  bytes differ from what was recorded

A message says what is wrong (values by `!r`), where, and what to do. It never carries a key,
a document's text or personal data: counts and the first three ids instead.
"""

import difflib
from collections.abc import Iterable, Sequence


class LlmopsError(Exception):
    """Base of all errors raised on purpose; `exit_code` is what the command line ends with."""

    exit_code = 1


class TransientError(LlmopsError):
    """May succeed when repeated unchanged."""

    exit_code = 75


class ProviderDownError(TransientError):
    """The provider could not be reached or asked to wait longer than the deadline."""


class LockedError(TransientError):
    """Another process is writing."""


class TerminalError(LlmopsError):
    """Will fail again until somebody changes something."""


class UsageError(TerminalError):
    """The command line asks for something that does not exist."""

    exit_code = 2


class ParamsError(TerminalError):
    """params.yaml has a wrong key or value."""

    exit_code = 2


class SettingsError(TerminalError):
    """The environment has a wrong value."""

    exit_code = 2


class InputError(TerminalError):
    """An input is missing, empty or unreadable."""

    exit_code = 66


class ContractError(TerminalError):
    """A table breaks its contract."""

    exit_code = 65


class ProviderRefusedError(TerminalError):
    """The provider understood and refused: key, quota, model name or content policy."""

    exit_code = 69


class BudgetError(TerminalError):
    """The worst case of the next call does not fit into the budget."""

    exit_code = 77


class GateError(TerminalError):
    """An action needs a passing gate and has none."""


class IntegrityError(TerminalError):
    """Stored bytes differ from the hash that was recorded for them."""

    exit_code = 70


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ` Did you mean 'x'?` for the closest known name, or an empty string."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


def first_three(ids: Sequence[object]) -> str:
    """Render at most three ids for a message: `'a', 'b', 'c' and 12 more`."""
    shown = ", ".join(repr(item) for item in ids[:3])
    return f"{shown} and {len(ids) - 3} more" if len(ids) > 3 else shown
