"""What an import says while it works and when it is done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from kernel.errors import InvalidError

#: Problems kept in a report; all of them are counted, and `on_problem` is told of each.
KEPT_PROBLEMS = 1_000


class FileUnreadable(InvalidError):
    """The file as a whole cannot be read, or not to its end."""

    code = "file_unreadable"


class LineBroken(InvalidError):
    """One line cannot become events; the rest of the file can."""

    code = "line_broken"


@dataclass(frozen=True, slots=True)
class LineProblem:
    """Why a line was not taken. `line` counts from 1; in Parquet it is the row."""

    line: int
    code: str
    detail: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.detail} ({self.code})"


@dataclass(slots=True)
class ImportReport:
    """What became of a file. `accepted` and `duplicates` count events, `rejected` counts lines.
    `quarantined` counts events that are kept and count once they are released.

    `ignored` counts records that are well and stand for nothing that is counted, such as a link of a chain.
    `tasks`, `turns`, `decisions` and `succeeded` count what the file holds, whether it was new or not.
    Under `strict` one rejected line means that nothing was stored: `accepted` and `duplicates` are 0 then.
    """

    lines: int = 0
    tasks: int = 0
    turns: int = 0
    decisions: int = 0
    succeeded: int = 0
    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    quarantined: int = 0
    ignored: int = 0
    problems: list[LineProblem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an import is: `done` of `size`, in bytes of the file (rows, for Parquet).

    `stage` is `importing`, or `checking` during the first of a strict import's two passes.
    """

    stage: str
    done: int
    size: int
    report: ImportReport


OnProgress = Callable[[Progress], None]
OnProblem = Callable[[LineProblem], None]
