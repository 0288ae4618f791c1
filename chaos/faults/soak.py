"""No fault at all, but for a long time: nothing may leak."""

from __future__ import annotations

import time
from typing import Final

from chaos.fault import Fault
from chaos.judge import Promise
from chaos.scene import Scene

_TOLD_EVERY: Final = 10.0

_WINDOW: Final = 60
"""Seconds that failures are remembered, so that their number is level for most of the time."""


def soak(scene: Scene) -> None:
    seconds = 60 * scene.extent.soak
    scene.start(f"--retry-window={_WINDOW}")
    begun = time.monotonic()
    level = begun + max(seconds / 4, min(1.5 * _WINDOW, seconds / 2))
    while (now := time.monotonic()) < begun + seconds:
        time.sleep(min(_TOLD_EVERY, begun + seconds - now))
        scene.say(f"soak, {(now - begun) / 60:.1f} of {scene.extent.soak:g} min: {scene.figures()}")
        if now < level:
            scene.weigh()
    scene.remarks.append(f"{scene.extent.soak:g} minutes; {scene.figures()} in the end")
    scene.mend()


FAULTS: Final = (
    Fault(
        "soak",
        soak,
        "nothing, for a long time",
        Promise(kib=8 * 1024, descriptors=15),
        alone=True,
        brief=False,
    ),
)
