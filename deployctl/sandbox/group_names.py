"""An endless list of queue names for a shop."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice

_NAMED = (
    "video-transcode", "mail-send", "image-resize", "invoice-render", "search-index", "order-import",
    "payment-capture", "refund-settle", "stock-sync", "price-refresh", "report-build", "export-csv",
    "push-notify", "sms-send", "webhook-deliver", "thumbnail-make", "audio-normalize", "feed-publish",
    "cart-expire", "session-clean", "fraud-score", "label-print", "shipment-track", "return-intake",
    "review-moderate", "recommend-train", "catalog-import", "translate-text", "subtitle-burn", "pdf-stamp",
    "backup-verify", "audit-log", "metrics-rollup", "cache-warm", "sitemap-build", "coupon-issue",
    "loyalty-credit", "tax-compute", "currency-convert", "address-check", "geo-lookup", "avatar-crop",
    "chat-archive", "ticket-route", "survey-tally", "campaign-plan", "segment-build", "ledger-post",
    "bank-reconcile", "dunning-notice",
)  # fmt: skip


def names(number: int) -> list[str]:
    """The first `number` names; beyond the list, names get a number: `mail-send-2`."""
    return list(islice(_endless(), number))


def _endless() -> Iterator[str]:
    yield from _NAMED
    for turn in count(2):
        yield from (f"{name}-{turn}" for name in _NAMED)
