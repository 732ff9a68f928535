"""Searches what is about to be sent for credentials, and refuses with file, line and kind, never with the secret."""

import json
import os
import re
from fnmatch import fnmatch
from pathlib import Path

# A file is searched as a whole; only safetensors, whose tensors are numbers, may be larger.
LARGEST_BYTES = 64 << 20
TENSORS = (".safetensors", ".vectors")  # both in safetensors' format
NAMES = [
    "kaggle.json",
    "access_token",
    "access_token.txt",
    "credentials",
    "credentials.*",
    ".env",
    ".env.*",
    "*.env",
    ".netrc",
    "_netrc",
    ".pgpass",
    ".my.cnf",
    ".npmrc",
    ".pypirc",
    ".dockercfg",
    ".docker.json",
    ".git-credentials",
    ".gitconfig",
    ".boto",
    ".s3cfg",
    ".htpasswd",
    "id_rsa*",
    "id_dsa*",
    "id_ecdsa*",
    "id_ed25519*",
    "*.pem",
    "*.key",
    "*.p12",
    "*.pfx",
    "*.jks",
    "*.keystore",
    "*.kdbx",
    "*.ovpn",
    "secrets.*",
    "secret.*",
    "token",
    "token.txt",
    "cookies.txt",
    "service_account*.json",
]

WORD = r"['\"]?\s*[:=]\s*['\"]?"  # between a name and its value, in Python, JSON, YAML, TOML and a shell
SECRET = r"(?:api|access|secret|auth|private|client|encryption)[_-]?(?:key|token|secret)|passw(?:or)?d"
SECRET += r"|(?<![a-z])(?:token(?!i)|secret)"  # but not tokenizer
RANDOM = r"(?=[^\s'\"]*\d)(?=[^\s'\"]*[A-Za-z])[A-Za-z0-9_+/=.!@#$%^&*~-]{16,}"  # letters and digits mixed, as if drawn
# kind: (a word that must be there, in lower case; the pattern). Looking for the word first is a hundred times faster.
KINDS = {
    "Kaggle key": ("key", r"(?i)\b(?:kaggle_)?key" + WORD + r"[0-9a-f]{32}\b"),
    "Kaggle token": ("kgat_", r"KGAT_[A-Za-z0-9]{16,}"),
    "Hugging Face token": ("hf_", r"\bhf_[A-Za-z0-9]{30,}"),
    "Hugging Face organisation token": ("api_org_", r"\bapi_org_[A-Za-z0-9]{30,}"),
    "AWS access key": ("a", r"\b(?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{16}\b"),
    "AWS secret key": ("aws", r"(?i)aws_?(?:secret|session)[a-z_]*" + WORD + r"[A-Za-z0-9/+=]{30,}"),
    "GitHub token": ("gh", r"\bgh[pousr]_[A-Za-z0-9]{30,}"),
    "GitHub fine-grained token": ("github_pat_", r"\bgithub_pat_[A-Za-z0-9_]{40,}"),
    "GitLab token": ("glpat-", r"\bglpat-[A-Za-z0-9_-]{20,}"),
    "OpenAI key": ("sk-", r"\bsk-(?:proj-|svcacct-|admin-)?[A-Za-z0-9_-]{32,}"),
    "Anthropic key": ("sk-ant-", r"\bsk-ant-[A-Za-z0-9_-]{20,}"),
    "Slack token": ("xox", r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}"),
    "Slack webhook": ("hooks.slack.com", r"hooks\.slack\.com/services/T[A-Za-z0-9]+/B[A-Za-z0-9]+/[A-Za-z0-9]+"),
    "Google API key": ("aiza", r"\bAIza[A-Za-z0-9_-]{35}"),
    "Google OAuth secret": ("gocspx-", r"\bGOCSPX-[A-Za-z0-9_-]{20,}"),
    "Google OAuth token": ("ya29.", r"\bya29\.[A-Za-z0-9_-]{20,}"),
    "Google service account": ("private_key_id", r"\"?private_key_id" + WORD + r"[0-9a-f]{40}"),
    "private key": ("private key", r"-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----"),
    "PuTTY key": ("putty-user-key-file", r"PuTTY-User-Key-File-\d"),
    "Stripe key": ("k_live_", r"\b[rs]k_live_[A-Za-z0-9]{16,}"),
    "Twilio key": ("sk", r"\bSK[0-9a-f]{32}\b"),
    "SendGrid key": ("sg.", r"\bSG\.[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{20,}"),
    "npm token": ("npm_", r"\bnpm_[A-Za-z0-9]{36}"),
    "npm registry login": ("_authtoken", r"(?i)_authToken\s*=\s*\S{10,}"),
    "PyPI token": ("pypi-", r"\bpypi-[A-Za-z0-9_-]{32,}"),
    "Telegram bot token": (":aa", r"\b\d{8,10}:AA[A-Za-z0-9_-]{32,}"),
    "Discord bot token": (".", r"\b[MNO][A-Za-z0-9_-]{23,25}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,}"),
    "JSON web token": ("eyj", r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"),
    "Azure storage key": ("accountkey", r"(?i)AccountKey=[A-Za-z0-9+/=]{40,}"),
    "password in an address": ("://", r"\b[a-z][a-z0-9+.-]*://[^\s/:@'\"{}<>]*:[^\s/:@'\"{}<>$]{4,}@[A-Za-z0-9.-]+"),
    "netrc login": ("login", r"\bmachine\s+\S+\s+login\s+\S+\s+password\s+\S+"),
    "Weights & Biases key": ("wandb", r"(?i)wandb[a-z_.]*" + WORD + r"(?:local-)?[0-9a-f]{40}\b"),
    "DigitalOcean token": ("_v1_", r"\bdo[opr]_v1_[0-9a-f]{64}"),
    "Replicate token": ("r8_", r"\br8_[A-Za-z0-9]{37,}"),
    "Databricks token": ("dapi", r"\bdapi[0-9a-f]{32}\b"),
    "Docker login": ("auth", r"\"auth\"\s*:\s*\"[A-Za-z0-9+/]{12,}={0,2}\""),
    "HTTP authorization": (
        "authorization",
        r"(?i)authorization" + WORD + r"(?:bearer|basic|token)\s+[A-Za-z0-9._~+/=-]{12,}",
    ),
    "assigned secret": ("", r"(?i)(?:" + SECRET + r")[a-z0-9_]{0,20}['\"]?\s*[:=]\s*['\"]" + RANDOM + r"['\"]"),
    "secret of a shell": (
        "=",
        r"(?<![A-Za-z0-9_])[A-Z0-9_]*(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD)[A-Z0-9_]*=" + RANDOM + r"(?=[\s'\"]|$)",
    ),
}
_COMPILED = {kind: (anchor, re.compile(pattern)) for kind, (anchor, pattern) in KINDS.items()}


def refuse_credentials(files: dict[str, Path]) -> None:
    """Raise ValueError for the first of `files` ({name: path}) that is, or holds, a credential."""
    for name, path in files.items():
        if any(fnmatch(Path(name).name.lower(), pattern) for pattern in NAMES):
            raise ValueError(f"{path}, line 1: a file of this name holds credentials: remove it")
        if found := find_credential(_searchable(path)):
            raise ValueError(
                f"{path}, line {found[0]}: {found[1]}: remove it, and revoke it if it was ever sent anywhere"
            )


def find_credential(content: bytes) -> tuple[int, str] | None:
    """(line, kind) of the first credential in `content`, be it text in UTF-8 or UTF-16, JSON, a notebook or binary."""
    text = content.replace(b"\0", b"").decode("latin-1").replace("\\n", "  ").replace('\\"', '"')
    text = re.sub(r"\\u00([2-7][0-9a-fA-F])", lambda code: chr(int(code[1], 16)), text)
    lower = text.lower()
    found = [
        (match.start(), kind)
        for kind, (anchor, pattern) in _COMPILED.items()
        if anchor in lower and (match := pattern.search(text))
    ]
    found += [(text.index(value), f"the value of ${name}") for name, value in _own_secrets().items() if value in text]
    return (text.count("\n", 0, min(found)[0]) + 1, min(found)[1]) if found else None


def _own_secrets() -> dict[str, str]:
    """Secrets of this very environment: whatever they look like, they must not travel."""
    secret = re.compile("KEY|TOKEN|SECRET|PASSW|CREDENTIAL")
    return {
        name: value
        for name, value in os.environ.items()
        if secret.search(name) and len(value) >= 16 and "/" not in value
    }


def _searchable(path: Path) -> bytes:
    """What of `path` could hide text: all of it, or the header of tensors, if nothing follows its tensors."""
    size = path.stat().st_size
    with open(path, "rb") as file:
        if path.suffix in TENSORS:
            length = int.from_bytes(file.read(8), "little")
            header = file.read(length) if length < size else b""
            if 8 + length + _tensors_end(header) != size:
                raise ValueError(f"{path}, line 1: its header does not account for all of its bytes: write it again")
            return header
        if size > LARGEST_BYTES:
            raise ValueError(
                f"{path}, line 1: {size:,} bytes cannot be searched for credentials: only safetensors may be so large"
            )
        return file.read()


def _tensors_end(header: bytes) -> int:
    try:
        tensors = {name: facts for name, facts in json.loads(header).items() if name != "__metadata__"}
        return max((facts["data_offsets"][1] for facts in tensors.values()), default=0)
    except (ValueError, AttributeError, KeyError, TypeError, IndexError):
        return -1
