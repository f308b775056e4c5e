"""No text of an error shows a header, a token or a secret of the environment."""

import pytest

from deployctl.errors import Failed
from deployctl.redaction import redact

SECRET = "FwoGZXIvYXdzEPL//////////wEaDExampleToken"


@pytest.mark.parametrize(
    "text",
    [
        f"Invalid header value b'{SECRET}\\n'",
        f"Authorization: AWS4-HMAC-SHA256 Credential=A/b, SignedHeaders=host, Signature={SECRET}",
        f"{{'Authorization': b'AWS4-HMAC-SHA256 Credential=A/b, SignedHeaders=h, Signature={SECRET}', 'x': 1}}",
        f"'X-Amz-Security-Token': b'{SECRET}'",
        f"x-amz-security-token: {SECRET}",
        f"https://b.s3.amazonaws.com/k?X-Amz-Security-Token={SECRET}&X-Amz-Expires=9",
        f"https://b.s3.amazonaws.com/k?X-Amz-Signature={SECRET}",
        f"fatal: unable to access 'https://x-access-token:{SECRET.replace('/', '')}@github.com/a/b.git/'",
        f"http.https://github.com/.extraheader=AUTHORIZATION: basic {SECRET}",
        f"Proxy-Authorization: Bearer {SECRET}",
        f"AWS_SECRET_ACCESS_KEY={SECRET}",
        f'"SessionToken": "{SECRET}"',
        f"aws_session_token = {SECRET}",
    ],
)
def test_what_holds_a_secret_by_its_form_is_hidden(text):
    assert "ExampleToken" not in redact(text)
    assert "***" in redact(text)


def test_a_value_of_a_secret_variable_is_hidden_wherever_it_stands(monkeypatch):
    monkeypatch.setenv("AWS_SESSION_TOKEN", f"{SECRET}\n")
    monkeypatch.setenv("GITHUB_TOKEN", "ghs_0123456789abcdef")
    assert redact(f"no such host: {SECRET}.example") == "no such host: ***.example"
    assert "ghs_" not in redact("could not read ghs_0123456789abcdef")


def test_ordinary_words_stay(monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "sandbox")
    text = "no sandbox at http://127.0.0.1:4566/x: Authorization failed; the Signature=0 differs; basic auth"
    assert redact(text) == text


def test_every_error_is_redacted(monkeypatch):
    monkeypatch.setenv("AWS_SESSION_TOKEN", SECRET)
    error = Failed(f"a {SECRET}", noun=SECRET, remedy=f"b {SECRET}", details=(f"c {SECRET}",))
    assert SECRET not in repr(error.as_json())
    assert SECRET not in str(error)
