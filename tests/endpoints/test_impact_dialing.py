"""The first large user's endpoints, one by one, as their owners' notes class them."""

from __future__ import annotations

import pytest

from boomerang.endpoints.document import document_problems
from boomerang.endpoints.fallback import Document
from boomerang.endpoints.rules import RuleBook, rules_for
from boomerang.endpoints.table import EndpointTable
from boomerang.retry.request import FailedRequest, parse_failed_request
from boomerang.settings import Settings, Sources, load_settings
from boomerang.urls import host_allowed, parse_url
from tests.integration.daemon import ROOT

CALLEE, PHONE, BROWSER = "callee", "phone", "browser"

# Path in the notes, the same as Twilio asks for it, whom it serves, and whether TwiML is awaited.
NOTES: list[tuple[str, str, tuple[str, ...], str]] = [
    ("/calls/:call_id/incoming", "/calls/8841/incoming", (CALLEE,), "sync"),
    ("/calls/:call_id/disconnected", "/calls/8841/disconnected", (CALLEE, PHONE, BROWSER), "sync"),
    ("/callin/create", "/callin/create", (PHONE, BROWSER), "sync"),
    ("/identify_caller", "/identify_caller", (PHONE, BROWSER), "sync"),
    (
        "/caller/:id/read_instruction_options",
        "/caller/17/read_instruction_options",
        (PHONE,),
        "sync",
    ),
    ("/caller/:id/callin_choice", "/caller/17/callin_choice", (PHONE,), "sync"),
    ("/caller/:id/ready_to_call", "/caller/17/ready_to_call", (PHONE,), "sync"),
    ("/caller/:id/next_call", "/caller/17/next_call", (PHONE,), "sync"),
    (
        "/caller/:id/conference_started_phones_only_preview",
        "/caller/17/conference_started_phones_only_preview",
        (PHONE,),
        "sync",
    ),
    (
        "/caller/:id/conference_started_phones_only_power",
        "/caller/17/conference_started_phones_only_power",
        (PHONE,),
        "sync",
    ),
    (
        "/caller/:id/conference_started_phones_only_predictive",
        "/caller/17/conference_started_phones_only_predictive",
        (PHONE,),
        "sync",
    ),
    ("/caller/:id/gather_response", "/caller/17/gather_response", (PHONE,), "sync"),
    ("/caller/start_calling", "/caller/start_calling", (BROWSER,), "sync"),
    ("/caller/:caller_id/pause", "/caller/17/pause", (BROWSER,), "sync"),
    ("/caller/:caller_id/continue_conf", "/caller/17/continue_conf", (BROWSER,), "sync"),
    ("/transfer/callee?", "/transfer/callee", (PHONE, BROWSER), "sync"),
    ("/transfer/caller?", "/transfer/caller", (PHONE, BROWSER), "sync"),
    ("/transfer/:id/connect?", "/transfer/5/connect", (PHONE, BROWSER), "sync"),
    ("/transfer/:id/disconnect?", "/transfer/5/disconnect", (PHONE, BROWSER), "sync"),
    ("/caller/end_session", "/caller/end_session", (), "async"),
    ("/calls/:call_id/call_ended", "/calls/8841/call_ended", (), "async"),
    ("/transfer/:id/end?", "/transfer/5/end", (), "async"),
]

QUERY = "session_key=ab12&caller_session=17&transfer_type=warm"

FILES = {
    "impact-dialing.toml": ("admin.impactdialing.com", "voice.impactdialing.com"),
    "impact-dialing-staging.toml": (
        "admin.staging.impactdialing.com",
        "voice.staging.impactdialing.com",
    ),
}
"""Each environment's settings, and hosts of the app there."""

BOTH = pytest.mark.parametrize("file", list(FILES))


def settings_in(file: str) -> Settings:
    text = (ROOT / "examples" / file).read_text(encoding="utf-8")
    return load_settings(Sources(file=text, file_name=file))


def failed_request(url: str) -> FailedRequest:
    """What Twilio tells when the URL has failed."""
    twilio = [
        ("ErrorCode", "11200"),
        ("ErrorUrl", url),
        ("AccountSid", f"AC{1:032}"),
        ("CallSid", f"CA{1:032}"),
    ]
    return parse_failed_request(twilio, [])


@BOTH
@pytest.mark.parametrize(("written", "path", "audience", "mode"), NOTES)
def test_endpoint(file: str, written: str, path: str, audience: tuple[str, ...], mode: str) -> None:
    """The URL keeps its query, and belongs to one endpoint alone, classed as in the notes."""
    settings = settings_in(file)
    table = EndpointTable(settings.endpoint)
    for host in FILES[file]:
        for query in ("", QUERY):
            failed = failed_request(f"https://{host}{path}?{query}".removesuffix("?"))
            url = failed.error.parts
            assert failed.error.url.partition("?")[2] == query
            assert host_allowed(url.host, settings.allowed_hosts)
            (found,) = table.matching(url)
            assert (found.match, found.audience, found.mode) == (written, audience, mode)
            assert found.retry
            assert RuleBook(settings.retry, settings.endpoint).of(url).name == found.name


@BOTH
def test_no_other(file: str) -> None:
    """The file has the endpoints of the notes, and no other."""
    endpoints = settings_in(file).endpoint
    assert sorted(each.match for each in endpoints) == sorted(written for written, *_ in NOTES)
    assert len({each.name for each in endpoints}) == len(NOTES) == 22


@BOTH
def test_last_resort(file: str) -> None:
    """Whoever waits for TwiML hears an apology when all is lost."""
    settings = settings_in(file)
    for endpoint in settings.endpoint:
        resort = rules_for(endpoint, settings.retry).fallback.voice
        assert isinstance(resort, Document)
        assert document_problems(resort.body, "voice") == []


def test_same_table() -> None:
    """Staging rescues what production does."""
    production, staging = (settings_in(file) for file in FILES)
    assert production.endpoint == staging.endpoint
    assert production.retry == staging.retry


@BOTH
@pytest.mark.parametrize("path", ["/", "/caller/17", "/caller/17/stop", "/Callin/create", "/admin"])
def test_unknown(file: str, path: str) -> None:
    """Other URLs of the app are rescued as [retry] says, and counted as unknown."""
    settings = settings_in(file)
    url = parse_url(f"https://{FILES[file][0]}{path}")
    assert RuleBook(settings.retry, settings.endpoint).of(url).name == "unknown"
