"""JSON objects on S3: deployctl names an unreadable one, and reads those of the version before."""

import json

import pytest

from deployctl.aws.json_records import from_json, to_json
from deployctl.aws.lease_record import LEASES, STOPS
from deployctl.aws.manifests import parse_manifest
from deployctl.aws.state_store import parse_state
from deployctl.model.port_errors import RecordUnreadable
from deployctl.model.release import ReleaseKind, StopKind
from deployctl.model.verdict import Verdict

URI = "s3://bucket/record.json"
AT = "2026-01-02T03:04:05Z"

MANIFEST = {
    "schema": "deployctl.manifest/1",
    "application": "shop",
    "version": "v1",
    "digest": "d" * 64,
    "checksum_sha256": "c" * 44,
    "sequence": 3,
    "size_bytes": 10,
    "unpacked_bytes": 20,
    "file_count": 2,
    "commit": "c0ffee",
    "ref": "HEAD",
    "actor": "maria",
    "created_at": AT,
    "tool_version": "0.0.9",
    "longest_hook_s": 60,
    "bundle_etag": "e",
}

STATE_BEFORE = {
    "schema": "deployctl.state/1",
    "application": "shop",
    "groups": {
        "web": {
            "version": "v2",
            "sequence": 2,
            "release": "r-1",
            "since": AT,
            "previous_held": "v1",
            "verdict": "held",
            "deployment_id": "d-2",
            "stopped": ["d-1"],
            "given_up": "no worker moved for 15 min",
            "repairs": ["d-3"],
        },
        "mail": {
            "version": "v2",
            "sequence": 2,
            "release": "r-1",
            "since": AT,
            "previous_held": None,
            "verdict": "partly",
        },
    },
    "under_way": {
        "release": "r-1",
        "version": "v2",
        "kind": "release",
        "actor": "maria",
        "began_at": AT,
        "undoes": None,
        "suspended": {"asg-web": ["Launch"]},
    },
}

LEASE_BEFORE = {
    "schema": "deployctl.lease/1",
    "owner": "o",
    "renewal": 4,
    "ttl_s": 30,
    "released": False,
    "actor": "maria",
    "host": "ci-1",
    "pid": 7,
    "process": {"pid": 7, "host_key": None, "started": None},
    "release": "r-1",
    "version": "v2",
    "acquired_at": AT,
    "seized_by": "ben",
    "kind": "repair",
}

STOP_BEFORE = {
    "schema": "deployctl.stop/1",
    "owner": "o",
    "request": {"release": "r-1", "kind": "supersede", "actor": "ben", "at": AT},
}


def body(record):
    return json.dumps(record).encode()


def test_a_record_is_written_with_its_keys_in_order():
    text = to_json("deployctl.x/1", {"b": 1, "a": 2})
    assert list(json.loads(text)) == ["a", "b", "schema"]
    assert from_json(text, schema="deployctl.x/1", uri=URI) == {"a": 2, "b": 1, "schema": "deployctl.x/1"}


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"{}",
        b'{"schema": "deployctl.manifest/2"}',
        b'{"schema": "deployctl.manifest/1"}',
        b"\xff",
    ],
)
def test_an_unreadable_manifest_is_named(text):
    with pytest.raises(RecordUnreadable) as caught:
        parse_manifest(text, uri=URI)
    assert caught.value.noun == URI


def test_a_manifest_of_the_version_before_is_read_and_added_fields_are_ignored():
    published = parse_manifest(body(MANIFEST | {"colour": 1}), uri=URI)
    assert published.bundle_etag == "e"
    assert (published.manifest.version, published.manifest.longest_hook_s) == ("v1", 60)
    assert published.manifest.lint_errors == ()


def test_a_state_of_the_version_before_is_read_with_every_field():
    state = parse_state(body(STATE_BEFORE), uri=URI)
    web, mail = state.groups["web"], state.groups["mail"]
    assert (web.previous_verified, web.verdict) == ("v1", Verdict.VERIFIED)
    assert (web.stopped, web.repairs) == (("d-1",), ("d-3",))
    assert web.abandoned_reason == "no worker moved for 15 min"
    assert (mail.previous_verified, mail.verdict) == (None, Verdict.PARTIAL)
    assert state.in_progress.release == "r-1"
    assert state.in_progress.suspended == {"asg-web": ("Launch",)}


def test_a_lease_of_the_version_before_is_read():
    lease = LEASES.decode(body(LEASE_BEFORE), uri=URI)
    assert (lease.owner, lease.renewal, lease.seized_by) == ("o", 4, "ben")
    assert (lease.process.pid, lease.kind) == (7, ReleaseKind.REPAIR)


def test_a_stop_request_of_the_version_before_is_read():
    stop = STOPS.decode(body(STOP_BEFORE), uri=URI)
    assert (stop.owner, stop.request.release, stop.request.kind) == ("o", "r-1", StopKind.SUPERSEDE)


HOSTILE = {
    "nested": b'{"schema": "deployctl.manifest/1", "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "infinite": body(MANIFEST).replace(b'"size_bytes": 10', b'"size_bytes": Infinity'),
    "too large": body(MANIFEST).replace(b'"size_bytes": 10', b'"size_bytes": 1e999'),
    "no zone": body(MANIFEST | {"created_at": "2026-01-02T03:04:05"}),
    "half a character": body(MANIFEST | {"actor": "\ud800"}),
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_what_would_break_later_is_refused_where_the_object_has_its_name(text):
    with pytest.raises(RecordUnreadable) as caught:
        parse_manifest(text, uri=URI)
    assert caught.value.noun == URI
    assert caught.value.remedy.startswith(
        "aws s3api list-object-versions --bucket bucket --prefix record.json   # "
    )


def test_a_time_without_a_zone_is_refused_wherever_it_is_in_the_record():
    state = json.loads(body(STATE_BEFORE))
    state["groups"]["mail"]["since"] = "2026-01-02T03:04:05"
    with pytest.raises(RecordUnreadable, match=r"groups\.mail\.since: .* has no zone"):
        parse_state(json.dumps(state).encode(), uri=URI)


def test_a_number_that_json_lacks_is_never_written():
    with pytest.raises(ValueError, match="JSON"):
        to_json("deployctl.x/1", {"ttl_s": float("inf")})
