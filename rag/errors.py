"""What can go wrong, told by who can mend it.

PlumbError
├── ConfigError        a setting or a command line is wrong          the user mends it; exit code 2
│   └── MissingExtra   a backend needs a package that is not there   the message names the extra
├── InputError         a question, file or dataset can't be used     the user mends it; exit code 2
├── DocumentError      one document can't be read                    the run goes on without it
├── StoreError         the vector store refused or can't be reached
├── ClusterError       the Ray cluster failed or can't be reached
├── WeightsError       a model file is missing or not the one meant
├── DeliveryError      a trace could not be delivered                `permanent` says if trying again is in vain
└── ModelError         a model server failed                         `retryable` says if trying again can help
    └── BudgetExceeded the budget can't pay a call                   the message says until when, and what to raise
"""

from __future__ import annotations


class PlumbError(Exception):
    """An error with a remedy: what was seen, what was expected, what to do."""

    exit_code = 1

    def __init__(self, seen: str, *, expected: str = "", remedy: str = "") -> None:
        """Keep the three parts; the message is one line made of them."""
        super().__init__(seen)
        self.seen = seen
        self.expected = expected
        self.remedy = remedy

    def __str__(self) -> str:
        """Of the parts alone: Ray adds its own words to the arguments of what a worker raises."""
        return _one_line(self.seen, self.expected, self.remedy)


class ConfigError(PlumbError):
    """A setting or a command line is wrong."""

    exit_code = 2


class MissingExtra(ConfigError):
    """A configured backend needs a package that is not installed."""


class InputError(PlumbError):
    """A question, a path or a dataset can't be used as given."""

    exit_code = 2


class DocumentError(PlumbError):
    """One document can't be read; the others can."""


class StoreError(PlumbError):
    """The vector store refused the operation or can't be reached."""


class ClusterError(PlumbError):
    """The Ray cluster that fills an index failed or can't be reached."""


class WeightsError(PlumbError):
    """A model file is missing, or its digest is not the pinned one."""


class DeliveryError(PlumbError):
    """A trace or a rating could not be delivered."""

    def __init__(
        self, seen: str, *, expected: str = "", remedy: str = "", permanent: bool = False, retry_after_s: float = 0.0
    ) -> None:
        """As PlumbError; `permanent` tells that the server will never take this one as it is.

        `retry_after_s` is how long the server asks to be left alone. `of_item` is set where the server failed when it
        had this one, which may be due to it; `of_us` where it turned us away: for wrong keys, or too much of all.
        """
        super().__init__(seen, expected=expected, remedy=remedy)
        self.permanent = permanent
        self.retry_after_s = retry_after_s
        self.of_item = False
        self.of_us = False


class ModelError(PlumbError):
    """A model server failed or answered something unusable."""

    def __init__(
        self, seen: str, *, expected: str = "", remedy: str = "", retryable: bool = False, retry_after_s: float = 0.0
    ) -> None:
        """As PlumbError; `retryable` tells whether the same call may succeed later.

        `retry_after_s` is how long the server asks to be left alone. `refused` is set where the server turned the
        request away, and so did no work that it could charge for.
        """
        super().__init__(seen, expected=expected, remedy=remedy)
        self.retryable = retryable
        self.retry_after_s = retry_after_s
        self.refused = False
        self.attempts: tuple[object, ...] = ()

    def with_attempts(self, attempts: tuple[object, ...]) -> ModelError:
        """This error, knowing each rag.types.Attempt that led to it; named after `with_traceback()`."""
        self.attempts = attempts
        return self

    def turned_away(self) -> ModelError:
        """This error, knowing that the server did no work."""
        self.refused = True
        return self


class BudgetExceeded(ModelError):
    """The budget can't pay the worst case of a call, so the model was not asked. `bound` is the setting that says so.

    To a chain it is one more reason why a model does not answer; the next one may be cheaper.
    """

    bound = ""


def _one_line(seen: str, expected: str, remedy: str) -> str:
    parts = [seen, f"expected {expected}" if expected else "", remedy]
    return " ".join("; ".join(part for part in parts if part).split())
