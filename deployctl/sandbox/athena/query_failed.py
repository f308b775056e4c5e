"""Why a query fails."""


class QueryFailed(Exception):
    """The query ends FAILED; the text is its StateChangeReason."""
