"""Foreign classes by import path, for settings that name one."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from rag.errors import ConfigError, MissingExtra
from rag.settings import is_secret

ERROR_CHARS = 300


def construct(path: str, arguments: Mapping[str, Any], *, kind: type, setting: str) -> Any:
    """An instance of the class at 'package.module.ClassName', which must be a `kind`.

    Raises MissingExtra when the package is not installed, ConfigError for everything else that is wrong.
    """
    found = _look_up(path)
    if not (isinstance(found, type) and issubclass(found, kind)):
        raise ConfigError(f"{path} is not a {kind.__name__}", expected=f"a subclass of LlamaIndex's {kind.__name__}")
    try:
        return found(**arguments)
    except Exception as error:  # noqa: BLE001 - foreign code may raise anything
        raise ConfigError(
            f"{path} can't be made: {describe(error, arguments)}",
            expected=f"its arguments in {setting}",
            remedy="see the class's own documentation",
        ) from None


def describe(error: Exception, arguments: Mapping[str, Any]) -> str:
    """What a foreign class raised, in short; values among its arguments that may be secrets are left out."""
    text = f"{type(error).__name__}: {error}"
    for value in (str(value) for name, value in arguments.items() if is_secret(name) and value):
        text = text.replace(value, "***")
    return text[:ERROR_CHARS]


def _look_up(path: str) -> Any:
    module, _, name = path.rpartition(".")
    try:
        return getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        raise MissingExtra(
            f"no module named '{error.name}'",
            expected=f"an installed package that holds {path}",
            remedy="install it into this environment with pip",
        ) from None
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f"no class {path}: {error}", expected="'package.module.ClassName'") from None
