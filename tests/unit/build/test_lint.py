"""The appspec lint: one case a rule, each a fault that a real agent has."""

import pytest

from deployctl.build.appspec import Appspec, Script, longest_hook_s
from deployctl.build.bundle_files import Files
from deployctl.build.directory_tree import DirectoryTree
from deployctl.build.lint import AppspecInvalid, lint, refuse_errors
from deployctl.build.lint_findings import Severity
from tests.unit.build.trees import APPSPEC

HOOKS = APPSPEC.index("hooks:")


@pytest.fixture
def lint_of(tmp_path):
    """Lint a folder with this appspec (None: without one) and this hook, beside what the test put there."""

    def run(appspec, *, hook=b"#!/bin/sh\n", executable=True):
        if appspec is not None:
            (tmp_path / "appspec.yml").write_bytes(
                appspec if isinstance(appspec, bytes) else appspec.encode()
            )
        if hook is not None:
            (tmp_path / "hooks").mkdir()
            (tmp_path / "hooks/validate.sh").write_bytes(hook)
            (tmp_path / "hooks/validate.sh").chmod(0o755 if executable else 0o644)
        tree = DirectoryTree(tmp_path)
        return lint(Files(tree, tree.entries))

    return run


def instead(old, new):
    assert old in APPSPEC
    return APPSPEC.replace(old, new)


def one(findings):
    assert len(findings) == 1, [str(finding) for finding in findings]
    return findings[0]


def test_a_good_appspec_has_no_findings(lint_of):
    appspec, findings = lint_of(APPSPEC)
    assert findings == []
    assert appspec.scripts == (
        Script(event="ValidateService", location="hooks/validate.sh", timeout_s=60, line=9),
    )


@pytest.mark.parametrize(
    ("appspec", "line", "said"),
    [
        pytest.param(b"\xef\xbb\xbf" + APPSPEC.encode(), 1, "byte-order mark", id="BOM"),
        pytest.param(b"version: 0.0 # \xff", None, "not UTF-8", id="not UTF-8"),
        pytest.param("version: [", 1, "not YAML", id="not YAML"),
        pytest.param("version: 0.0\nos: li\0nux", None, "not YAML", id="control character"),
        pytest.param("version: 0.0\n\tos: linux", 2, "not YAML", id="tab"),
        pytest.param("", 1, "not a map", id="empty"),
        pytest.param("- version", 1, "not a map", id="list"),
        pytest.param(instead("version: 0.0\n", ""), None, "no version", id="no version"),
        pytest.param(instead("0.0", '"0.0"'), 1, "not the number 0.0", id="version quoted"),
        pytest.param(instead("0.0", "0.1"), 1, "not the number 0.0", id="another version"),
        pytest.param(instead("os: linux\n", ""), None, "no os", id="no os"),
        pytest.param(instead("linux", "windows"), 2, "is not linux", id="os windows"),
        pytest.param(instead("linux", "Linux"), 2, "is not linux", id="os in capitals"),
        pytest.param(instead("OVERWRITE", "overwrite"), 6, "unknown; one of", id="unknown behavior"),
        pytest.param(
            instead("  - source: /\n    destination: /opt/app", "  source: /"),
            4,
            "files is not a list",
            id="files a map",
        ),
        pytest.param(instead("    destination: /opt/app\n", ""), 4, "no destination", id="no destination"),
        pytest.param(
            instead("source: /", "source: /lib"), 4, "'/lib' is not in the bundle", id="source missing"
        ),
        pytest.param(instead("timeout: 60", "timeout: 0"), 10, "not a whole number", id="timeout 0"),
        pytest.param(instead("timeout: 60", "timeout: -1"), 10, "not a whole number", id="timeout negative"),
        pytest.param(
            instead(
                "    - location: hooks/validate.sh\n      timeout: 60", "      location: hooks/validate.sh"
            ),
            8,
            "not a list of scripts",
            id="hook a map",
        ),
        pytest.param(
            APPSPEC[:HOOKS] + "hooks: [ValidateService]\n", 7, "not a map of lifecycle", id="hooks a list"
        ),
        pytest.param(
            instead("    - location: hooks/validate.sh\n  ", "    - runas: root\n  "),
            9,
            "no location",
            id="no location",
        ),
        pytest.param(
            APPSPEC + "permissions:\n  - object: &o /opt/app\n    owner: *o\n", 13, "alias *o", id="alias"
        ),
        pytest.param(
            APPSPEC + 'permissions:\n  - object: /opt/app\n    mode: "0689"\n',
            13,
            "not octal",
            id="mode not octal",
        ),
        pytest.param(APPSPEC + "permissions:\n  - mode: '0644'\n", 12, "no object", id="no object"),
        pytest.param(
            instead("hooks/validate.sh", "hooks/../../validate.sh"), 9, "not in the bundle", id="hook outside"
        ),
        pytest.param(instead("hooks/validate.sh", "hooks"), 9, "is a folder", id="hook a folder"),
    ],
)
def test_each_fault_is_an_error_with_its_line(lint_of, appspec, line, said):
    _, findings = lint_of(appspec)
    found = one([finding for finding in findings if finding.severity is Severity.ERROR])
    assert said in str(found)
    assert (found.path, found.line) == ("appspec.yml", line)


@pytest.mark.parametrize(
    ("appspec", "line", "said"),
    [
        pytest.param(APPSPEC + "---\na: 1\n", 11, "ignored", id="two documents"),
        pytest.param(instead("hooks:", "hook:"), 7, "did you mean 'hooks'", id="unknown key"),
        pytest.param(instead("timeout: 60", "timeout: 5m"), 10, "agent v1 reads it as 5 ", id="timeout 5m"),
        pytest.param(
            instead("timeout: 60", "timeout: 1:30"), 10, "agent v1 reads it as 5400", id="timeout 1:30"
        ),
        pytest.param(
            instead("timeout: 60", "timeout: 1:0:30"), 10, "agent v1 reads it as 3630", id="timeout 1:0:30"
        ),
        pytest.param(instead("timeout: 60", "timeout: 1.5"), 10, "not a whole number", id="timeout 1.5"),
        pytest.param(instead("timeout: 60", 'timeout: "60"'), 10, "not a whole number", id="timeout quoted"),
        pytest.param(instead("timeout: 60", "timeout: 3601"), 8, "3601 s", id="timeout over an hour"),
        pytest.param(
            APPSPEC.replace("timeout: 60", "timeout: 1801")
            + APPSPEC[HOOKS:].split("Service:\n")[1].replace("60", "1800"),
            8,
            "add up to 3601 s",
            id="timeouts of an event over an hour",
        ),
        pytest.param(
            instead("      timeout: 60", "      timeout: 60\n      timeout: 70"),
            11,
            "only the last",
            id="duplicate key",
        ),
        pytest.param(APPSPEC + "os: linux\n", 11, "already given in line 2", id="duplicate top key"),
        pytest.param(
            APPSPEC + "  Instal:\n    - location: hooks/validate.sh\n      timeout: 1\n",
            11,
            "never run",
            id="unknown event",
        ),
        pytest.param(
            APPSPEC + "  Install:\n    - location: hooks/validate.sh\n      timeout: 1\n",
            11,
            "the agent's own",
            id="the agent's own event",
        ),
        pytest.param(
            APPSPEC + "permissions:\n  - object: /opt/app\n    mode: 0644\n",
            13,
            "reads as 420",
            id="bare mode",
        ),
        pytest.param(
            APPSPEC + "permissions: {}\n", 11, "permissions is an empty map", id="permissions a map"
        ),
    ],
)
def test_what_the_agent_takes_in_its_own_way_is_a_warning_with_its_line(lint_of, appspec, line, said):
    _, findings = lint_of(appspec)
    refuse_errors(findings)
    found = [finding for finding in findings if said in str(finding)]
    assert [(one.path, one.line) for one in found] == [("appspec.yml", line)]


@pytest.mark.parametrize(
    ("hook", "executable", "said"),
    [
        pytest.param(
            b"#!/bin/sh\n", False, "git update-index --chmod=+x hooks/validate.sh", id="not executable"
        ),
        pytest.param(b"echo hello\n", True, "names no interpreter", id="no shebang"),
        pytest.param(b"", True, "names no interpreter", id="empty"),
        pytest.param(b"\xef\xbb\xbf#!/bin/sh\n", True, "byte-order mark", id="BOM"),
    ],
)
def test_a_hook_that_the_agent_helps_to_run_is_a_warning(lint_of, hook, executable, said):
    _, findings = lint_of(APPSPEC, hook=hook, executable=executable)
    assert said in str(one(findings))
    refuse_errors(findings)


@pytest.mark.parametrize(
    ("hook", "said"),
    [
        pytest.param(None, "not in the bundle", id="missing"),
        pytest.param(b"#!/bin/sh\r\nset -eu\r\n", "CRLF", id="CRLF"),
    ],
)
def test_a_hook_that_cannot_run_is_an_error(lint_of, hook, said):
    _, findings = lint_of(APPSPEC, hook=hook)
    assert said in str(one(findings))
    with pytest.raises(AppspecInvalid):
        refuse_errors(findings)


@pytest.mark.parametrize("value", ["&a [*a]", "&a {b: *a}"])
def test_an_alias_to_what_it_is_in_is_refused_like_any_alias(lint_of, value):
    _, findings = lint_of(APPSPEC + f"more: {value}\n")
    assert "the alias *a" in str(findings[0])


def test_a_finding_names_the_agent_that_it_holds_for(lint_of):
    appspec = instead("timeout: 60", "timeout: 5m") + "built: 2024-01-01\n"
    texts = [str(finding) for finding in lint_of(appspec)[1]]
    assert ["(fails on agent v1 only)" in text for text in texts] == [True, False, False]
    assert ["(fails on agent v2)" in text for text in texts] == [False, True, False]


def test_a_binary_hook_needs_no_shebang(lint_of):
    assert lint_of(APPSPEC, hook=b"\x7fELF\x02\x01")[1] == []


def test_a_missing_appspec_and_one_named_yaml_are_different_errors(lint_of, tmp_path):
    assert "deployctl init" in str(one(lint_of(None)[1]))
    (tmp_path / "appspec.yaml").write_text(APPSPEC)
    tree = DirectoryTree(tmp_path)
    assert one(lint(Files(tree, tree.entries))[1]).fix == "git mv appspec.yaml appspec.yml"


@pytest.mark.parametrize(
    ("appspec", "said"),
    [
        pytest.param(
            instead("file_exists_behavior: OVERWRITE\n", ""), "file_exists_behavior", id="no behavior"
        ),
        pytest.param(instead("      timeout: 60\n", ""), "hang for an hour", id="no timeout"),
        pytest.param(APPSPEC[:HOOKS], "cannot tag themselves", id="no hooks"),
    ],
)
def test_what_may_be_meant_is_a_warning(lint_of, appspec, said):
    _, findings = lint_of(appspec)
    found = one(findings)
    assert found.severity is Severity.WARNING
    assert said in str(found)
    refuse_errors(findings)


def test_all_errors_are_listed_at_once_and_apart_from_warnings(lint_of):
    appspec = (
        APPSPEC.replace("linux", "windows")
        .replace("60", "soon")
        .replace("file_exists_behavior: OVERWRITE\n", "")
    )
    _, findings = lint_of(appspec, hook=b"#!sh\n")
    with pytest.raises(AppspecInvalid, match="3 errors") as caught:
        refuse_errors(findings)
    assert len(caught.value.details) == 3
    assert len(caught.value.findings) == 4


def test_a_hook_may_be_a_symlink_inside_the_bundle(lint_of, tmp_path):
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts/now.sh").symlink_to("../hooks/validate.sh")
    appspec, findings = lint_of(instead("hooks/validate.sh", "./scripts/now.sh"))
    assert findings == []
    assert appspec.scripts[0].location == "./scripts/now.sh"


def test_symlinks_in_a_circle_end(lint_of, tmp_path):
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to("one")
    assert "not in the bundle" in str(one(lint_of(instead("hooks/validate.sh", "one"))[1]))


@pytest.mark.parametrize("target", ["/etc/app.conf", "../outside", ".."])
def test_a_symlink_that_leaves_the_bundle_is_a_warning(lint_of, tmp_path, target):
    (tmp_path / "link").symlink_to(target)
    found = one(lint_of(APPSPEC)[1])
    assert (found.severity, found.path) == (Severity.WARNING, "link")


def test_names_that_break_the_agent_are_one_line_warnings(lint_of, tmp_path):
    (tmp_path / "two\nlines").touch()
    (tmp_path / "latin-\udce9").touch()
    findings = lint_of(APPSPEC)[1]
    assert [finding.path for finding in findings] == ["latin-\\xe9", "two\\nlines"]
    assert {finding.severity for finding in findings} == {Severity.WARNING}


def scripts(*pairs):
    return Appspec(
        scripts=tuple(Script(event=event, location="x", timeout_s=limit, line=1) for event, limit in pairs)
    )


@pytest.mark.parametrize(
    ("appspec", "seconds"),
    [
        (scripts(), 0),
        (scripts(("ApplicationStop", 60), ("ValidateService", 90)), 90),
        (scripts(("ApplicationStop", 60), ("ApplicationStop", 70), ("ValidateService", 90)), 130),
        (scripts(("ApplicationStop", None)), 3600),
        (scripts(("ApplicationStop", None), ("ApplicationStop", 60)), 3600),
    ],
)
def test_the_longest_hook_is_an_event_with_all_its_scripts(appspec, seconds):
    assert longest_hook_s(appspec) == seconds
