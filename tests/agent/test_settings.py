import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from agent.errors import ConfigError
from agent.fetch import FetchLimits
from agent.freshness import CheckPolicy
from agent.settings import FetchSettings, ScheduleSettings, Settings, load_settings, options


def problem(**env):
    with pytest.raises(ConfigError) as caught:
        load_settings(env)
    return str(caught.value)


def test_nothing_given_means_every_default():
    assert load_settings({"PATH": "/bin", "HOME": "/root"}) == Settings()


def test_process_environment_is_not_read(monkeypatch):
    monkeypatch.setenv("TIDINGS_HOME", "/elsewhere")
    monkeypatch.setenv("TIDINGS_FETCH__MAX_REDIRECTS", "1")
    assert load_settings({}) == Settings()
    assert Settings().home is None


def test_values_are_read_from_groups():
    settings = load_settings(
        {
            "TIDINGS_HOME": "/srv/news",
            "TIDINGS_DATA": "data",
            "TIDINGS_FETCH__HOST_GAP_S": "0.25",
            "TIDINGS_FETCH__OBEY_ROBOTS": "false",
            "TIDINGS_SERVE__PORT": "8080",
            "TIDINGS_KB__ANSWER_THRESHOLD": "0.75",
            "TIDINGS_MODEL__ENCODER": "weights/other",
            "TIDINGS_LOG__LEVEL": "debug",
        }
    )
    assert settings.home == Path("/srv/news")
    assert settings.data == Path("data")
    assert settings.fetch.host_gap_s == 0.25
    assert settings.fetch.obey_robots is False
    assert settings.serve.port == 8080
    assert settings.kb.answer_threshold == 0.75
    assert settings.model.encoder == Path("weights/other")
    assert settings.log.level == "DEBUG"


def test_empty_value_counts_as_none_given():
    assert load_settings({"TIDINGS_HOME": "", "TIDINGS_FETCH__MAX_BYTES": ""}) == Settings()


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.0/8:8099,[::1]/128:8099",
        " 127.0.0.0/8:8099 , [::1]/128:8099 ,",
        '["127.0.0.0/8:8099", "[::1]/128:8099"]',
    ],
)
def test_private_networks_are_listed_by_commas_or_as_json(text):
    fetch = load_settings({"TIDINGS_FETCH__ALLOW_PRIVATE": text}).fetch
    assert fetch.allow_private == ("127.0.0.0/8:8099", "[::1]/128:8099")


def test_a_bracketed_address_alone_is_no_json():
    fetch = load_settings({"TIDINGS_FETCH__ALLOW_PRIVATE": "[::1]/128:8099"}).fetch
    assert fetch.allow_private == ("[::1]/128:8099",)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("TIDINGS_HOEM", "TIDINGS_HOME"),
        ("TIDINGS_FETCH__MAX_BYTE", "TIDINGS_FETCH__MAX_BYTES"),
        ("TIDINGS_FETCH_MAX_BYTES", "TIDINGS_FETCH__MAX_BYTES"),
        ("TIDINGS_home", "TIDINGS_HOME"),
    ],
)
def test_misspelt_name_is_named_with_the_nearest(name, meant):
    message = problem(**{name: "1"})
    assert message.startswith(f"{name}: no such setting")
    assert message.endswith(f"did you mean {meant}?") or name == "TIDINGS_home"


@pytest.mark.parametrize("name", ["TIDINGS_FETCH", "TIDINGS_TYPO", "TIDINGS_FETCH__MAX_BYTES__X"])
def test_names_that_are_no_option_are_refused(name):
    assert problem(**{name: "1"}).startswith(f"{name}: no such setting")


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("TIDINGS_FETCH__MAX_BYTES", "many", "valid integer"),
        ("TIDINGS_FETCH__MAX_BYTES", "0", "greater than 0"),
        ("TIDINGS_FETCH__HOST_GAP_S", "nan", "less than or equal to"),
        ("TIDINGS_FETCH__HOST_GAP_S", "-1", "greater than or equal to 0"),
        ("TIDINGS_FETCH__OBEY_ROBOTS", "perhaps", "valid boolean"),
        ("TIDINGS_FETCH__USER_AGENT", "Reader\r\nCookie: x", "printable ASCII"),
        ("TIDINGS_FETCH__ALLOW_PRIVATE", '["127.0.0.0/8"', "not a JSON list"),
        ("TIDINGS_SERVE__PORT", "70000", "65535"),
        ("TIDINGS_KB__KNOWN_THRESHOLD", "1.5", "less than or equal to 1"),
        ("TIDINGS_LOG__LEVEL", "LOUD", "'DEBUG', 'INFO', 'WARNING' or 'ERROR'"),
    ],
)
def test_bad_value_is_one_line_with_variable_value_and_reason(name, value, complaint):
    message = problem(**{name: value})
    assert message.startswith(f"{name} ({value!r}): ")
    assert complaint in message
    assert "\n" not in message


def test_bounds_that_cross_are_refused():
    assert "max_interval_s is less" in problem(
        TIDINGS_SCHEDULE__MIN_INTERVAL_S="1000", TIDINGS_SCHEDULE__MAX_INTERVAL_S="10"
    )
    assert "max_decompressed_bytes is less" in problem(TIDINGS_FETCH__MAX_BYTES="500000000")


def test_passwords_in_urls_are_never_shown():
    assert "hunter2" not in problem(TIDINGS_KB__DATABASE_URL="user:hunter2@host")
    settings = load_settings({"TIDINGS_KB__DATABASE_URL": "postgresql://user:hunter2@host/db"})
    assert "hunter2" not in repr(settings)


def test_settings_cannot_be_changed():
    with pytest.raises(ValidationError):
        Settings().fetch.max_bytes = 1  # type: ignore[misc]  # the point of this test


def test_contact_is_part_of_the_identity():
    assert FetchSettings().identity == FetchLimits().user_agent
    assert FetchSettings(contact="mailto:me@mail.invalid").identity == (
        "tidings/0.1 (news reader; mailto:me@mail.invalid)"
    )


def test_defaults_are_those_of_the_fetcher():
    set_apart = {"user_agent", "allow_private"}  # composed and parsed on the way
    names = {field.name for field in fields(FetchLimits)} - set_apart
    for name in names:
        assert getattr(FetchSettings(), name) == getattr(FetchLimits(), name), name


def test_defaults_are_those_of_the_schedule():
    settings, policy = ScheduleSettings(), CheckPolicy()
    assert settings.min_interval_s == policy.min_interval_s
    assert settings.max_interval_s == policy.max_interval_s
    assert settings.interval_jitter == policy.spread


@given(
    st.dictionaries(st.sampled_from(sorted(name for name, _ in options())), st.text(max_size=30))
)
def test_any_values_give_settings_or_one_line(env):
    message = ""
    try:
        load_settings(env)
    except ConfigError as error:
        message = str(error)
    assert "\n" not in message


# --------------------------------------------------------------------------------- the table
@pytest.mark.parametrize(("name", "field"), [pytest.param(*it, id=it[0]) for it in options()])
def test_every_option_says_what_it_is_for(name, field):
    assert field.description
    assert field.description.endswith(".")
    assert len(field.description) < 100
    assert re.fullmatch(r"TIDINGS_[A-Z]+(__[A-Z_]+)?", name)


def test_numbers_have_bounds():
    unbounded = [
        name
        for name, field in options()
        if field.annotation in (int, float) and len(field.metadata) < 2
    ]
    assert unbounded == []


def test_readme_holds_the_table_of_today():
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, str(root / "scripts" / "settings_table.py"), "--check"],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
