"""Invoices as files for spreadsheets and accounting programs."""

from billing.exports.invoices import FORMATS, Exported, TooManyRows, export_invoices

__all__ = ["FORMATS", "Exported", "TooManyRows", "export_invoices"]
