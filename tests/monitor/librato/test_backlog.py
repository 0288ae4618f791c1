"""The measurements that wait."""

from __future__ import annotations

from attrs import evolve

from boomerang.monitor.librato.backlog import Backlog
from boomerang.monitor.librato.measurement import Measurement
from boomerang.monitor.tally import Spread


def measurement(at: int, value: float = 1.0, check: str | None = "web") -> Measurement:
    return Measurement(
        name="boomerang.check.up",
        value=value,
        environment="test",
        check=check,
        at=at,
        period=60.0,
    )


def backlog(*seconds: int, most: int = 10) -> Backlog:
    queue = Backlog(most=most)
    for at in seconds:
        queue.add(measurement(at))
    return queue


def taken(queue: Backlog, most: int = 10, *, since: float = 0) -> list[int]:
    return [each.at for each in queue.take(most, since=since)]


def test_order() -> None:
    """The oldest are taken first, as many as are asked for."""
    queue = backlog(1, 2, 3)
    assert taken(queue, 2) == [1, 2]
    assert taken(queue, 2) == [3]
    assert taken(queue, 2) == []
    assert (len(queue), queue.lost) == (0, 0)


def test_bound() -> None:
    """With too many, the oldest are lost, and counted."""
    queue = backlog(1, 2, 3, 4, 5, most=3)
    assert (len(queue), queue.lost) == (3, 2)
    assert taken(queue) == [3, 4, 5]


def test_stale() -> None:
    """What is too old is lost when its turn comes, and takes no place in the batch."""
    queue = backlog(1, 2, 3, 4)
    assert taken(queue, 2, since=2.5) == [3, 4]
    assert queue.lost == 2


def test_unfit() -> None:
    """What a server would refuse, and all others with it, is lost at once."""
    queue = backlog()
    queue.add(measurement(1, float("nan")))
    assert (len(queue), queue.lost) == (0, 1)


def test_same_second() -> None:
    """Two of one stream and second become one; those of another stream or second do not."""
    queue = backlog()
    for value in (0.0, 1.0, 0.5):
        queue.add(measurement(1, value))
    queue.add(measurement(1, 7.0, check="api"))
    queue.add(measurement(1, 8.0, check=None))
    queue.add(measurement(2, 9.0))
    values = [each.value for each in queue.take(10, since=0)]
    assert values == [Spread(count=3, sum=1.5, min=0.0, max=1.0), 7.0, 8.0, 9.0]


def test_put_back() -> None:
    """What could not be sent is taken again before what has come since, in its old order."""
    queue = backlog(1, 2, 3)
    batch = queue.take(2, since=0)
    queue.add(measurement(4))
    queue.put_back(batch)
    assert taken(queue) == [1, 2, 3, 4]


def test_put_back_to_the_same_second() -> None:
    """If another of its stream and second has come since, they become one."""
    queue = backlog(1, 2)
    batch = queue.take(1, since=0)
    queue.add(measurement(1, 0.0))
    queue.put_back(batch)
    first, second = queue.take(10, since=0)
    assert (first.at, first.value) == (1, Spread(count=2, sum=1.0, min=0.0, max=1.0))
    assert second.at == 2


def test_put_back_without_room() -> None:
    """If there is no room left, what is put back is lost, being the oldest."""
    queue = backlog(1, 2, most=2)
    batch = queue.take(2, since=0)
    queue.add(measurement(3))
    queue.put_back(batch)
    assert (taken(queue), queue.lost) == ([2, 3], 1)


def test_clear() -> None:
    """All can be lost at once."""
    queue = backlog(1, 2, 3)
    queue.clear()
    assert (len(queue), queue.lost) == (0, 3)


def test_streams() -> None:
    """Streams differ by metric, environment and check."""
    queue = backlog(1)
    queue.add(evolve(measurement(1), name="other"))
    queue.add(evolve(measurement(1), environment="other"))
    queue.add(evolve(measurement(1), check="other"))
    assert len(queue) == 4
