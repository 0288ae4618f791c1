"""The network between boomerang and Redis."""

from __future__ import annotations

from typing import Final

from chaos.fault import Fault
from chaos.judge import STORE, Promise
from chaos.machine import may_make_networks
from chaos.network import far_redis
from chaos.proxy import Proxy
from chaos.scene import Scene
from tests.servers import HOST


def cut(scene: Scene) -> None:
    if not may_make_networks():
        cut_by_proxy(scene)
        return
    redis = scene.enter(far_redis(scene.directory))
    scene.start(store=redis.url)
    scene.injure(redis.cut)
    scene.mend(redis.mend)


def cut_by_proxy(scene: Scene) -> None:
    scene.remarks.append("no network of its own may be made: a proxy that is silent instead")
    server = scene.redis()
    proxy = scene.enter(Proxy(server.port))
    scene.start(store=f"redis://{HOST}:{proxy.port}")
    scene.injure(lambda: setattr(proxy, "silent", True))
    scene.mend(lambda: setattr(proxy, "silent", False))


FAULTS: Final = (
    Fault(
        "network cut",
        cut,
        "the network between boomerang and Redis drops everything (a network namespace)",
        Promise(degraded=frozenset({STORE}), recovered=7),
    ),
)
