"""The desired versions: `state/<application>.json`, changed by compare-and-swap on its ETag."""

from __future__ import annotations

from pydantic import TypeAdapter

from deployctl.aws.records import CONTENT_TYPE, from_json, parsed, to_json
from deployctl.aws.s3 import Condition, ConditionFailed, S3Bucket
from deployctl.model.names import ApplicationName
from deployctl.model.refusals import StateChanged
from deployctl.model.release import ApplicationState

SCHEMA = "deployctl.state/1"
_STATE = TypeAdapter(ApplicationState)


def state_key(application: ApplicationName) -> str:
    return f"state/{application}.json"


class S3States:
    """The States port on S3. The token is the object's ETag."""

    def __init__(self, bucket: S3Bucket) -> None:
        self._bucket = bucket

    def read(self, application: ApplicationName) -> tuple[ApplicationState, str | None]:
        """Raises: RecordUnreadable where a newer deployctl wrote it."""
        key = state_key(application)
        stored = self._bucket.get(key)
        if stored is None:
            return ApplicationState(application=application), None
        uri = self._bucket.uri(key)
        return parsed(_STATE, from_json(stored.body, schema=SCHEMA, uri=uri), uri=uri), stored.etag

    def write(self, state: ApplicationState, token: str | None) -> str:
        body = to_json(SCHEMA, _STATE.dump_python(state, mode="json"))
        try:
            return self._bucket.put(
                state_key(state.application), body, Condition(etag=token), content_type=CONTENT_TYPE
            )
        except ConditionFailed as error:
            raise StateChanged(state.application) from error
