"""Waiting for what another process does and nothing announces."""

import time


def eventually(see, seconds=60):
    """What `see` returns once that is true, or what it returns when the time is over."""
    end = time.monotonic() + seconds
    while True:
        seen = see()
        if seen or time.monotonic() > end:
            return seen
        time.sleep(0.02)


def wait_until(condition, seconds=60, why="waited in vain"):
    """`why` may be a function, asked at the end."""
    assert eventually(condition, seconds), why() if callable(why) else why
