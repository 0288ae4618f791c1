"""Arrays of tables in the file: each entry with its number and label, all problems at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boomerang.settings import InvalidSettings, Settings, Sources, load_settings
from boomerang.settings.checks import Check
from boomerang.settings.load import declared_entries, declared_settings, keys_of
from boomerang.settings.reports import LibratoService
from tests.settings.test_load import load, problems, shown

WEB = "[[check]]\nname = 'web'\nurl = 'https://a/'\n"
MAIL = "[[librato.service]]\ntype = 'mail'\ntitle = 'Ops'\nsettings = {addresses = 'a@b'}\n"


def test_declared() -> None:
    """Arrays of tables are no settings of their own; the keys of their entries are declared."""
    arrays = declared_entries()
    assert arrays["check"].of is Check
    assert arrays["librato.service"].of is LibratoService
    assert not {declared.name for declared in declared_settings()} & arrays.keys()
    for array in arrays.values():
        keys = list(keys_of(array.of))
        assert keys
        assert all(declared.declaration.help for declared in keys)


def test_none() -> None:
    """There need not be any."""
    assert load("check = []\nlibrato.service = []") == load()


def test_entries() -> None:
    """Each table is an entry, in their order, with defaults for what it does not say."""
    settings = load(
        f"environment = 'staging'\n{WEB}interval = 0.5\nheaders = {{Accept = 'a/b'}}\n"
        "[[check]]\nname = 'db'\nkind = 'tcp'\nurl = 'tcp://db:3306'\n"
        f"depends_on = 'web'\n[librato]\nperiod = 30\n{MAIL}"
    )
    assert settings.check == (
        Check(name="web", url="https://a/", interval=0.5, headers={"Accept": "a/b"}),
        Check(name="db", url="tcp://db:3306", kind="tcp", depends_on=("web",)),
    )
    assert settings.librato.service == (
        LibratoService(type="mail", title="Ops", settings={"addresses": "a@b"}),
    )
    assert settings.environment == "staging"
    assert settings.librato.period == 30.0


def test_table_within_an_entry() -> None:
    """A table of an entry may stand below it."""
    settings = load(f"{WEB}[check.headers]\nAccept = 'a/b'\n[[check]]\nname='b'\nurl='http://b'")
    assert [check.headers for check in settings.check] == [{"Accept": "a/b"}, {}]


@pytest.mark.parametrize(
    ("file", "problem"),
    [
        (
            "[check]\nname = 'web'\nurl = 'https://a/'",
            "check expected an array of tables, [[check]]",
        ),
        ("check = 'https://a/'", "check expected an array of tables, [[check]]"),
        ("check = [1, 2]", "check expected an array of tables, [[check]]"),
        ("check = [{name = 'a'}, 2]", "check expected an array of tables, [[check]]"),
        ("check = [[{name = 'a'}]]", "check expected an array of tables, [[check]]"),
        (
            "[librato.service.settings]\naddresses = 'a@b'",
            "librato.service expected an array of tables, [[librato.service]]",
        ),
        (
            "[[check]]\nurl = 'https://a/'",
            "[[check]] 1: name is missing",
        ),
        (
            f"{WEB}[[check]]\nname = 'b'",
            "[[check]] 2 ('b'): url is missing",
        ),
        (
            "[[check]]\nname = 5\nurl = 'https://a/'",
            "[[check]] 1: name is 5, expected up to 63 letters, digits, dots, dashes",
        ),
        (
            "[[check]]\nname = 'the web'\nurl = 'https://a/'",
            "[[check]] 1 ('the web'): name is 'the web', expected up to 63 letters, digits,"
            " dots, dashes",
        ),
        (
            f"[[check]]\nname = '{'x' * 100}'\nurl = 'https://a/'",
            f"[[check]] 1 ('{'x' * 76}...): name is '{'x' * 76}..., expected up to 63 letters,"
            " digits, dots, dashes",
        ),
        (
            f"{WEB}interval = 'hourly'",
            "[[check]] 1 ('web'): interval is 'hourly', expected seconds from 0.1 to 86400",
        ),
        (
            f"{WEB}interval = {{seconds = 5}}",
            "[[check]] 1 ('web'): interval is {'seconds': 5}, expected seconds from 0.1 to 86400",
        ),
        (
            f"{WEB}failures = {{count = 5}}",
            "[[check]] 1 ('web'): failures is {'count': 5}, expected a whole number from 1 to 100",
        ),
        (
            f"{WEB}status = [200, true]",
            "[[check]] 1 ('web'): status is [200, True], expected HTTP statuses like 200 or 2xx",
        ),
        (
            f"{WEB}status = [0x{'f' * 5000}]",
            "[[check]] 1 ('web'): status is a number too long to show, expected HTTP statuses"
            " like 200 or 2xx",
        ),
        (
            f"{WEB}intervall = 5",
            "[[check]] 1 ('web'): intervall is not a key of it; did you mean interval?",
        ),
        (
            f"{WEB}xyzzy = 5",
            "[[check]] 1 ('web'): xyzzy is not a key of it",
        ),
        (
            f"{WEB}slow = 20",
            "[[check]] 1 ('web'): slow is 20, expected less than timeout, which is 10: no answer"
            " could be found slow",
        ),
        (
            f"{WEB}{WEB}",
            'check "web" is there more than once (letter case does not count)',
        ),
        (
            f"{WEB}depends_on = ['web']",
            "checks depend on each other in a circle: web -> web",
        ),
        (
            MAIL.replace("'mail'", "'email'"),
            "[[librato.service]] 1 ('Ops'): type is 'email', expected mail or pagerduty or slack"
            " or webhook or opsgenie or victorops or sns or zapier",
        ),
        (
            MAIL.replace("addresses", "address"),
            "[[librato.service]] 1 ('Ops'): settings.addresses is missing",
        ),
        (
            f"{MAIL}{MAIL}",
            'librato.service "Ops" is there more than once as mail',
        ),
        (
            "[[librato.service]]\ntype = 'mail'\nsettings = {addresses = 'a@b'}",
            "[[librato.service]] 1: title is missing",
        ),
    ],
)
def test_problem(file: str, problem: str) -> None:
    """What is wrong is told with the array, the entry's number and label, and what was expected."""
    assert problems(file) == [f"boomerang.toml: {problem}"]


def test_all_problems_at_once() -> None:
    """All that is wrong in all entries is told at once, beside what is wrong elsewhere."""
    found = problems(
        "worker = 1\n"
        "[[check]]\nname = 'a'\nurl = 'a'\nmethod = 'PUT'\nretries = 5\n"
        "[[check]]\nname = 'b'\nurl = 'b'\nslow = 10\n"
        "[[check]]\nkind = 'tcp'\n"
        "[[librato.service]]\ntype = 'mail'\ntitle = 'Ops'\nsettings = {}\nname = 'x'\n"
        "[retry]\nwait = 99"
    )
    starts = [
        "[[check]] 1 ('a'): method is 'PUT', expected ",
        "[[check]] 1 ('a'): retries is not a key of it",
        "[[check]] 2 ('b'): url is not an absolute ",
        "[[check]] 2 ('b'): slow is 10, expected ",
        "[[check]] 3: name is missing",
        "[[check]] 3: url is missing",
        "[[librato.service]] 1 ('x'): name is not a key of it",
        "retry.wait is 99, expected ",
        "worker is not a setting; did you mean workers?",
    ]
    assert len(found) == len(starts)
    for line, start in zip(found, starts, strict=True):
        assert line.startswith(f"boomerang.toml: {start}")


def test_entries_are_compared_when_each_is_good() -> None:
    """What depends on an entry that is wrong is not told to depend on nothing."""
    db = "[[check]]\nname = 'db'\nurl = 'https://b/'\ncritical = 1\n"
    assert problems(f"{WEB}depends_on = 'db'\n{db}") == [
        "boomerang.toml: [[check]] 2 ('db'): critical is 1, expected true or false"
    ]
    assert problems(f"{WEB}depends_on = 'db'\n") == [
        'boomerang.toml: check "web": depends_on names "db", which is no check'
    ]


@pytest.mark.parametrize("url", ["http://localhost:1/v1", "http://127.0.0.1", "https://a/v1"])
def test_librato_url(url: str) -> None:
    """The token goes over https alone, or does not leave the machine."""
    assert load(f"[librato]\nurl = '{url}'\nuser = 'me'\ntoken = 'x'").librato.url == url


def test_appoptics() -> None:
    """AppOptics has tokens, and no users."""
    assert load("[librato]\ndialect = 'tags'\ntoken = 'x'").librato.user is None


class TestSecrets:
    """No message, `repr` or description ever holds a secret of an entry or a report."""

    S = "hunter2"

    WRONG: tuple[Callable[[str], str], ...] = (
        lambda s: f"[[check]]\nname = 'a'\nurl = 'redis://me:{s}@h'",
        lambda s: f"[[check]]\nname = 'a'\nkind = 'redis'\nurl = 'redis://me:{s}@h:port'",
        lambda s: f"[[check]]\nname = 'a'\nkind = 'redis'\nurl = 'redis://h/?password={s}'",
        lambda s: f"[[check]]\nname = 'a'\nkind = 'tcp'\nurl = 'tcp://me:{s}@h:1'",
        lambda s: f"[[check]]\nname = 'a'\nkind = 'dns'\nurl = 'dns://me:{s}@h/a'",
        lambda s: f"[[check]]\nname = 'a'\nurl = 'http://me:{s}@h/#x'",
        lambda s: f"[[check]]\nname = 'a'\nurl = 'http://h/?key={s}'\ninterval = 0",
        lambda s: f"[[check]]\nname = 'a'\nurl = ['redis://me:{s}@h']",
        lambda s: f"[[check]]\nname = 'a'\nurls = 'redis://me:{s}@h'",
        lambda s: f"[check]\nname = 'a'\nurl = 'redis://me:{s}@h'",
        lambda s: f"check = 'redis://me:{s}@h'",
        lambda s: f"check = ['redis://me:{s}@h']",
        lambda s: f"[checks]\nurl = 'redis://me:{s}@h'",
        lambda s: f"{WEB}headers = '{s}'",
        lambda s: f"{WEB}headers = ['{s}']",
        lambda s: f"{WEB}headers = {{Authorization = ['{s}']}}",
        lambda s: f"{WEB}headers = {{Authorization = '{s}\u00e9'}}",
        lambda s: f"{WEB}headers = {{'{s}:' = 'x'}}",
        lambda s: f"{WEB}headers = {{Authorization = '{s}', authorization = '{s}'}}",
        lambda s: f"{WEB}headers = {{Authorization = '{s}', TE = '{s}'}}",
        lambda s: f"{WEB}header = {{Authorization = '{s}'}}",
        lambda s: f"{WEB}kind = 'tcp'\nheaders = {{Authorization = '{s}'}}",
        lambda s: f"librato.token = ['{s}']",
        lambda s: f"librato.token = '{s}'",
        lambda s: f"librato.url = 'https://me:{s}@h/v1'",
        lambda s: f"librato.url = 'https://h/v1?token={s}'",
        lambda s: f"librato.service = '{s}'",
        lambda s: MAIL.replace("{addresses = 'a@b'}", f"'{s}'"),
        lambda s: MAIL.replace("'a@b'", f"['{s}']"),
        lambda s: MAIL.replace("'a@b'", f'"{s}\\u0007"'),
        lambda s: MAIL.replace("addresses = 'a@b'", f"url = '{s}'"),
        lambda s: MAIL.replace("settings = {addresses = 'a@b'}", f"setting = '{s}'"),
        lambda s: f"[librato.service]\nsettings = {{url = '{s}'}}",
        lambda s: f"otlp.headers = '{s}'",
        lambda s: f"otlp.headers = {{Authorization = ['{s}']}}",
        lambda s: f"otlp.endpoint = 'ftp://me:{s}@h'",
        lambda s: f"otlp.endpoint = 'http://h/?key={s}'",
        lambda s: f"notify.urls = '{s}'",
        lambda s: f"notify.urls = ['mailto://me:{s}@h', 5]",
        lambda s: f"notify.urls = ['mailto://me:{s}@h x']",
        lambda s: f"notify.url = 'mailto://me:{s}@h'",
        lambda s: f"heartbeat.url = '{s}'",
        lambda s: f"heartbeat.url = 'ftp://h/{s}'",
    )

    @pytest.mark.parametrize("wrong", WRONG)
    def test_wrong(self, wrong: Callable[[str], str]) -> None:
        """However wrong a secret is, or the place where it stands, it is not told."""
        assert problems(wrong(self.S))
        assert self.S not in shown(Sources(file=wrong(self.S)))

    @given(
        secret=st.text("zq!$%&*+-./:;<>?^_|~", min_size=12, max_size=20).filter(
            lambda text: "//" not in text
        )
    )
    def test_any_wrong(self, secret: str) -> None:
        """Nor is any other."""
        for wrong in self.WRONG:
            assert secret not in shown(Sources(file=wrong(secret)))

    def test_right(self) -> None:
        """Nor is a secret shown where settings are good: they can be logged and printed."""
        file = (
            "[[check]]\nname = 'web'\nurl = 'https://me:hunter2@a/x?key=hunter2'\n"
            "headers = {Authorization = 'hunter2'}\n"
            "[[check]]\nname = 'db'\nkind = 'redis'\nurl = 'redis://me:hunter2@b/0'\n"
            "[librato]\nuser = 'me'\ntoken = 'hunter2'\n"
            "[[librato.service]]\ntype = 'slack'\ntitle = 'Ops'\nsettings = {url = 'hunter2'}\n"
            "[otlp]\nendpoint = 'http://me:hunter2@a'\nheaders = {Authorization = 'hunter2'}\n"
            "[notify]\nurls = ['mailto://me:hunter2@a']\n"
            "[heartbeat]\nurl = 'https://hc-ping.com/hunter2'\n"
        )
        settings = load(file)
        assert settings.check[0].headers == {"Authorization": "hunter2"}
        assert settings.librato.service[0].settings == {"url": "hunter2"}
        text = shown(Sources(file=file))
        assert "https://a/x?..." in text
        assert "redis://b/0" in text
        assert self.S not in text

    @pytest.mark.parametrize("password", ["hun[ter2", "hun]ter2", "hun\u2100ter2", "hun:ter2"])
    def test_odd_passwords(self, password: str) -> None:
        """Nor is a password that not every parser of URLs takes."""
        file = f"[[check]]\nname = 'web'\nurl = 'http://me:{password}@a/'"
        assert load(file).check[0].url == f"http://me:{password}@a/"
        assert "ter2" not in shown(Sources(file=file))


def toml(value: Any) -> str:
    """A value as TOML writes it on one line."""
    if isinstance(value, dict):
        pairs = (f"{json.dumps(key)} = {toml(item)}" for key, item in value.items())
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, float):
        return repr(value)
    return json.dumps(value)


plain = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=8)
values = st.recursive(
    plain
    | st.sampled_from(["tcp", "dns", "redis", "https://a/", "tcp://a:1", "dns:a", "redis://a"])
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | st.booleans(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(plain, inner, max_size=2),
    max_leaves=4,
)


def tables(of: type) -> st.SearchStrategy[dict[str, Any]]:
    names = st.sampled_from([declared.name for declared in keys_of(of)])
    return st.dictionaries(names | plain, values, max_size=6)


@given(
    checks=st.lists(tables(Check), max_size=3) | values,
    services=st.lists(tables(LibratoService), max_size=2) | values,
)
def test_anything(checks: Any, services: Any) -> None:
    """Whatever stands in an array is taken, or refused as wrong; nothing else can happen."""
    file = f"check = {toml(checks)}\nlibrato.service = {toml(services)}"
    with suppress(InvalidSettings):
        settings: Settings = load_settings(Sources(file=file))
        assert len(settings.check) == len(checks)
        assert len(settings.librato.service) == len(services)
