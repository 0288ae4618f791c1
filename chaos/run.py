"""Does faults, some of them at the same time, and collects what came of them."""

from __future__ import annotations

import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock

from chaos.fault import Fault, Result
from chaos.judge import broken
from chaos.report import summary
from chaos.scene import Extent, Scene


class Progress:
    """Says what goes on, with the time and how far it is."""

    def __init__(self, total: int, write: Callable[[str], object]) -> None:
        self._total = total
        self._write = write
        self._done = 0
        self._lock = Lock()

    def begins(self, fault: Fault) -> None:
        self.say(f"{fault.name} ...")

    def ended(self, result: Result) -> None:
        with self._lock:
            self._done += 1
        self.say(summary(result))

    def say(self, words: str) -> None:
        with self._lock:
            self._write(f"{time.strftime('%H:%M:%S')} {self._done}/{self._total} {words}")


def run(
    faults: Sequence[Fault], extent: Extent, *, lanes: int, write: Callable[[str], object]
) -> list[Result]:
    """The results, in the order of the faults; those that disturb others come one by one."""
    progress = Progress(len(faults), write)
    results: dict[str, Result] = {}
    for together, wide in ((False, lanes), (True, 1)):
        some = [fault for fault in faults if fault.alone is together]
        with ThreadPoolExecutor(wide) as pool:
            for result in pool.map(lambda fault: perform(fault, extent, progress), some):
                results[result.fault.name] = result
    return [results[fault.name] for fault in faults]


def perform(fault: Fault, extent: Extent, progress: Progress) -> Result:
    """Do one fault. What goes wrong with doing it is a broken promise as well."""
    progress.begins(fault)
    lacking = fault.needs()
    if lacking:
        result = Result(fault, None, skipped=lacking)
    else:
        with tempfile.TemporaryDirectory(prefix="boomerang-chaos-") as directory:
            result = _performed(fault, Path(directory), extent, progress)
    progress.ended(result)
    return result


def _performed(fault: Fault, directory: Path, extent: Extent, progress: Progress) -> Result:
    with Scene(directory, extent, progress.say) as scene:
        try:
            fault.act(scene)
            seen = scene.seen()
        except Exception as error:
            progress.say(traceback.format_exc())
            words = str(error).partition("\n")[0]
            return Result(fault, None, (f"ended by {type(error).__name__}: {words}",))
        verdict = tuple(broken(fault.promise, seen))
        if verdict:
            progress.say("\n".join([f"{fault.name}:", *verdict, *scene.log_of_mistakes()]))
        return Result(fault, seen, verdict, tuple(scene.remarks))
