"""A client for a running sandbox's control API. Needs the standard library only."""

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode, urlsplit

from deployctl.sandbox.errors import BadControl, SandboxNotRunning

TIMEOUT_S = 60.0
OK = 200


class Control:
    """A client of `/_sandbox/…` at this endpoint, such as "http://127.0.0.1:4566".

    Every method raises SandboxNotRunning when nothing answers, and BadControl when the sandbox refuses.
    Durations are simulated seconds unless stated otherwise.
    """

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self._address = urlsplit(endpoint).netloc

    def health(self) -> dict[str, Any]:
        return dict(self._ask("GET", "health"))

    def workers(self) -> list[dict[str, Any]]:
        """[{"instance_id", "group", "state"}], launched first to last."""
        return list(self._ask("GET", "workers"))

    def events(self, *, since: int = 0, kinds: Sequence[str] = ()) -> list[dict[str, Any]]:
        """[{"seq", "at", "kind", …}] after `since`, of these kinds (empty: all)."""
        query = {"since": since} | ({"kind": ",".join(kinds)} if kinds else {})
        return list(self._ask("GET", f"events?{urlencode(query)}"))

    def calls(self) -> dict[str, int]:
        """How often each API operation was called: {"ec2:CreateTags": 3}."""
        return dict(self._ask("GET", "calls"))

    def faults(self) -> list[dict[str, Any]]:
        return list(self._ask("GET", "faults"))

    def inject(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Inject a fault; `fields` are WorkerFault's, GroupFault's or RequestFault's.

        `for_s`, in real seconds, begins at once, or with `after` at the first hit.
        """
        return dict(self._ask("POST", "inject", {"kind": kind, **fields}))

    def clear(self, fault_ids: Sequence[str] | None = None) -> int:
        """Remove these faults (None: all of them); returns how many."""
        return int(self._ask("POST", "clear", {"fault_ids": fault_ids})["cleared"])

    def reclaim(
        self,
        instance_ids: Sequence[str] | None = None,
        *,
        group: str = "*",
        count: int = 1,
        fraction: float | None = None,
        notice_s: float = 120.0,
    ) -> list[str]:
        """Reclaim these spot instances, or (None) `count` or `fraction` of the matching groups'; returns their ids.

        The sandbox refuses an empty list, which would otherwise reclaim some.
        """
        body = {
            "instance_ids": None if instance_ids is None else list(instance_ids),
            "group": group,
            "count": count,
            "fraction": fraction,
            "notice_s": notice_s,
        }
        return list(self._ask("POST", "reclaim", body)["instance_ids"])

    def scale_out(self, group: str, count: int = 1) -> list[dict[str, Any]]:
        """Raise the desired capacity of the matching groups: [{"group", "asg", "desired"}]."""
        return list(self._ask("POST", "scale-out", {"group": group, "count": count}))

    def scale_in(self, group: str, count: int = 1) -> list[dict[str, Any]]:
        return list(self._ask("POST", "scale-in", {"group": group, "count": count}))

    def unhealthy(self, instance_ids: Sequence[str]) -> list[str]:
        """Mark instances unhealthy; their groups replace them."""
        return list(self._ask("POST", "unhealthy", {"instance_ids": list(instance_ids)})["instance_ids"])

    def set_alarm(self, name: str, state: str, *, reason: str | None = None) -> dict[str, str]:
        """Set a CloudWatch alarm to ALARM, OK or INSUFFICIENT_DATA: {"name", "state", "reason"}."""
        return dict(self._ask("POST", "alarm", {"name": name, "state": state, "reason": reason}))

    def stop(self) -> None:
        self._ask("POST", "stop")

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        import http.client  # noqa: PLC0415 - takes a third of the time of `--help`

        connection = http.client.HTTPConnection(self._address, timeout=TIMEOUT_S)
        try:
            data = None if body is None else json.dumps(body).encode()
            connection.request(method, f"/_sandbox/{path}", body=data)
            response = connection.getresponse()
            answer = json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise SandboxNotRunning from error
        finally:
            connection.close()
        if response.status != OK:
            raise BadControl(str(answer.get("error", answer)))
        return answer
