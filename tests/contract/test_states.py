"""The States port: the same cases over the fake and over S3."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from deployctl.aws.s3 import S3Bucket
from deployctl.aws.state_store import S3StateStore, state_key
from deployctl.model.names import ApplicationName, DeploymentId, GroupName, ReleaseId, Version
from deployctl.model.port_errors import RecordUnreadable, StateConflict
from deployctl.model.release import ApplicationState, DesiredState
from deployctl.model.verdict import Verdict
from deployctl.ports import StateStore
from tests.fakes.storage import FakeStates

DESIRED = DesiredState(
    version=Version("v2"),
    sequence=2,
    release=ReleaseId("r-1"),
    since=datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
    previous_verified=Version("v1"),
    verdict=Verdict.RUNNING,
    deployment_id=DeploymentId("d-ABC"),
)


@pytest.fixture(params=["fake", "s3"])
def states(request: pytest.FixtureRequest) -> StateStore:
    return FakeStates() if request.param == "fake" else S3StateStore(request.getfixturevalue("bucket"))


@pytest.fixture
def state(application: ApplicationName) -> ApplicationState:
    return ApplicationState(application=application, groups={GroupName("video: größe"): DESIRED})


def test_an_application_without_state_reads_as_empty(states: StateStore, application: ApplicationName):
    assert states.read(application) == (ApplicationState(application=application), None)


def test_a_written_state_is_read_back(states: StateStore, state: ApplicationState):
    token = states.write(state, None)
    assert states.read(state.application) == (state, token)


def test_a_token_lets_its_reader_write_once(states: StateStore, state: ApplicationState):
    token = states.write(state, None)
    changed = replace(state, groups={GroupName("mail"): replace(DESIRED, verdict=Verdict.VERIFIED)})
    later = states.write(changed, token)
    assert states.read(state.application) == (changed, later)
    with pytest.raises(StateConflict):
        states.write(state, token)
    assert states.read(state.application) == (changed, later)


def test_the_second_of_two_first_writers_is_refused(states: StateStore, state: ApplicationState):
    states.write(state, None)
    with pytest.raises(StateConflict) as raised:
        states.write(replace(state, groups={}), None)
    assert raised.value.exit_code == 5


def test_a_token_of_a_deleted_state_is_refused(bucket: S3Bucket, state: ApplicationState):
    states = S3StateStore(bucket)
    token = states.write(state, None)
    bucket.aws.s3.delete_object(Bucket=bucket.name, Key=state_key(state.application))
    with pytest.raises(StateConflict):
        states.write(state, token)


def test_fields_that_a_newer_deployctl_added_are_ignored(bucket: S3Bucket, application: ApplicationName):
    body = (
        b'{"schema": "deployctl.state/1", "application": "%b", "groups": {}, "colour": 1}'
        % application.encode()
    )
    bucket.put(state_key(application), body, over=None)
    assert S3StateStore(bucket).read(application)[0] == ApplicationState(application=application)


@pytest.mark.parametrize(
    "body",
    [
        b"not JSON",
        b"[1]",
        b'{"schema": "deployctl.state/2"}',
        b'{"schema": "deployctl.state/1", "application": 7}',
    ],
)
def test_a_state_that_cannot_be_read_is_named(bucket: S3Bucket, application: ApplicationName, body: bytes):
    bucket.put(state_key(application), body, over=None)
    with pytest.raises(RecordUnreadable) as raised:
        S3StateStore(bucket).read(application)
    assert raised.value.noun == f"s3://{bucket.name}/state/{application}.json"


def test_the_state_of_another_application_is_not_believed(
    bucket: S3Bucket, application: ApplicationName, state: ApplicationState
):
    store = S3StateStore(bucket)
    store.write(state, None)
    other = ApplicationName(f"{application}-other")
    stored = bucket.get(state_key(application))
    assert stored is not None
    bucket.put(state_key(other), stored.body, over=None)
    with pytest.raises(RecordUnreadable, match=f"the state of {application}, not of {other}"):
        store.read(other)
