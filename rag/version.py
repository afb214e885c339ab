"""The version of the installed distribution."""

from functools import cache
from importlib.metadata import PackageNotFoundError, version


@cache
def code_version() -> str:
    """The version of plumbline-rag, or 'unknown' when it is not installed."""
    try:
        return version("plumbline-rag")
    except PackageNotFoundError:
        return "unknown"
