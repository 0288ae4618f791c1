"""The audit of dependencies: a vulnerability fails it, and nobody takes silence for good news."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Final

import pytest

from tests.servers import free_port

AUDIT: Final = Path(__file__).parent.parent / ".ci" / "audit.py"

BAD: Final = {
    "id": "PYSEC-2026-1",
    "summary": "it is bad",
    "affected": [
        {
            "package": {"name": "klein", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99.0"}]}],
        }
    ],
}


class Service(ThreadingHTTPServer):
    """A service that speaks OSV's API (https://google.github.io/osv.dev/post-v1-query/)."""

    def __init__(self, *, bad: Mapping[str, Any], silent_on: Sequence[str]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.bad = bad
        self.silent_on = silent_on
        self.asked: list[str] = []


class _Handler(BaseHTTPRequestHandler):
    server: Service

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        name = asked["package"]["name"]
        self.server.asked.append(name)
        vulnerabilities = self.server.bad.get(name)
        body = json.dumps({"vulns": [vulnerabilities]} if vulnerabilities else {}).encode()
        self.send_response(503 if name in self.server.silent_on else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None: ...


@pytest.fixture
def service(request: pytest.FixtureRequest) -> Iterator[Service]:
    """The service, as the test's parameter says."""
    server = Service(**{"bad": {}, "silent_on": (), **getattr(request, "param", {})})
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def audit(port: int, *options: str) -> tuple[int, str]:
    """Exit status and output of an audit that asks at a port of this machine, and nowhere else."""
    url = f"http://127.0.0.1:{port}/v1/query"
    command = [sys.executable, str(AUDIT), "--osv-url", url, *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.stderr == ""
    return done.returncode, done.stdout


def test_nothing_known(service: Service) -> None:
    """All that the daemon runs on is asked about, extras included, and nothing else; it passes."""
    status, said = audit(service.server_port)
    assert status == 0
    assert f"AUDIT DONE for {len(service.asked)} of {len(service.asked)} packages" in said
    assert "NOT DONE" not in said
    direct = {"twisted", "attrs", "klein", "treq", "twilio", "jinja2", "hiredis", "idna"}
    transitive = {"pyopenssl", "service-identity", "werkzeug", "cryptography", "zope-interface"}
    assert {*service.asked} >= direct | transitive | {"apprise", "opentelemetry-sdk"}
    assert not {"boomerang", "pytest", "ruff", "gunicorn"} & {*service.asked}
    lines = {name: rest for name, *rest in map(str.split, filter(None, said.splitlines()))}
    assert lines["klein"][1:] == ["MIT"]
    assert len(lines) > len(service.asked)


@pytest.mark.parametrize("service", [{"bad": {"klein": BAD}}], indirect=True)
def test_vulnerable(service: Service) -> None:
    """A vulnerability fails it, and is told with the version that has none."""
    status, said = audit(service.server_port)
    assert status == 1
    assert said.splitlines()[-1] == "VULNERABLE: klein: PYSEC-2026-1 (mended in 99.0)"


@pytest.mark.parametrize("service", [{"silent_on": ["klein"]}], indirect=True)
def test_service_fails(service: Service) -> None:
    """A service that fails has told nothing, which is said, and fails only if it is to."""
    status, said = audit(service.server_port)
    assert status == 0
    assert "AUDIT NOT DONE for" in said
    assert "AUDIT DONE for 1 of" in said


def test_nobody_there() -> None:
    """So it is where nobody is there, who is not asked again and again."""
    status, said = audit(free_port(), "--strict")
    assert status == 1
    assert "AUDIT NOT DONE for" in said
    assert "AUDIT DONE" not in said
