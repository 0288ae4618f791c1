"""Real Redis servers for tests: on free ports of 127.0.0.1, with nothing left behind.

Everything here blocks, for a few milliseconds each time, except for `SentinelGroup.start` and
`RedisCluster.start`, which take a second or two. Use the classes as context managers: leaving one
ends its processes, paused ones too; those that a dying test run leaves behind are ended when it
exits, and on Linux even when it is killed.
"""

from __future__ import annotations

import atexit
import os
import random
import shutil
import signal
import socket
import ssl
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, Self
from urllib.parse import quote

from attrs import frozen
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from twisted.internet.task import deferLater

HOST: Final = "127.0.0.1"

_PORTS: Final = range(20000, 30000)
"""Below the ports that outgoing connections take, so that a stopped server finds its own free."""

_GIVEN_OUT: Final[set[int]] = set()

_READY_WITHIN: Final = 20.0
_POLL: Final = 0.005


class NotReady(Exception):
    """A server did not come up; the message has the end of its log."""


class ReplyError(Exception):
    """A server's error reply."""


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens at, and that was not given out before."""
    while True:
        port = random.choice(_PORTS)
        if port in _GIVEN_OUT:
            continue
        _GIVEN_OUT.add(port)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
        return port


def wait_until(true: Callable[[], bool], *, what: str, within: float = _READY_WITHIN) -> None:
    """Look again and again until something is true; for code outside the reactor."""
    deadline = time.monotonic() + within
    while not true():
        if time.monotonic() > deadline:
            raise NotReady(f"{what}: not within {within} s")
        time.sleep(_POLL)


async def eventually(true: Callable[[], bool], *, what: str, within: float = 10.0) -> None:
    """Look every few milliseconds whether something is true; for tests inside the reactor."""
    from twisted.internet import reactor

    deadline = reactor.seconds() + within
    while not true():
        assert reactor.seconds() < deadline, f"{what}: not within {within} s"
        await deferLater(reactor, _POLL)


# Processes


class Process:
    """A child process that can be paused, and that ends with the tests in all cases."""

    def __init__(self, command: Sequence[str], *, log: Path, cwd: Path) -> None:
        self._command = [*_DYING_WITH_US, *command]
        self._log = log
        self._cwd = cwd
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        assert not self.running
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, cwd=self._cwd, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        _STARTED.append(self._process)

    def stop(self) -> None:
        """Ask it to end (SIGTERM), and wait until it has."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a crash would (SIGKILL); works on a paused process too."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Make it hang (SIGSTOP): it accepts connections, and answers nothing."""
        os.kill(self.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WNOWAIT)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def last_words(self) -> str:
        """The end of its log."""
        return self._log.read_text(errors="replace")[-2000:] if self._log.exists() else ""

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(how)
        process.wait(timeout=_READY_WITHIN)
        _STARTED.remove(process)


_DYING_WITH_US: Final = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
_STARTED: Final[list[subprocess.Popen[bytes]]] = []


@atexit.register
def _kill_what_is_left() -> None:
    for process in _STARTED:
        process.kill()


# Certificates


@frozen
class Certificates:
    """PEM files: a certificate authority, and a server's certificate and key signed by it."""

    authority: Path
    certificate: Path
    key: Path


def make_certificates(
    directory: Path, *, names: Sequence[str] = ("localhost", HOST)
) -> Certificates:
    """A new authority, and a certificate for host names and addresses, valid for an hour."""
    directory.mkdir(parents=True, exist_ok=True)
    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    unique = f"Authority {random.getrandbits(64)} of the tests"
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, unique)])
    ca = (
        _certificate(ca_name, ca_name, ca_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(ca_key, SHA256())
    )
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    certificate = (
        _certificate(subject, ca_name, key.public_key())
        .add_extension(x509.SubjectAlternativeName(map(_alternative_name, names)), critical=False)
        .sign(ca_key, SHA256())
    )
    made = Certificates(directory / "ca.pem", directory / "server.pem", directory / "server.key")
    made.authority.write_bytes(ca.public_bytes(Encoding.PEM))
    made.certificate.write_bytes(certificate.public_bytes(Encoding.PEM))
    made.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return made


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
    )


def _alternative_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


# Redis


class RedisServer:
    """One redis-server without persistence.

    ``config`` are further lines of its configuration, as in redis.conf. ``password`` is that of
    the default user. `restart` keeps the port, and forgets the data.
    """

    def __init__(
        self,
        directory: Path,
        *,
        password: str | None = None,
        certificates: Certificates | None = None,
        config: Sequence[str] = (),
        sentinel: bool = False,
    ) -> None:
        self.port = free_port()
        self.password = password
        self._certificates = certificates
        home = directory / f"redis-{self.port}"
        home.mkdir(parents=True)
        self._config = home / "redis.conf"
        self._lines = [*self._settings(), *config]
        command = ["redis-server", str(self._config), *(["--sentinel"] if sentinel else [])]
        self.process = Process(command, log=home / "log", cwd=home)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.kill()

    @property
    def address(self) -> tuple[str, int]:
        return HOST, self.port

    def url(self, *, user: str = "", password: str | None = None, path: str = "") -> str:
        """The setting ``store`` for this server; its own password unless another is given."""
        password = self.password if password is None else password
        login = f"{quote(user, safe='')}:{quote(password, safe='')}@" if password else ""
        scheme, host = ("rediss", "localhost") if self._certificates else ("redis", HOST)
        return f"{scheme}://{login}{host}:{self.port}{path}"

    def start(self) -> None:
        """Start it; returns once it answers."""
        self._config.write_text("\n".join([*self._lines, ""]))
        self.process.start()
        try:
            wait_until(self._answers, what=f"redis-server at port {self.port}")
        except NotReady as error:
            self.process.kill()
            raise NotReady(f"{error}\n{self.process.last_words()}") from None

    def kill(self) -> None:
        self.process.kill()

    def pause(self) -> None:
        self.process.pause()

    def resume(self) -> None:
        self.process.resume()

    def restart(self) -> None:
        """Crash and come back, empty."""
        self.kill()
        self.start()

    def command(self, *words: str | int) -> Any:
        """Send one command as the administrator, on a connection of its own."""
        with self.talk() as conversation:
            return conversation.ask(*words)

    @contextmanager
    def talk(self) -> Iterator[Conversation]:
        """A connection of the administrator's, for many commands."""
        with ExitStack() as stack:
            sock = stack.enter_context(socket.create_connection(self.address, timeout=5))
            if self._certificates is not None:
                context = ssl.create_default_context(cafile=str(self._certificates.authority))
                context.check_hostname = False
                sock = stack.enter_context(context.wrap_socket(sock))
            conversation = Conversation(sock, stack.enter_context(sock.makefile("rb")))
            if self.password is not None:
                conversation.ask("AUTH", self.password)
            yield conversation

    def _answers(self) -> bool:
        if not self.process.running:
            raise NotReady(f"redis-server at port {self.port} has ended")
        try:
            return bool(self.command("PING") == "PONG")
        except (OSError, ReplyError):
            return False

    def _settings(self) -> Iterator[str]:
        yield f"bind {HOST}"
        yield "protected-mode no"
        yield 'save ""'
        yield "repl-diskless-sync-delay 0"
        if self.password is not None:
            yield f'requirepass "{self.password}"'
            yield f'masterauth "{self.password}"'
        if self._certificates is None:
            yield f"port {self.port}"
        else:
            yield "port 0"
            yield f"tls-port {self.port}"
            yield f"tls-cert-file {self._certificates.certificate}"
            yield f"tls-key-file {self._certificates.key}"
            yield f"tls-ca-cert-file {self._certificates.authority}"
            yield "tls-auth-clients no"


class Conversation:
    """As much of the Redis protocol as tests need."""

    def __init__(self, sock: socket.socket, replies: BinaryIO) -> None:
        self._sock = sock
        self._replies = replies

    def ask(self, *words: str | int) -> Any:
        """Send a command; the reply as str, int, `None` or list. Raises `ReplyError`."""
        encoded = [str(word).encode() for word in words]
        parts = [b"$%d\r\n%b\r\n" % (len(word), word) for word in encoded]
        self._sock.sendall(b"*%d\r\n%b" % (len(parts), b"".join(parts)))
        return self._reply()

    def _reply(self) -> Any:
        line = self._replies.readline().rstrip(b"\r\n").decode()
        if not line:
            raise ConnectionError("closed by Redis")
        kind, rest = line[0], line[1:]
        match kind:
            case "-":
                raise ReplyError(rest)
            case ":":
                return int(rest)
            case "*":
                return None if rest == "-1" else [self._reply() for _ in range(int(rest))]
            case "$":
                return None if rest == "-1" else self._replies.read(int(rest) + 2)[:-2].decode()
            case _:
                return rest


class _Group(ABC):
    """Servers that are started together, and stopped even if that fails."""

    @abstractmethod
    def start(self) -> None:
        """Start everything; returns once it is ready."""

    @abstractmethod
    def stop(self) -> None:
        """Stop everything, at once."""

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


class SentinelGroup(_Group):
    """A master, a replica, and three Sentinels that notice within a fraction of a second.

    The Sentinels' own periods are shortened as well (SENTINEL DEBUG, Redis 7), so that they find
    each other and the replica within a second instead of ten.
    """

    service = "calls"

    def __init__(self, directory: Path, *, password: str | None = None) -> None:
        self._directory = directory
        master = RedisServer(directory, password=password)
        follow = [f"replicaof {HOST} {master.port}", "replica-priority 10"]
        replica = RedisServer(directory, password=password, config=follow)
        self.servers = (master, replica)
        watch = [
            f"sentinel monitor {self.service} {HOST} {master.port} 2",
            f"sentinel down-after-milliseconds {self.service} 400",
            f"sentinel failover-timeout {self.service} 1500",
        ]
        if password is not None:
            watch.append(f"sentinel auth-pass {self.service} {password}")
        self.sentinels = tuple(
            RedisServer(directory, config=watch, sentinel=True) for _ in range(3)
        )

    def url(self, *, path: str = "") -> str:
        """The setting ``store`` for this group."""
        sentinels = ",".join(f"{HOST}:{sentinel.port}" for sentinel in self.sentinels)
        password = self.servers[0].password
        login = f":{quote(password, safe='')}@" if password else ""
        return f"redis+sentinel://{login}{sentinels}/{self.service}{path}"

    def start(self) -> None:
        """Start everything; returns once the Sentinels agree and could fail over."""
        for server in (*self.servers, *self.sentinels):
            server.start()
        for sentinel in self.sentinels:
            sentinel.command("SENTINEL", "DEBUG", *_SHORT_PERIODS)
        wait_until(self._ready, what="three Sentinels that know each other and the replica")

    def stop(self) -> None:
        for server in (*self.sentinels, *self.servers):
            server.kill()

    def master(self) -> RedisServer:
        """The server that the Sentinels call the master now."""
        for sentinel in self.sentinels:
            try:
                _, port = sentinel.command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.service)
            except OSError:
                continue
            return next(server for server in self.servers if server.port == int(port))
        raise NotReady("no Sentinel answers")

    def _ready(self) -> bool:
        return all(map(self._could_fail_over, self.sentinels))

    def _could_fail_over(self, sentinel: RedisServer) -> bool:
        master = _as_dict(sentinel.command("SENTINEL", "MASTER", self.service))
        replicas = map(_as_dict, sentinel.command("SENTINEL", "REPLICAS", self.service))
        return (
            master["flags"] == "master"
            and master["num-other-sentinels"] == "2"
            and [replica["master-link-status"] for replica in replicas] == ["ok"]
        )


_SHORT_PERIODS: Final = (
    *("INFO-PERIOD", 100),
    *("ASK-PERIOD", 50),
    *("PUBLISH-PERIOD", 50),
    *("MIN-LINK-RECONNECT-PERIOD", 50),
    *("ELECTION-TIMEOUT", 1000),
)


def _as_dict(pairs: list[str]) -> dict[str, str]:
    return dict(zip(pairs[::2], pairs[1::2], strict=True))


class RedisCluster(_Group):
    """Masters that share the slots evenly, each with a replica that follows within a second.

    Set up by the commands that ``redis-cli --cluster create`` sends, with the ports of the bus
    named, since those that Redis would choose are among the ports of outgoing connections.
    """

    def __init__(
        self,
        directory: Path,
        *,
        masters: int = 3,
        password: str | None = None,
        certificates: Certificates | None = None,
    ) -> None:
        self._buses: dict[int, int] = {}
        self._count = masters
        self.servers: list[RedisServer] = []
        for _ in range(2 * masters):
            bus = free_port()
            server = RedisServer(
                directory,
                password=password,
                certificates=certificates,
                config=[
                    "cluster-enabled yes",
                    f"cluster-port {bus}",
                    "cluster-node-timeout 500",
                    "cluster-replica-validity-factor 0",
                    *(["tls-cluster yes", "tls-replication yes"] if certificates else []),
                ],
            )
            self._buses[server.port] = bus
            self.servers.append(server)

    def url(self, *servers: RedisServer, options: str = "") -> str:
        """The setting ``store`` for this cluster, which names these servers, or all."""
        login = self.servers[0].url().rpartition("@")[0].partition("://")
        scheme, host = self.servers[0].url().partition("://")[0], "127.0.0.1"
        named = ",".join(f"{host}:{server.port}" for server in servers or self.servers)
        return f"{scheme}+cluster://{login[2] + '@' if login[2] else ''}{named}{options}"

    def start(self) -> None:
        """Start everything; returns once all agree and could fail over."""
        masters, replicas = self.servers[: self._count], self.servers[self._count :]
        for server in self.servers:
            server.start()
        for number, master in enumerate(masters):
            first, last = (
                16384 * number // self._count,
                16384 * (number + 1) // self._count - 1,
            )
            master.command("CLUSTER", "ADDSLOTSRANGE", first, last)
            master.command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for server in self.servers[1:]:
            bus = self._buses[server.port]
            self.servers[0].command("CLUSTER", "MEET", HOST, server.port, bus)
        names = {server.port: server.command("CLUSTER", "MYID") for server in masters}
        for master, replica in zip(masters, replicas, strict=True):
            name = names[master.port]
            wait_until(partial(_knows, replica, name), what="servers that know each other")
            replica.command("CLUSTER", "REPLICATE", name)
        wait_until(self._ready, what="a cluster with its replicas")

    def stop(self) -> None:
        for server in self.servers:
            server.kill()

    def master(self, slot: int) -> RedisServer:
        """The server that has a slot, as one that answers says."""
        for server in self.servers:
            if not server.process.running:
                continue
            for first, last, (_, port, *_), *_ in server.command("CLUSTER", "SLOTS"):
                if first <= slot <= last:
                    return next(each for each in self.servers if each.port == port)
        raise NotReady(f"nobody has slot {slot}")

    def move(self, slot: int, to: RedisServer) -> None:
        """Give a slot and its keys to another master, as ``redis-cli --cluster reshard`` does."""
        self.begin_to_move(slot, to)
        self.end_move(slot, to)

    def begin_to_move(self, slot: int, to: RedisServer) -> None:
        """From now on keys that a server does not have are asked for at the other one."""
        source = self.master(slot)
        to.command("CLUSTER", "SETSLOT", slot, "IMPORTING", source.command("CLUSTER", "MYID"))
        source.command("CLUSTER", "SETSLOT", slot, "MIGRATING", to.command("CLUSTER", "MYID"))

    def end_move(self, slot: int, to: RedisServer) -> None:
        """Move the keys, then tell all masters."""
        source = self.master(slot)
        while keys := source.command("CLUSTER", "GETKEYSINSLOT", slot, 100):
            source.command("MIGRATE", HOST, to.port, "", 0, 5000, "KEYS", *keys)
        name = to.command("CLUSTER", "MYID")
        for server in (to, source):
            server.command("CLUSTER", "SETSLOT", slot, "NODE", name)

    def _ready(self) -> bool:
        return all(
            "cluster_state:ok" in server.command("CLUSTER", "INFO")
            and server.command("CLUSTER", "NODES").count("slave ") == self._count
            for server in self.servers
        ) and all(
            "master_link_status:up" in server.command("INFO", "replication")
            for server in self.servers[self._count :]
        )


def _knows(server: RedisServer, name: str) -> bool:
    return name in server.command("CLUSTER", "NODES")
