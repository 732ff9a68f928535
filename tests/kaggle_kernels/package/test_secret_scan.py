"""Guards that no credential travels: 48 kinds, planted in 1,000 generated trees, and no innocent tree is refused.

The credentials are drawn at random in the form of the real ones; none of them ever opened anything.
"""

import base64
import json
import random
import re
import string
import subprocess
from pathlib import Path

import pytest

from kaggle_kernels.package.secret_scan import KINDS, find_credential, refuse_credentials
from kaggle_kernels.package.stage_folder import stage_code, stage_model
from kaggle_kernels.push.kernel_request import kernel_request
from shared.artifacts.manifest import write_manifest
from tests.kaggle_kernels.kaggle_checkout import ROOT, rewrite, safetensors

HEX, ALNUM = "0123456789abcdef", string.ascii_letters + string.digits
B64 = ALNUM + "+/"


def _draw(draw: random.Random, letters: str, count: int) -> str:
    """`count` of `letters`, at least one digit among them."""
    return "".join(draw.choices(letters, k=count - 1)) + draw.choice("23456789")


def _login(password: str) -> str:
    return base64.b64encode(f"alice:{password}".encode()).decode()


def _kinds(draw: random.Random) -> dict[str, str]:
    """One freshly drawn credential of each kind, as it stands in a file."""

    def text(count: int, letters: str = ALNUM) -> str:
        return _draw(draw, letters, count)

    def upper(count: int) -> str:
        return text(count, string.ascii_uppercase + string.digits)

    jwt = ".".join("eyJ" + text(20) for _ in range(2)) + "." + text(30)
    return {
        "kaggle.json": json.dumps({"username": "alice", "key": text(32, HEX)}),
        "KAGGLE_KEY": f"KAGGLE_KEY={text(32, HEX)}",
        "Kaggle token": f"KGAT_{text(32)}",
        "Hugging Face token": f"hf_{text(34)}",
        "Hugging Face organisation": f"api_org_{text(34)}",
        "AWS access key": f"AKIA{upper(16)}",
        "AWS session key": f"ASIA{upper(16)}",
        "AWS secret key": f"aws_secret_access_key = {text(40, B64)}",
        "GitHub token": f"ghp_{text(36)}",
        "GitHub app token": f"ghs_{text(36)}",
        "GitHub fine-grained token": f"github_pat_{text(22)}_{text(59)}",
        "GitLab token": f"glpat-{text(20)}",
        "OpenAI key": f"sk-proj-{text(48)}",
        "OpenAI key of old": f"sk-{text(48)}",
        "Anthropic key": f"sk-ant-api03-{text(80)}",
        "Slack token": f"xoxb-{text(12, string.digits)}-{text(24)}",
        "Slack webhook": f"https://hooks.slack.com/services/T{upper(8)}/B{upper(8)}/{text(24)}",
        "Google API key": f"AIza{text(35)}",
        "Google OAuth secret": f"GOCSPX-{text(28)}",
        "Google OAuth token": f"ya29.{text(60)}",
        "Google service account": json.dumps({"type": "service_account", "private_key_id": text(40, HEX)}),
        "RSA key": f"-----BEGIN RSA PRIVATE KEY-----\n{text(64, B64)}\n-----END RSA PRIVATE KEY-----",
        "OpenSSH key": f"-----BEGIN OPENSSH PRIVATE KEY-----\n{text(64, B64)}",
        "PGP key": f"-----BEGIN PGP PRIVATE KEY BLOCK-----\n{text(64, B64)}",
        "PuTTY key": f"PuTTY-User-Key-File-2: ssh-rsa\nPrivate-Lines: 14\n{text(64, B64)}",
        "Stripe key": f"sk_live_{text(24)}",
        "Twilio key": f"SK{text(32, HEX)}",
        "SendGrid key": f"SG.{text(22)}.{text(43)}",
        "npm token": f"npm_{text(36)}",
        "npm registry login": f"//registry.example/:_authToken={text(36)}",
        "PyPI token": f"pypi-AgEI{text(60)}",
        "Telegram bot": f"{text(9, string.digits)}:AA{text(33)}",
        "Discord bot": f"M{text(23)}.{text(6)}.{text(38)}",
        "JSON web token": jwt,
        "Azure storage": f"DefaultEndpointsProtocol=https;AccountName=a;AccountKey={text(86, B64)}==",
        "database address": f"postgres://alice:{text(12)}@db.example.org:5432/eedi",
        "proxy address": f"http://alice:{text(12)}@proxy.example.org:3128",
        "netrc": f"machine api.example.org login alice password {text(14)}",
        "Weights & Biases key": f"WANDB_API_KEY={text(40, HEX)}",
        "DigitalOcean token": f"dop_v1_{text(64, HEX)}",
        "Replicate token": f"r8_{text(37)}",
        "Databricks token": f"dapi{text(32, HEX)}",
        "Docker login": json.dumps({"auths": {"r.example": {"auth": _login(text(12))}}}),
        "HTTP header": f"Authorization: Bearer {text(40)}",
        "HTTP basic": f'"authorization": "Basic {_login(text(12))}"',
        "password": f'password = "{text(18)}"',
        "client secret": f"client_secret: '{text(30)}'",
        "shell": f"export SERVICE_API_TOKEN={text(24)}",
    }


KIND_NAMES = sorted(_kinds(random.Random(0)))
# Where one stands: the file, and how its line is written there. Each file is one that would travel.
HOSTS = {
    "inference/config.py": lambda secret: f"A = 1\n\n# {secret}\n",
    "inference/profiles.toml": lambda secret: f"[t4x2]\n# x\n# {secret}\n",
    "inference/windows.py": lambda secret: f"A = 1\r\n\r\n# {secret}\r\n",
    "shared/notes.py": lambda secret: f'"""Text.\n\n{secret}\n"""\n',
}
MODEL_HOSTS = {
    "config.json": lambda secret: ('{\n "a": 1,\n "note": ' + json.dumps(secret) + "\n}\n").encode(),
    "tokenizer_config.json": lambda secret: MODEL_HOSTS["config.json"](secret).replace(b"k", b"\\u006b"),
    "README.md": lambda secret: f"# Model\n\n{secret}\n".encode("utf-16"),
    "model.safetensors": lambda secret: safetensors(b"\0" * 64, {"note": "\n\n" + secret}),
    "vocab.txt": lambda secret: f"the\nof\n{secret}\n".encode(),
}
FORBIDDEN = ("kaggle.json", ".env", ".netrc", "id_rsa", "server.pem", ".git-credentials", ".npmrc", ".pypirc", "token")


def test_at_least_thirty_kinds_are_known_and_planted():
    assert len(KINDS) >= 30 and len(KIND_NAMES) >= 30


@pytest.mark.parametrize("batch", range(10))
def test_no_credential_passes_in_a_thousand_trees_and_the_refusal_names_file_and_line(batch, checkout):
    for number in range(batch * 100, batch * 100 + 100):
        draw = random.Random(f"tree {number}")
        kind = KIND_NAMES[number % len(KIND_NAMES)]
        secret = _kinds(draw)[kind]
        path, stage = (_plant_in_code if number % 2 else _plant_in_model)(draw, checkout, secret, number)
        with pytest.raises(ValueError, match=r"line \d") as refusal:
            stage()
        said = str(refusal.value)
        assert f"{path}, line " in said, f"tree {number}, {kind}: {said}"
        line = 1 if path.suffix == ".safetensors" else 3  # a header is one line
        assert f", line {line}: " in said, f"tree {number}, {kind}: {said}"
        assert not any(part in said for part in secret.split() if len(part) > 20 and "_" not in part), said
        path.unlink()
        if number % 10 == 0:
            (stage_code if number % 2 else lambda: None)()


def _plant_in_code(draw: random.Random, checkout, secret: str, number: int):
    for name in ("one", "two", "three"):
        (checkout / "inference" / f"{name}.py").write_text(f"X = {draw.randrange(1000)}\n", encoding="utf-8")
    name = draw.choice(list(HOSTS))
    (checkout / name).write_text(HOSTS[name](secret), encoding="utf-8")
    return (checkout / name).relative_to(checkout), stage_code


def _plant_in_model(draw: random.Random, checkout, secret: str, number: int):
    folder = checkout / "runs/iter1" / f"s{number}" / "merge_embedder"
    folder.mkdir(parents=True)
    (folder / "generation_config.json").write_text(json.dumps({"temperature": draw.random()}), encoding="utf-8")
    (folder / "vocab.txt").write_text("\n".join(draw.choices(string.ascii_lowercase, k=20)), encoding="utf-8")
    (folder / "card.json").write_text("{}", encoding="utf-8")
    name = draw.choice(list(MODEL_HOSTS))
    (folder / name).write_bytes(MODEL_HOSTS[name](secret))
    write_manifest(folder, {})
    path = (folder / name).relative_to(checkout)
    return path, lambda: stage_model("embedder", folder.relative_to(checkout), "iter1", False, {})


# Where else one could stand: the file, and how a line of it is written there. Each of these is sent as it is.
CARDS = {
    "datasets_meta/code/README.md": lambda secret: f"# Code\n\n{secret}\n",
    "datasets_meta/code/dataset-metadata.json": lambda secret: (
        f'{{\n\n"note": {json.dumps(secret)}, "id": "OWNER/malrule-code", "title": "malrule code"}}'
    ),
}
KERNELS = {
    "kernel.py": lambda secret: f"SOURCES = {{}}\n\n# {secret}\n",
    "kernel-metadata.json": lambda secret: f'{{\n\n"title": {json.dumps(secret)}}}',
    "kernel.ipynb": lambda secret: json.dumps(
        {"cells": [{"cell_type": "code", "source": [f"KEY = 1  # {secret}\n"], "outputs": []}]}, indent=1
    ),
}


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_no_credential_passes_in_a_card_a_kernel_a_notebook_or_their_metadata(kind, checkout):
    secret = _kinds(random.Random(kind))[kind]
    folder = checkout / "kaggle_kernels/submit"
    for name, write in [*CARDS.items(), *((f"kaggle_kernels/submit/{name}", write) for name, write in KERNELS.items())]:
        path, before = (
            checkout / name,
            (checkout / name).read_text(encoding="utf-8") if (checkout / name).exists() else None,
        )
        path.write_text(write(secret), encoding="utf-8")
        if name.endswith(".ipynb"):
            rewrite(folder / "kernel-metadata.json", kernel_type="notebook", code_file="kernel.ipynb")
        line = 6 if name.endswith(".ipynb") else 3
        with pytest.raises(ValueError, match=rf"{re.escape(name)}, line {line}: "):
            stage_code() if name in CARDS else kernel_request(Path("kaggle_kernels/submit"), "alice", "", False, False)
        path.unlink() if before is None else path.write_text(before, encoding="utf-8")


def test_no_file_of_this_repository_holds_a_credential():
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    drawn_here = {"tests/kaggle_kernels/package/test_secret_scan.py", "tests/kaggle_kernels/test_commands.py"}
    for name in sorted(set(done.stdout.splitlines()) - drawn_here):
        assert find_credential((ROOT / name).read_bytes()) is None, name


@pytest.mark.parametrize("name", FORBIDDEN)
def test_a_file_whose_name_says_credentials_is_refused_and_one_that_is_not_listed_too(name, checkout, tmp_path):
    path = tmp_path / "planted" / name
    path.parent.mkdir()
    path.write_text("x", encoding="utf-8")
    with pytest.raises(ValueError, match="line 1: a file of this name holds credentials"):
        refuse_credentials({f"sub/{name}": path})
    folder = checkout / "runs/iter1/full/merge_embedder"
    (folder / name).write_text("x", encoding="utf-8")
    write_manifest(folder, {})
    with pytest.raises(ValueError, match="is not of the files that a model consists of"):
        stage_model("embedder", folder, "iter1", False, {})


def test_bytes_behind_the_tensors_are_refused(checkout):
    path = checkout / "runs/iter1/full/merge_embedder/model.safetensors"
    path.write_bytes(path.read_bytes() + b"hf_" + b"a1" * 20)
    write_manifest(path.parent, {})
    with pytest.raises(ValueError, match="model.safetensors, line 1: its header does not account for all of its bytes"):
        stage_model("embedder", path.parent, "iter1", False, {})


def test_a_secret_of_this_environment_is_found_whatever_it_looks_like(monkeypatch):
    monkeypatch.setenv("MY_SERVICE_TOKEN", "correct horse battery staple")
    assert find_credential(b"x\ny = 'correct horse battery staple'") == (2, "the value of $MY_SERVICE_TOKEN")
    assert find_credential(b"x\ny = 'correct horse'") is None


@pytest.mark.parametrize(
    "line",
    [
        '"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", "tokenizer_class": "Qwen2Tokenizer"',
        "token_ids = tokenizer(texts, return_tensors='pt')",
        "key = hashlib.sha256(text).hexdigest()",
        'lora_target_modules="q_proj k_proj v_proj o_proj"',
        "https://huggingface.co/BAAI/bge-en-icl@main",
        '"sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"',
        "sk-learn is not a key, and neither is hf_hub_download",
    ],
)
def test_what_stands_in_models_and_code_every_day_is_no_credential(line):
    assert find_credential(line.encode()) is None
