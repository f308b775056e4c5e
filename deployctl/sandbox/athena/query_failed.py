"""Why a query fails."""

from __future__ import annotations


class QueryFailed(Exception):
    """The query ends FAILED; the text is its StateChangeReason."""
