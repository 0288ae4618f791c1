"""From parameters to a `FailedRequest`: what is understood, refused, and told apart."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boomerang.retry.request import (
    BadRequest,
    FailedRequest,
    Target,
    is_same_address,
    parse_failed_request,
)
from boomerang.standin.script import (
    Call,
    Message,
    Webhook,
    failure_parameters,
    standard_parameters,
)
from boomerang.urls import parse_url

AC = "AC00000000000000000000000000000001"
CA = "CA00000000000000000000000000000001"
SM = "SM00000000000000000000000000000001"
URL = "https://app.example.com/voice?x=1&y=2"

FAILURE = failure_parameters(11200, URL)
CALL = dict(standard_parameters(Call(first=Webhook(URL), account_sid=AC, sid=CA)) + FAILURE)
MESSAGE = dict(
    standard_parameters(Message(first=Webhook(URL), account_sid=AC, sid=SM, body="Hello")) + FAILURE
)
BARE = dict(FAILURE)

NO_CODE = "ErrorCode is missing: this is not a fallback request of Twilio's"
NO_URL = "ErrorUrl is missing: this is not a fallback request of Twilio's"
NOT_ABSOLUTE = "is not an absolute http or https URL"
CALL_OR_MESSAGE = "CallSid and MessageSid contradict each other: is it a call or a message?"
WHICH_MESSAGE = "MessageSid, SmsSid and SmsMessageSid contradict each other"


def pairs(parameters: dict[str, str], **others: str | None) -> list[tuple[str, str]]:
    """The parameters as they were sent; ``others`` replace some, or leave them out (`None`)."""
    return [(name, value) for name, value in {**parameters, **others}.items() if value is not None]


def post(parameters: dict[str, str], query: str = "", **others: str | None) -> FailedRequest:
    return parse_failed_request(pairs(parameters, **others), split(query))


def split(query: str) -> list[tuple[str, str]]:
    """A query without escapes, repetitions and all."""
    fields = [field.partition("=") for field in query.split("&") if field]
    return [(name, value) for name, _, value in fields]


def call(**others: str | None) -> FailedRequest:
    return post(CALL, "", **others)


def message(**others: str | None) -> FailedRequest:
    return post(MESSAGE, "", **others)


def bare(**others: str | None) -> FailedRequest:
    return post(BARE, "", **others)


def target(url: str) -> Target:
    return Target(url, parse_url(url))


def test_call() -> None:
    """A voice webhook that failed is a call's, with no options but the defaults."""
    failed = call()
    assert failed.error_code == "11200"
    assert failed.error == target(URL)
    assert (failed.product, failed.sid, failed.account_sid) == ("voice", CA, AC)
    assert (failed.fallback, failed.fallback_method, failed.method) == (None, "GET", None)


@pytest.mark.parametrize(
    ("others", "product", "sid"),
    [
        ({}, "messaging", SM),
        ({"SmsSid": None, "SmsMessageSid": None}, "messaging", SM),
        ({"MessageSid": None, "SmsMessageSid": None}, "messaging", SM),
        ({"MessageSid": None, "SmsSid": None}, "messaging", SM),
        ({"MessageSid": "", "SmsSid": ""}, "messaging", SM),
        ({"CallSid": ""}, "messaging", SM),
        ({"MessageSid": "", "SmsSid": None, "SmsMessageSid": None, "CallSid": CA}, "voice", CA),
        ({"MessageSid": None, "SmsMessageSid": None, "CallSid": CA}, "voice", CA),
        ({"MessageSid": None, "SmsSid": None, "SmsMessageSid": None}, "unknown", ""),
    ],
)
def test_product(others: dict[str, str | None], product: str, sid: str) -> None:
    """The SID tells calls from messages, under whichever of its three names a message has it."""
    failed = message(**others)
    assert (failed.product, failed.sid) == (product, sid)


@pytest.mark.parametrize(
    ("query", "fallback", "fallback_method", "method"),
    [
        ("", None, "GET", None),
        ("FallbackUrl=http://f/x", "http://f/x", "GET", None),
        ("FallbackUrl=http://f/x&FallbackMethod=POST", "http://f/x", "POST", None),
        ("FallbackUrl=http://f/x?m=We are closed", "http://f/x?m=We%20are%20closed", "GET", None),
        ("FallbackUrl=http://f/x&FallbackMethod=get", "http://f/x", "GET", None),
        ("FallbackMethod=post", None, "POST", None),
        ("Method=GET", None, "GET", "GET"),
        ("Method=post", None, "GET", "POST"),
        ("Method=Get&Unheard=of&Unheard=of", None, "GET", "GET"),
        ("fallbackurl=http://f/x&method=PUT", None, "GET", None),
    ],
)
def test_options(
    query: str, fallback: str | None, fallback_method: str, method: str | None
) -> None:
    """Options come from the query, by their exact names; methods may be in any case."""
    failed = post(CALL, query)
    assert failed.fallback == (target(fallback) if fallback else None)
    assert (failed.fallback_method, failed.method) == (fallback_method, method)


@pytest.mark.parametrize("name", ["FallbackUrl", "FallbackMethod", "Method"])
def test_options_in_form(name: str) -> None:
    """What a form calls like an option is none."""
    assert call(**{name: "http://evil.example/"}) == call()


@pytest.mark.parametrize("parameters", [CALL, MESSAGE, BARE])
def test_get(parameters: dict[str, str]) -> None:
    """GET and POST are alike: from the query come the same request and the same options."""
    options = "FallbackUrl=http://f/x&FallbackMethod=POST&Method=GET"
    query = [*split(options), *pairs(parameters)]
    assert parse_failed_request(query, query) == post(parameters, options)


@pytest.mark.parametrize("parameters", [CALL, MESSAGE, BARE])
def test_by_name(parameters: dict[str, str]) -> None:
    """Parameters are the same in pairs and by name, in the form and in the query."""
    by_name = parse_failed_request(parameters, {"FallbackUrl": "http://f/x", "Method": "GET"})
    assert by_name == post(parameters, "FallbackUrl=http://f/x&Method=GET")
    assert parse_failed_request(parameters, parameters) == post(parameters)


def test_repeated_in_query() -> None:
    """A POST may say the same in its form and in its query."""
    assert post(CALL, f"ErrorCode=11200&CallSid={CA}") == call()


@pytest.mark.parametrize(
    ("form", "query", "reason"),
    [
        ("", "", NO_CODE),
        ("ErrorUrl=http://a/", "", NO_CODE),
        ("ErrorUrl=http://a/&ErrorCode=", "", NO_CODE),
        ("ErrorUrl=http://a/&errorcode=11200", "", NO_CODE),
        ("ErrorUrl=http://a/", "ErrorCode=11200", NO_CODE),
        ("ErrorCode=11200", "", NO_URL),
        ("ErrorCode=11200&ErrorUrl=", "", NO_URL),
        ("ErrorCode=11200", "ErrorUrl=http://a/", NO_URL),
        ("ErrorUrl=http://a/&ErrorCode=x", "", "ErrorCode is not a number"),
        ("ErrorUrl=http://a/&ErrorCode=11200x", "", "ErrorCode is not a number"),
        ("ErrorUrl=http://a/&ErrorCode=-1", "", "ErrorCode is not a number"),
        ("ErrorUrl=http://a/&ErrorCode=1.5", "", "ErrorCode is not a number"),
        ("ErrorUrl=http://a/&ErrorCode= 11200", "", "ErrorCode is not a number"),
        ("ErrorUrl=http://a/&ErrorCode=11200\n", "", "ErrorCode is not a number"),
        (
            "ErrorUrl=http://a/&ErrorCode=\u0661\u0661\u0662\u0660\u0660",
            "",
            "ErrorCode is not a number",
        ),
        ("ErrorUrl=http://a/&ErrorCode=\u00b2", "", "ErrorCode is not a number"),
        ("ErrorUrl=http://a/&ErrorCode=1234567890", "", "ErrorCode is not a number"),
        ("ErrorCode=11200&ErrorUrl=/voice", "", f"ErrorUrl {NOT_ABSOLUTE}"),
        ("ErrorCode=11200&ErrorUrl=ftp://a/", "", f"ErrorUrl {NOT_ABSOLUTE}"),
        ("ErrorCode=11200&ErrorUrl=http://a/\x0b", "", "ErrorUrl has control characters"),
        ("ErrorCode=11200&ErrorUrl=http://a/\udcff", "", "ErrorUrl has control characters"),
        ("ErrorCode=11200&ErrorUrl=http://a:0/", "", "ErrorUrl has a port that does not exist"),
        (
            f"ErrorCode=11200&ErrorUrl=http://a/{'x' * 16000}",
            "",
            "ErrorUrl is longer than 16000 characters",
        ),
        ("ErrorCode=1&ErrorUrl=http://a/&ErrorCode=1", "", "ErrorCode is given more than once"),
        ("ErrorCode=1&ErrorUrl=http://a/&ErrorUrl=", "", "ErrorUrl is given more than once"),
        ("ErrorCode=1&ErrorUrl=http://a/&CallSid=&CallSid=", "", "CallSid is given more than once"),
        ("AccountSid=a&AccountSid=b", "", "AccountSid is given more than once"),
        ("MessageSid=a&MessageSid=a", "", "MessageSid is given more than once"),
        ("SmsSid=a&SmsSid=a", "", "SmsSid is given more than once"),
        ("SmsMessageSid=a&SmsMessageSid=a", "", "SmsMessageSid is given more than once"),
        ("", "FallbackUrl=http://f/&FallbackUrl=http://f/", "FallbackUrl is given more than once"),
        ("", "FallbackMethod=GET&FallbackMethod=GET", "FallbackMethod is given more than once"),
        ("", "Method=GET&Method=POST", "Method is given more than once"),
        ("", "CallSid=a&CallSid=b", "CallSid is given more than once"),
        (
            "ErrorCode=1",
            "ErrorCode=2",
            "ErrorCode has one value in the form and another in the query",
        ),
        (
            "AccountSid=a",
            "AccountSid=",
            "AccountSid has one value in the form and another in the query",
        ),
    ],
)
def test_refused(form: str, query: str, reason: str) -> None:
    """What cannot be a fallback request is refused, in plain words."""
    with pytest.raises(BadRequest) as refusal:
        parse_failed_request(split(form), split(query))
    assert str(refusal.value) == reason


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("FallbackUrl=", f"FallbackUrl {NOT_ABSOLUTE}"),
        ("FallbackUrl=/sorry.xml", f"FallbackUrl {NOT_ABSOLUTE}"),
        ("FallbackUrl=javascript:alert(1)", f"FallbackUrl {NOT_ABSOLUTE}"),
        ("FallbackUrl=http://f/\r", "FallbackUrl has control characters"),
        ("FallbackUrl=http://f/&FallbackMethod=PUT", "FallbackMethod is neither GET nor POST"),
        ("FallbackMethod=", "FallbackMethod is neither GET nor POST"),
        ("Method=HEAD", "Method is neither GET nor POST"),
        ("Method=", "Method is neither GET nor POST"),
        ("Method=GET ", "Method is neither GET nor POST"),
    ],
)
def test_refused_options(query: str, reason: str) -> None:
    """A wrong option costs the request its answer, whatever else is right."""
    with pytest.raises(BadRequest) as refusal:
        post(CALL, query)
    assert str(refusal.value) == reason


@pytest.mark.parametrize(
    ("parameters", "others", "reason"),
    [
        (CALL, {"MessageSid": SM}, CALL_OR_MESSAGE),
        (CALL, {"SmsMessageSid": SM}, CALL_OR_MESSAGE),
        (CALL, {"SmsSid": SM, "MessageSid": SM}, CALL_OR_MESSAGE),
        (MESSAGE, {"CallSid": CA}, CALL_OR_MESSAGE),
        (MESSAGE, {"SmsSid": "SM2"}, WHICH_MESSAGE),
        (MESSAGE, {"SmsMessageSid": "SM2"}, WHICH_MESSAGE),
        (MESSAGE, {"MessageSid": "", "SmsSid": "SM2"}, WHICH_MESSAGE),
        (CALL, {"CallSid": "CA\n"}, "CallSid has control characters"),
        (CALL, {"AccountSid": "AC\0"}, "AccountSid has control characters"),
        (
            MESSAGE,
            {"MessageSid": "\udcff", "SmsSid": None, "SmsMessageSid": None},
            "MessageSid has control characters",
        ),
        (CALL, {"CallSid": "x" * 257}, "CallSid is longer than 256 characters"),
        (CALL, {"AccountSid": "x" * 257}, "AccountSid is longer than 256 characters"),
    ],
)
def test_strange_sids(parameters: dict[str, str], others: dict[str, str], reason: str) -> None:
    """A request that is a call's and a message's at once, or names neither sensibly, is refused."""
    with pytest.raises(BadRequest) as refusal:
        post(parameters, "", **others)
    assert str(refusal.value) == reason


def test_longest() -> None:
    """SIDs of 256 characters and codes of nine digits are taken as they are."""
    failed = call(CallSid="x" * 256, AccountSid="y" * 256, ErrorCode="123456789")
    assert (failed.sid, failed.account_sid) == ("x" * 256, "y" * 256)
    assert failed.error_code == "123456789"


def test_any_parameters() -> None:
    """Twilio adds parameters without notice; whatever they are, they change nothing."""
    many = [("Unheard", "of"), ("Unheard", "again"), ("Body", "\0\n"), ("", "")]
    assert parse_failed_request([*pairs(CALL), *many], []) == call()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (call(), call(ErrorUrl=f"{URL}#rt=5000")),
        (call(ErrorUrl=f"{URL}#rc=1"), call(ErrorUrl=f"{URL}#")),
        (call(), call(ErrorCode="11205")),
        (call(), call(CallStatus="in-progress", From="anonymous", Digits="1")),
        (call(), post(CALL, "FallbackUrl=http://f/&Method=GET")),
        (message(), message(SmsSid=None, SmsMessageSid=None)),
        (message(), message(Body="Good-bye", NumMedia="1")),
        (bare(), bare(ErrorUrl=f"{URL}#x", From="+15005550007")),
        (bare(), bare(AccountSid=AC)),
    ],
)
def test_same_identity(one: FailedRequest, other: FailedRequest) -> None:
    """It is the same failure again if account, call or message, and URL without fragment are."""
    assert one.identity == other.identity
    assert one.call == other.call


@pytest.mark.parametrize(
    ("one", "other", "same_call"),
    [
        (call(), call(CallSid=CA[:-1] + "2"), False),
        (call(), call(AccountSid=AC[:-1] + "2"), False),
        (call(), call(AccountSid=None), False),
        (call(), call(CallSid=None), False),
        (call(), message(), False),
        (message(), message(MessageSid="SM2", SmsSid="SM2", SmsMessageSid="SM2"), False),
        (call(), call(ErrorUrl="https://app.example.com/voice?x=1&y=3"), True),
        (call(), call(ErrorUrl="https://app.example.com/voice?y=2&x=1"), True),
        (call(), call(ErrorUrl="https://app.example.com/voice"), True),
        (call(), call(ErrorUrl="https://app.example.com/other?x=1&y=2"), True),
        (call(), call(ErrorUrl="http://app.example.com/voice?x=1&y=2"), True),
        (call(), call(ErrorUrl="https://www.example.com/voice?x=1&y=2"), True),
        (message(), message(ErrorUrl=f"{URL}3"), True),
        (call(AccountSid="ab", CallSid="c"), call(AccountSid="a", CallSid="bc"), False),
    ],
)
def test_other_identity(one: FailedRequest, other: FailedRequest, same_call: bool) -> None:
    """One caller's failure is never another's, and each URL of one call has its own."""
    assert one.identity != other.identity
    assert (one.call == other.call) is same_call


def test_bare_identity() -> None:
    """Without any SID the URL alone tells failures apart, and no call's rounds are counted."""
    assert bare().identity != bare(ErrorUrl="https://app.example.com/").identity
    assert bare().call is None
    assert bare().identity != call().identity


names = st.text("abcxyz019", min_size=1, max_size=8)


@given(st.tuples(names, names, names), st.tuples(names, names, names))
def test_identity_is_injective(one: tuple[str, str, str], other: tuple[str, str, str]) -> None:
    """Two failures have one identity only if account, call and URL are all the same."""

    def failed(account: str, sid: str, path: str) -> FailedRequest:
        return call(AccountSid=account, CallSid=sid, ErrorUrl=f"http://a/{path}")

    assert (failed(*one).identity == failed(*other).identity) is (one == other)
    assert (failed(*one).call == failed(*other).call) is (one[:2] == other[:2])


@given(st.text(), st.text())
def test_any_sid(account: str, sid: str) -> None:
    """Whatever stands for a SID, the answer is a request with an identity, or a reason why not."""
    try:
        failed = call(AccountSid=account, CallSid=sid)
    except BadRequest:
        return
    assert len(failed.identity) == 36
    assert failed.account_sid == account
    assert failed.sid == sid


def test_digests() -> None:
    """Neither identity nor call shows anything of a SID, a number or an address."""
    assert all(
        set(text) <= set("0123456789abcdef") for text in (call().identity, call().call or "")
    )
    assert CA[2:] not in call().identity


def appended(url: str, mark: str = "?", **changes: str | None) -> str:
    """The URL of a GET webhook as Twilio may tell it: with its own parameters at the end."""
    own = {name: value for name, value in CALL.items() if not name.startswith("Error")}
    return url + mark + urlencode(pairs(own, **changes))


PLAIN = "https://app.example.com/voice"


@pytest.mark.parametrize(
    ("url", "mark"),
    [
        (PLAIN, "?"),
        (URL, "&"),
        (f"{PLAIN}?step=a%20b&empty=", "&"),
    ],
)
def test_appended(url: str, mark: str) -> None:
    """Parameters that Twilio appended, and that change during a call, make no new identity."""
    first = call(ErrorUrl=appended(url, mark))
    later = {"CallStatus": "in-progress", "CallerName": ""}
    second = call(ErrorUrl=appended(url, mark, **later), **later)
    assert first.identity == second.identity
    assert first.error.url == appended(url, mark)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (appended(f"{PLAIN}?step=1", "&"), appended(f"{PLAIN}?step=2", "&")),
        (appended(f"{PLAIN}?step=1", "&"), appended(f"{PLAIN}?step=", "&")),
        (appended(f"{PLAIN}?step=", "&"), appended(PLAIN)),
        (appended(PLAIN), appended(f"{PLAIN}/other")),
        (appended(PLAIN), appended(f"{PLAIN}?step=1", "&")),
        (f"{PLAIN}?id={CA}&to=1", f"{PLAIN}?id={CA}&to=2"),
        (
            f"{PLAIN}?AccountSid={AC}&CallSid={CA}&To=1",
            f"{PLAIN}?AccountSid={AC}&CallSid={CA}&To=2",
        ),
        (f"{PLAIN}?AccountSid={AC}&CallStatus=1", f"{PLAIN}?AccountSid={AC}&CallStatus=2"),
        (f"{PLAIN}?CallSid={CA}&CallStatus=1", f"{PLAIN}?CallSid={CA}&CallStatus=2"),
        (f"{PLAIN}?s={AC}-{CA}&CallStatus=1", f"{PLAIN}?s={AC}-{CA}&CallStatus=2"),
        (f"{PLAIN}?s={AC}-&c={CA}&CallStatus=1", f"{PLAIN}?s={AC}-&c={CA}&CallStatus=2"),
        (f"{PLAIN}?s={AC}&c={CA}-&CallStatus=1", f"{PLAIN}?s={AC}&c={CA}-&CallStatus=2"),
    ],
)
def test_not_appended(one: str, other: str) -> None:
    """What the app itself wrote into its URL tells one failure from another."""
    assert call(ErrorUrl=one).identity != call(ErrorUrl=other).identity


@pytest.mark.parametrize(
    ("failed", "other", "same"),
    [
        ("http://a/x", "http://a/x", True),
        ("http://A:80/x#rt=1", "http://a./x#rc=1", True),
        ("http://a", "http://a/", True),
        ("http://a/x?y=1", "http://a/x?y=1", True),
        ("http://user:pw@a/x", "http://a/x", True),
        (f"http://a/x?AccountSid={AC}&CallSid={CA}", "http://a/x", True),
        (f"http://a/x?CallSid={CA}&AccountSid={AC}", "http://a/x", True),
        (f"http://a/x?y=1&CallSid={CA}&AccountSid={AC}", "http://a/x?y=1", True),
        ("http://a/%C3%BC?y=%2f", "http://a/ü?y=/", True),
        ("http://a/x?y=We%20are%20closed", "http://a/x?y=We+are closed", True),
        (f"http://a/x?y=a%20b&AccountSid={AC}", "http://a/x?y=a+b", True),
        ("http://a/x+y", "http://a/x y", False),
        ("http://a/x?y=%2B", "http://a/x?y=+", False),
        ("http://a/x", "http://a/y", False),
        ("http://a/x", "http://a/x/", False),
        ("http://a/x", "http://b/x", False),
        ("http://a/x", "https://a/x", False),
        ("http://a:81/x", "http://a/x", False),
        ("http://a/x?y=1", "http://a/x?y=2", False),
        ("http://a/x?y=1", "http://a/x", False),
        ("http://a/x", "http://a/x?y=1", False),
        ("http://a/x?y=1&z=2", "http://a/x?y=1", False),
        (f"http://a/x?y=12&AccountSid={AC}", "http://a/x?y=1", False),
        (f"http://a/x?AccountSid={AC}&y=1", "http://a/x?y=1", False),
        ("http://a/x?AccountSid=1&y=2", "http://a/x?AccountSid=1", False),
    ],
)
def test_same_address(failed: str, other: str, same: bool) -> None:
    """An address is the same but for its fragment and the parameters that Twilio appends."""
    assert is_same_address(target(failed), target(other)) is same


def _failed(url: str) -> FailedRequest:
    return parse_failed_request(
        [("ErrorCode", "11200"), ("ErrorUrl", url), ("CallSid", "CA1"), ("AccountSid", "AC1")], []
    )


def test_undecodable() -> None:
    """Bytes that are no text still tell two URLs apart."""
    urls = [f"http://a/?x=%{x}&AccountSid=AC1&CallSid=CA1" for x in ("fe", "ff")]
    assert _failed(urls[0]).identity != _failed(urls[1]).identity


def test_options_are_not_twilios() -> None:
    """Options of our own are not taken for parameters that Twilio appended."""

    def get(step: str) -> str:
        pairs = [
            ("Method", "GET"),
            ("ErrorCode", "11200"),
            ("CallSid", "CA1"),
            ("AccountSid", "AC1"),
            ("ErrorUrl", f"http://a/?Method={step}&AccountSid=AC1&CallSid=CA1"),
        ]
        return parse_failed_request(pairs, pairs).identity

    assert get("1") != get("2")
