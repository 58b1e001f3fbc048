"""What forms and previews of other rooms may use of billing, beside its facade."""

from billing.catalog.api import PlanInput, PlanVersionInput
from billing.catalog.curves import counted_meters, price_curve
from billing.catalog.migrating import Move, archive_plan, movable, preview_moves, restore_plan, start_plan_migration
from billing.catalog.models import SETTLEMENT_HOURS
from billing.catalog.queries import counts_on_versions, get_pricing_unit, on_plan, pricing_units_of, require_plan
from billing.catalog.services import PlanInvalid, read_prices
from billing.credits.charges import create_charge, delete_charge, invoice_charge
from billing.credits.coupons import (
    coupons_of,
    create_coupon,
    get_coupon,
    get_redemption,
    redeem_coupon,
    redemptions_of,
    remove_coupon,
)
from billing.credits.grants import grant_credit, void_grant
from billing.credits.queries import charges_of, get_charge, get_grant, grants_of, holdings, movements_of, with_balances
from billing.customers.api import CustomerInput
from billing.invoicing.bills import billing_period_at, period_end
from billing.invoicing.previews import (
    ChangePreview,
    DraftReview,
    preview_change,
    preview_credit_note,
    review_draft,
    undone,
)
from billing.models import (
    Coupon,
    CouponRedemption,
    CreditGrant,
    CreditNote,
    OneOffCharge,
    PlanMigration,
    PricingUnit,
    SubscriptionAddOn,
)
from billing.payments.queries import get_credit_note
from billing.rating.curve import CurveInvalid, Point
from billing.subscriptions.versions import migrate_plan, version_numbered

__all__ = [
    "SETTLEMENT_HOURS",
    "ChangePreview",
    "Coupon",
    "CouponRedemption",
    "CreditGrant",
    "CreditNote",
    "CurveInvalid",
    "CustomerInput",
    "DraftReview",
    "Move",
    "OneOffCharge",
    "PlanInput",
    "PlanInvalid",
    "PlanMigration",
    "PlanVersionInput",
    "Point",
    "PricingUnit",
    "SubscriptionAddOn",
    "archive_plan",
    "billing_period_at",
    "charges_of",
    "counted_meters",
    "counts_on_versions",
    "coupons_of",
    "create_charge",
    "create_coupon",
    "delete_charge",
    "get_charge",
    "get_coupon",
    "get_credit_note",
    "get_grant",
    "get_pricing_unit",
    "get_redemption",
    "grant_credit",
    "grants_of",
    "holdings",
    "invoice_charge",
    "migrate_plan",
    "movable",
    "movements_of",
    "on_plan",
    "period_end",
    "preview_change",
    "preview_credit_note",
    "preview_moves",
    "price_curve",
    "pricing_units_of",
    "read_prices",
    "redeem_coupon",
    "redemptions_of",
    "remove_coupon",
    "require_plan",
    "restore_plan",
    "review_draft",
    "start_plan_migration",
    "undone",
    "version_numbered",
    "void_grant",
    "with_balances",
]
