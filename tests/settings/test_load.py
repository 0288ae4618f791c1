"""Where settings come from, which source wins, and how all that is wrong is told at once."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from boomerang.cli import described
from boomerang.endpoints.fallback import Fallback, Redirect
from boomerang.settings import InvalidSettings, Settings, Sources, load_settings
from boomerang.settings.load import declared_settings
from boomerang.stores.address import MemoryAddress, RedisAddress, SqliteAddress

AC = "AC00000000000000000000000000000001"
SK = "SK" + "0" * 32
HASH = "pbkdf2:sha256:1000$salt$" + "0" * 64
SORRY = Redirect("https://a.com/x")
LISTEN = ("tcp:1:backlog=2", "systemd:x")
TOKEN = "BOOMERANG_TWILIO_AUTH_TOKEN"

DECLARED = {declared.name: declared for declared in declared_settings()}

# For each setting: a text, the same in TOML, and the value that both stand for.
ALL: list[tuple[str, str, str, object]] = [
    ("listen", "tcp:1:backlog=2 systemd:x", '["tcp:1:backlog=2", "systemd:x"]', LISTEN),
    ("public_url", "https://b.example.com/", '"https://b.example.com/"', "https://b.example.com"),
    ("environment", "staging-2.eu_west", '"staging-2.eu_west"', "staging-2.eu_west"),
    ("store", "redis://h/1", '"redis://h/1"', RedisAddress((("h", 6379),), database=1)),
    ("store_tls_verify", "false", "false", False),
    ("allowed_hosts", "a.com, *.b.com", '["a.com", "*.b.com"]', ("a.com", "*.b.com")),
    ("home_url", "https://a.com/x", '"https://a.com/x"', "https://a.com/x"),
    ("workers", "4", "4", 4),
    ("shutdown_grace", "2.5", "2.5", 2.5),
    ("log_format", "json", '"json"', "json"),
    ("retry.wait", "3", "3", 3.0),
    ("retry.window", "60", "60", 60.0),
    ("retry.attempts", "2", "2", 2),
    ("retry.rounds", "5", "5", 5),
    ("retry.max_held", "7", "7", 7),
    ("retry.max_held_per_account", "5", "5", 5),
    ("retry.method", "GET", '"GET"', "GET"),
    ("retry.codes", "11200, 11205", '[11200, "11205"]', ("11200", "11205")),
    ("retry.probe", "https://a.com/up", '"https://a.com/up"', "https://a.com/up"),
    ("retry.hold_limit", "60", "60", 60.0),
    ("retry.hold_message", "Wait.", '"Wait."', "Wait."),
    ("retry.release_rate", "50", "50", 50.0),
    ("retry.circuit", "true", "true", True),
    ("retry.fallback", "https://a.com/x", '"https://a.com/x"', Fallback(SORRY, SORRY)),
    ("twilio.account_sid", AC, f'"{AC}"', AC),
    ("twilio.auth_token", "one,two", '["one", "two"]', ("one", "two")),
    ("twilio.shared_keys", "a=one,b=two", '{a="one", b="two"}', {"a": "one", "b": "two"}),
    ("status.user", "me", '"me"', "me"),
    ("status.password", "pass word", '"pass word"', "pass word"),
    ("status.password_hash", HASH, f'"{HASH}"', HASH),
    ("librato.url", "https://l.com/v1/", '"https://l.com/v1/"', "https://l.com/v1"),
    ("librato.user", "ops@example.com", '"ops@example.com"', "ops@example.com"),
    ("librato.token", "a1b2", '"a1b2"', "a1b2"),
    ("librato.period", "30", "30", 30.0),
    ("librato.dialect", "tags", '"tags"', "tags"),
    ("otlp.endpoint", "http://localhost:4318", '"http://localhost:4318"', "http://localhost:4318"),
    ("otlp.headers", "a=one,b=t w", '{a="one", b="t w"}', {"a": "one", "b": "t w"}),
    ("otlp.period", "10.5", "10.5", 10.5),
    ("notify.urls", "json://a,xml://b", '["json://a", "xml://b"]', ("json://a", "xml://b")),
    ("heartbeat.url", "https://a.com/x?y", '"https://a.com/x?y"', "https://a.com/x?y"),
    ("heartbeat.period", "300", "300", 300.0),
    ("account.audit_every", "86400", "86400", 86400.0),
    ("account.subaccounts", "yes", "true", True),
    ("account.api_key", SK, f'"{SK}"', SK),
    ("account.api_secret", "s e c", '"s e c"', "s e c"),
    ("account.api_url", "http://[::1]:4010", '"http://[::1]:4010"', "http://[::1]:4010"),
    ("relay.schedule", "1s,2min", '[1, "2min"]', (1.0, 120.0)),
    ("relay.give_up_after", "3600", "3600", 3600.0),
    ("relay.concurrency", "9", "9", 9),
    ("relay.per_origin", "3", "3", 3),
    ("relay.timeout", "5", "5", 5.0),
    ("relay.retention", "86400", "86400", 86400.0),
    ("relay.most", "1000", "1000", 1000),
    ("relay.most_bytes", "100000", "100000", 100000),
]  # fmt: skip

PAIRS = {
    "status.user": {"status.password": "x"},
    "status.password": {"status.user": "x"},
    "status.password_hash": {"status.user": "x"},
    "librato.token": {"librato.user": "x"},
    "retry.max_held_per_account": {"twilio.auth_token": "x"},
    "account.api_key": {"account.api_secret": "x"},
    "account.api_secret": {"account.api_key": SK},
    "account.audit_every": {
        "public_url": "https://b.com",
        "twilio.account_sid": AC,
        "twilio.auth_token": "x",
    },
}
"""Settings that are good together only."""


def load(
    file: str = "",
    *,
    options: Mapping[str, object] | None = None,
    env: Mapping[str, str] | None = None,
) -> Settings:
    return load_settings(Sources(options=options or {}, environment=env or {}, file=file))


def problems(
    file: str = "",
    *,
    options: Mapping[str, object] | None = None,
    env: Mapping[str, str] | None = None,
) -> list[str]:
    with pytest.raises(InvalidSettings) as error:
        load(file, options=options, env=env)
    assert str(error.value) == "\n".join(error.value.problems)
    return error.value.problems


def environment_name(name: str) -> str:
    return f"BOOMERANG_{name.replace('.', '_').upper()}"


def value_of(settings: Settings, name: str) -> object:
    found: object = settings
    for step in name.split("."):
        found = getattr(found, step)
    return found


def test_table_is_complete() -> None:
    """Each setting is in the table of these tests."""
    assert [name for name, *_ in ALL] == list(DECLARED)


def test_defaults() -> None:
    """With no configuration at all, these are the settings."""
    settings = load()
    assert settings == Settings()
    assert settings.listen == ("tcp:8080:backlog=4096",)
    assert settings.public_url is None
    assert settings.environment == "production"
    assert settings.store == SqliteAddress("boomerang.db")
    assert settings.allowed_hosts == ()
    assert settings.home_url.startswith("https://")
    assert settings.workers == 1
    assert settings.shutdown_grace == 10.0
    assert settings.log_format == "text"
    assert attrs.asdict(settings.retry) == {
        "wait": 8.0,
        "window": 900.0,
        "attempts": 1,
        "rounds": 10,
        "max_held": 20_000,
        "max_held_per_account": None,
        "method": "POST",
        "codes": (),
        "probe": None,
        "hold_limit": 0.0,
        "hold_message": None,
        "release_rate": 0.0,
        "circuit": False,
        "fallback": None,
    }
    assert attrs.asdict(settings.twilio) == {
        "account_sid": None,
        "auth_token": (),
        "shared_keys": {},
    }
    assert attrs.asdict(settings.status) == {
        "user": None,
        "password": None,
        "password_hash": None,
    }
    assert (settings.check, settings.endpoint, settings.librato.service) == ((), (), ())


@pytest.mark.parametrize("name", list(DECLARED))
def test_declared(name: str) -> None:
    """Each setting has a help text, and its default is one that could have been given."""
    declared = DECLARED[name]
    assert declared.declaration.help
    if declared.default and name != "store":  # where there is none, nothing else says "none"
        assert declared.declaration.kind(declared.default) == declared.default
    assert declared.environment_names[0] == environment_name(name)


@pytest.mark.parametrize(("name", "text", "toml", "value"), ALL)
def test_each_source(name: str, text: str, toml: str, value: object) -> None:
    """Each setting may come from the command line, the environment, or the file."""
    pair = PAIRS.get(name, {})
    texts = {name: text, **pair}
    assert value_of(load(options=texts), name) == value
    env = {environment_name(each): text for each, text in texts.items()}
    assert value_of(load(env=env), name) == value
    lines = [f"{name} = {toml}", *(f'{other} = "{its}"' for other, its in pair.items())]
    assert value_of(load("\n".join(lines)), name) == value


@pytest.mark.parametrize(
    ("given", "wait"),
    [
        ("option env file", 1.0),
        ("option env", 1.0),
        ("option file", 1.0),
        ("option", 1.0),
        ("env file", 2.0),
        ("env", 2.0),
        ("file", 3.0),
        ("", 8.0),
    ],
)
def test_precedence(given: str, wait: float) -> None:
    """The command line wins over the environment, that over the file, that over the default."""
    settings = load(
        "[retry]\nwait = 3" if "file" in given else "",
        options={"retry.wait": "1"} if "option" in given else {},
        env={"BOOMERANG_RETRY_WAIT": "2"} if "env" in given else {},
    )
    assert settings.retry.wait == wait


def test_sections_mix() -> None:
    """Settings of one section may come from different sources."""
    file = "[retry]\nwait = 1\nrounds = 2\nattempts = 3"
    settings = load(file, options={"retry.wait": "4"}, env={"BOOMERANG_RETRY_ROUNDS": "5"})
    assert attrs.astuple(settings.retry)[:4] == (4.0, 900.0, 3, 5)


@pytest.mark.parametrize(
    ("env", "name", "value"),
    [
        ({"PORT": "5000"}, "listen", ("tcp:5000:backlog=4096",)),
        ({"PORT": ""}, "listen", ("tcp:8080:backlog=4096",)),
        ({"PORT": "5000", "BOOMERANG_LISTEN": "tcp:1"}, "listen", ("tcp:1:backlog=4096",)),
        ({"PORT": "5000", "BOOMERANG_LISTEN": ""}, "listen", ("tcp:5000:backlog=4096",)),
        ({"REDIS_URL": "redis://h"}, "store", RedisAddress((("h", 6379),))),
        ({"REDIS_URL": "redis://h", "BOOMERANG_STORE": "memory:"}, "store", MemoryAddress()),
        ({"TWILIO_ACCOUNT_SID": AC}, "twilio.account_sid", AC),
        ({"TWILIO_AUTH_TOKEN": "one,two"}, "twilio.auth_token", ("one", "two")),
        ({"TWILIO_AUTH_TOKEN": "one", TOKEN: "two"}, "twilio.auth_token", ("two",)),
        ({"LIBRATO_USER": "me"}, "librato.user", "me"),
        ({"LIBRATO_USER": "me", "LIBRATO_TOKEN": "x"}, "librato.token", "x"),
    ],
)  # fmt: skip
def test_customary_names(env: dict[str, str], name: str, value: object) -> None:
    """The names that platforms and Twilio's own tools use work too; ours win over them."""
    assert value_of(load(env=env), name) == value


@pytest.mark.parametrize(
    ("env", "file", "name", "value"),
    [
        ({"PORT": "5000"}, 'listen = "tcp:1"', "listen", ("tcp:5000:backlog=4096",)),
        ({"REDIS_URL": "redis://h"}, 'store = "memory:"', "store", RedisAddress((("h", 6379),))),
        ({"TWILIO_AUTH_TOKEN": "a"}, 'twilio.auth_token = "b"', "twilio.auth_token", ("a",)),
    ],
)
def test_customary_names_and_file(env: dict[str, str], file: str, name: str, value: object) -> None:
    """They are part of the environment, and win over the file as it does."""
    assert value_of(load(file, env=env), name) == value


def test_empty_environment_variable() -> None:
    """A variable that is empty counts as not set."""
    assert load("environment = 'file'", env={"BOOMERANG_ENVIRONMENT": ""}).environment == "file"


def test_other_variables() -> None:
    """The rest of the environment is none of our business."""
    others = ("HOME", "BOOMERANGS", "boomerang_wait", "TWILIO_REGION", "BOOMERANG_CONFIG")
    assert load(env=dict.fromkeys(others, "x")) == load()


@pytest.mark.parametrize(
    ("file", "name", "value"),
    [
        ("allowed_hosts = 'a.com'", "allowed_hosts", ("a.com",)),
        ("twilio.auth_token = 'one'", "twilio.auth_token", ("one",)),
        ("[twilio]\nauth_token = ['one', 'two']", "twilio.auth_token", ("one", "two")),
        ("[twilio.shared_keys]\na.b = 1", None, None),
        ("[twilio.shared_keys]\n'a.b' = 'one'", "twilio.shared_keys", {"a.b": "one"}),
        ("listen = 'systemd:domain=INET:index=0'", "listen", ("systemd:domain=INET:index=0",)),
        ("[retry]\nwait = 0", "retry.wait", 0.0),
        ("[retry]\n", "retry.wait", 8.0),
    ],
)
def test_forms_in_file(file: str, name: str | None, value: object) -> None:
    """A file may say things in the ways of TOML."""
    if name is None:
        assert problems(file) == [
            "boomerang.toml: twilio.shared_keys expected a table of secrets by key id"
            " (in the environment: id=secret,id=secret)"
        ]
    else:
        assert value_of(load(file), name) == value


@pytest.mark.parametrize(
    ("sources", "problem"),
    [
        (
            Sources(options={"retry.wait": "15"}),
            "--retry-wait is '15', expected seconds from 0 to 14",
        ),
        (
            Sources(environment={"BOOMERANG_RETRY_WAIT": "soon"}),
            "BOOMERANG_RETRY_WAIT is 'soon', expected seconds from 0 to 14",
        ),
        (
            Sources(file="retry.wait = 14.5", file_name="/etc/b.toml"),
            "/etc/b.toml: retry.wait is 14.5, expected seconds from 0 to 14",
        ),
        (
            Sources(options={"retry.max_held": "many"}),
            "--retry-max-held is 'many', expected a whole number from 0 to 1000000",
        ),
        (
            Sources(environment={"TWILIO_ACCOUNT_SID": "AC1"}),
            "TWILIO_ACCOUNT_SID expected AC and 32 hexadecimal digits",
        ),
        (
            Sources(environment={"PORT": "http"}),
            "PORT is 'http', expected endpoint strings like tcp:8080"
            " (invalid literal for int() with base 10: 'http')",
        ),
        (
            Sources(environment={"PORT": "65536"}),
            "PORT is '65536', expected endpoint strings like tcp:8080 (there is no such port)",
        ),
        (
            Sources(options={"listen": ["tcp:interface=127.0.0.1:port=-1"]}),
            "--listen is ['tcp:interface=127.0.0.1:port=-1'], expected endpoint strings like"
            " tcp:8080 (there is no such port)",
        ),
        (
            Sources(options={"workers": "65"}),
            "--workers is '65', expected a whole number from 1 to 64",
        ),
        (
            Sources(file="environment = ''"),
            "boomerang.toml: environment is '', expected letters, digits, dots, dashes",
        ),
        (
            Sources(options={"log_format": "x" * 100}),
            f"--log-format is '{'x' * 76}..., expected text or json",
        ),
        (
            Sources(environment={"TWILIO_AUTH_TOKEN": "hunter2 hunter2"}),
            "TWILIO_AUTH_TOKEN expected one secret or several, without white space",
        ),
        (
            Sources(file="[retry]\nwaits = 8"),
            "boomerang.toml: retry.waits is not a setting; did you mean retry.wait?",
        ),
        (
            Sources(file="retry = 8"),
            "boomerang.toml: retry is not a setting; did you mean retry.wait?",
        ),
        (
            Sources(file="[xyzzy.plugh]\nq = 8"),
            "boomerang.toml: xyzzy.plugh.q is not a setting",
        ),
        (
            Sources(file="[[checks]]\nq = 8"),
            "boomerang.toml: checks is not a setting; did you mean check?",
        ),
        (
            Sources(file="[[librato.servics]]\nq = 8"),
            "boomerang.toml: librato.servics is not a setting; did you mean librato.service?",
        ),
        (
            Sources(environment={"BOOMERANG_CHECK": "https://a"}),
            "BOOMERANG_CHECK is not a setting",
        ),
        (
            Sources(file=f"retry.max_held = 0x{'f' * 5000}"),
            "boomerang.toml: retry.max_held is a number too long to show,"
            " expected a whole number from 0 to 1000000",
        ),
        (
            Sources(file="status = {user = 'me', password = ''}"),
            "boomerang.toml: status.password expected a text",
        ),
        (
            Sources(file="librato = {user = 5, token = 'x'}"),
            "boomerang.toml: librato.user is 5, expected a text",
        ),
        (
            Sources(environment={"LIBRATO_TOKEN": "hunter2"}),
            "librato.token is set, expected librato.user too (AppOptics needs none)",
        ),
        (
            Sources(options={"retry.max_held_per_account": 5}),
            "retry.max_held_per_account is set, expected twilio.auth_token or twilio.shared_keys"
            " too: who does not sign can name any account",
        ),
        (
            Sources(options={"librato.url": "HTTP://librato.example.com/v1"}),
            "librato.url is not https: the token would be readable on its way",
        ),
        (
            Sources(environment={"BOOMERANG_RETRY_WAITS": "8"}),
            "BOOMERANG_RETRY_WAITS is not a setting; did you mean BOOMERANG_RETRY_WAIT?",
        ),
        (
            Sources(environment={"BOOMERANG_HOME": ""}),
            "BOOMERANG_HOME is not a setting; did you mean BOOMERANG_HOME_URL?",
        ),
        (
            Sources(environment={"BOOMERANG_STATUS_USER": "me"}),
            "status.user is set, expected status.password or status.password_hash too",
        ),
        (
            Sources(file=f"status = {{user = 'me', password = 'x', password_hash = '{HASH}'}}"),
            "status.password and status.password_hash are set, expected one of them",
        ),
        (
            Sources(file="status.password = 'hunter2'"),
            "status.password is set, expected status.user too",
        ),
        (
            Sources(options={"workers": "2", "store": "memory:"}),
            "workers is more than 1 and store is memory:, of which each would have its own;"
            " expected sqlite:FILE or redis://",
        ),
        (
            Sources(file="[retry\nwait = 8"),
            "boomerang.toml is not TOML: at line 1, column 7",
        ),
        (
            Sources(file="retry"),
            "boomerang.toml is not TOML: at end of document",
        ),
    ],
)
def test_problem(sources: Sources, problem: str) -> None:
    """What is wrong is told with its name, its value unless that is secret, and what to write."""
    with pytest.raises(InvalidSettings) as error:
        load_settings(sources)
    assert error.value.problems == [problem]


def test_all_problems_at_once() -> None:
    """All that is wrong is told at once, whichever source it came from."""
    found = problems(
        "enviroment = 'x'\nhome_url = 'x'\n[retry]\nwait = 99\n[nonsense]\nqqq = 1",
        options={"workers": "99", "retry.window": "0"},
        env={"BOOMERANG_LOG_FORMAT": "xml", "BOOMERANG_NONSENSE": "x", "PORT": "http"},
    )
    starts = [
        "PORT is 'http', expected ",
        "boomerang.toml: home_url is 'x', expected ",
        "--workers is '99', expected ",
        "BOOMERANG_LOG_FORMAT is 'xml', expected ",
        "boomerang.toml: retry.wait is 99, expected ",
        "--retry-window is '0', expected ",
        "boomerang.toml: enviroment is not a setting; did you mean environment?",
        "boomerang.toml: nonsense.qqq is not a setting",
        "BOOMERANG_NONSENSE is not a setting",
    ]
    assert len(found) == len(starts)
    assert [line[: len(start)] for line, start in zip(found, starts, strict=True)] == starts


def test_rest_of_a_broken_file() -> None:
    """A file that is no TOML does not hide what is wrong elsewhere."""
    found = problems("x", options={"workers": "99"})
    assert found == [
        "boomerang.toml is not TOML: at end of document",
        "--workers is '99', expected a whole number from 1 to 64",
    ]


def test_only_the_winner_is_looked_at() -> None:
    """A value that another source overrides does no harm."""
    assert load("retry.wait = 99", env={"BOOMERANG_RETRY_WAIT": "4"}).retry.wait == 4.0


def shown(sources: Sources) -> str:
    """All that may be printed or logged of what is set, or is wrong."""
    try:
        settings = load_settings(sources)
    except InvalidSettings as error:
        return "\n".join([str(error), repr(error), *error.problems])
    return "\n".join([repr(settings), *described(settings)])


class TestSecrets:
    """No message, `repr` or description ever holds a secret."""

    S = "hunter2"

    WRONG: tuple[Callable[[str], Sources], ...] = (
        lambda s: Sources(environment={"TWILIO_AUTH_TOKEN": f"{s} {s}"}),
        lambda s: Sources(environment={"BOOMERANG_TWILIO_AUTH_TOKEN": f"{s}\n{s}"}),
        lambda s: Sources(environment={"BOOMERANG_TWILIO_SHARED_KEYS": s}),
        lambda s: Sources(environment={"BOOMERANG_TWILIO_SHARED_KEYS": f"={s}"}),
        lambda s: Sources(environment={"BOOMERANG_STATUS_PASSWORD": f"{s}\n"}),
        lambda s: Sources(environment={"BOOMERANG_STATUS_PASSWORD": s}),
        lambda s: Sources(environment={"BOOMERANG_AUTH_TOKEN": s}),
        lambda s: Sources(environment={"REDIS_URL": f"redis://:{s}@h:port"}),
        lambda s: Sources(environment={"REDIS_URL": f"mysql://me:{s}@h"}),
        lambda s: Sources(environment={"BOOMERANG_STORE": f"redis://me:{s}@[h"}),
        lambda s: Sources(environment={"BOOMERANG_STORE": f"redis://h/{s}"}),
        lambda s: Sources(environment={"BOOMERANG_STORE": f"redis://h/?password={s}"}),
        lambda s: Sources(environment={"BOOMERANG_STORE": s}),
        lambda s: Sources(options={"store": f"rediss://me:{s}@h,i"}),
        lambda s: Sources(file=f"store = 'redis+sentinel://me:{s}@h'"),
        lambda s: Sources(file=f"store = ['redis://me:{s}@h']"),
        lambda s: Sources(file=f"[store]\nurl = 'redis://me:{s}@h'"),
        lambda s: Sources(file=f"[twilio]\nauth_token = '{s} {s}'"),
        lambda s: Sources(file=f"[twilio]\nauth_token = [['{s}']]"),
        lambda s: Sources(file=f"[twilio.auth_token]\nmain = '{s}'"),
        lambda s: Sources(file=f"[twilio]\nauth_tokens = '{s}'"),
        lambda s: Sources(file=f"[twilo]\nauth_token = '{s}'"),
        lambda s: Sources(file=f"[twilio]\nshared_keys = '{s}'"),
        lambda s: Sources(file=f"[twilio]\nshared_keys = ['{s}']"),
        lambda s: Sources(file=f"[twilio.shared_keys.one]\ntwo = '{s}'"),
        lambda s: Sources(file=f"[status]\npassword = ['{s}']"),
        lambda s: Sources(file=f"[status]\npassword = '{s}'"),
        lambda s: Sources(file=f"password = '{s}'"),
        lambda s: Sources(file=f"[twilio]\nauth_token = {s}"),
        lambda s: Sources(file=f"[twilio]\nauth_token = '{s}"),
        lambda s: Sources(file=f"[twilio]\nauth_token = '{s}' '{s}'"),
        lambda s: Sources(file=f'[twilio]\nauth_token = "{s}\\q"'),
        lambda s: Sources(file=f"[twilio]\nauth_token = '{s}\0'"),
        lambda s: Sources(file=f"[twilio]\n{s}"),
        lambda s: Sources(file=f"[twilio]\nauth_token = '{s}'\nauth_token = '{s}'"),
        lambda s: Sources(file=f"[twilio]\nauth_token = '{s}'\n[twilio.auth_token]"),
    )

    @pytest.mark.parametrize("wrong", WRONG)
    def test_wrong(self, wrong: Callable[[str], Sources]) -> None:
        """However wrong a secret is, or the place where it stands, it is not told."""
        sources = wrong(self.S)
        with pytest.raises(InvalidSettings):
            load_settings(sources)
        assert self.S not in shown(sources)
        if not sources.options:
            assert self.S not in repr(sources)

    @given(
        secret=st.text("zq!$%&*+-./:;<>?^_|~", min_size=12, max_size=20).filter(
            lambda text: "//" not in text
        )
    )
    def test_any_wrong(self, secret: str) -> None:
        """Nor is any other."""
        for wrong in self.WRONG:
            assert secret not in shown(wrong(secret))

    @pytest.mark.parametrize("secret", ["hunter2", "{hunter2}", "%s'hunter2", "h,unter2"])
    def test_right(self, secret: str) -> None:
        """Nor is a secret shown where settings are good: they can be logged and printed."""
        quoted = json.dumps(secret)
        file = (
            f"store = 'redis://me:hunter2@h/0'\n[twilio]\nauth_token = [{quoted}]\n"
            f"shared_keys = {{id = {quoted}}}\n[status]\nuser = 'me'\npassword = {quoted}"
        )
        settings = load(file)
        assert settings.twilio.auth_token == (secret,)
        assert settings.status.password == secret
        assert secret not in shown(Sources(file=file))
        assert self.S not in shown(Sources(file=file))


def test_huge_in_file() -> None:
    """A number too long to be read is a problem of the file."""
    with pytest.raises(InvalidSettings):
        load_settings(Sources(file=f"retry.wait = {'9' * 5000}"))


def test_pair_among_other_problems() -> None:
    """Contradictions are told beside wrong values."""
    with pytest.raises(InvalidSettings) as error:
        load_settings(Sources(file="workers = 99\nstatus.user = 'me'"))
    assert len(error.value.problems) == 2


def test_window_longer_than_wait() -> None:
    """A failure must be remembered longer than it is held."""
    with pytest.raises(InvalidSettings):
        load_settings(Sources(file="[retry]\nwait = 14\nwindow = 5"))


@pytest.mark.parametrize(
    "file",
    [
        "twilio.auth_token = ''",
        "twilio.auth_token = ','",
        "allowed_hosts = ''",
        "allowed_hosts = ' , '",
        "twilio.auth_token = []",
    ],
)
def test_empty_is_not_off(file: str) -> None:
    """An empty list does not quietly open the door."""
    with pytest.raises(InvalidSettings):
        load_settings(Sources(file=file))


def test_sources_repr() -> None:
    """The command line may hold a password, and is not shown."""
    assert "hunter2" not in repr(Sources(options={"store": "redis://:hunter2@h"}))


@pytest.mark.parametrize(
    ("sources", "told"),
    [
        (Sources(file="wait = 8"), "did you mean retry.wait?"),
    ],
)
def test_suggestion(sources: Sources, told: str) -> None:
    """A setting outside its section is recognised."""
    with pytest.raises(InvalidSettings, match=told):
        load_settings(sources)


def test_wild_suggestion() -> None:
    """What is like nothing gets no suggestion."""
    with pytest.raises(InvalidSettings) as error:
        load_settings(Sources(environment={"BOOMERANG_NONSENSE": "x"}))
    assert "did you mean" not in str(error.value)
