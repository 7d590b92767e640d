"""Waiting for what another process does and nothing announces."""

import time


def eventually(see, seconds=60, pause=0.02):
    """What `see` returns once that is true, or what it returns when the time is over."""
    end = time.monotonic() + seconds
    while True:
        seen = see()
        if seen or time.monotonic() > end:
            return seen
        time.sleep(pause)


def wait_until(condition, seconds=60, why="waited in vain", pause=0.02):
    """`why` may be a function, asked at the end."""
    assert eventually(condition, seconds, pause), why() if callable(why) else why
