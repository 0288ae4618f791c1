"""The request that every benchmark sends, and what a right answer to it looks like; pure."""

import hmac
import re
from base64 import b64encode
from urllib.parse import urlencode

AUTH_TOKEN = "f" * 32
PUBLIC_URL = "https://boomerang.example.com"
"""Requests are signed for this address, wherever the server is."""

VOICE = "voice"
"""The path that failed."""

WARM_UP = "warm-up"
"""A path for which no server waits: what loads a server beforehand need not take so long."""

_MARK = "000000000000"
_NUMBERED = "%012d"

HEADERS = {
    "User-Agent": "TwilioProxy/1.1",
    "Accept": "*/*",
    "Content-Type": "application/x-www-form-urlencoded",
}

# A voice webhook's 25 parameters. Each request is a call of its own, of a host of its own: the
# peer remembers host names, and would take a second failure of one host for a reason to give up.
_FIELDS = {
    "AccountSid": "AC11111111111111111111111111111111",
    "ApiVersion": "2010-04-01",
    "CallSid": "CA11111111111111111111" + _MARK,
    "CallStatus": "in-progress",
    "Called": "+15005550001",
    "CalledCity": "SAN FRANCISCO",
    "CalledCountry": "US",
    "CalledState": "CA",
    "Caller": "+15005550006",
    "CallerCity": "PORTLAND",
    "CallerCountry": "US",
    "CallerState": "OR",
    "Direction": "inbound",
    "ErrorCode": "11200",
    "ErrorUrl": f"https://app-{_MARK}.example.com/{VOICE}?x=1&y=2",
    "From": "+15005550006",
    "FromCity": "PORTLAND",
    "FromCountry": "US",
    "FromState": "OR",
    "FromZip": "97205",
    "To": "+15005550001",
    "ToCity": "SAN FRANCISCO",
    "ToCountry": "US",
    "ToState": "CA",
    "ToZip": "94105",
}
_BODY = urlencode(_FIELDS)
_SIGNED = f"{PUBLIC_URL}/retry" + "".join(name + _FIELDS[name] for name in sorted(_FIELDS))
SIGNATURE = "X-Twilio-Signature"
SIGNATURE_LENGTH = 28
_HEAD_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"^content-length: *(\d+)", re.IGNORECASE | re.MULTILINE)
_CHUNKED = re.compile(rb"^transfer-encoding: *chunked", re.IGNORECASE | re.MULTILINE)


def url_of(number: int, path: str = VOICE) -> str:
    """The URL that failed, in the numbered request."""
    return f"https://app-{_NUMBERED % number}.example.com/{path}?x=1&y=2"


def signature(number: int, path: str = VOICE) -> str:
    """Twilio's signature of the numbered request."""
    signed = _of(_SIGNED, number).replace(f"/{VOICE}?", f"/{path}?").encode("ascii")
    return b64encode(hmac.digest(AUTH_TOKEN.encode("ascii"), signed, "sha1")).decode("ascii")


def request(number: int, port: int, path: str = VOICE) -> bytes:
    """The bytes of the numbered request to /retry (number: up to 12 digits)."""
    body = _of(_BODY, number).replace(f"%2F{VOICE}%3F", f"%2F{path}%3F")
    headers = {
        "Host": f"127.0.0.1:{port}",
        **HEADERS,
        SIGNATURE: signature(number, path),
        "Content-Length": str(len(body)),
    }
    lines = ["POST /retry HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode("ascii")


def _of(template: str, number: int) -> str:
    return template.replace(_MARK, _NUMBERED % number)


def is_complete(answer: bytes) -> bool:
    """Whether an HTTP answer has arrived as a whole."""
    head, end, body = answer.partition(_HEAD_END)
    if not end:
        return False
    length = _LENGTH.search(head)
    if length:
        return len(body) >= int(length[1])
    if _CHUNKED.search(head):
        return body.endswith(b"0\r\n\r\n")
    return False


def fault(number: int, answer: bytes, path: str = VOICE) -> str:
    """What is wrong with the answer to the numbered request; empty if it is right."""
    status = answer[:12].decode("ascii", "replace")
    if not answer.startswith(b"HTTP/1.1 200 "):
        return f"answered {status}" if answer else "closed without an answer"
    url = url_of(number, path).replace("&", "&amp;")
    if f'<Redirect method="POST">{url}</Redirect>'.encode("ascii") not in answer:
        return "not the expected redirect"
    return ""


def signatures(count: int) -> bytes:
    """The signatures of the requests 1 to `count`, one after the other, for wrk."""
    return "".join(map(signature, range(1, count + 1))).encode("ascii")


def wrk_script() -> str:
    """The Lua program by which wrk numbers and signs its requests.

    Its arguments are the number before the first, and the file of signatures; what goes beyond
    them begins again with the first. It prints what wrk counted as one line of JSON.
    """
    pieces = ", ".join(f'"{piece}"' for piece in _BODY.split(_MARK))
    headers = "\n".join(f'wrk.headers["{name}"] = "{value}"' for name, value in HEADERS.items())
    return f"""\
wrk.method = "POST"
{headers}
local pieces = {{ {pieces} }}
local number = 0
local signatures = ""

function init(args)
  number = tonumber(args[1])
  local file = assert(io.open(args[2], "rb"))
  signatures = file:read("*a")
  file:close()
end

function request()
  local from = number * {SIGNATURE_LENGTH} % #signatures
  number = from / {SIGNATURE_LENGTH} + 1
  local digits = string.format("{_NUMBERED}", number)
  wrk.headers["{SIGNATURE}"] = signatures:sub(from + 1, from + {SIGNATURE_LENGTH})
  return wrk.format(nil, "/retry", nil, table.concat(pieces, digits))
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '{{"answered": %d, "microseconds": %d, "not_200": %d, "broken": %d}}\\n',
    summary.requests, summary.duration, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout))
end
"""
