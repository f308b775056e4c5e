"""How many requests went out, by operation."""

import threading
from collections import Counter
from typing import Any

# botocore's event names spell a service by its hyphenated id; IAM and the user know it by another name.
_SERVICES = {"auto-scaling": "autoscaling"}


def service_of(event_name: str) -> tuple[str, str]:
    """The service, as IAM names it, and the operation of a botocore event such as `before-send.s3.PutObject`."""
    service, operation = event_name.split(".", 2)[1:]
    return _SERVICES.get(service, service), operation


class CallCounter:
    """Counts each HTTP request really sent, retries too, as "service:Operation". Safe to share by threads."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def snapshot(self) -> dict[str, int]:
        """Requests so far, by "service:Operation", in alphabetical order."""
        with self._lock:
            return dict(sorted(self._counts.items()))

    def on_before_send(self, event_name: str, **_details: Any) -> None:
        """Botocore's `before-send.<service>.<Operation>` event: emitted once for every attempt."""
        with self._lock:
            self._counts[":".join(service_of(event_name))] += 1
