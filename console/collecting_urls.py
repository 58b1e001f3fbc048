"""The addresses of money on its way: payments, collecting, bank transfers, differences, and by whom money is taken."""

from django.urls import path

from console.views import bank_transfers, paying_customers, payments, taking_payments

urlpatterns = [
    path("payments", payments.payments, name="payments"),
    path("payments/differences", payments.differences, name="differences"),
    path("payments/differences/compare", payments.compare, name="compare_books"),
    path("payments/calls/<str:call>/repeat", payments.repeat, name="repeat_call"),
    path("payments/transfers", bank_transfers.bank_transfers, name="bank_transfers"),
    path("payments/transfers/new", bank_transfers.note_transfer, name="note_transfer"),
    path("payments/transfers/<str:transfer>/match", bank_transfers.match_transfer, name="match_transfer"),
    path("collecting", payments.collections, name="collections"),
    path("invoices/<str:invoice>/charge", payments.charge, name="charge_invoice"),
    path("customers/<str:customer>/paying", paying_customers.paying, name="paying"),
    path("customers/<str:customer>/paying/change", paying_customers.change_paying, name="change_paying"),
    path("customers/<str:customer>/paying/card", paying_customers.ask_for_card, name="ask_for_card"),
    path("customers/<str:customer>/paying/reinstate", paying_customers.reinstate, name="reinstate_customer"),
    path("taking-payments", taking_payments.taking_payments, name="taking_payments"),
    path("taking-payments/policy", taking_payments.change_collecting, name="change_collecting"),
    path("taking-payments/stripe", taking_payments.connect, name="connect_stripe"),
    path("taking-payments/stripe/secret", taking_payments.webhook_secret, name="stripe_secret"),
    path("taking-payments/stripe/test", taking_payments.test_connection, name="test_stripe"),
    path("taking-payments/stripe/disconnect", taking_payments.disconnect, name="disconnect_stripe"),
]
