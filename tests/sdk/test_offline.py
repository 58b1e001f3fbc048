"""A long time without the server: events pile up on the disk, memory does not, and all of it arrives in the end.

`python -m bench sdk_offline` does the same with a million events.
"""

from __future__ import annotations

from tests.sdk.offline import through_the_night

MEBIBYTE = 1 << 20


def test_events_of_a_long_time_offline_all_arrive_in_order_and_cost_no_memory(tmp_path):
    night = through_the_night(tmp_path, 50_000)
    assert night.recorded == night.arrived == 50_000
    assert night.in_order
    assert (night.lost, night.refused, night.duplicates) == (0, 0, 0)
    assert night.spooled > 10 * MEBIBYTE
    assert night.after - night.before < 6 * MEBIBYTE
    assert night.sending - night.before < 32 * MEBIBYTE
