"""Which of a host's processes this is, and what its share of the host's limits is."""

from __future__ import annotations

from typing import Final

from attrs import evolve, frozen

from boomerang.settings import Settings


@frozen
class Worker:
    """One of ``of`` processes; ``number`` counts from 0, and outlives the process's restart."""

    number: int = 0
    of: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process does what is to be done once: monitor, audit, deliveries."""
        return self.number == 0


ALONE: Final = Worker()


def share(settings: Settings, worker: Worker) -> Settings:
    """The settings of one worker: what is a limit of the whole host is shared out evenly."""
    if worker.of == 1:
        return settings
    retry, each_account = settings.retry, settings.retry.max_held_per_account
    return evolve(
        settings,
        retry=evolve(
            retry,
            max_held=-(-retry.max_held // worker.of),
            max_held_per_account=each_account and -(-each_account // worker.of),
            release_rate=retry.release_rate / worker.of,
        ),
        endpoint=tuple(
            each
            if each.release_rate is None
            else evolve(each, release_rate=each.release_rate / worker.of)
            for each in settings.endpoint
        ),
    )
