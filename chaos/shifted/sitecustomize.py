"""Python imports this at its start where this folder is on its path: `time.time` can be shifted.

How many seconds is said, as text, by the file that ``SHIFTED_BY`` names; it is read at every call.
"""

import os
import time

_real = time.time
_file = os.open(os.environ["SHIFTED_BY"], os.O_RDONLY | os.O_CLOEXEC)


def _shifted() -> float:
    return _real() + float(os.pread(_file, 32, 0))


time.time = _shifted
