"""The columns of the three FOCUS files, in the order of the specification (1.4), our own behind them.

Left out are columns of what Taximeter does not have: availability zones, regions, provisioned resources, commitment
discounts, capacity reservations, split cost allocation, and pricing in another currency than billing.
"""

from __future__ import annotations

from exports.columns import columns

VERSION = "1.4"

COST_AND_USAGE = columns(
    "BilledCost:money", "BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodEnd:time",
    "BillingPeriodStart:time", "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargeFrequency",
    "ChargePeriodEnd:time", "ChargePeriodStart:time", "ConsumedQuantity:number", "ConsumedUnit",
    "ContractedCost:price", "ContractedUnitPrice:price", "EffectiveCost:money", "HostProviderName",
    "InvoiceDetailId", "InvoiceId", "InvoiceIssuerName", "ListCost:price", "ListUnitPrice:price", "PricingCategory",
    "PricingQuantity:number", "PricingUnit", "ServiceCategory", "ServiceName", "ServiceProviderName",
    "ServiceSubcategory", "SkuId", "SkuMeter", "SkuPriceDetails:json", "SkuPriceId", "SubAccountId", "SubAccountName",
    "x_Agent", "x_InvoiceIssueStatus", "x_LineRole", "x_Meter", "x_Model", "x_TokenDirection",
)  # fmt: skip

INVOICE_DETAIL = columns(
    "BilledCost:money", "BillingAccountId", "BillingCurrency", "BillingPeriodEnd:time", "BillingPeriodStart:time",
    "ChargeCategory", "InvoiceDetailCreated:time", "InvoiceDetailDescription", "InvoiceDetailGrain:json",
    "InvoiceDetailId", "InvoiceDetailLastUpdated:time", "InvoiceId", "InvoiceIssueDate:time", "InvoiceIssueStatus",
    "InvoiceIssuerName", "PaymentDueDate:time", "PaymentTerms", "ReferenceInvoiceId",
    "x_Quantity:number", "x_TaxRate:number", "x_UnitPrice:price", "x_VoidedCost:money",
)  # fmt: skip

BILLING_PERIOD = columns(
    "BillingPeriodCreated:time", "BillingPeriodEnd:time", "BillingPeriodLastUpdated:time", "BillingPeriodStart:time",
    "BillingPeriodStatus", "InvoiceIssuerName",
)  # fmt: skip
