"""Hides headers, tokens and the environment's secrets in the text of errors: every error passes through `redact`."""

import os
import re

_HIDDEN = "***"
#: A shorter value could be an ordinary word.
_SHORTEST_SECRET = 16

_SECRET_VARIABLE = re.compile(r"(SECRET|TOKEN|PASSWORD|PASSWD|ACCESS_KEY|API_KEY|PRIVATE_KEY)$")
_BLANKS = re.compile(r"[\s\x00-\x1f\x7f]+")

_NAMES = "x-amz-security-token|x-amz-signature|(?:aws_?)?(?:secret_?access_?key|session_?token)|password"
# Each with what stays before the hidden part.
_FORMS = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        # http.client quotes the whole header.
        r"(invalid header value) .+",
        r"(AWS4-[A-Z0-9-]+) Credential=.*?Signature=[^\s'\",&]+",
        r"(\b(?:proxy-)?authorization['\"]?\s*[:=]\s*b?['\"]?)[^'\",}\n]+",
        rf"(\b(?:{_NAMES})['\"]?\s*[:=]\s*b?['\"]?)[^\s'\",&}}]+",
        # `https://token@host` and `scheme://user:password@host`.
        r"(https?://)[^/\s@'\"]+(?=@)",
        r"(\w+://[^/\s:@'\"]*:)[^/\s@'\"]+(?=@)",
    )
)


def redact(text: str) -> str:
    """The text with *** for what is secret by its form, and for the values of secret environment variables."""
    for secret in _secrets_of_environment():
        text = text.replace(secret, _HIDDEN)
    for form in _FORMS:
        text = form.sub(_keep_start, text)
    return text


def _keep_start(found: re.Match[str]) -> str:
    blank = " " if found[0][len(found[1]) :].startswith(" ") else ""
    return f"{found[1]}{blank}{_HIDDEN}"


def _secrets_of_environment() -> list[str]:
    """The longest first, so that none is hidden only in part."""
    values = [value for name, value in os.environ.items() if _SECRET_VARIABLE.search(name)]
    parts = {part for value in values for part in _BLANKS.split(value) if len(part) >= _SHORTEST_SECRET}
    return sorted(parts, key=len, reverse=True)
