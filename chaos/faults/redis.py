"""What Redis may do."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from attrs import evolve

from chaos.fault import Fault
from chaos.judge import STORE, Promise
from chaos.proxy import Proxy
from chaos.scene import Scene
from tests.servers import HOST, SentinelGroup, wait_until

AWAY: Final = Promise(degraded=frozenset({STORE}), recovered=7)


def stopped(scene: Scene, *options: str) -> None:
    server = scene.redis()
    scene.start(*options, store=server.url())
    scene.injure(server.kill)
    scene.mend(server.start)


def paused(scene: Scene) -> None:
    server = scene.redis()
    scene.start(store=server.url())
    scene.injure(server.pause)
    scene.mend(server.resume)


def restarted(scene: Scene) -> None:
    server = scene.redis()
    scene.start(store=server.url())
    scene.injure(server.restart)
    scene.mend()


def failed_over(scene: Scene) -> None:
    group = scene.enter(SentinelGroup(scene.directory))
    scene.start(store=group.url())
    old = group.master()
    scene.injure(old.kill)
    wait_until(lambda: group.master() is not old, what="a new master")
    scene.mend()


def full(scene: Scene) -> None:
    server = scene.redis("maxmemory-policy noeviction")
    scene.start(store=server.url())
    scene.injure(lambda: server.command("CONFIG", "SET", "maxmemory", 1))
    scene.mend(lambda: server.command("CONFIG", "SET", "maxmemory", 0))


def read_only(scene: Scene) -> None:
    server = scene.redis()
    scene.start(store=server.url())
    # A replica of nobody keeps its data, and takes no writes.
    scene.injure(lambda: server.command("REPLICAOF", HOST, 1))
    scene.mend(lambda: server.command("REPLICAOF", "NO", "ONE"))


def slow(scene: Scene) -> None:
    server = scene.redis()
    proxy = scene.enter(Proxy(server.port))
    scene.start(store=f"redis://{HOST}:{proxy.port}")
    scene.injure(lambda: setattr(proxy, "delay", 0.5))
    scene.mend(lambda: setattr(proxy, "delay", 0.0))


def other_password(scene: Scene) -> None:
    server = scene.redis(password="the-first")
    scene.start(store=server.url())

    def change(password: str) -> None:
        with server.talk() as conversation:
            conversation.ask("CONFIG", "SET", "requirepass", password)
            server.password = password
            with suppress(ConnectionError):  # this one is killed, too
                conversation.ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "no")

    scene.injure(lambda: change("the-second"))
    scene.mend(lambda: change("the-first"))


FAULTS: Final = (
    Fault("redis stopped", stopped, "Redis is killed, and started again later", AWAY),
    Fault("redis paused", paused, "Redis hangs (SIGSTOP)", AWAY),
    Fault(
        "redis restarted",
        restarted,
        "Redis crashes and is back at once",
        evolve(AWAY, degraded=frozenset()),
    ),
    Fault(
        "redis fails over",
        failed_over,
        "the master dies, and a Sentinel makes its replica the master",
        AWAY,
    ),
    Fault("redis full", full, "`maxmemory` is reached, `noeviction`", AWAY),
    Fault("redis read-only", read_only, "the master becomes a replica", AWAY),
    Fault("redis slow", slow, "Redis answers 1 s later, through a proxy", AWAY),
    Fault("redis password", other_password, "the password is changed, connections dropped", AWAY),
)
