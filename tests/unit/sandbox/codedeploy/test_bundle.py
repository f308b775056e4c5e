"""Bundles and appspecs, as the agent takes them."""

from __future__ import annotations

import gzip

import pytest

from deployctl.assets import appspec_dir, hooks_dir
from deployctl.build.appspec import MAX_EVENT_S
from deployctl.sandbox.codedeploy.bundle import inspect

HEAD = b"version: 0.0\nos: linux\n"


SCRIPT = HEAD + b"hooks:\n  ValidateService:\n    - location: a.sh\n"


@pytest.mark.parametrize(
    ("line", "seconds"),
    [
        (b"", MAX_EVENT_S),
        (b"      timeout: 300\n", 300),
        (b"      timeout: 5m\n", 5),
        (b"      timeout: 1:30\n", 5400),
    ],
)
def test_timeouts_are_read_as_ruby_reads_them(bundles, line, seconds):
    found = inspect(bundles.tgz({"appspec.yml": (SCRIPT + line).decode()}), "tgz")
    assert found.scripts["ValidateService"][0].hook.limit_s == seconds


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "was empty"),
        (b'version: "0.0"\nos: linux\n', "invalid version value (0.0)"),
        (b"version: 0.1\nos: linux\n", "invalid version value (0.1)"),
        (b"os: linux\n", "invalid version value ()"),
        (b"version: 0.0\nos: solaris\n", "unsupported operating system (solaris)"),
        (b"\xef\xbb\xbfversion: 0.0\nos: linux\n", "unsupported operating system ()"),
        (HEAD + b"hooks: &a\n  X: []\nfiles: *a\n", "Unknown alias"),
        (HEAD + b"hooks:\n  ValidateService:\n    location: a.sh\n", "has_key?"),
        (HEAD + b"hooks:\n  ValidateService:\n    - a.sh\n", "has_key?"),
        (HEAD + b"hooks:\n  ValidateService:\n    - timeout: 3\n", "no location value"),
        (
            HEAD + b"hooks:\n  ValidateService:\n    - location: a.sh\n      timeout: soon\n",
            "invalid timeout",
        ),
        (HEAD + b"hooks: [\n", "<unknown>"),
        (b"\xff\xfe", "UTF-8"),
    ],
)
def test_an_appspec_the_agent_refuses_is_refused_in_its_words(bundles, content, words):
    assert words in inspect(bundles.tgz({"appspec.yml": content, "app.py": ""}), "tgz").appspec_error


def test_tar_tgz_and_zip_give_the_same_facts(bundles):
    files = bundles.files("v7")
    packed = {
        "tgz": bundles.tgz(files),
        "tar": bundles.tgz(files, mode="w"),
        "zip": bundles.zipped(files),
    }
    facts = [inspect(content, kind) for kind, content in packed.items()]
    assert facts[0] == facts[1] == facts[2]
    assert facts[0].revision_file["version"] == "v7"
    assert facts[0].tags_itself


@pytest.mark.parametrize("prefix", ["./", "shop-1.0/"])
def test_one_wrapping_directory_is_stripped(bundles, prefix):
    found = inspect(bundles.tgz(bundles.files(), prefix=prefix), "tgz")
    assert found.appspec_error is None
    assert not any(script.refusal for scripts in found.scripts.values() for script in scripts)


def test_two_wrapping_directories_are_one_too_many(bundles):
    found = inspect(bundles.tgz(bundles.files(), prefix="a/b/"), "tgz")
    assert "did not find an AppSpec file" in found.appspec_error


def test_appspec_yaml_is_no_appspec(bundles):
    files = bundles.files(**{"appspec.yml": None, "appspec.yaml": bundles.appspec()})
    assert "did not find an AppSpec file" in inspect(bundles.tgz(files), "tgz").appspec_error


def test_only_the_first_gzip_member_is_read(bundles):
    whole = bundles.tgz(bundles.files(), mode="w")
    cut = whole.rindex(b"hooks/AfterInstall.sh")  # a file's header: the first part ends where a file does
    found = inspect(gzip.compress(whole[:cut]) + gzip.compress(whole[cut:]), "tgz")
    assert found.scripts["BeforeInstall"][0].refusal is None
    assert found.scripts["AfterInstall"][0].refusal.code == "ScriptMissing"


def test_a_gzip_stream_that_breaks_off_cannot_be_unpacked(bundles):
    assert inspect(bundles.tgz(bundles.files())[:-20], "tgz").download_error


@pytest.mark.parametrize("kind", ["tar", "tgz", "zip"])
def test_a_file_that_is_not_an_archive_cannot_be_unpacked(kind):
    assert f"as {kind}" in inspect(b"this is not an archive", kind).download_error


def test_the_bundle_type_must_be_the_archives_own(bundles):
    assert inspect(bundles.zipped(bundles.files()), "tgz").download_error


def test_scripts_that_are_missing_or_cannot_run_are_found(bundles):
    files = bundles.files(
        **{"hooks/BeforeInstall.sh": None, "hooks/AfterInstall.sh": ("#!/bin/sh\r\n", 0o755)}
    )
    scripts = inspect(bundles.tgz(files), "tgz").scripts
    assert scripts["BeforeInstall"][0].refusal.code == "ScriptMissing"
    assert scripts["AfterInstall"][0].refusal.code == "ScriptFailed"
    assert scripts["ApplicationStart"][0].refusal is None


def test_the_shipped_hook_is_known_to_tag_though_it_sources_the_file_that_does(bundles):
    shipped = {
        f"deploy/hooks/{path.name}": (path.read_text(), 0o755) for path in (hooks_dir() / "plain").iterdir()
    }
    files = {"appspec.yml": (appspec_dir() / "plain.yml").read_text(), **shipped}
    assert inspect(bundles.tgz(files), "tgz").tags_itself


def test_a_tag_that_only_a_sourced_file_names_is_not_found(bundles):
    files = bundles.files(**{
        "hooks/ValidateService.sh": ("#!/bin/sh\n. ./tagging.sh\ntag_it\n", 0o755),
        "hooks/tagging.sh": "tag_it() { aws ec2 create-tags --tags Key=deployctl:version,Value=$V; }\n",
    })  # fmt: skip
    assert not inspect(bundles.tgz(files), "tgz").tags_itself


def test_a_bundle_without_a_tagging_hook_is_recognised(bundles):
    files = bundles.files(**{"hooks/ValidateService.sh": ("#!/bin/sh\ntrue\n", 0o755)})
    assert not inspect(bundles.tgz(files), "tgz").tags_itself
