"""Waiting for programs that start, for as long as they get on with it: a busy machine may take its time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from launcher import process
from launcher.errors import LauncherError

#: A program that has neither used the processor nor written to its log for so many seconds is stuck.
PATIENCE = 180.0
#: How often a terminal that shows no animation is told what is waited for, in seconds.
_TOLD_EVERY = 30.0


class Wait:
    """One wait for several programs, whose processes `pids` names and whose logs are in `logs`."""

    def __init__(
        self,
        *,
        pids: Callable[[], Mapping[str, int]],
        logs: Path,
        tell: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pids, self._logs, self._tell, self._clock = pids, logs, tell, clock
        self._began = self._told_at = clock()
        self._progress: dict[str, tuple[object, float]] = {}

    def note(self, missing: Mapping[str, str]) -> None:
        """`missing` says by name what is waited for; `LauncherError` where a program does nothing about it.

        A name that is no program's stands for what only a change of the text can bring on.
        """
        now = self._clock()
        if now - self._told_at >= _TOLD_EVERY:
            self._told_at = now
            self._tell(f"Still waiting for {'; '.join(missing.values())} ({now - self._began:.0f} s)")
        pids = self._pids()
        for name, text in missing.items():
            log = self._logs / f"{name}.log"
            family = process.family(pids[name]) if pids.get(name) else ()
            token = (text, log.stat().st_size if log.exists() else 0, process.ticks(family))
            before, since = self._progress.get(name, (None, now))
            if token != before:
                self._progress[name] = (token, now)
            elif now - since > PATIENCE:
                raise LauncherError(
                    f"Waiting for {text}, and nothing has happened for {PATIENCE:.0f} s. "
                    f"Logs are in {self._logs}; the end of {log.name}:\n{process.tail(log)}"
                )
