"""The arguments of commands, which come as JSON from a shell or over HTTP: read, bounded, and refused in one line.

Every function raises ConfigError where an argument is not what it should be.
"""

from collections.abc import Mapping
from datetime import datetime

from agent.errors import ConfigError
from agent.moments import parse_as_of
from agent.urls import canonical_url
from agent.views import JSON

Arguments = Mapping[str, JSON]

DEFAULT_LIMIT = 10
MAX_LIMIT = 1000
MAX_TEXT_CHARS = 4000
MAX_OPTIONS = 50


def text_of(arguments: Arguments, name: str) -> str | None:
    """A text, or None when it is not given."""
    value = arguments.get(name)
    if value is not None and not isinstance(value, str):
        raise ConfigError(f"{name}: not a text")
    return value


def required_text(arguments: Arguments, name: str) -> str:
    """A text that must be there, of bounded length."""
    value = (text_of(arguments, name) or "").strip()
    if not value:
        raise ConfigError(f"{name}: missing or empty")
    if len(value) > MAX_TEXT_CHARS:
        raise ConfigError(f"{name}: longer than {MAX_TEXT_CHARS} characters")
    return value


def spelling_of(name: str) -> str:
    """An address in its one spelling; what is none, as it is."""
    try:
        return canonical_url(name)
    except ValueError:
        return name


def flag_of(arguments: Arguments, name: str) -> bool:
    """True or false; false when it is not given."""
    value = arguments.get(name, False)
    if not isinstance(value, bool):
        raise ConfigError(f"{name}: neither true nor false")
    return value


def options_of(arguments: Arguments, name: str) -> list[str] | None:
    """A list of texts, or None when it is not given."""
    given = arguments.get(name)
    if given is None:
        return None
    if not isinstance(given, list) or not 2 <= len(given) <= MAX_OPTIONS:
        raise ConfigError(f"{name}: not a list of 2 to {MAX_OPTIONS} texts")
    return [required_text({name: option}, name) for option in given]


def limit_of(arguments: Arguments, default: int = DEFAULT_LIMIT) -> int:
    """How many at most."""
    value = arguments.get("limit")
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_LIMIT:
        raise ConfigError(f"limit: not a number from 1 to {MAX_LIMIT}")
    return value


def share_of(arguments: Arguments, name: str) -> float | None:
    """A number from 0 to 1, or None when it is not given."""
    value = arguments.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ConfigError(f"{name}: not a number from 0 to 1")
    return float(value)


def moment_of(arguments: Arguments) -> datetime | None:
    """The moment `as_of`, or None when it is not given."""
    text = text_of(arguments, "as_of")
    return None if text is None else parse_as_of(text)
