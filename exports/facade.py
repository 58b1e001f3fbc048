"""What other rooms may use of exports."""

from exports.formats import FORMATS
from exports.kinds import KINDS
from exports.services.invoices import Exported, export_invoices

__all__ = ["FORMATS", "KINDS", "Exported", "export_invoices"]
