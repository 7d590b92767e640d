"""Every promise is kept, whatever is killed when. conformance/durability/run does the same for longer."""

import random

import kills


def test_what_was_acknowledged_survives_30_kills():
    assert kills.run(30, 0, random.randrange(1 << 32)) == []
