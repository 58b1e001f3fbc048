"""What can be exported: one file for each kind, with its columns and where they come from."""

from exports.kinds.costs import COSTS
from exports.kinds.focus import FOCUS
from exports.kinds.invoices import INVOICES
from exports.kinds.ledger import LEDGER
from exports.kinds.lines import LINES
from exports.kinds.usage import USAGE
from exports.tables import Kind

KINDS: dict[str, Kind] = {kind.name: kind for kind in (INVOICES, LINES, USAGE, COSTS, LEDGER, FOCUS)}

__all__ = ["KINDS"]
