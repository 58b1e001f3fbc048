"""Answers kept for many who ask the same: the database is asked once per change, whoever asks."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from metering.queries.positions import Position
from metering.stream.changes import changes
from metering.stream.shared import Found, Shared

#: An answer is found anew at most every so many seconds, and a tenth of the time is spent on it at most. No longer
#: than a lone client waits between its questions, so that many clients cost no more than that one.
PAUSE = 1.9
_SHARE = 10
#: What a process keeps: so many answers, of so many bytes together.
MOST_ANSWERS = 1_000
MOST_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found, and a tag that equal answers share, in other processes too."""

    body: bytes
    tag: str
    position: Position
    found_at: float
    took: float

    def may_stand(self, position: Position, now: float, longest: float) -> bool:
        age = now - self.found_at
        return age < _standing(self.took) or (position == self.position and age < longest)


def _standing(took: float) -> float:
    """For how many seconds an answer stands though usage has changed."""
    return max(PAUSE, _SHARE * took)


@dataclass(slots=True)
class _Place:
    """One question's lock, so that it is asked once at a time, and its answer."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    answer: Answer | None = None


class Answers:
    """The answers that this process keeps, those asked for least recently forgotten first."""

    def __init__(self) -> None:
        self._shared = Shared()
        self._lock = threading.Lock()
        self._places: OrderedDict[Hashable, _Place] = OrderedDict()

    def get(
        self,
        organization_id: int,
        question: Hashable,
        find: Callable[[], bytes],
        *,
        longest: float = float("inf"),
    ) -> Answer:
        """What `find` says, found anew once the organization's usage has changed or `longest` seconds have passed.

        `question` tells all questions apart, of every kind. What `find` raises is raised and not kept.
        """
        key = (organization_id, question)
        place = self._place(key)
        if place.answer is not None and place.lock.locked():
            return place.answer  # somebody is at it, and the next time there is news
        with place.lock:
            # Before the answer is found: what changes meanwhile is then found the next time.
            position = changes.position(organization_id)
            now = time.monotonic()
            if place.answer is not None and place.answer.may_stand(position, now, longest):
                return place.answer
            if shared := self._shared.get(key):
                found, left = shared
                return self._keep(place, found, now - _standing(found.took) + left)
            if not self._shared.is_my_turn(key) and place.answer is not None:
                return place.answer
            found = Found(find(), position, time.monotonic() - now)
            self._shared.put(key, found, seconds=_standing(found.took))
            return self._keep(place, found, now)

    def _place(self, key: Hashable) -> _Place:
        with self._lock:
            place = self._places.setdefault(key, _Place())
            self._places.move_to_end(key)
            return place

    def _keep(self, place: _Place, found: Found, found_at: float) -> Answer:
        tag = hashlib.blake2b(found.body, digest_size=12).hexdigest()
        answer = Answer(found.body, tag, found.position, found_at, found.took)
        with self._lock:
            place.answer = answer
            kept = sum(len(one.answer.body) for one in self._places.values() if one.answer)
            while len(self._places) > 1 and (kept > MOST_BYTES or len(self._places) > MOST_ANSWERS):
                _, forgotten = self._places.popitem(last=False)
                kept -= len(forgotten.answer.body) if forgotten.answer else 0
            return answer


answers = Answers()


def live_answer(
    organization_id: int, question: Hashable, find: Callable[[], bytes], *, longest: float = float("inf")
) -> Answer:
    """`Answers.get` of this process."""
    return answers.get(organization_id, question, find, longest=longest)
