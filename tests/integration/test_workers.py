"""Several workers: one address, one memory, one set of metrics; none of them is missed."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from boomerang.standin.verbs import Redirect
from tests.integration.app import App as CalledApp
from tests.integration.daemon import (
    ANY_PORT,
    COMMAND,
    LISTENING,
    Daemon,
    Daemons,
    ended,
    eventually,
    run,
)
from tests.integration.relaying import PUBLIC, TOKENS, App, Ledger, Port, Twilio
from tests.integration.sockets import LIMIT, Connection, get
from tests.integration.twilio import LATE, Caller, FailedCall, answers, let_pass, untimely
from tests.servers import RedisServer
from tests.web_servers import closed_port

TERM, INT, KILL = signal.SIGTERM, signal.SIGINT, signal.SIGKILL

STARTED = re.compile(r"worker (\d+) is process (\d+)")


class Host:
    """A daemon with several workers."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon

    def pids(self) -> dict[int, int]:
        """The process of each worker, as of its last start."""
        return {int(number): int(pid) for number, pid in STARTED.findall(self.daemon.log())}

    def alive(self) -> list[int]:
        """All workers' processes that there are, restarted ones included."""
        return [
            int(pid)
            for _, pid in STARTED.findall(self.daemon.log())
            if Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_text()
        ]

    def kill(self, number: int) -> None:
        """End a worker as the kernel would; returns once the supervisor has noticed."""
        before = self.daemon.log().count(" has ended, ")
        os.kill(self.pids()[number], KILL)
        eventually(lambda: self.daemon.log().count(" has ended, ") > before)

    def of(self, failed: FailedCall) -> list[int]:
        """Which workers have decided of a call, in turn."""
        decided = re.findall(rf"worker=(\d+) .* sid={failed.sid} held", self.daemon.log())
        return [int(number) for number in decided]

    def metrics(self) -> Mapping[str, float]:
        """The sum over all labels of each metric."""
        sums: defaultdict[str, float] = defaultdict(float)
        for family in text_string_to_metric_families(get(self.daemon.port, "/metrics").body):
            for sample in family.samples:
                sums[sample.name] += sample.value
        return sums

    def decided(self) -> float:
        return self.metrics()["boomerang_decisions_total"]

    def holds(self, number: int, *, without_one: bool) -> bool:
        """Whether it says that it holds so many, and that a worker is missing, or none."""
        answer = get(self.daemon.port, "/health")
        if answer.status == 503:  # of the worker that stops, which speaks for itself
            return False
        said = json.loads(answer.body)
        return said["held"] == number and bool(said["degraded"]) is without_one

    def all_there(self) -> bool:
        return self.daemon.status() == "ok"


def start(
    daemons: Daemons,
    *options: str,
    workers: int = 2,
    wait: float = 0.3,
    store: str = "",
    more: Mapping[str, str] | None = None,
) -> Host:
    own = store or f"sqlite:{daemons.directory / 'shared.db'}"
    count = ("--workers", str(workers))
    return Host(daemons.start(*count, *options, wait=wait, store=own, more=more))


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """Two workers that hold nothing, for tests that only look."""
    with ended(Daemons(tmp_path_factory.mktemp("workers"))) as daemons:
        yield start(daemons, wait=0)


def test_spread(host: Host) -> None:
    """Short connections and those that stay open are spread over the workers evenly, and
    `/metrics` of whichever is asked counts all that was decided."""
    before = host.decided()
    short = [FailedCall() for _ in range(120)]
    for failed in short:
        host.daemon.rescue(failed)
    lasting = [FailedCall() for _ in range(120)]
    port = host.daemon.port
    connections = [Connection(port, failed.request(port)) for failed in lasting]
    assert {each.reply().status for each in connections} == {200}
    again = [FailedCall() for _ in lasting]
    for connection, failed in zip(connections, again, strict=True):
        connection.send(failed.request(port))
    assert {each.reply().status for each in connections} == {200}

    for calls in (short, lasting, again):  # 5 standard deviations of a fair coin are 27
        shares = Counter(host.of(failed)[0] for failed in calls)
        assert min(shares[0], shares[1]) > 60 - 27, shares
    assert {host.decided() for _ in range(6)} == {before + 360}


def test_whose_metrics(host: Host) -> None:
    """What is about a process says about which; what is about the host is there once."""
    families = {
        family.name: family.samples
        for family in text_string_to_metric_families(get(host.daemon.port, "/metrics").body)
    }
    cpu = families["process_cpu_seconds"]
    assert {each.labels["worker"] for each in cpu} == {"supervisor", "0", "1"}
    assert [each.value for each in families["boomerang_workers"]] == [2]
    assert [each.value for each in families["boomerang_build_info"]] == [1]
    assert [each.value for each in families["boomerang_held_requests"]] == [0]


def test_cores(daemons: Daemons, tmp_path: Path) -> None:
    """With an SQLite file and a core for each worker, each stays on its own, also when it is
    started again, and the thread that writes with it; with Redis they run on any."""
    available = os.sched_getaffinity(0)
    cores = set(sorted(available)[:2])
    own = [{core} for core in sorted(cores)] if len(cores) == 2 else [cores, cores]
    os.sched_setaffinity(0, cores)
    try:
        host = start(daemons)
        host.kill(1)
        eventually(host.all_there)
        host.daemon.rescue_all([FailedCall() for _ in range(20)])
        with RedisServer(tmp_path) as server:
            elsewhere = start(daemons, store=server.url())
            assert [os.sched_getaffinity(pid) for pid in elsewhere.pids().values()] == [cores] * 2
    finally:
        os.sched_setaffinity(0, available)
    for number, expected in enumerate(own):
        threads = [int(each.name) for each in Path(f"/proc/{host.pids()[number]}/task").iterdir()]
        assert len(threads) > 1
        assert [os.sched_getaffinity(each) for each in threads] == [expected] * len(threads)


def test_second_daemon_on_the_same_port(host: Host, tmp_path: Path) -> None:
    """Another daemon, started by mistake, cannot take part of the connections."""
    listen = f"tcp:{host.daemon.port}:interface=127.0.0.1"
    done = run([*COMMAND, "--workers", "2", "--listen", listen], directory=tmp_path)
    assert done.returncode == 1
    complaint = f"boomerang: cannot listen on {listen}:backlog=4096: Address already in use"
    assert complaint in done.stdout + done.stderr


def test_second_failure_elsewhere(host: Host) -> None:
    """A request that fails again is recognised by the other worker, too."""
    recognised_by_both(host)


def test_second_failure_elsewhere_with_redis(daemons: Daemons, tmp_path: Path) -> None:
    """So it is with Redis."""
    with RedisServer(tmp_path) as server:
        host = start(daemons, wait=0, store=server.url(path="/1"))
        recognised_by_both(host)


def recognised_by_both(host: Host) -> None:
    """Let calls fail again and again, until one of them has met both workers."""
    eventually(lambda: all(host.daemon.uses_its_store() for _ in range(8)))
    decided: list[int] = []
    while len(set(decided)) < 2:
        failed = FailedCall()
        found = [host.daemon.rescue(failed).decision for _ in range(8)]
        assert found == ["retry; attempt=1", *[f"give-up; attempt={n}" for n in range(2, 9)]]
        decided = host.of(failed)


def test_killed(daemons: Daemons) -> None:
    """A worker that dies takes no more with it than the calls that it held: others go on, new
    ones are answered, it is started again, and what it had counted still counts."""
    host = start(daemons, wait=1)
    first = [FailedCall() for _ in range(20)]
    host.daemon.rescue_all(first)
    assert host.decided() == 20
    held = host.daemon.hold([FailedCall() for _ in range(40)])

    host.kill(0)
    host.daemon.rescue_all([FailedCall(error_code="12100") for _ in range(40)])
    survivors = [answer for caller in held if (answer := caller.ending())]

    assert 5 < len(survivors) < 35
    assert not untimely(survivors, 1)
    eventually(host.all_there)
    metrics = host.metrics()
    assert metrics["boomerang_decisions_total"] == 20 + 40 + len(survivors)
    assert metrics["boomerang_worker_restarts_total"] == 1
    assert metrics["boomerang_held_requests"] == 0
    more = [FailedCall(error_code="12100") for _ in range(40)]
    host.daemon.rescue_all(more)
    assert {number for failed in more for number in host.of(failed)} == {0, 1}
    assert host.decided() == 100 + len(survivors)


def test_crash_loop(daemons: Daemons) -> None:
    """A worker that keeps dying is started less and less often, and everyone is told; the other
    one answers for both."""
    host = start(daemons, wait=0)
    for deaths in range(1, 5):
        host.kill(1)
        pid = host.pids()[1]
        (trouble,) = host.daemon.health()["degraded"]
        assert trouble["part"] == "workers"
        assert host.daemon.rescue(FailedCall()).decision == "retry; attempt=1"
        if deaths < 4:
            eventually(lambda pid=pid: host.pids()[1] != pid)  # type: ignore[misc]
    log = host.daemon.log()
    pauses = [float(each) for each in re.findall(r"started again in ([\d.]+) s", log)]
    assert pauses == [0.1, 0.2, 0.4, 0.8]
    assert log.count("worker 1 keeps dying: 3 times in a row") == 1
    assert log.count("keeps dying") == 1
    eventually(host.all_there)
    assert host.metrics()["boomerang_worker_restarts_total"] == 4


def test_told_to_end(daemons: Daemons, tmp_path: Path) -> None:
    """A single worker that is told to end answers whom it holds; no connection is refused, and
    another takes its place. What systemd is told, it is told by the supervisor, and once."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.settimeout(LIMIT)
        told.bind(str(tmp_path / "notify"))
        path = tmp_path / "boomerang.sock"
        notify = {"NOTIFY_SOCKET": str(tmp_path / "notify")}
        host = start(daemons, "--listen", f"unix:{path}", wait=1, more=notify)
        assert told.recv(100) == b"READY=1"
        callers = host.daemon.hold([FailedCall() for _ in range(20)])
        pid = host.pids()[0]
        os.kill(pid, TERM)
        more = []
        while host.pids()[0] == pid:
            more.append(host.daemon.fail(FailedCall(error_code="12100")))
            let_pass(0.02)
        assert {answer.decision for answer in answers(callers)} == {"retry; attempt=1"}
        assert {answer.status for answer in answers(more)} == {500}
        eventually(host.all_there)
        assert_serves(path)
        host.daemon.signal(TERM)
        assert told.recv(100) == b"STOPPING=1"
        assert host.daemon.exit_status() == 0
        assert not path.exists()


def test_told_to_end_counts(daemons: Daemons) -> None:
    """Whom a worker holds that is told to end counts as held until then, and all that it answers
    counts after its end."""
    host = start(daemons, wait=6)
    callers = host.daemon.hold([FailedCall() for _ in range(40)])
    pid = host.pids()[1]
    os.kill(pid, TERM)
    eventually(lambda: host.holds(40, without_one=True))
    assert {answer.status for answer in answers(callers)} == {200}
    eventually(lambda: host.pids()[1] != pid)
    eventually(host.all_there)
    assert host.decided() == 40


def assert_serves(path: Path) -> None:
    """A Unix socket is there for all workers, and outlives each of them."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(LIMIT)
        client.connect(str(path))
        client.sendall(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.recv(1000).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("number", [TERM, INT])
def test_stopped(daemons: Daemons, number: signal.Signals) -> None:
    """Told to stop, all workers answer whom they hold, and everyone exits with 0: be the
    supervisor told alone, or everyone, as by Ctrl-C and on some platforms."""
    host = start(daemons, wait=1.5)
    callers = host.daemon.hold([FailedCall() for _ in range(40)])

    everyone = (*host.pids().values(), host.daemon.process.pid)
    for pid in everyone if number == INT else everyone[-1:]:
        os.kill(pid, number)
    eventually(host.daemon.is_refusing, within=LATE)
    for pid in everyone if number == TERM else ():
        os.kill(pid, number)
    found = answers(callers)

    assert {answer.decision for answer in found} == {"retry; attempt=1"}
    assert not untimely(found, 1.5)
    assert host.daemon.exit_status() == 0
    assert host.alive() == []
    assert "has ended, killed" not in host.daemon.log()


def test_hurried(daemons: Daemons) -> None:
    """A second Ctrl-C lets go of everyone at once."""
    host = start(daemons, "--shutdown-grace", "14", wait=14)
    callers = host.daemon.hold([FailedCall() for _ in range(20)])
    host.daemon.signal(INT)
    eventually(host.daemon.is_refusing)
    host.daemon.signal(INT)
    assert all(answer.seconds < 7 for answer in answers(callers))
    assert host.daemon.exit_status() == 0


def test_supervisor_killed(daemons: Daemons) -> None:
    """Without the supervisor the workers answer whom they hold, and end; the port is free."""
    host = start(daemons, wait=1.5)
    callers = host.daemon.hold([FailedCall() for _ in range(20)])
    host.daemon.kill()
    eventually(host.daemon.is_refusing, within=LATE)
    assert {answer.decision for answer in answers(callers)} == {"retry; attempt=1"}
    eventually(lambda: host.alive() == [])
    socket.create_server(("127.0.0.1", host.daemon.port)).close()


def test_start_that_fails(tmp_path: Path) -> None:
    """A worker that cannot even start ends the start, with its reason."""
    store = "rediss://127.0.0.1:1?ssl_ca_certs=/nowhere.pem"
    command = (*COMMAND, "--workers", "2", "--listen", ANY_PORT, "--store", store)
    done = run(command, directory=tmp_path)
    assert done.returncode == 1
    assert "boomerang: [Errno 2] No such file or directory: '/nowhere.pem'" in done.stdout
    assert done.stdout.count("has ended before it was ready, status 1; giving up") == 1
    assert "started again" not in done.stdout


def test_deliveries(daemons: Daemons) -> None:
    """Callbacks that any worker has accepted are delivered by worker 0 alone, those of one call
    in their order, also when it is killed."""
    ledger = Ledger()
    app = App(ledger, trouble=0)
    more = {
        "BOOMERANG_PUBLIC_URL": PUBLIC,
        "BOOMERANG_RELAY_TIMEOUT": "1",
        "TWILIO_AUTH_TOKEN": ",".join(TOKENS.values()),
    }
    host = start(daemons, workers=3, more=more)
    twilio = Twilio(ledger, app, Port((host.daemon.port,)), lines=4)
    eventually(lambda: len(ledger.arrived) > 100)
    host.kill(0)
    killed_at = len(ledger.acknowledged)
    eventually(lambda: len(ledger.acknowledged) > killed_at + 100)
    twilio.stop()
    eventually(lambda: ledger.missing() == set(), within=2 * LIMIT)
    assert ledger.out_of_order() == []
    assert ledger.duplicates() <= 10
    app.stop()
    assert "watching" not in "".join(
        line for line in host.daemon.log().splitlines() if "worker=0" not in line
    )


def test_one_that_hangs_at_the_end(daemons: Daemons) -> None:
    """A worker that hangs when all are told to stop delays the end by some seconds, and no more;
    the others end as they should, and the status tells of the one that was killed."""
    host = start(daemons, "--shutdown-grace", "0")
    os.kill(host.pids()[0], signal.SIGSTOP)
    before = time.monotonic()
    host.daemon.signal(TERM)
    assert host.daemon.exit_status() == 1
    assert time.monotonic() - before < 5 + 2 + LATE
    assert host.daemon.log().count("worker 0 gives no sign of life, killed") == 1
    assert host.daemon.log().count("killed") == 1
    assert host.alive() == []


LINE = re.compile(r"[-\d]+T[:\d]+\+0000 \[[\w.-]+#\w+\] .+")


def test_log_in_a_file(daemons: Daemons) -> None:
    """In a log file, too, each line of each worker is a line of its own, also where the pipes have
    more of them than are read at once."""
    command = (*COMMAND[:-1], "--logfile", "boomerang.log", COMMAND[-1], "--workers", "2")
    daemon = daemons.launch(*command, "--listen", ANY_PORT, "--retry-wait", "2")
    file = daemon.directory / "boomerang.log"
    found = eventually(lambda: LISTENING.search(file.read_text()) if file.exists() else None)
    daemon.port = int(found[1])
    calls = daemon.hold([FailedCall() for _ in range(300)])
    daemon.signal(signal.SIGSTOP)
    assert {answer.status for answer in answers(calls)} == {200}
    daemon.signal(signal.SIGCONT)
    daemon.signal(TERM)
    assert daemon.exit_status() == 0
    lines = file.read_text().splitlines()
    assert [line for line in lines if not LINE.fullmatch(line)] == []
    decided = [line for line in lines if " held" in line]
    assert len(decided) == len(calls)
    assert {re.findall(r"worker=(\d)", line)[0] for line in decided} == {"0", "1"}


def test_turns_without_a_store(daemons: Daemons, app: CalledApp) -> None:
    """While the store is away, a call that is held in turns may come back to any worker, also to
    one that was started since."""
    file = daemons.directory / "turns.toml"
    file.write_text(
        f'[retry]\nprobe = "{app.url("/health")}"\nhold_limit = 60\nhold_message = "One moment."\n'
    )
    host = start(daemons, "--config", str(file), store=f"redis://127.0.0.1:{closed_port()}")
    before, after = ([FailedCall(error_url=app.url("/voice")) for _ in range(20)] for _ in range(2))
    targets = [told_to_come_back(host, failed) for failed in before]
    pid = host.pids()[1]
    host.kill(1)
    eventually(lambda: host.pids()[1] != pid)
    eventually(lambda: "workers" not in {each["part"] for each in host.daemon.health()["degraded"]})
    targets += [told_to_come_back(host, failed) for failed in after]
    app.wake()
    calls = [*before, *after]
    port = host.daemon.port
    back = answers(
        Caller(failed.script, failed.returning(port, target))
        for failed, target in zip(calls, targets, strict=True)
    )
    assert {answer.status for answer in back} == {200}
    assert {answer.redirect for answer in back} == {("POST", app.url("/voice"))}
    for some in (before, after):
        assert 2 in {len(set(host.of(failed))) for failed in some}


def told_to_come_back(host: Host, failed: FailedCall) -> str:
    """Path and query to which a call that is held in turns was told to come back."""
    told = host.daemon.rescue(failed)
    assert told.decision == "hold; attempt=1"
    (back,) = [verb.to.url for verb in told.document.verbs if isinstance(verb, Redirect)]
    return back.partition(str(host.daemon.port))[2]
