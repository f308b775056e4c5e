"""Which text is a secret: the token formats that their vendors document, and a few assignments.

Each rule has hints, bytes that stand in every such secret, for one fast search over all of them; its expression is
then matched from the hint on. Rules of the general kind ("a long random string") are left out: they find hashes and
test data. docs/builds.md says how well the rules do, and why they are not another tool's.
"""

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from operator import itemgetter

import ahocorasick_rs

_END = rb"(?![A-Za-z0-9_-])"
# Between a key and its value: INI, shell, JSON also within a string, YAML, XML, Ruby, and name/value pairs of a
# container's environment.
_QUOTES = rb"[\"'\\]{0,4}"
_IS = (
    _QUOTES + rb"\s{0,40}(?:=>|:=|[:=>,]|(?=value))\s{0,40}"
    rb"(?:" + _QUOTES + rb"value" + _QUOTES + rb"\s{0,8}[:=]\s{0,8})?" + _QUOTES
)
_PLACEHOLDER = re.compile(
    rb"example|redacted|placeholder|dummy|changeme|your[_-]|xxxx|0000000000", re.IGNORECASE
)
_FEW_CHARACTERS = 3
_HINTS_A_SEARCH = 44


@dataclass(frozen=True, slots=True)
class Rule:
    """`expression` is matched where a hint starts. Its group `secret`, or all of it, must be no placeholder."""

    what: str
    hints: tuple[bytes, ...]
    expression: re.Pattern[bytes]
    check: Callable[[bytes], bool] | None = None


def find_secret(content: bytes) -> str | None:
    """What the content holds, such as "an AWS access key"; None if no rule finds a secret."""
    for search in _searches():
        for hint, start, _ in search.hints.find_matches_as_indexes(content):
            if _is_secret(search.rules[hint], content, start):
                return search.rules[hint].what
    return None


def _is_secret(rule: Rule, content: bytes, start: int) -> bool:
    found = rule.expression.match(content, start)
    if found is None:
        return False
    secret = found["secret"] if "secret" in found.groupdict() else found[0]
    return not _is_placeholder(secret) and (rule.check is None or rule.check(secret))


@dataclass(frozen=True, slots=True)
class _Search:
    """`rules[n]` is the rule of the n-th hint."""

    hints: ahocorasick_rs.BytesAhoCorasick
    rules: tuple[Rule, ...]


@cache
def _searches() -> tuple[_Search, ...]:
    """The hints in groups: several small searches take a quarter of the time of one for all hints."""
    pairs = sorted(((hint, rule) for rule in RULES for hint in rule.hints), key=itemgetter(0))
    groups = [pairs[start : start + _HINTS_A_SEARCH] for start in range(0, len(pairs), _HINTS_A_SEARCH)]
    return tuple(
        _Search(
            # Only the leftmost kinds of match have the library's fast search.
            ahocorasick_rs.BytesAhoCorasick(
                [hint for hint, _ in group], matchkind=ahocorasick_rs.MatchKind.LeftmostFirst
            ),
            tuple(rule for _, rule in group),
        )
        for group in groups
    )


def _is_placeholder(secret: bytes) -> bool:
    return len(set(secret)) < _FEW_CHARACTERS or _PLACEHOLDER.search(secret) is not None


def _is_private_key_in_base64(text: bytes) -> bool:
    return b"PRIVATE KEY" in _decoded(text[:120])


def _is_user_and_password(text: bytes) -> bool:
    user, _, password = _decoded(text).partition(b":")
    return bool(user and password) and user.isascii() and password.isascii()


def _decoded(text: bytes) -> bytes:
    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return b""


def _is_strong_password(password: bytes) -> bool:
    """Not the `guest` and `password` of documentation."""
    kinds = (rb"[a-z]", rb"[A-Z]", rb"[0-9]", rb"[^A-Za-z0-9]")
    return len(password) >= 8 and sum(re.search(kind, password) is not None for kind in kinds) >= 2


def _token(what: str, hints: str, rest: str, *, before: str = r"(?<![A-Za-z0-9_-])") -> Rule:
    """A token that starts with one of the hints (separated by blanks), and with `rest` as an expression."""
    starts = tuple(hint.encode() for hint in hints.split())
    either = b"|".join(re.escape(start) for start in starts)
    return Rule(what, starts, re.compile(before.encode() + b"(?:" + either + b")" + rest.encode() + _END))


def _assigned(what: str, hints: tuple[bytes, ...], value: bytes) -> Rule:
    """A value given to a key that ends with one of the hints."""
    either = b"|".join(re.escape(hint) for hint in hints)
    return Rule(what, hints, re.compile(b"(?:" + either + b")" + _IS + b"(?P<secret>" + value + b")"))


def _spellings(*words: str) -> tuple[bytes, ...]:
    """The words as one key: a_b, A_B, a-b, aB, AB, ab."""
    upper, lower = [word.upper() for word in words], [word.lower() for word in words]
    capitals = [word.capitalize() for word in words]
    ways = ("_".join(lower), "_".join(upper), "-".join(lower), lower[0] + "".join(capitals[1:]))
    more = ("".join(capitals), "".join(lower), "".join(upper))
    return tuple(dict.fromkeys(way.encode() for way in (*ways, *more)))


RULES = (
    Rule(
        "a private key",
        (b"-----BEGIN ", b"---- BEGIN "),
        re.compile(
            rb"----[- ]BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----"
            rb"(?:\\{1,2}[nrt]|[\s\"'+,>|&]|<[^>]{1,20}>){1,40}"
            rb"(?P<secret>[A-Za-z0-9+/=]{16,400}|(?:Proc-Type|DEK-Info|Version|Comment): [^\\\n]{4,80})"
        ),
    ),
    Rule(
        "a private key in base64",
        (b"LS0tLS1CRUdJTi",),
        re.compile(rb"LS0tLS1CRUdJTi[A-Za-z0-9+/=]{40,}"),
        _is_private_key_in_base64,
    ),
    Rule("a PuTTY private key", (b"PuTTY-User-Key-File-",), re.compile(rb"PuTTY-User-Key-File-[23]: \S+")),
    _token("an age private key", "AGE-SECRET-KEY-1", "[0-9A-Z]{58}"),
    _token("an AWS access key", "AKIA", "[A-Z0-9]{16}", before=r"(?<![A-Z0-9])"),
    _token("a temporary AWS access key", "ASIA", "[A-Z0-9]{16}", before=r"(?<![A-Z0-9])"),
    _assigned(
        "an AWS secret key",
        _spellings("secret", "access", "key"),
        rb"(?<![A-Za-z0-9/+])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])",
    ),
    _assigned("an AWS session token", _spellings("session", "token"), rb"[A-Za-z0-9/+=]{100,}"),
    _token("an Alibaba access key", "LTAI", "[A-Za-z0-9]{17,21}"),
    _token("a Tencent secret id", "AKID", "[A-Za-z0-9]{32}"),
    _token("a GitHub token", "ghp_ gho_ ghu_ ghs_ ghr_", "[A-Za-z0-9]{36,251}"),
    _token("a GitHub token", "github_pat_", "[A-Za-z0-9_]{60,}"),
    _token(
        "a GitLab token",
        "glpat- gldt- glrt- glcbt- glptt- glft- glimt- glagent- glsoat- gloas-",
        r"[A-Za-z0-9_.\-]{20,}",
    ),
    _token("a Bitbucket or Atlassian token", "ATATT3 ATCTT3 ATBB", r"[A-Za-z0-9_\-=]{28,}"),
    _token(
        "a Slack token", "xoxb- xoxp- xoxa- xoxr- xoxs- xoxe-", "[A-Za-z0-9-]*[0-9]{6,}-[A-Za-z0-9-]{10,}"
    ),
    _token("a Slack app token", "xapp-", "[0-9]-[A-Z0-9]{8,}-[0-9]{8,}-[a-f0-9]{20,}"),
    Rule(
        "a Slack webhook",
        (b"hooks.slack.com/",),
        re.compile(
            rb"hooks\.slack\.com/(?:services|workflows)/[A-Z][A-Z0-9]{7,}/[A-Z][A-Z0-9]{7,}/[A-Za-z0-9]{20,}"
        ),
    ),
    Rule(
        "a Discord webhook",
        (b"/api/webhooks/",),
        re.compile(rb"/api/webhooks/[0-9]{17,20}/[A-Za-z0-9_-]{60,}"),
    ),
    Rule("a Telegram bot token", (b":AA",), re.compile(rb"(?<=[0-9]{8}):AA[A-Za-z0-9_-]{33}" + _END)),
    _token("a Stripe key", "sk_live_ rk_live_ sk_test_ rk_test_", "[A-Za-z0-9]{20,}"),
    _token("a Stripe webhook secret", "whsec_", "[A-Za-z0-9]{32,}"),
    _token("a Square token", "sq0atp- sq0csp- sq0idp-", r"[A-Za-z0-9_\-]{22,43}"),
    _token("a Shopify token", "shpat_ shpca_ shppa_ shpss_", "[a-fA-F0-9]{32}"),
    _token("a Google API key", "AIza", r"[A-Za-z0-9_\-]{35}"),
    _token("a Google OAuth secret", "GOCSPX-", r"[A-Za-z0-9_\-]{28}"),
    _token("a Google access token", "ya29.", r"[A-Za-z0-9_\-]{40,}"),
    _token("a Google refresh token", "1//0", r"[A-Za-z0-9_\-]{40,}"),
    _token("an npm token", "npm_", "[A-Za-z0-9]{36}"),
    _assigned("an npm registry's token", (b"_authToken",), rb"[A-Za-z0-9_\-+/=.]{16,}"),
    Rule(
        "an npm registry's password",
        (b"_auth=", b"_auth ="),
        re.compile(rb"_auth ?= ?[\"']?(?P<secret>[A-Za-z0-9+/]{8,}={0,2})"),
        _is_user_and_password,
    ),
    Rule(
        "an npm registry's password",
        (b"/:_password",),
        re.compile(rb"/:_password ?= ?(?P<secret>[A-Za-z0-9+/\"]{8,})"),
    ),
    _token("a PyPI token", "pypi-AgE", r"[A-Za-z0-9_\-]{50,}"),
    _token("a RubyGems token", "rubygems_", "[0-9a-f]{48}"),
    _token("a Clojars token", "CLOJARS_", "[a-z0-9]{60}"),
    _token("a NuGet key", "oy2", "[a-z0-9]{43}"),
    _token("a Docker token", "dckr_pat_ dckr_oat_", r"[A-Za-z0-9_\-]{27,}"),
    Rule(
        "a container registry's password",
        (b'"auth"',),
        re.compile(rb'"auth"\s*:\s*"(?P<secret>[A-Za-z0-9+/]{8,}={0,2})"'),
        _is_user_and_password,
    ),
    _assigned("a Kubernetes client key", (b"client-key-data",), rb"[A-Za-z0-9+/=]{40,}"),
    _token("a SendGrid key", "SG.", r"[A-Za-z0-9_\-]{22}\.[A-Za-z0-9_\-]{43}"),
    _token("a Brevo key", "xkeysib- xsmtpsib-", "[a-f0-9]{64}-[A-Za-z0-9]{16}"),
    _token("a DigitalOcean token", "dop_v1_ doo_v1_ dor_v1_", "[a-f0-9]{64}"),
    _assigned("an Azure storage key", (b"AccountKey", b"SharedAccessKey"), rb"[A-Za-z0-9+/]{43,86}={1,2}"),
    Rule(
        "an Azure shared access signature",
        (b"&sig=", b"?sig="),
        re.compile(rb"[&?]sig=[A-Za-z0-9%/+]{40,}(?:%3D|=)"),
    ),
    Rule(
        "an Azure client secret",
        (b"Q~",),
        re.compile(rb"(?<=[A-Za-z0-9_~.-]{3}[0-9])Q~[A-Za-z0-9_~.-]{31,34}" + _END),
    ),
    _token("a Databricks token", "dapi", "[a-f0-9]{32}(?:-[0-9])?"),
    _token("a Vault token", "hvs. hvb. hvr.", r"[A-Za-z0-9_\-]{24,}"),
    Rule(
        "a Terraform Cloud token",
        (b".atlasv1.",),
        re.compile(rb"(?<=[A-Za-z0-9]{14})\.atlasv1\.[A-Za-z0-9_=-]{60,}"),
    ),
    _token("a Pulumi token", "pul-", "[a-f0-9]{40}"),
    _token("a PlanetScale password", "pscale_pw_ pscale_tkn_ pscale_oauth_", r"[A-Za-z0-9_.\-]{32,}"),
    _token("a Supabase token", "sbp_", "[a-f0-9]{40}"),
    _token("a Fly.io token", "fm2_", "[A-Za-z0-9+/]{100,}={0,3}"),
    _token("a Netlify token", "nfp_", "[A-Za-z0-9]{36,}"),
    Rule(
        "an OpenAI key",
        (b"T3BlbkFJ",),
        re.compile(rb"(?<=[A-Za-z0-9_-]{20})T3BlbkFJ[A-Za-z0-9_-]{20,}"),
    ),
    _token("an Anthropic key", "sk-ant-", r"[a-z0-9]+-[A-Za-z0-9_\-]{80,}"),
    _token("a Hugging Face token", "hf_", "[A-Za-z]{34}"),
    _token("a Replicate token", "r8_", "[A-Za-z0-9]{37}"),
    _token("a Grafana token", "glsa_", "[A-Za-z0-9]{32}_[a-f0-9]{8}"),
    _token("a Grafana Cloud token", "glc_eyJ", "[A-Za-z0-9+/=]{40,}"),
    _token("a New Relic key", "NRAK- NRII- NRJS-", "[A-Za-z0-9_-]{19,32}"),
    _token("a Dynatrace token", "dt0c01. dt0s01.", r"[A-Z0-9]{24}\.[A-Z0-9]{64}"),
    _token("a Sentry token", "sntrys_ sntryu_", r"[A-Za-z0-9+/=_\-]{40,}"),
    _token("a Doppler token", "dp.pt. dp.st. dp.ct. dp.sa. dp.scim. dp.audit.", r"[A-Za-z0-9_.\-]{40,}"),
    _token("a Linear key", "lin_api_", "[A-Za-z0-9]{40}"),
    _token("a Postman key", "PMAK-", "[a-f0-9]{24}-[a-f0-9]{34}"),
    _token("a Figma token", "figd_", r"[A-Za-z0-9_\-]{40,}"),
    _token("a Notion token", "ntn_", "[A-Za-z0-9]{40,}"),
    _token("an Artifactory key", "AKCp", "[A-Za-z0-9]{69}"),
    _token("a Contentful token", "CFPAT-", r"[A-Za-z0-9_\-]{43}"),
    Rule(
        "a password in a URL",
        (b"://",),
        re.compile(
            rb"://[^\s/:@\"'<>{}$%()]{0,64}:(?P<secret>[^\s/:@\"'<>{}$()\[\]*]{8,128})"
            rb"@(?!localhost|127\.|0\.0\.0\.0|\[::1|host\b|hostname\b|server\b|example\.|[^\s/\"']{0,60}\.example)[A-Za-z0-9\[]"
        ),
        _is_strong_password,
    ),
)
