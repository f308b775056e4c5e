"""botocore's descriptions of the services, read once in a process: every session reads them again, 100 ms each."""

from __future__ import annotations

from functools import cache

import botocore.session

_create_loader = cache(botocore.session.create_loader)


def share_loader() -> botocore.session.Session:
    """Later sessions of this process share one loader. Returns a session."""
    botocore.session.create_loader = _create_loader
    return botocore.session.Session()
