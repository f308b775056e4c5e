"""Files with invented secrets of every kind that the build must find, and harmless files that look like secrets.

Every secret is put together here at run time, from a fixed seed: no scanner of this repository finds one in it.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from string import ascii_letters, ascii_uppercase, digits

MIB = 1 << 20
BASE64 = ascii_letters + digits + "+/"
BASE32 = ascii_uppercase + "234567"
WORD = ascii_letters + digits
HEX = digits + "abcdef"


@dataclass(frozen=True, slots=True)
class Sample:
    """One file; `kind` names what makes it a secret, or what makes it look like one."""

    kind: str
    path: str
    content: bytes


def some(alphabet: str, length: int, seed: str = "") -> str:
    """Characters without a pattern, the same ones on every run."""
    found: list[str] = []
    block = 0
    while len(found) < length:
        digest = hashlib.sha256(f"{alphabet}{length}{seed}{block}".encode()).digest()
        found += [alphabet[byte % len(alphabet)] for byte in digest]
        block += 1
    return "".join(found[:length])


def pem(kind: str = "RSA PRIVATE KEY", body: int = 3) -> str:
    lines = [some(BASE64, 64, f"{kind}{number}") for number in range(body)]
    return "\n".join((f"-----BEGIN {kind}-----", *lines, f"-----END {kind}-----", ""))


def secrets() -> list[Sample]:
    """One sample of each kind."""
    return [
        Sample(kind, path, text if isinstance(text, bytes) else text.encode())
        for kind, path, text in (*_keys(), *_aws(), *_tokens(), *_files(), *_places())
    ]


Row = tuple[str, str, str | bytes]


def _keys() -> list[Row]:
    key = pem()
    escaped = key.replace("\n", "\\n")
    indented = "".join(f"    {line}\n" for line in key.splitlines())
    return [
        ("PEM private key", "conf/server.txt", key),
        ("PEM private key, PKCS 8", "conf/pkcs8", pem("PRIVATE KEY")),
        ("PEM private key, EC", "conf/ec", pem("EC PRIVATE KEY", 2)),
        ("PEM private key, encrypted", "conf/enc", pem("ENCRYPTED PRIVATE KEY")),
        (
            "PEM private key with headers",
            "conf/old",
            pem().replace("-----\n", "-----\nProc-Type: 4,ENCRYPTED\n", 1),
        ),
        ("OpenSSH private key", "deploy_key.txt", pem("OPENSSH PRIVATE KEY")),
        ("PGP private key", "signing.asc", pem("PGP PRIVATE KEY BLOCK").replace("-----\n", "-----\n\n", 1)),
        ("PEM escaped in JSON", "service-account.json", f'{{"private_key": "{escaped}"}}'),
        ("PEM escaped twice", "nested.json", f'{{"k": "{escaped.replace(chr(92), chr(92) * 2)}"}}'),
        ("PEM indented in YAML", "values.yaml", f"tls:\n  key: |\n{indented}"),
        ("PEM with CRLF", "conf/crlf.txt", key.replace("\n", "\r\n")),
        (
            "PEM in source lines",
            "key.py",
            "KEY = (\n" + "".join(f"    '{x}\\n'\n" for x in key.splitlines()) + ")",
        ),
        ("PEM in base64", "secret-data.yaml", f"tls.key: {base64.b64encode(key.encode()).decode()}"),
        ("PuTTY key", "notes.txt", "PuTTY-User-Key" + "-File-3: ssh-ed25519\nEncryption: none\n"),
        ("age key", "keys.txt", "AGE-SECRET" + "-KEY-1" + some(digits + ascii_uppercase, 58)),
        ("key by name", "tls/server.key", "x"),
        ("key by name, in DER", "tls/other.key", b"\x30\x82\x04\xa4\x02\x01\x00"),
        ("Rails master key", "config/master.key", some(HEX, 32)),
        ("a key's file in hex", "config/credentials/app.key", some(HEX, 32) + "\n"),
        ("SSH key by name", "keys/id_rsa", "x"),
        ("SSH key by name, ed25519", "keys/id_ed25519", "x"),
        ("PKCS 12 store", "tls/app.p12", b"\x30\x82"),
        ("PFX store", "tls/app.pfx", b"\x30\x82"),
        ("KeePass store", "team.kdbx", b"\x03\xd9"),
        ("Java key store", "conf/app.jks", b"\xfe\xed\xfe\xed"),
        ("PEM by name", "unknown.pem", "x"),
    ]


def _aws() -> list[Row]:
    key_id, temporary = "AKIA" + some(BASE32, 16), "ASIA" + some(BASE32, 16)
    secret, token = some(BASE64, 40), some(BASE64, 300)
    name = "SECRET_ACCESS_KEY"
    return [
        ("AWS access key id", "settings.py", f"KEY = '{key_id}'"),
        ("AWS secret, upper case", "run.sh", f"export AWS_{name}={secret}\n"),
        ("AWS secret, lower case", "settings.ini", f"aws_{name.lower()} = {secret}"),
        ("AWS secret, camel case", "config.json", '{"secretAccess' + f'Key": "{secret}"}}'),
        ("AWS secret, as the API answers", "answer.json", '{"SecretAccess' + f'Key": "{secret}"}}'),
        ("AWS secret in XML", "answer.xml", "<SecretAccess" + f"Key>{secret}</SecretAccessKey>"),
        ("AWS secret in YAML", "app.yaml", "aws:\n  secret-access" + f"-key: {secret}\n"),
        ("AWS secret in Ruby", "aws.rb", ":secret_access" + f"_key => '{secret}'"),
        ("AWS secret in JSON within JSON", "x.json", f'"{{\\"AWS_{name}\\": \\"{secret}\\"}}"'),
        ("AWS secret in a container's JSON", "task.json", f'{{"name": "AWS_{name}", "value": "{secret}"}}'),
        ("AWS secret in a pod's YAML", "pod.yaml", f"- name: AWS_{name}\n            value: {secret}\n"),
        ("AWS secret in a Dockerfile", "Dockerfile", f"ENV AWS_{name}={secret}\n"),
        ("AWS access key id, any digits", "id.txt", "AKIA" + some(ascii_uppercase + digits, 16)),
        ("AWS temporary key", "session.txt", temporary),
        ("AWS session token", "session.sh", "export AWS_SESSION" + f"_TOKEN={token}\n"),
        ("AWS session token, camel case", "session.json", '{"session' + f'Token": "{token}"}}'),
    ]


def _tokens() -> list[Row]:
    word = some(WORD, 200)
    made = {
        "GitHub personal": "ghp" + "_" + word[:36],
        "GitHub OAuth": "gho" + "_" + word[:36],
        "GitHub user to server": "ghu" + "_" + word[:36],
        "GitHub server to server": "ghs" + "_" + word[:36],
        "GitHub refresh": "ghr" + "_" + word[:76],
        "GitHub fine-grained": "github" + "_pat_" + word[:22] + "_" + word[22:81],
        "GitLab personal": "glpat" + "-" + word[:20],
        "GitLab deploy": "gldt" + "-" + word[:20],
        "GitLab runner": "glrt" + "-" + word[:20],
        "Atlassian": "ATATT3" + word[:180] + "=" + "A1B2C3D4",
        "Slack bot": "xoxb" + f"-{some(digits, 12)}-{some(digits, 13)}-{word[:24]}",
        "Slack user": "xoxp" + f"-{some(digits, 12)}-{some(digits, 12)}-{some(digits, 12)}-{some(HEX, 32)}",
        "Slack app": "xapp" + f"-1-A0{some(BASE32, 9)}-{some(digits, 13)}-{some(HEX, 64)}",
        "Slack webhook": "https://hooks."
        f"slack.com/services/T{some(BASE32, 10)}/B{some(BASE32, 10)}/{word[:24]}",
        "Discord webhook": "https://discord.com/api/" + f"webhooks/{some(digits, 18)}/{word[:68]}",
        "Telegram": some(digits, 10) + ":AA" + word[:33],
        "Stripe live": "sk" + "_live_" + word[:24],
        "Stripe restricted": "rk" + "_live_" + word[:24],
        "Square": "sq0" + "csp-" + word[:43],
        "Shopify": "shpat" + "_" + some(HEX, 32),
        "Google API": "AIza" + word[:35],
        "Google OAuth": "GOCSPX" + "-" + word[:28],
        "Google access": "ya29" + "." + word[:120],
        "Google refresh": "1//" + "0g" + word[:80],
        "npm": "npm" + "_" + word[:36],
        "PyPI": "pypi" + "-AgEIcHlwaS5vcmc" + word[:120],
        "RubyGems": "rubygems" + "_" + some(HEX, 48),
        "Docker": "dckr" + "_pat_" + word[:27],
        "SendGrid": "SG" + f".{word[:22]}.{word[22:65]}",
        "Brevo": "xkeysib" + f"-{some(HEX, 64)}-{word[:16]}",
        "DigitalOcean": "dop" + "_v1_" + some(HEX, 64),
        "Azure storage": f"DefaultEndpointsProtocol=https;AccountName=shop;AccountKey={some(BASE64, 86)}==",
        "Azure shared access": "https://shop.blob/x?sv=2024&se=2030&sp=r&s" + f"ig={some(WORD, 43)}%3D",
        "Azure client secret": word[:3] + "8Q" + "~" + word[3:36],
        "Databricks": "dapi" + some(HEX, 32),
        "Vault": "hvs" + "." + word[:90],
        "Terraform Cloud": word[:14] + ".atlas" + "v1." + word[:67],
        "Pulumi": "pul" + "-" + some(HEX, 40),
        "OpenAI": "sk-proj-" + word[:40] + "T3Blbk" + "FJ" + word[40:80],
        "Anthropic": "sk-" + "ant-api03-" + word[:95],
        "Hugging Face": "hf" + "_" + some(ascii_letters, 34),
        "Grafana": "glsa" + f"_{word[:32]}_{some(HEX, 8)}",
        "New Relic": "NRAK" + "-" + some(digits + ascii_uppercase, 27),
        "Doppler": "dp" + ".pt." + word[:43],
        "Linear": "lin" + "_api_" + word[:40],
        "Postman": "PMAK" + f"-{some(HEX, 24)}-{some(HEX, 34)}",
        "password in a database's URL": "postgres://shop:" + f"{word[:14]}9@db.internal:5432/shop",
        "token in a git URL": "https://ci:" + f"{some(HEX, 32)}@git.internal/shop.git",
    }
    return [(f"token: {kind}", "app/config.yaml", f"value: {token}\n") for kind, token in made.items()]


def _files() -> list[Row]:
    secret, word = some(WORD, 24), some(WORD, 60)
    login = base64.b64encode(f"ci:{secret}".encode()).decode()
    return [
        (".env", ".env", "A=1"),
        (".env of a stage", "config/.env.production", "A=1"),
        ("prod.env", "deploy/prod.env", "A=1"),
        ("a service's .env", "deploy/shop.env", f"DB_PASSWORD={secret}\n"),
        (".envrc", ".envrc", f"export API_TOKEN={secret}\n"),
        (".npmrc token", ".npmrc", "//registry.internal/:_auth" + f"Token={word}\n"),
        (".npmrc login", ".npmrc", "_au" + f"th={login}\n"),
        (
            ".docker/config.json",
            ".docker/config.json",
            f'{{"auths": {{"r.internal": {{"auth": "{login}"}}}}}}',
        ),
        (".kube/config", ".kube/config", "kind: Config\n"),
        (
            "kubeconfig elsewhere",
            "cluster.yaml",
            "users:\n- user:\n    client-key" + f"-data: {some(BASE64, 200)}\n",
        ),
        ("terraform.tfstate", "infra/terraform.tfstate", "{}"),
        ("terraform.tfstate.backup", "infra/terraform.tfstate.backup", "{}"),
        ("tfvars", "infra/prod.tfvars", f'db_password = "{secret}"\n'),
        (".aws/credentials", "home/.aws/credentials", "[default]"),
        (".netrc", ".netrc", "machine x"),
        (".pgpass", ".pgpass", "x"),
        (".pypirc", ".pypirc", "[pypi]"),
        (".git-credentials", ".git-credentials", "x"),
        (".htpasswd", "web/.htpasswd", "x"),
        (".vault-token", ".vault-token", "x"),
        ("cargo credentials", ".cargo/credentials.toml", "[registry]"),
        ("shell history", ".bash_history", "ls\n"),
        (".my.cnf", ".my.cnf", f"[client]\npassword={secret}\n"),
        ("secrets.yml", "config/secrets.yml", f"production:\n  secret_key_base: {word}\n"),
    ]


def _places() -> list[Row]:
    """Secrets in places that a search may not reach."""
    line = b"2026-01-01 12:00:00 INFO worker started, nothing to see here\n"
    token = ("gh" + "p_" + some(WORD, 36)).encode()
    text = line * (3 * MIB // len(line))
    across = line * (MIB // len(line) + 1)
    return [
        ("past 1 MiB", "logs/worker.log", text + b"token " + token + b"\n" + line),
        ("at the end of 3 MiB", "logs/tail.log", text + token),
        ("across a boundary of 1 MiB", "logs/across.log", across[: MIB - 20] + b" " + token + b"\n" + across),
        ("in a binary file", "data/cache.bin", b"\x00\x01\x02" * 1000 + token + b"\x00"),
        ("on one line of 200 kB", "app.min.js", b"x=1;" * 50_000 + b"k='" + token + b"'"),
    ]


def harmless() -> list[Sample]:
    """What looks like a secret and is none."""
    return [
        Sample(kind, path, text if isinstance(text, bytes) else text.encode())
        for kind, path, text in (*_public(), *_documents(), *_hashes(), *_settings())
    ]


def _public() -> list[Row]:
    public = {
        "DH parameters": "DH PARAMETERS",
        "EC parameters": "EC PARAMETERS",
        "public key": "PUBLIC KEY",
        "RSA public key": "RSA PUBLIC KEY",
        "certificate": "CERTIFICATE",
        "certificate request": "CERTIFICATE REQUEST",
        "revocation list": "X509 CRL",
        "PGP public key": "PGP PUBLIC KEY BLOCK",
        "PKCS 7": "PKCS7",
    }
    return [
        *((kind, f"tls/{name.replace(' ', '-').lower()}.pem", pem(name)) for kind, name in public.items()),
        ("DH parameters as .key", "tls/dhparam.key", pem("DH PARAMETERS")),
        ("SSH public key", "keys/id_rsa.pub", f"ssh-rsa {some(BASE64, 372)} me@example.com"),
        ("certificates to trust", "certifi/cacert.pem", "# bundle\n" + pem("CERTIFICATE") * 100),
        ("trust store", "conf/truststore.jks", b"\xfe\xed\xfe\xed"),
        ("translations", "locale/i18n.key", "greeting.hello = Hello\ngreeting.bye = Bye\n"),
        ("slides with a key's name", "talks/client.key", b"PK\x03\x04\x14\x00\x08\x00Index.zip"),
        ("notes on keys", "talks/keynote.key", "title: keys\n"),
        ("slides", "talks/slides.key", b"PK\x03\x04\x14\x00\x00\x00\x08\x00Index.zip"),
    ]


def _documents() -> list[Row]:
    example = "AKIA" + "IOSFODNN7EXAMPLE"
    return [
        ("AWS documentation", "docs/aws.md", f"{example} and wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
        (
            "AWS example file",
            "boto.ini",
            "aws_secret_access" + "_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        ),
        ("AWS variable", "deploy.sh", 'export AWS_SECRET_ACCESS_KEY="$(aws configure get secret)"\n'),
        (
            "AWS secret of a workflow",
            "ci.yml",
            "AWS_SECRET_ACCESS_KEY: ${{ secrets.AWS_SECRET_ACCESS_KEY }}\n",
        ),
        ("a parser of PEM", "parser.py", "if line == '-----BEGIN " + "PRIVATE KEY-----':\n    pass"),
        (
            "PEM with a remark",
            "docs/iot.md",
            "-----BEGIN RSA " + "PRIVATE KEY-----\\nkey omitted for security\\n",
        ),
        ("PEM with dots", "docs/tls.md", "-----BEGIN " + "PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----"),
        (
            "a token's format",
            "docs/tokens.md",
            "tokens start with ghp_, glpat- or xoxb-, such as ghp_" + "x" * 36,
        ),
        ("an expression for tokens", "scan.py", r"TOKEN = re.compile(r'ghp_[A-Za-z0-9]{36}')"),
        ("a URL's password in documentation", "docs/db.md", "postgres://user:password@localhost:5432/db"),
        ("a default login", "celery.py", "broker = 'amqp://guest:guest@rabbit:5672//'"),
        ("a URL with variables", "db.py", 'f"postgres://{user}:{password}@{host}/{name}"'),
        ("a URL's test fixture", "tests/test_url.py", "parse('http://user:pass@example.com/path')"),
        ("an npm variable", ".npmrc", "//registry.npmjs.org/:_auth" + "Token=${NPM_TOKEN}\n"),
        ("a Docker helper", ".docker/config.json", '{"credsStore": "desktop"}'),
        ("an auth field that is no login", "api.json", '{"auth": "bearerTokenRequired"}'),
        ("keyboard.py", "keyboard.py", "monkey = 1"),
        ("env.py", "env.py", ".env"),
    ]


def _hashes() -> list[Row]:
    sums = "".join(f"{some(HEX, 64, str(n))}  file-{n}.txt\n" for n in range(200))
    integrity = "".join(
        f'"node_modules/p{n}": {{"integrity": "sha512-{some(BASE64, 86, str(n))}=="}},\n' for n in range(200)
    )
    return [
        ("SHA-256 sums", "SHA256SUMS", sums),
        ("package-lock.json", "package-lock.json", integrity),
        (
            "poetry.lock",
            "poetry.lock",
            "".join(f'{{hash = "sha256:{some(HEX, 64, f"p{n}")}"}}\n' for n in range(200)),
        ),
        (
            "go.sum",
            "go.sum",
            "".join(f"example.com/m v1.{n} h1:{some(BASE64, 43, f'g{n}')}=\n" for n in range(200)),
        ),
        (
            "yarn.lock",
            "yarn.lock",
            "".join(f"  integrity sha1-{some(BASE64, 27, f'y{n}')}=\n" for n in range(200)),
        ),
        ("git object ids", "revisions.txt", "".join(f"{some(HEX, 40, f'c{n}')} fix\n" for n in range(200))),
        (
            "UUIDs",
            "ids.csv",
            "".join(
                f"{some(HEX, 8, f'u{n}')}-{some(HEX, 4)}-4{some(HEX, 3)}-a{some(HEX, 3)}\n" for n in range(99)
            ),
        ),
        ("an image in base64", "logo.css", f"url(data:image/png;base64,{some(BASE64, 20_000)})"),
        ("a base64 text of 1 MB", "model.txt", some(BASE64, 1_000_000)),
        (
            "a JSON Web Token of a test",
            "tests/jwt.py",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0." + some(WORD, 43),
        ),
        ("a password's hash", "users.sql", f"'$2b$12${some(WORD, 53)}'"),
        ("a compiled program", "bin/tool", b"\x7fELF" + some(BASE64, 100_000).encode() * 3),
    ]


def _settings() -> list[Row]:
    return [
        (".env.example", ".env.example", "DB_PASSWORD=\n"),
        (".env.sample", "conf/.env.sample", "DB_PASSWORD=changeme\n"),
        (
            "the hooks' settings",
            "deploy/hooks/worker.env",
            "UNIT=shop.service\nTOKEN_URL=https://auth.internal\n",
        ),
        (".envrc of a tool", ".envrc", "use flake\nlayout python\n"),
        (".env of a stage, as an example", ".env.production.example", "DB_PASSWORD=\n"),
        (
            "settings without a secret",
            "conf/app.env",
            "TOKEN_TTL=3600\nSECRET_NAME=prod/db\nPASSWORD_FILE=/run/pw\n",
        ),
        ("settings with a reference", "conf/ref.env", "DB_PASSWORD=${DB_PASSWORD}\nAPI_KEY=<your key>\n"),
        ("tfvars without a secret", "infra/sizes.tfvars", 'instance_type = "t3.small"\n'),
        ("an encrypted secret", "config/secrets.yml", "db_password: ENC[AES256_GCM,data:abc]\n"),
        ("a module of secrets", "app/secrets.py", "token = os.environ['TOKEN']\npassword = get('pw')\n"),
        ("a page about tokens", "docs/secrets.md", "Set the token: `export TOKEN=...`\n"),
    ]
