"""What can be wrong with an export; each has a stable code."""

from __future__ import annotations

from kernel.errors import ConflictError, InvalidError, TaximeterError, TooLargeError


class TooManyRows(TooLargeError):
    code = "too_many_rows"


class ValueDoesNotFit(TooLargeError):
    code = "value_does_not_fit"


class KindInvalid(InvalidError):
    code = "kind_invalid"


class FormatInvalid(InvalidError):
    code = "format_invalid"


class FilterNotApplicable(InvalidError):
    """A filter that selects nothing in this kind of export; it is refused rather than ignored."""

    code = "filter_not_applicable"


class TotalsDiffer(TaximeterError):
    """What was written does not come to what the ledger says, so it is not given out."""

    code = "totals_differ_from_ledger"


class ExportNotReady(ConflictError):
    code = "export_not_ready"


class ExportFailed(ConflictError):
    code = "export_failed"


class ExportExpired(ConflictError):
    """Its files were removed when their time was over."""

    code = "export_expired"


class ScheduleInvalid(InvalidError):
    code = "schedule_invalid"
