"""What is a secret, and what only looks like one."""

import pytest

from deployctl.build.content_checks import ContentInspector
from deployctl.build.ignore_patterns import Patterns
from deployctl.build.secrets import SecretInBundle
from deployctl.build.tree import Entry, Kind
from tests.unit.build.trees import names


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (".env", "A=1"),
        ("config/.env.production", "A=1"),
        ("keys/id_rsa", "x"),
        ("tls/server.key", "x"),
        ("tls/server.pem", "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7bq9\n"),
        ("unknown.pem", "x"),
        ("home/.aws/credentials", "[default]"),
        ("settings.py", "KEY = 'AKIA" + "IOSFODNN7ABCDEFG'"),
        ("settings.ini", "aws_secret_access_key = " + "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzzzzzzKEYX"),
        ("deploy_key.txt", "-----BEGIN OPENSSH " + "PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmU\n"),
        ("ci.sh", "token=ghp_" + "0123456789abcdefghijABCDEFGHIJ012345"),
    ],
)
def test_a_secret_is_found(name, content):
    search = ContentInspector(Patterns((), "test"))
    search.inspect(Entry(path=name.encode(), kind=Kind.FILE, size_bytes=len(content)), content.encode())
    with pytest.raises(SecretInBundle) as caught:
        search.raise_findings()
    assert [path for path, _ in caught.value.found] == [name]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (".env.example", "A="),
        ("certifi/cacert.pem", "# bundle\n-----BEGIN CERTIFICATE-----\nMIID\n"),
        ("keys.pem", "-----BEGIN PUBLIC KEY-----\nMIIB\n"),
        ("docs.md", "AKIAIOSFODNN7EXAMPLE and wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
        ("boto.ini", "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
        ("parser.py", "if line == '-----BEGIN PRIVATE KEY-----':"),
        ("keyboard.py", "monkey = 1"),
        ("env.py", ".env"),
    ],
)
def test_text_similar_to_a_secret_passes(name, content):
    search = ContentInspector(Patterns((), "test"))
    search.inspect(Entry(path=name.encode(), kind=Kind.FILE, size_bytes=len(content)), content.encode())
    search.raise_findings()


def test_a_secret_is_refused_before_anything_is_written_and_can_be_allowed(repository, build_in, tmp_path):
    repository.write("a/.env", "A=1")
    repository.commit()
    with pytest.raises(SecretInBundle) as caught:
        build_in(repository)
    assert "allow_secrets" in caught.value.remedy
    assert list((tmp_path / "out").iterdir()) == []
    assert "a/.env" in names(build_in(repository, allow_secrets=["/a/.env"]))
    assert "a/.env" not in names(build_in(repository, exclude=[".env"]))


def test_every_secret_is_listed_at_once(repository, build_in):
    for name in (".env", "a.pfx", "b/c.p12"):
        repository.write(name)
    repository.commit()
    with pytest.raises(SecretInBundle) as caught:
        build_in(repository)
    assert [path for path, _ in caught.value.found] == [".env", "a.pfx", "b/c.p12"]
