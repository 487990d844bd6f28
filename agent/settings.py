"""Every option of Tidings: its default, its bound, its unit, and what it is for.

Options come from `TIDINGS_GROUP__NAME` in the environment that `load_settings` is given; nothing is
read at import. Which feeds are read is content, not settings: see agent/feed_list.py.
"""

import difflib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from agent.errors import ConfigError

PREFIX = "TIDINGS_"
DELIMITER = "__"
MIB = 2**20


def _split(value: object) -> object:
    """Take `a, b` and `["a", "b"]` alike."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith('["'):
        try:
            return json.loads(value)
        except ValueError as exc:
            raise ValueError("begins like a JSON list but is not a JSON list") from exc
    return tuple(part.strip() for part in value.split(",") if part.strip())


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


def _printable(value: str) -> str:
    """Refuse what could not stand in one HTTP header line."""
    if not (value.isascii() and value.isprintable()):
        raise ValueError("only printable ASCII characters may stand in a header")
    return value


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
HeaderText = Annotated[str, AfterValidator(_printable)]
Share = Annotated[float, Field(ge=0, le=1)]
Url = Annotated[str, Field(pattern=r"^[a-z][a-z0-9+]*://")]
"""May hold a password: no field of this type is shown, nor its value in an error."""


class _Group(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class FetchSettings(_Group):
    """How pages and feeds are asked for."""

    connect_timeout_s: float = Field(5, gt=0, le=300, description="Longest wait for a connection.")
    read_timeout_s: float = Field(
        10, gt=0, le=300, description="Longest silence while an answer is read."
    )
    total_s: float = Field(
        30, gt=0, le=3600, description="Longest time for one URL, redirects included."
    )
    max_bytes: int = Field(10 * MIB, gt=0, le=1024 * MIB, description="Largest body as received.")
    max_decompressed_bytes: int = Field(
        32 * MIB, gt=0, le=4096 * MIB, description="Largest body once decompressed."
    )
    max_redirects: int = Field(5, ge=0, le=20, description="Redirects followed for one URL.")
    host_gap_s: float = Field(
        1.0, ge=0, le=3600, description="Least time between two requests to one host."
    )
    host_gap_jitter: Share = Field(
        0.5,
        description="Random share by which that gap is lengthened, so that no host sees a beat.",
    )
    max_crawl_delay_s: float = Field(
        30, ge=0, le=3600, description="A longer Crawl-delay of robots.txt is cut to this."
    )
    hold_patience_s: float = Field(
        2, ge=0, le=600, description="A Retry-After that ends this soon is waited for."
    )
    max_per_host: int = Field(2, ge=1, le=16, description="Requests to one host at the same time.")
    max_parallel: int = Field(
        8, ge=1, le=128, description="Requests at the same time, all hosts together."
    )
    max_entries: int = Field(
        2000, ge=1, le=100_000, description="Entries taken from one answer of one feed."
    )
    user_agent: HeaderText = Field(
        "tidings/0.1", min_length=1, max_length=200, description="Name sent with every request."
    )
    contact: HeaderText = Field(
        "",
        max_length=200,
        description="Your address or page, sent along so that a publisher can reach you.",
    )
    obey_robots: bool = Field(True, description="Whether robots.txt decides about article pages.")
    allow_private: Names = Field(
        (),
        description="Private networks that may be fetched from, comma-separated: 127.0.0.0/8:8099.",
    )

    @property
    def identity(self) -> str:
        """The User-Agent header."""
        return f"{self.user_agent} (news reader; {self.contact or 'no contact set'})"

    @model_validator(mode="after")
    def _bounds_fit(self) -> Self:
        if self.max_decompressed_bytes < self.max_bytes:
            raise ValueError("max_decompressed_bytes is less than max_bytes")
        return self


class ScheduleSettings(_Group):
    """When the daemon asks again, and how it stops."""

    tick_s: float = Field(60, gt=0, le=3600, description="Time between two looks for due feeds.")
    min_interval_s: int = Field(
        300, ge=1, le=86_400, description="A feed is never asked more often than this."
    )
    max_interval_s: int = Field(
        86_400,
        ge=1,
        le=2_592_000,
        description="A feed is asked at least this often, errors or not.",
    )
    interval_jitter: Share = Field(
        0.1, description="Share by which waits are lengthened, other for every feed: no rush hour."
    )
    batch: int = Field(200, ge=1, le=100_000, description="Due feeds taken up in one tick.")
    drain_s: float = Field(
        10, ge=0, le=600, description="Time that an ingest in hand is given when told to stop."
    )
    misfire_grace_s: int = Field(
        300, ge=1, le=86_400, description="A tick this late still runs; a later one waits its turn."
    )

    @model_validator(mode="after")
    def _bounds_fit(self) -> Self:
        if self.max_interval_s < self.min_interval_s:
            raise ValueError("max_interval_s is less than min_interval_s")
        return self


class KBSettings(_Group):
    """Where facts are stored, and when one counts as known."""

    database_url: Url | None = Field(
        None, repr=False, description="SQLite database by URL; without it, the one in the home."
    )
    chroma_url: Url | None = Field(
        None,
        repr=False,
        description="Chroma server by URL; without it, Chroma's files in the home.",
    )
    lock_wait_s: float = Field(
        2.0, ge=0, le=600, description="Patience while another process holds the home."
    )
    answer_threshold: Share | None = Field(
        None, description="Least probability to answer a question; without it, the shipped one."
    )
    max_wrong_answer: Share | None = Field(
        None,
        description="Share of given answers that may be wrong: chooses `answer_threshold` by the shipped curve.",
    )
    known_threshold: Share | None = Field(
        None, description="Least probability to take a fact as known; without it, the shipped one."
    )
    max_false_skip: Share | None = Field(
        None,
        description="Share of new sentences that may be skipped: chooses `known_threshold` by the shipped curve.",
    )
    experience: bool = Field(
        True,
        description="Whether facts and answered questions leave a graph of what belongs together, for searches to use.",
    )


class ModelSettings(_Group):
    """Which weights are used."""

    encoder: Path | None = Field(None, description="Encoder's folder; without it, the shipped one.")
    tagger: Path | None = Field(None, description="Tagger's folder; without it, the shipped one.")
    answerability: Path | None = Field(
        None, description="Coefficients of the answer's probability; without it, the shipped ones."
    )
    reader: Path | None = Field(None, description="Reader's folder; without it, the shipped one.")
    rereading: Path | None = Field(
        None, description="Coefficients of what the reader finds; without it, the shipped ones."
    )
    recall: Path | None = Field(
        None,
        description="Coefficients of what the experience graph brings to mind; without it, the shipped ones.",
    )
    choices: Path | None = Field(
        None, description="Coefficients that rank given options; without it, the shipped ones."
    )
    asker: Path | None = Field(None, description="Asker's folder; without it, the shipped one.")
    language: Path | None = Field(
        None, description="Language model's folder; without it, the shipped one."
    )
    writer: Path | None = Field(
        None,
        description="Folder of a Llama or Mistral checkpoint that phrases answers; without it, none is phrased.",
    )
    natural_questions: bool = Field(
        False,
        description="Whether the asker words the questions of articles, where it can: slower, see Limits.",
    )


class ServeSettings(_Group):
    """Where the daemon listens."""

    host: str = Field("127.0.0.1", min_length=1, description="Address that the daemon binds.")
    port: int = Field(0, ge=0, le=65_535, description="Port that it binds; 0 takes a free one.")


class LogSettings(_Group):
    """What is logged, on stderr."""

    level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR"] | None, BeforeValidator(_upper)
    ] = Field(
        None,
        description="Least level that is logged; without it, INFO for the daemon and ERROR for one command.",
    )
    format: Literal["text", "json"] = Field(
        "text", description="`text`: key=value for people; `json`: one object a line."
    )


class Settings(BaseSettings):
    """All options. Built once by `load_settings`; each part is handed its own group."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        env_prefix=PREFIX,
        env_nested_delimiter=DELIMITER,
    )

    home: Path | None = Field(
        None, description="Folder of all that is stored; without it, the user's data folder."
    )
    data: Path | None = Field(
        None, description="Folder of training and evaluation data, for those commands and tests."
    )
    fetch: FetchSettings = FetchSettings()
    schedule: ScheduleSettings = ScheduleSettings()
    kb: KBSettings = KBSettings()
    model: ModelSettings = ModelSettings()
    serve: ServeSettings = ServeSettings()
    log: LogSettings = LogSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003  the library's signature, as below
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take only what is passed in: the command line alone reads the environment."""
        return (init_settings,)


def load_settings(env: Mapping[str, str]) -> Settings:
    """Settings from `env`; an empty value counts as none, other prefixes are none of ours.

    Raises:
        ConfigError: an unknown name, or a value outside its bounds.
    """
    given = {name: value for name, value in env.items() if name.startswith(PREFIX) and value}
    known = {name for name, _ in options()}
    for name in sorted(given.keys() - known):
        raise ConfigError(f"{name}: no such setting{_suggestion(name, known)}")
    source = EnvSettingsSource(Settings)  # for its reading of nested names, not of this process
    source.env_vars = {name.lower(): value for name, value in given.items()}
    try:
        return Settings(**source())
    except ValidationError as exc:
        raise ConfigError(_first_problem(exc, given)) from exc


def options() -> Iterator[tuple[str, FieldInfo]]:
    """Every environment variable with its field, in the order of this file."""
    for name, field in Settings.model_fields.items():
        group = field.annotation
        if isinstance(group, type) and issubclass(group, _Group):
            for inner, inner_field in group.model_fields.items():
                yield _variable(name, inner), inner_field
        else:
            yield _variable(name), field


def _variable(*path: object) -> str:
    return PREFIX + DELIMITER.join(str(part) for part in path).upper()


def _suggestion(name: str, known: set[str]) -> str:
    near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.8)
    return f"; did you mean {near[0]}?" if near else ""


def _first_problem(error: ValidationError, given: Mapping[str, str]) -> str:
    """One line: the variable, its value unless it may be a secret, and what is wrong with it."""
    problem = error.errors(include_url=False)[0]
    name = _variable(*problem["loc"][:2])
    message = problem["msg"].removeprefix("Value error, ")
    shown = f" ({given[name]!r})" if name in given and not name.endswith("_URL") else ""
    return f"{name}{shown}: {message[0].lower()}{message[1:]}"
