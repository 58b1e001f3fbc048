"""What other apps may use of privacy."""

from privacy.api.views import streamed_export
from privacy.contracts import Kept, Removal
from privacy.services.exporting import export_customer
from privacy.services.merging import Merge, MergeRefused, merge_customers, preview_merge, settle_merges
from privacy.services.policy import PersonalFieldsInvalid, set_privacy_policy
from privacy.services.removing import anonymize_customer, erase_customer

__all__ = [
    "Kept",
    "Merge",
    "MergeRefused",
    "PersonalFieldsInvalid",
    "Removal",
    "anonymize_customer",
    "erase_customer",
    "export_customer",
    "merge_customers",
    "preview_merge",
    "set_privacy_policy",
    "settle_merges",
    "streamed_export",
]
