"""What other rooms may use of exports."""

from exports.formats import FORMATS
from exports.kinds import KINDS
from exports.models import Export, ExportSchedule
from exports.queries import exports_of, get_export, get_schedule, schedules_of
from exports.services.fetching import file_to_fetch
from exports.services.forgetting import expire_exports
from exports.services.invoices import Exported, export_invoices
from exports.services.removing import remove_expired
from exports.services.schedules import change_schedule, create_schedule
from exports.services.starting import start_export
from exports.services.targets import named_target

__all__ = [
    "FORMATS",
    "KINDS",
    "Export",
    "ExportSchedule",
    "Exported",
    "change_schedule",
    "create_schedule",
    "expire_exports",
    "export_invoices",
    "exports_of",
    "file_to_fetch",
    "get_export",
    "get_schedule",
    "named_target",
    "remove_expired",
    "schedules_of",
    "start_export",
]
