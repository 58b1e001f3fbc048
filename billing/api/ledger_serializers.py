"""What requests about payments and credit notes may say."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from billing.services.credit_notes import CREDIT_BALANCE, NONE, REFUND
from rest.serializers import DecimalField, InstantField, StrictSerializer


class PayInput(StrictSerializer):
    """Without an amount, all that is due is paid."""

    amount = DecimalField(required=False)
    method = serializers.CharField(max_length=40, required=False)
    reference = serializers.CharField(max_length=200, required=False, allow_blank=True)
    paid_at = InstantField(required=False)


class RefundInput(StrictSerializer):
    """Without an amount, all that is left of the payment is given back."""

    amount = DecimalField(required=False)
    reference = serializers.CharField(max_length=200, required=False, allow_blank=True)


class CreditNoteLineInput(StrictSerializer):
    line = serializers.CharField(max_length=30)
    amount = DecimalField()


class CreditNoteInput(StrictSerializer):
    """Without lines, all that is left of the invoice is taken back."""

    invoice = serializers.CharField(max_length=30)
    reason = serializers.CharField(max_length=2000, required=False, allow_blank=True)
    lines = CreditNoteLineInput(many=True, required=False, allow_empty=False)
    refund = serializers.ChoiceField(choices=[CREDIT_BALANCE, REFUND, NONE], default=CREDIT_BALANCE)

    def validate_lines(self, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if len({one["line"] for one in lines}) < len(lines):
            raise serializers.ValidationError("Name each line once")
        return lines
