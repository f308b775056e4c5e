"""Which files are secrets by their name, alone or with their first bytes."""

import re

BY_NAME = re.compile(
    rb"""(?:.*/)? (?:
        \.env (?:[.-] (?!example|sample|template|dist|defaults?$|schema) [^/]+
            (?<!example)(?<!sample)(?<!template)(?<!dist) )?
        | (?:prod|production|stag(?:e|ing)|live|secrets?|credentials?|passwords?) [._-]? (?:[^/]*[._-])? env
        | id_(?:rsa|dsa|ecdsa|ed25519)(?:_sk)?
        | [^/]+ \. (?:p12|pfx|ppk|kdbx?|jceks|agekey)
        | [^/]+ \. tfstate (?:\.[^/]+)?
        | \.aws/credentials | \.kube/config | \.docker/config\.json\.bak
        | \.netrc | _netrc | \.pgpass | \.pypirc | \.git-credentials | \.htpasswd
        | \.vault-token | \.vault[-_]pass(?:word)?
        | \.cargo/credentials(?:\.toml)? | \.gem/credentials | \.terraform\.d/credentials\.tfrc\.json
        | \.azure/(?:accessTokens|msal_token_cache)\.json | \.config/gcloud/[^/]+\.(?:db|json)
        | \.(?:bash|zsh|sh|psql|mysql|python|node_repl|irb|rediscli)_history
    )""",
    re.VERBOSE | re.DOTALL,
)
#: Key stores that hold certificates to trust hold nothing secret.
_KEY_STORE = re.compile(rb"(?:.*/)?(?!.*(?:trust|cacerts))[^/]+\.(?:jks|keystore)", re.DOTALL)
_KEY_STEM = re.compile(
    rb"(?:.*[._/-])?(?:server|client|private|priv|tls|ssl|ca|root|host|domain|wildcard|signing|encryption|master|key|apns"
    rb"|jwt|license-private)[._-]?[0-9]*\.key",
    re.IGNORECASE | re.DOTALL,
)
#: Files of settings, in which an assignment to a secret's name counts; other files have too many harmless ones.
_SETTINGS = re.compile(
    rb"""(?:.*/)? (?:
        [^/]+ \.env | \.envrc | [^/]+ \.tfvars (?:\.json)? | \.my\.cnf | \.s3cfg | \.boto | rclone\.conf
        | \.npmrc | \.yarnrc\.yml
        | \.terraformrc | auth\.json | \.dockercfg | secrets? \.(?:ya?ml|json|toml|ini|properties) | \.secrets?
        | credentials? (?:\.(?:ya?ml|json|toml|ini|properties|csv))?
    )""",
    re.VERBOSE | re.DOTALL,
)
_TEMPLATE = re.compile(
    rb"(?:example|sample|template|dist|defaults?)[._-]|[._-](?:example|sample|template|dist)\b", re.IGNORECASE
)
_ASSIGNED = re.compile(
    rb"""^[ \t{]* (?:export[ \t]+|set[ \t]+)? ["']?
    (?P<name> [A-Za-z0-9_.-]{0,64}?
        (?:passw(?:or)?d|passphrase|secret|token|api[_-]?key|private[_-]?key|access[_-]?key|credential)
        [A-Za-z0-9_.-]{0,64} ) ["']?
    [ \t]*[=:][ \t]* ["']? (?P<value> [^\s"',#]{4,} )""",
    re.VERBOSE | re.MULTILINE | re.IGNORECASE,
)
_NOT_THE_SECRET = re.compile(
    rb".*[._-](?:url|uri|file|path|dir|name|arn|id|ttl|timeout|enabled|length|size|host|header|type|algorithm|expiry|expires"
    rb"(?:_in)?|issuer|audience|version|rotation|days|hours|seconds|limit|prefix|manager|backend|store|provider|endpoint)",
    re.IGNORECASE | re.DOTALL,
)
_PLACEHOLDER = re.compile(
    rb"[$<{%*]|ENC\[|!vault|(?:change[_-]?me|example|your|xxx|none|null|true|false|todo|dummy|placeholder|redacted|vault:|ssm:|arn:|op://)",
    re.IGNORECASE,
)
_PUBLIC_PEM = b"-----BEGIN "
_DER_SEQUENCE = b"\x30\x82"
_ZIP = b"PK\x03\x04"
_ONE_TOKEN = re.compile(rb"\s*[A-Za-z0-9+/=_-]{16,}\s*")


def is_secret_by_name(path: bytes, start: bytes) -> bool:
    """`start` are the file's first bytes. A private key in it is found by its content."""
    if BY_NAME.fullmatch(path) or _KEY_STORE.fullmatch(path):
        return True
    if path.endswith(b".pem"):
        # A certificate, a public key or parameters are public, and applications carry bundles of them.
        return _PUBLIC_PEM not in start
    if path.endswith(b".key"):
        return _is_key(path, start)
    return _SETTINGS.fullmatch(path) is not None and not _TEMPLATE.search(path) and _assigns_secret(start)


def _is_key(path: bytes, start: bytes) -> bool:
    """Whether a file *.key is a key: translations and slides have that ending too."""
    if _PUBLIC_PEM in start or start.startswith(_ZIP):
        return False
    named = _KEY_STEM.fullmatch(path) is not None
    return named or start.startswith(_DER_SEQUENCE) or _ONE_TOKEN.fullmatch(start) is not None


def _assigns_secret(text: bytes) -> bool:
    for found in _ASSIGNED.finditer(text):
        name, value = found["name"], found["value"]
        if _NOT_THE_SECRET.fullmatch(name) or _PLACEHOLDER.match(value):
            continue
        if not value.isdigit() or re.search(rb"pass", name, re.IGNORECASE):
            return True
    return False
