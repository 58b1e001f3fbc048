"""What forms and previews of other rooms may use of billing, beside its facade."""

from billing.api.serializers import CustomerInput, PlanInput, PlanVersionInput
from billing.domain.curve import CurveInvalid, Point
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
from billing.models.catalogue import SETTLEMENT_HOURS
from billing.queries.bills import billing_period_at, period_end
from billing.queries.catalogue import get_pricing_unit, pricing_units_of
from billing.queries.charges import charges_of, get_charge
from billing.queries.coupons import coupons_of, get_coupon, get_redemption, redemptions_of
from billing.queries.credits import get_grant, grants_of, holdings, movements_of, with_balances
from billing.queries.curves import counted_meters, price_curve
from billing.queries.moves import Move, movable, preview_moves
from billing.queries.on_versions import counts_on_versions, on_plan
from billing.queries.payments import get_credit_note
from billing.services.catalogue import PlanInvalid, read_prices
from billing.services.charges import create_charge, delete_charge, invoice_charge
from billing.services.coupons import create_coupon, redeem_coupon, remove_coupon
from billing.services.credits import grant_credit, void_grant
from billing.services.customers import require_plan
from billing.services.plan_moves import archive_plan, restore_plan, start_plan_migration
from billing.services.previews import (
    ChangePreview,
    DraftReview,
    preview_change,
    preview_credit_note,
    review_draft,
    undone,
)
from billing.services.versions import migrate_plan, version_numbered

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
