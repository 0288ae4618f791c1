"""Nothing that a run puts out has a secret in it: log, standard error, pages, answers, files."""

from __future__ import annotations

import json
import signal
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Final
from urllib.parse import quote, urlencode

import pytest
from twilio.request_validator import RequestValidator

from boomerang.cli import main
from boomerang.settings import InvalidSettings, Sources, load_settings
from boomerang.settings.load import declared_settings
from boomerang.standin.script import failure_parameters, standard_parameters
from tests.integration.daemon import COMMAND, LISTENING, Daemon, Daemons, eventually, run
from tests.integration.planting import PLANTED, leaks, places
from tests.integration.sockets import Connection
from tests.integration.test_start import TOOL
from tests.integration.twilio import FailedCall
from tests.servers import RedisServer, free_port

PUBLIC: Final = "https://boomerang.example.com"

ACCOUNT: Final = f"AC{1:032x}"


def quoted(place: str) -> str:
    """The planted secret as it stands in a URL."""
    return quote(PLANTED[place], safe="")


class Gossip(ThreadingHTTPServer):
    """Others' server: it fails, and repeats in its answer all that it was told."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.heard: list[str] = []


class _Handler(BaseHTTPRequestHandler):
    server: Gossip
    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        said = f"you said {self.requestline}\n{self.headers}\n".encode() + body
        self.server.heard.append(said.decode(errors="replace"))
        self.send_response(401 if "/api" in self.path else 500, quoted("probe-query"))
        self.send_header("Content-Length", str(len(said)))
        self.send_header("X-Said", self.path)
        self.end_headers()
        self.wfile.write(said)

    do_GET = do_POST = do_PUT = do_DELETE = answer

    def log_message(self, format: str, *args: Any) -> None: ...


def settings(port: int) -> str:
    """A settings file with a secret wherever one may stand; all others are at this port."""
    there, text = f"127.0.0.1:{port}", json.dumps
    return f"""
public_url = "{PUBLIC}"
[retry]
wait = 0.2
probe = "http://{there}/probe?token={quoted("probe-query")}"
fallback = "http://{there}/sorry?token={quoted("fallback-query")}"
circuit = true
[twilio]
account_sid = "{ACCOUNT}"
auth_token = [{text(PLANTED["auth-token"])}, {text(PLANTED["old-auth-token"])}]
shared_keys = {{CR1 = {text(PLANTED["shared-key"])}}}
[status]
user = "ops"
password = {text(PLANTED["status-password"])}
[librato]
url = "http://{there}/v1"
user = "ops@example.com"
token = {text(PLANTED["librato-token"])}
period = 1
[[librato.service]]
type = "slack"
title = "ops"
settings = {{url = "https://hooks.example.com/{quoted("librato-service")}"}}
[otlp]
endpoint = "http://me:{quoted("otlp-login")}@{there}/otlp"
headers = {{X-Key = {text(PLANTED["otlp-header"])}}}
period = 1
[notify]
urls = ["json://me:{quoted("notify-login")}@{there}/notify?+token={quoted("notify-query")}"]
[heartbeat]
url = "http://{there}/ping/{quoted("heartbeat-path")}"
period = 1
[account]
api_key = "SK{1:032x}"
api_secret = {text(PLANTED["api-secret"])}
api_url = "http://{there}/api"
[[account.rule]]
fallback_url = "http://{there}/sorry?token={quoted("rule-query")}"
[relay]
schedule = "0.1s"
give_up_after = 1
[[check]]
name = "web"
url = "http://me:{quoted("check-login")}@{there}/health?token={quoted("check-query")}"
headers = {{X-Token = {text(PLANTED["check-header"])}}}
interval = 0.2
failures = 1
critical = true
[[check]]
name = "store"
kind = "redis"
url = "redis://:{quoted("check-login")}@{there}/0"
interval = 0.2
timeout = 0.3
slow = 0.2
failures = 1
"""


def signed(target: str, form: Mapping[str, str], *headers: str) -> bytes:
    """A form that Twilio has signed with the planted token."""
    own = RequestValidator(PLANTED["auth-token"]).compute_signature(f"{PUBLIC}{target}", form)
    return sent("POST", target, f"X-Twilio-Signature: {own}", *headers, body=urlencode(form))


def sent(method: str, target: str, *headers: str, body: str = "") -> bytes:
    """A request with secrets in all the headers that have some."""
    login = b64encode(f"me:{PLANTED['request-authorization']}".encode()).decode()
    lines = (
        f"{method} {target} HTTP/1.1",
        "Host: boomerang.example.com",
        "Content-Type: application/x-www-form-urlencoded",
        f"Content-Length: {len(body)}",
        f"Authorization: Basic {login}",
        f"Cookie: session={PLANTED['request-cookie']}",
        f"X-Token: {PLANTED['request-header']}",
        *headers,
    )
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode() + body.encode()


def failures(port: int) -> Iterator[tuple[str, dict[str, str]]]:
    """Targets and forms of fallback requests and callbacks, with secrets where apps have them."""
    there = f"127.0.0.1:{port}"
    failed = FailedCall(
        error_url=f"http://me:{quoted('error-url-login')}@{there}/voice"
        f"?token={quoted('error-url-query')}#{quoted('error-url-fragment')}"
    )
    parameters = (*standard_parameters(failed.script), *failure_parameters(11200, failed.error_url))
    about = {**dict(parameters), "AccountSid": ACCOUNT, "Digits": PLANTED["request-field"]}
    fallback = f"https://static.example.com/?token={quoted('fallback-url-query')}"
    retry = f"/retry?{urlencode({'FallbackUrl': fallback})}"
    yield from ((retry, about), (retry, about))
    url = f"http://me:{quoted('relay-url-login')}@{there}/cb?token={quoted('relay-url-query')}"
    status = {"AccountSid": ACCOUNT, "CallSid": failed.sid, "CallStatus": "completed"}
    status["From"] = PLANTED["relay-field"]
    yield f"/relay?{urlencode({'Url': url})}", status
    yield f"/relay?{urlencode({'Url': url.replace(str(port), str(free_port()))})}", status
    lost = {
        "url": f"http://{there}/cb?token={quoted('event-query')}",
        "method": "POST",
        "parameters": {"From": PLANTED["event-field"], "CallSid": failed.sid},
    }
    payload = json.dumps({"error_code": "11200", "webhook": {"request": lost}})
    event = {"Sid": "NO1", "AccountSid": ACCOUNT, "Payload": payload}
    yield "/debugger", event
    yield "/debugger", {**event, "Payload": payload[:-1]}
    for name, wrong in (
        ("ErrorUrl", f"ftp://me:{quoted('error-url-login')}@a/"),
        ("ErrorUrl", f"https://a/\n?{PLANTED['error-url-query']}"),
        ("ErrorCode", PLANTED["request-field"]),
        ("CallSid", f"{PLANTED['request-field']}\x7f"),
        ("ErrorUrl", f"{PUBLIC}/retry/continue?token={quoted('continuation')}"),
    ):
        yield retry, {**about, name: wrong}
    yield f"/retry?Method={quoted('stray-query')}", about
    yield f"/relay?Url={quoted('relay-url-query')}", status
    yield f"/relay/{quoted('stray-query')}/x?token={quoted('stray-query')}", status


def strangers() -> Iterator[bytes]:
    """Requests of others, and what is no request at all."""
    password = b64encode(f"ops:{PLANTED['visitor-password']}".encode()).decode()
    query = f"?token={quoted('stray-query')}"
    for target in ("/metrics", "/health", "/", "/nothing", "/status", "/status.json", "/retry"):
        yield sent("GET", f"{target}{query}", f"Authorization: Basic {password}")
    made_up = urlsafe_b64encode(f"me:{PLANTED['continuation']}".encode()).decode()
    yield sent("POST", f"/retry/continue?token={made_up}", body="CallSid=CA1")
    yield sent("BREW", f"/retry{query}")
    yield sent("POST", "/retry", "Transfer-Encoding: identity", body="x")
    yield f"GET /retry{query} HTTP/9.9\r\n\r\n".encode()
    yield f"Authorization: {PLANTED['request-header']}\r\n\r\n".encode()
    yield sent("GET", "/health", f"X: {PLANTED['request-header'] * 5000}")


def refusals(port: int, requests: Sequence[bytes]) -> str:
    """All that is answered to requests, but for the TwiML that leads to where it was asked to."""
    said = []
    for request in requests:
        with suppress(ConnectionError):
            connection = Connection(port, request)
            answer = connection.reply()
            connection.close()
            if answer.status != 200 or "xml" not in answer.headers["content-type"]:
                said.append(f"{answer.status} {answer.headers} {answer.body}")
    return "\n".join(said)


def drive(daemon: Daemon, app: int) -> str:
    """Good and bad requests at all routes; what was answered."""
    good = [signed(target, form) for target, form in failures(app)]
    bad = [sent("POST", target, body=urlencode(form)) for target, form in failures(app)]
    with ThreadPoolExecutor(8) as threads:
        turns = (good, bad, [*strangers()], good)
        return "\n".join(threads.map(partial(refusals, daemon.port), turns))


def pages(daemon: Daemon) -> str:
    """What operators are shown."""
    login = b64encode(f"ops:{PLANTED['status-password']}".encode()).decode()
    shown = []
    for path in ("/health", "/metrics", "/status", "/status.json"):
        plain = f"GET {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Basic {login}\r\n\r\n"
        connection = Connection(daemon.port, plain.encode())
        answer = connection.reply()
        connection.close()
        assert answer.status == 200, (path, answer)
        shown.append(f"{answer.headers} {answer.body}")
    return "\n".join(shown)


def files(directory: Path, *but: str) -> str:
    """What stands in the files of a directory, but for some by the beginning of their names."""
    return "\n".join(
        path.read_text(errors="replace")
        for path in directory.rglob("*")
        if path.is_file() and not path.name.startswith(but)
    )


@pytest.fixture
def others() -> Iterator[Gossip]:
    server = Gossip()
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def launch(daemons: Daemons, file: Path, *options: str, store: str = "") -> Daemon:
    """A daemon with these settings, that writes its log to a file."""
    command = (*COMMAND[:-1], "--logfile", "boomerang.log", COMMAND[-1], "--config", str(file))
    more = {"REDIS_URL": store} if store else {}
    listen = ("--listen", "tcp:0:interface=127.0.0.1")
    daemon = daemons.launch(*command, *listen, *options, more=more)
    log = daemon.directory / "boomerang.log"
    found = eventually(lambda: LISTENING.search(log.read_text()) if log.exists() else None)
    daemon.port = int(found[1])
    daemon.health()
    return daemon


def ended(daemon: Daemon) -> str:
    """Stop it; all that it has written."""
    daemon.signal(signal.SIGTERM)
    assert daemon.exit_status() == 0
    written = daemon.log() + files(daemon.directory, "queue.db", "boomerang.db")
    assert "Traceback" not in written
    return written


@pytest.mark.parametrize("workers", [1, 2])
def test_daemon_with_redis(daemons: Daemons, tmp_path: Path, others: Gossip, workers: int) -> None:
    """A daemon whose store fails, and comes back with another password, tells no secret; nor do
    several workers, which get theirs from the supervisor."""
    file = tmp_path / "settings.toml"
    file.write_text(settings(others.server_port))
    with RedisServer(tmp_path, password=PLANTED["store-password"]) as server:
        options = ("--log-format", "json", "--workers", str(workers))
        daemon = launch(daemons, file, *options, store=server.url())
        said = drive(daemon, others.server_port)
        with server.talk() as administrator:
            administrator.ask("CONFIG", "SET", "requirepass", "another-one")
            administrator.ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        log = daemon.directory / "boomerang.log"
        eventually(lambda: "WRONGPASS" in log.read_text())
        said += drive(daemon, others.server_port) + pages(daemon)
        server.kill()
        said += drive(daemon, others.server_port) + pages(daemon)
        written = ended(daemon)

    assert '"reason": "repeated"' in written
    assert leaks(said) == []
    assert leaks(written) == []


COMMANDS: Final = (*("check-config", "checks", "alerts plan", "twilio audit", "relay list --json"),)

QUICK: Final = (
    "endpoints",
    f"endpoints match https://a.example.com/?token={quoted('error-url-query')}",
    "alerts rules",
)
"""Commands that ask nobody."""

TOLD: Final = {
    *("librato-token", "otlp-login", "otlp-header", "notify-login", "notify-query"),
    *("heartbeat-path", "api-secret", "check-login", "check-query", "check-header"),
    *("probe-query", "relay-url-login", "relay-url-query", "relay-field"),
}
"""The secrets that others are to hear, since they are asked with them."""


def test_daemon_and_its_commands(
    daemons: Daemons, tmp_path: Path, others: Gossip, capfd: pytest.CaptureFixture[str]
) -> None:
    """Nor does one with a file, when others fail it, nor the tool beside it."""
    file, store = tmp_path / "settings.toml", f"sqlite:{tmp_path / 'queue.db'}"
    file.write_text(settings(others.server_port))
    daemon = launch(daemons, file, "--store", store)
    said = drive(daemon, others.server_port)
    log = daemon.directory / "boomerang.log"
    eventually(lambda: "given up" in log.read_text())

    def tool(command: str) -> str:
        more = {"BOOMERANG_CONFIG": str(file), "BOOMERANG_STORE": store}
        done = run([*TOOL, *command.split()], directory=tmp_path, more=more)
        assert "Traceback" not in done.stderr
        assert done.stdout + done.stderr, command
        return done.stdout + done.stderr

    with ThreadPoolExecutor(2) as threads:
        told = [*threads.map(tool, COMMANDS)]
    for command in QUICK:
        assert main([*command.split(), "--config", str(file), "--store", store]) == 0
    told += capfd.readouterr()
    said += pages(daemon) + files(tmp_path, "queue.db", "settings.toml")
    written = ended(daemon)

    assert places("".join(others.heard)) >= TOLD, "it was not tried"
    assert "the settings are good" in told[0]
    for output in (said, written, *told):
        assert leaks(output) == []


def test_command_that_plays_twilio(tmp_path: Path, others: Gossip) -> None:
    """Nor does the command that takes a token to sign with."""
    url = f"http://127.0.0.1:{others.server_port}/voice"
    done = run(
        [*TOOL, "call", url, "--fallback", f"{url}/retry"],
        directory=tmp_path,
        more={"TWILIO_AUTH_TOKEN": PLANTED["auth-token"]},
    )
    assert "500" in done.stdout
    assert leaks(done.stdout + done.stderr) == []


SECRET = PLANTED["auth-token"]

MISUSED: Final = (
    SECRET,
    f"{SECRET} {SECRET}",
    f"redis://:{SECRET}@a:b:c/",
    f"https://me:{SECRET}@a.example.com:99999/#{SECRET}",
    f"ftp://me:{SECRET}@a.example.com",
    f"//{SECRET}@",
    f"\x00{SECRET}",
    f"mailto://{SECRET} x",
    f"x={SECRET}=, =",
)
"""Texts in which a secret was written down wrongly."""


def problems(sources: Sources) -> str:
    """What is said of settings, empty if they are good."""
    try:
        load_settings(sources)
    except InvalidSettings as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    "name",
    [
        declared.name
        for declared in declared_settings()
        if declared.declaration.secret or declared.declaration.may_hold_secret
    ],
)
def test_wrong_settings(name: str) -> None:
    """A secret that is written down wrongly is not repeated in what is said of it."""
    section, _, _ = name.rpartition(".")
    variable = f"BOOMERANG_{name.replace('.', '_').upper()}"
    wrong: list[Sources] = []
    for text in MISUSED:
        value = json.dumps(text)
        for toml in (value, f"[{value}, 5]", f"{{a = 5, b = {value}}}", f"[[{value}]]"):
            wrong.append(Sources(file=f"{name} = {toml}"))
        wrong.append(Sources(environment={variable: text}))
        wrong.append(Sources(environment={f"{variable}X": text}))
        wrong.append(Sources(file=f"{name}x = {value}"))
        wrong.append(Sources(file=f"{name} = {value[:-1]}"))
        wrong.append(Sources(file=f"{section or name} = {value}"))
        wrong.append(Sources(options={name: text}))
    told = [*filter(None, map(problems, wrong))]
    assert len(told) > len(MISUSED)
    assert leaks("\n".join(told)) == []


@pytest.mark.parametrize(
    "name", ["public_url", "home_url", "account.api_url", "librato.url", "store", "allowed_hosts"]
)
def test_login_in_an_address(name: str) -> None:
    """Nor is a password in an address that may have none."""
    address = f"https://me:{SECRET}@boomerang.example.com:99999/?x={SECRET}"
    for file in (f'{name} = "{address}"', f'{name} = ["{address}"]'):
        with pytest.raises(InvalidSettings) as error:
            load_settings(Sources(file=file))
        assert leaks(str(error.value)) == []


@pytest.mark.parametrize(
    "line",
    [
        "{secret}",
        "https://me:{quoted}@app.example.com/",
        "https://app.example.com/?token={quoted}&x=1",
        "Authorization: Basic {base64_after_user}",
        "token={base64}",
        "token={urlsafe}",
        '{{"message": "{escaped}"}}',
        "url=https%3A%2F%2Fa%2F%3Ftoken%3D{twice}",
        "bytes {hex}",
    ],
)
@pytest.mark.parametrize("place", ["auth-token", "relay-url-query", "store-password"])
def test_finds(place: str, line: str) -> None:
    """Each way of writing a planted secret is found, with the line that it is in."""
    secret = PLANTED[place]
    leak = line.format(
        secret=secret,
        quoted=quote(secret, safe=""),
        base64_after_user=b64encode(f"user:{secret}:x".encode()).decode(),
        base64=b64encode(f"a{secret}bc".encode()).decode(),
        urlsafe=urlsafe_b64encode(secret.encode()).decode(),
        escaped=secret.replace("/", "\\/"),
        twice=quote(quote(secret, safe=""), safe=""),
        hex=secret.encode().hex(),
    )
    found = leaks(f"a calm line\n2026-11-21 [x#info] {leak} and more\nanother")
    assert found
    assert all(each.startswith(f"{place}: ") and leak in each for each in found)


def test_finds_nothing() -> None:
    """What has no planted secret has none, not even where one begins."""
    assert leaks("\n".join(secret[:-4] for secret in PLANTED.values())) == []
