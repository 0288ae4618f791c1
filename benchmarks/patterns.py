"""How held requests arrive; pure.

even:      at 1,000 a second, or all within 12 s if that is more. The server holds each 8 s, or as
           much longer as it takes that all are held together before the first is answered.
burst:     all in one instant.
turnover:  steadily, so many a second that the number held stays the same once it is reached.
"""

import math

from benchmarks.exchanges import Order

EVEN, BURST, TURNOVER = "even", "burst", "turnover"
PATTERNS = (EVEN, BURST, TURNOVER)

WAIT = 8.0
_EVEN_PER_SECOND = 1000.0
_EVEN_SECONDS = 12.0
"""What is left of the longest wait, 14 s. In less, 19,500 took a whole core, and came late."""
_SECONDS_TOGETHER = 2.0


def order_for(pattern: str, held: int, *, turnover_seconds: float, grace: float) -> Order:
    """The order, still without a port, that has so many requests held."""
    wait, count, per_second = WAIT, held, 0.0
    if pattern == EVEN:
        per_second = max(_EVEN_PER_SECOND, held / _EVEN_SECONDS)
        wait = max(WAIT, math.ceil(held / per_second + _SECONDS_TOGETHER))
    elif pattern == TURNOVER:
        per_second = held / WAIT
        count = round(per_second * turnover_seconds)
    return Order(port=0, first_number=1, count=count, per_second=per_second, wait=wait, grace=grace)
