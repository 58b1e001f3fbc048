from __future__ import annotations

import threading
import time

import pytest

from rest.line import Line, Overloaded


def test_places_are_given_out_and_taken_back() -> None:
    line = Line(["a", "b"], most_waiting=0, longest_wait=1.0)
    first, second = line.enter(), line.enter()
    assert {first, second} == {"a", "b"}
    with pytest.raises(Overloaded) as refused:
        line.enter()
    assert (refused.value.code, refused.value.wait >= 1) == ("overloaded", True)
    line.leave(first, held_since=time.monotonic())
    assert line.enter() == first


def test_who_waits_is_served_in_the_order_of_coming() -> None:
    line = Line(["place"], most_waiting=5, longest_wait=5.0)
    served: list[int] = []

    def come(number: int) -> None:
        place = line.enter()
        served.append(number)
        line.leave(place, held_since=time.monotonic())

    place = line.enter()
    comers = [threading.Thread(target=come, args=(number,)) for number in range(5)]
    for comer in comers:
        comer.start()
        time.sleep(0.02)
    assert served == []
    line.leave(place, held_since=time.monotonic())
    for comer in comers:
        comer.join(5)
    assert served == [0, 1, 2, 3, 4]


def test_who_would_wait_too_long_at_the_pace_of_the_last_ones_is_sent_away_at_once() -> None:
    line = Line(["place"], most_waiting=100, longest_wait=10.0)
    place = line.enter()
    line.leave(place, held_since=time.monotonic() - 200)  # the average becomes a tenth of it: 20 s
    place = line.enter()
    started = time.monotonic()
    with pytest.raises(Overloaded) as refused:
        line.enter()
    assert time.monotonic() - started < 5
    assert 21 <= refused.value.wait <= 42  # 20 s of waiting, a second more, and up to as much again by chance


def test_nobody_waits_for_a_place_that_does_not_come_free() -> None:
    line = Line(["place"], most_waiting=1, longest_wait=0.05)
    place = line.enter()
    with pytest.raises(Overloaded):
        line.enter()
    line.leave(place, held_since=time.monotonic())
    assert line.enter() == "place"


def test_many_threads_never_hold_a_place_together() -> None:
    line = Line([[0], [0]], most_waiting=100, longest_wait=10.0)
    together: list[int] = []

    def work() -> None:
        for _ in range(50):
            place = line.enter()
            place[0] += 1
            together.append(place[0])
            time.sleep(0)
            place[0] -= 1
            line.leave(place, held_since=time.monotonic())

    workers = [threading.Thread(target=work) for _ in range(20)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(20)
    assert (len(together), set(together)) == (1000, {1})
