import os
import subprocess
import tomllib

import pytest

from deployctl.build.source import NotARepository
from deployctl.config.load import load_settings
from deployctl.config.problems import InvalidConfiguration
from deployctl.errors import AccessError
from deployctl.flows.init import InSubfolder, ValueMissing, initialise
from deployctl.flows.scaffold import FileNotWritten, FileResult, commit

TEMPLATES = {"appspec.yml": (b"version: 0.0\n", False), "hooks/validate": (b"#!/bin/sh\n", True)}


class Account:
    """An account that holds what it is given."""

    def __init__(self, *, region="eu-west-1", applications=(), buckets=(), workgroups=()):
        self._region = region
        self._held = {"applications": applications, "buckets": buckets, "workgroups": workgroups}
        self.asked_in = []

    def region(self):
        return self._region

    def applications(self, region):
        self.asked_in.append(region)
        return list(self._held["applications"])

    def buckets(self, region):
        return list(self._held["buckets"])

    def workgroups(self, region):
        return list(self._held["workgroups"])


class ClosedAccount:
    """An account that denies access."""

    def region(self):
        return None

    def applications(self, region):
        raise AccessError("no credentials", remedy="aws configure")

    buckets = workgroups = applications


SANDBOX = Account(
    applications=["shop"],
    buckets=["deployctl-sandbox"],
    workgroups=["primary", "deployctl", "deployctl-history"],
)


@pytest.fixture
def repository(tmp_path):
    git(tmp_path, "init", "--quiet")
    return tmp_path


def git(folder, *arguments):
    identity = ["-c", "user.name=Tester", "-c", "user.email=tester@example.com"]
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout


def run(start, **changes):
    said = {
        "flags": {},
        "environment": {},
        "discovery": SANDBOX,
        "ask": None,
        "may_replace": lambda path: False,
        "templates": lambda: TEMPLATES,
    }
    return initialise(start, **(said | changes))


def config_in(repository):
    return tomllib.loads((repository / "deployctl.toml").read_text())


def test_everything_is_found_in_an_account_with_one_of_each(repository):
    outcome = run(repository)
    assert config_in(repository) == {
        "application": "shop",
        "region": "eu-west-1",
        "bucket": "deployctl-sandbox",
        "workgroup": "deployctl",
    }
    assert set(outcome.results.values()) == {FileResult.WRITTEN}


def test_the_written_configuration_loads_and_the_hooks_are_executable(repository):
    run(repository)
    path = repository / "deployctl.toml"
    assert load_settings(path, environment={}, flags={}, start=repository).application == "shop"
    assert os.access(repository / "hooks" / "validate", os.X_OK)
    assert not os.access(repository / "appspec.yml", os.X_OK)
    assert sorted(p.name for p in repository.iterdir()) == [".git", "appspec.yml", "deployctl.toml", "hooks"]


def test_the_files_go_to_the_repositorys_root(repository):
    below = repository / "src" / "deep"
    below.mkdir(parents=True)
    assert run(below).root == repository
    assert list(below.iterdir()) == []


def monorepo(repository):
    for name in ("a", "b"):
        (repository / "svc" / name).mkdir(parents=True)
    return repository / "svc" / "a", repository / "svc" / "b"


def test_an_application_of_its_own_gets_its_folder_as_build_root(repository):
    first, second = monorepo(repository)
    for folder in (first, second):
        outcome = run(folder, here=True)
        assert outcome.root == folder
        assert set(outcome.results.values()) == {FileResult.WRITTEN}
    assert not (repository / "deployctl.toml").exists()
    settings = load_settings(second / "deployctl.toml", environment={}, flags={}, start=second)
    assert settings.build.root == "svc/b"


def test_here_at_the_top_needs_no_build_root(repository):
    run(repository, here=True)
    assert "build" not in tomllib.loads((repository / "deployctl.toml").read_text())


@pytest.mark.parametrize("may_replace", [True, False])
def test_a_folder_of_another_application_is_no_place_for_a_plain_init(repository, may_replace):
    folder, _ = monorepo(repository)
    run(repository)
    with pytest.raises(InSubfolder) as caught:
        run(folder, may_replace=lambda path: may_replace)
    assert "deployctl init --here" in caught.value.remedy
    assert caught.value.noun == "svc/a"


def test_outside_a_repository_nothing_is_written(tmp_path):
    with pytest.raises(NotARepository) as caught:
        run(tmp_path)
    assert "git init" in caught.value.remedy
    assert caught.value.exit_code == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("flags", "environment", "region"),
    [
        ({"region": "eu-north-1"}, {"DEPLOYCTL_REGION": "us-east-1"}, "eu-north-1"),
        ({}, {"DEPLOYCTL_REGION": "us-east-1", "AWS_REGION": "us-east-2"}, "us-east-1"),
        ({}, {"AWS_REGION": "us-east-2", "AWS_DEFAULT_REGION": "us-west-1"}, "us-east-2"),
        ({}, {"AWS_DEFAULT_REGION": "us-west-1"}, "us-west-1"),
        ({}, {"AWS_REGION": ""}, "eu-west-1"),
    ],
)
def test_the_region_comes_from_the_flag_the_environment_or_the_profile(
    repository, flags, environment, region
):
    account = Account(applications=["shop"], buckets=["abc"])
    run(repository, flags=flags, environment=environment, discovery=account)
    assert config_in(repository)["region"] == region
    assert account.asked_in == [region]


@pytest.mark.parametrize(
    ("workgroups", "taken"),
    [
        ([], "deployctl"),
        (["primary", "analytics"], "deployctl"),
        (["deployctl-shop", "deployctl-shop-history", "primary"], "deployctl-shop"),
        (["deployctl-a", "deployctl-b"], "deployctl"),
    ],
)
def test_another_teams_workgroup_is_never_suggested(repository, workgroups, taken):
    run(repository, discovery=Account(applications=["shop"], buckets=["abc"], workgroups=workgroups))
    assert config_in(repository)["workgroup"] == taken


def test_one_bucket_named_for_us_is_taken_from_many(repository):
    run(repository, discovery=Account(applications=["shop"], buckets=["logs", "deployctl-x", "backup"]))
    assert config_in(repository)["bucket"] == "deployctl-x"


def test_a_missing_value_is_named_with_its_flag_and_nothing_is_written(repository):
    with pytest.raises(ValueMissing) as caught:
        run(repository, discovery=Account(applications=["shop", "blog"], buckets=[]))
    assert caught.value.message == "no application and no bucket was given or found"
    assert caught.value.remedy == "deployctl init --application APPLICATION --bucket BUCKET"
    assert caught.value.details == ("applications to choose from: shop, blog",)
    assert [p.name for p in repository.iterdir()] == [".git"]


def test_an_account_without_access_is_a_reason_for_asking(repository):
    flags = {"application": "shop", "bucket": "abc"}
    run(repository, flags=flags, environment={"AWS_REGION": "eu-west-1"}, discovery=ClosedAccount())
    assert config_in(repository)["workgroup"] == "deployctl"
    with pytest.raises(ValueMissing) as caught:
        run(
            repository,
            environment={"AWS_REGION": "eu-west-1"},
            discovery=ClosedAccount(),
            may_replace=lambda path: True,
        )
    assert caught.value.details == ("could not list AWS resources: no credentials",)


def test_a_value_that_aws_would_reject_is_refused(repository):
    with pytest.raises(InvalidConfiguration, match="--bucket: bucket 'My_Bucket' contains 'M'"):
        run(repository, flags={"bucket": "My_Bucket"})
    assert not (repository / "deployctl.toml").exists()


def test_a_person_is_asked_with_the_values_found_in_the_account(repository):
    questions = []

    def ask(question):
        questions.append(question)
        return question.suggestion or "mine"

    run(repository, ask=ask, discovery=Account(applications=["shop", "blog"], buckets=["abc"]))
    assert [(q.key, q.suggestion, q.candidates) for q in questions] == [
        ("region", "eu-west-1", ("eu-west-1",)),
        ("application", None, ("shop", "blog")),
        ("bucket", "abc", ("abc",)),
        ("workgroup", "deployctl", ()),
    ]
    assert config_in(repository)["application"] == "mine"


def test_existing_files_are_kept_and_no_question_is_asked(repository):
    (repository / "deployctl.toml").write_text("mine")
    (repository / "appspec.yml").write_text("mine too")
    outcome = run(repository, discovery=None)
    assert outcome.results == {
        "deployctl.toml": FileResult.KEPT,
        "appspec.yml": FileResult.KEPT,
        "hooks/validate": FileResult.WRITTEN,
    }
    assert (repository / "appspec.yml").read_text() == "mine too"
    assert (outcome.choices, outcome.ours) == ({}, ("hooks/validate",))


def test_a_second_run_changes_nothing(repository):
    run(repository)
    assert set(run(repository, may_replace=lambda path: True).results.values()) == {FileResult.UNCHANGED}


def test_files_are_replaced_when_allowed(repository):
    (repository / "deployctl.toml").write_text("mine")
    (repository / "hooks").mkdir()
    (repository / "hooks" / "validate").write_bytes(b"#!/bin/sh\n")
    fates = run(repository, may_replace=lambda path: True).results
    assert fates["deployctl.toml"] is FileResult.REPLACED
    assert fates["hooks/validate"] is FileResult.REPLACED
    assert os.access(repository / "hooks" / "validate", os.X_OK)


def test_a_dangling_link_counts_as_a_file_that_exists(repository):
    (repository / "appspec.yml").symlink_to("nowhere")
    assert run(repository).results["appspec.yml"] is FileResult.KEPT
    assert not (repository / "nowhere").exists()


@pytest.mark.parametrize("obstacle", ["file", "link"])
def test_if_one_file_cannot_be_written_none_is(repository, tmp_path_factory, obstacle):
    outside = tmp_path_factory.mktemp("outside")
    if obstacle == "file":
        (repository / "hooks").write_text("in the way")
    else:
        (repository / "hooks").symlink_to(outside)
    with pytest.raises(FileNotWritten, match="hooks/validate"):
        run(repository)
    assert sorted(p.name for p in repository.iterdir()) == [".git", "hooks"]
    assert list(outside.iterdir()) == []


def test_the_commit_contains_only_the_new_files(repository):
    git(repository, "config", "user.name", "Tester")
    git(repository, "config", "user.email", "tester@example.com")
    (repository / "other").write_text("")
    git(repository, "add", "other")
    outcome = run(repository)
    assert commit(repository, outcome.ours, "Release with deployctl") is None
    committed = git(repository, "ls-tree", "-r", "HEAD").splitlines()
    assert [line.split()[0] + " " + line.split("\t")[1] for line in committed] == [
        "100644 appspec.yml",
        "100644 deployctl.toml",
        "100755 hooks/validate",
    ]
    assert git(repository, "status", "--porcelain") == "A  other\n"
    assert commit(repository, outcome.ours, "again") is None
    assert git(repository, "log", "--format=%s") == "Release with deployctl\n"


def test_a_refused_commit_shows_gits_reason(repository):
    run(repository)
    (repository / ".gitignore").write_text("hooks\n")
    assert commit(repository, ("hooks/validate",), "x")
    assert "deployctl.toml" in git(repository, "status", "--porcelain")
