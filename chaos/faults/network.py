"""The network between boomerang and Redis."""

from __future__ import annotations

from typing import Final

from chaos.fault import Fault
from chaos.judge import STORE, Promise
from chaos.network import far_redis, possible
from chaos.proxy import Proxy
from chaos.scene import Scene
from tests.servers import HOST


def cut(scene: Scene) -> None:
    if not possible():
        cut_by_proxy(scene)
        return
    redis = scene.enter(far_redis(scene.directory))
    scene.start(store=redis.url)
    scene.injure(redis.cut)
    scene.mend(redis.mend)


def cut_by_proxy(scene: Scene) -> None:
    scene.remarks.append("no root for a network namespace: a proxy that forwards nothing instead")
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
