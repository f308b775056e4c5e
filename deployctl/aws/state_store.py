"""The desired versions: `state/<application>.json`, changed by compare-and-swap on its ETag."""

from typing import Any

from deployctl.aws.json_records import RecordType, from_json, parse_record
from deployctl.aws.s3 import PreconditionFailed, S3Bucket
from deployctl.model.names import ApplicationName
from deployctl.model.port_errors import RecordUnreadable, StateConflict
from deployctl.model.release import ApplicationState

SCHEMA = "deployctl.state/1"
_STATES = RecordType(SCHEMA, ApplicationState)


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
        """Raises: RecordUnreadable."""
        key = state_key(application)
        stored = self._bucket.get(key)
        if stored is None:
            return ApplicationState(application=application), None
        uri = self._bucket.uri(key)
        state = parse_state(stored.body, uri=uri)
        if state.application != application:
            raise RecordUnreadable(uri, f"it is the state of {state.application}, not of {application}")
        return state, stored.etag

    def write(self, state: ApplicationState, token: str | None) -> str:
        try:
            return _STATES.write(self._bucket, state_key(state.application), state, over=token)
        except PreconditionFailed as error:
            raise StateConflict(state.application) from error


def parse_state(body: bytes, *, uri: str) -> ApplicationState:
    """Raises: RecordUnreadable."""
    record = _with_current_names(from_json(body, schema=SCHEMA, uri=uri))
    groups = record.get("groups")
    if isinstance(groups, dict):
        record["groups"] = {group: _with_current_names(desired) for group, desired in groups.items()}
    return parse_record(_STATES.adapter, record, uri=uri)


def _with_current_names(record: Any) -> Any:
    if not isinstance(record, dict):
        return record
    return {_FORMER_NAMES.get(key, key): value for key, value in record.items()}
