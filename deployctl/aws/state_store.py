"""The desired versions: `state/<application>.json`, changed by compare-and-swap on its ETag."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from deployctl.aws.json_records import CONTENT_TYPE, from_json, parse_record, to_json
from deployctl.aws.s3 import Condition, PreconditionFailed, S3Bucket
from deployctl.model.names import ApplicationName
from deployctl.model.port_errors import StateConflict
from deployctl.model.release import ApplicationState

SCHEMA = "deployctl.state/1"
_STATE = TypeAdapter(ApplicationState)


# Deployctl before 0.1.0 wrote these fields under other names.
_FORMER_NAMES = {
    "under_way": "in_progress",
    "previous_held": "previous_verified",
    "given_up": "abandoned_reason",
}


def state_key(application: ApplicationName) -> str:
    return f"state/{application}.json"


class S3StateStore:
    """The StateStore port on S3. The token is the object's ETag."""

    def __init__(self, bucket: S3Bucket) -> None:
        self._bucket = bucket

    def read(self, application: ApplicationName) -> tuple[ApplicationState, str | None]:
        """Raises: RecordUnreadable where a newer deployctl wrote the state."""
        key = state_key(application)
        stored = self._bucket.get(key)
        if stored is None:
            return ApplicationState(application=application), None
        return parse_state(stored.body, uri=self._bucket.uri(key)), stored.etag

    def write(self, state: ApplicationState, token: str | None) -> str:
        body = to_json(SCHEMA, _STATE.dump_python(state, mode="json"))
        try:
            return self._bucket.put(
                state_key(state.application), body, Condition(etag=token), content_type=CONTENT_TYPE
            )
        except PreconditionFailed as error:
            raise StateConflict(state.application) from error


def parse_state(body: bytes, *, uri: str) -> ApplicationState:
    """Raises: RecordUnreadable."""
    record = _with_current_names(from_json(body, schema=SCHEMA, uri=uri))
    groups = record.get("groups")
    if isinstance(groups, dict):
        record["groups"] = {group: _with_current_names(desired) for group, desired in groups.items()}
    return parse_record(_STATE, record, uri=uri)


def _with_current_names(record: Any) -> Any:
    if not isinstance(record, dict):
        return record
    return {_FORMER_NAMES.get(key, key): value for key, value in record.items()}
