from django.urls import path, re_path

from billing.catalog import api as catalog_api
from billing.credits import api as credits_api
from billing.credits import charges_api, coupons_api
from billing.customers import api as customers_api
from billing.documents import api as documents_api
from billing.invoicing import api as invoicing_api
from billing.invoicing import usage_api, voids_api
from billing.ledger import api as ledger_api
from billing.payments import api as payments_api
from billing.subscriptions import api as subscriptions_api
from billing.test_clocks import api as test_clocks_api

urlpatterns = [
    path("customers", customers_api.CustomersView.as_view()),
    path("customers/<str:customer>", customers_api.CustomerView.as_view()),
    path("customers/<str:customer>/upcoming_invoice", customers_api.UpcomingInvoiceView.as_view()),
    path("customers/<str:customer>/credit_balance", credits_api.CreditBalanceView.as_view()),
    path("customers/<str:customer>/credit_movements", credits_api.CreditMovementsView.as_view()),
    path("customers/<str:customer>/portal_link", customers_api.PortalLinkView.as_view()),
    path("events/void", voids_api.VoidView.as_view()),
    path("void_runs", voids_api.VoidRunsView.as_view()),
    path("void_runs/<str:run>", voids_api.VoidRunView.as_view()),
    path("coupons", coupons_api.CouponsView.as_view()),
    path("coupons/<str:coupon>", coupons_api.CouponView.as_view()),
    path("charges", charges_api.ChargesView.as_view()),
    path("charges/<str:charge>", charges_api.ChargeView.as_view()),
    path("credit_grants", credits_api.CreditGrantsView.as_view()),
    path("credit_grants/<str:grant>", credits_api.CreditGrantView.as_view()),
    path("credit_grants/<str:grant>/void", credits_api.VoidCreditGrantView.as_view()),
    path("subscriptions", subscriptions_api.SubscriptionsView.as_view()),
    path("subscriptions/<str:subscription>", subscriptions_api.SubscriptionView.as_view()),
    path("subscriptions/<str:subscription>/change", subscriptions_api.ChangeView.as_view()),
    path("subscriptions/<str:subscription>/overrides", subscriptions_api.OverridesView.as_view()),
    path("subscriptions/<str:subscription>/cancel", subscriptions_api.CancelView.as_view()),
    path("subscriptions/<str:subscription>/uncancel", subscriptions_api.UncancelView.as_view()),
    path("subscriptions/<str:subscription>/end_trial", subscriptions_api.EndTrialView.as_view()),
    re_path(r"^subscriptions/(?P<subscription>[^/]+)/(?P<action>pause|resume)$", subscriptions_api.PauseView.as_view()),
    path("subscriptions/<str:subscription>/add_ons", subscriptions_api.AddOnsView.as_view()),
    path("subscriptions/<str:subscription>/add_ons/<str:add_on>/remove", subscriptions_api.AddOnView.as_view()),
    path("subscriptions/<str:subscription>/coupons", coupons_api.SubscriptionCouponsView.as_view()),
    path("subscriptions/<str:subscription>/coupons/<str:coupon>", coupons_api.SubscriptionCouponView.as_view()),
    path("unassigned_usage", usage_api.UnassignedUsageView.as_view()),
    path("usage_overlaps", usage_api.UsageOverlapsView.as_view()),
    path("plans", catalog_api.PlansView.as_view()),
    path("plans/<str:plan>", catalog_api.PlanView.as_view()),
    path("plans/<str:plan>/versions", catalog_api.PlanVersionsView.as_view()),
    path("pricing_units", catalog_api.PricingUnitsView.as_view()),
    path("pricing_units/<str:unit>", catalog_api.PricingUnitView.as_view()),
    path("plans/<str:plan>/migrations", catalog_api.MigrationView.as_view()),
    path("pricing/calculate", catalog_api.CalculateView.as_view()),
    path("invoices", invoicing_api.InvoicesView.as_view()),
    path("invoices/<str:invoice>", invoicing_api.InvoiceView.as_view()),
    re_path(r"^invoices/(?P<invoice>[^/]+)/(?P<action>refresh|finalize)$", invoicing_api.DraftActionView.as_view()),
    path("invoices/<str:invoice>/pdf", documents_api.InvoicePdfView.as_view()),
    path("invoices/<str:invoice>/xml", documents_api.InvoiceXmlView.as_view()),
    path("invoices/<str:invoice>/pay", payments_api.PayView.as_view()),
    path("invoices/<str:invoice>/void", payments_api.VoidView.as_view()),
    path("invoices/<str:invoice>/uncollectible", payments_api.UncollectibleView.as_view()),
    path("invoices/<str:invoice>/late_usage", invoicing_api.LateUsageView.as_view()),
    path("invoices/<str:invoice>/lines/<str:line>/events", invoicing_api.LineEventsView.as_view()),
    path("payments", payments_api.PaymentsView.as_view()),
    path("payments/<str:payment>", payments_api.PaymentView.as_view()),
    path("payments/<str:payment>/refund", payments_api.RefundView.as_view()),
    path("credit_notes", payments_api.CreditNotesView.as_view()),
    path("credit_notes/<str:credit_note>", payments_api.CreditNoteView.as_view()),
    path("credit_notes/<str:credit_note>/pdf", documents_api.CreditNotePdfView.as_view()),
    path("credit_notes/<str:credit_note>/xml", documents_api.CreditNoteXmlView.as_view()),
    path("seller_profile", customers_api.SellerProfileView.as_view()),
    path("seller_profile/logo", customers_api.SellerLogoView.as_view()),
    path("ledger/transactions", ledger_api.TransactionsView.as_view()),
    path("ledger/balances", ledger_api.BalancesView.as_view()),
    path("ledger/trial_balance", ledger_api.TrialBalanceView.as_view()),
    path("ledger/revenue_schedule", ledger_api.RevenueScheduleView.as_view()),
    path("test_clocks", test_clocks_api.TestClocksView.as_view()),
    path("test_clocks/<str:test_clock>", test_clocks_api.TestClockView.as_view()),
    path("test_clocks/<str:test_clock>/advance", test_clocks_api.AdvanceView.as_view()),
    path("late_usage", invoicing_api.AllLateUsageView.as_view()),
    path("billing_policy", customers_api.BillingPolicyView.as_view()),
    path("billing_runs", invoicing_api.RunsView.as_view()),
    path("billing_runs/<str:run>", invoicing_api.RunView.as_view()),
]
