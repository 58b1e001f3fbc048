from django.urls import path

from collection.api.views import accounts, books, customers, payments

urlpatterns = [
    path("collection_policy", accounts.CollectionPolicyView.as_view()),
    path("stripe_account", accounts.StripeAccountView.as_view()),
    path("stripe_account/test", accounts.StripeTestView.as_view()),
    path("stripe_meters", accounts.StripeMetersView.as_view()),
    path("stripe_meters/<str:meter>", accounts.StripeMeterView.as_view()),
    path("customers/<str:customer>/payment_details", customers.PaymentDetailsView.as_view()),
    path("customers/<str:customer>/payment_setup_link", customers.PaymentSetupLinkView.as_view()),
    path("customers/<str:customer>/reinstate", customers.ReinstateView.as_view()),
    path("invoices/<str:invoice>/collection", payments.CollectionView.as_view()),
    path("invoices/<str:invoice>/charge", payments.ChargeView.as_view()),
    path("invoices/<str:invoice>/payment_link", payments.PaymentLinkView.as_view()),
    path("invoice_collections", payments.CollectionsView.as_view()),
    path("provider_calls", payments.CallsView.as_view()),
    path("provider_calls/<str:call>", payments.CallView.as_view()),
    path("provider_calls/<str:call>/repeat", payments.RepeatView.as_view()),
    path("provider_payments", payments.ProviderPaymentsView.as_view()),
    path("provider_payments/<str:payment>", payments.ProviderPaymentView.as_view()),
    path("bank_transfers", books.BankTransfersView.as_view()),
    path("bank_transfers/<str:transfer>", books.BankTransferView.as_view()),
    path("bank_transfers/<str:transfer>/match", books.MatchView.as_view()),
    path("reconciliations", books.ReconciliationsView.as_view()),
    path("reconciliation_differences", books.DifferencesView.as_view()),
]
