"""Records what the real `kaggle` command sends for each verb that we use too, beside what our own commands send.

    python -m tests.kaggle_kernels.cli_forms [KAGGLE] > docs/kaggle-requests.md

KAGGLE is the command to ask, the one of this environment unless said otherwise. It talks to the local server, through
the same switch as in conftest.py, and to nobody else.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.kaggle_kernels.kaggle_checkout import make_kernel
from tests.kaggle_kernels.kaggle_server import OWNER, Server, packed
from tests.kaggle_kernels.lab import Publish, lay_out_checkout, pointed_at

COMPETITION = "eedi-mining-misconceptions-in-mathematics"
Fields = dict[str, str]  # {field: the JSON type of its value}
Forms = dict[str, dict[str, Fields]]  # {verb: {service/call: fields of its requests}}
# Verb: the arguments of `kaggle`, run in this order in a folder with `data` and `kernel`.
VERBS = {
    "datasets create": "datasets create -p data -q",
    "datasets version": "datasets version -p data -m second -q",
    "datasets status": "datasets status alice/malrule-form --format json",
    "datasets files": "datasets files alice/malrule-form/2",
    "datasets download": "datasets download alice/malrule-form/2 -f manifest.json -p out -q",
    "kernels push": "kernels push -p kernel",
    "kernels status": "kernels status alice/malrule-submit/1",
    "kernels output": "kernels output alice/malrule-submit/1 -p out",
    "kernels logs": "kernels logs alice/malrule-submit/1",
    "competitions files": f"competitions files {COMPETITION}",
    "competitions download": f"competitions download {COMPETITION} -p out -q",
    "competitions submit": f"competitions submit {COMPETITION} -f submission.csv -k alice/malrule-submit -v 1 -m words",
    "competitions submissions": f"competitions submissions {COMPETITION}",
}
OURS = {  # which of our commands asks what such a verb asks, run in this order in a small checkout
    "datasets create": ("push-code",),
    "datasets version": ("push-code",),  # after a change
    "kernels push": ("push-kernel", "iter=1"),
    "competitions download": ("data",),
    "competitions submit": ("submit",),
}


def cli_forms(server: Server, place: Path, kaggle: str) -> Forms:
    """What `kaggle` sends for each of VERBS. AssertionError where one does not end well."""
    _lay_out(server, place)
    forms = {}
    for verb, words in VERBS.items():
        done, sent = _recorded(server, lambda words=words: _run(server, place, [kaggle, *words.split()]))
        assert done.returncode == 0 and "rror" not in done.stdout + done.stderr, f"{verb}: {done}"
        forms[verb] = sent
    return forms


def _run(server: Server, place: Path, command: list[str]) -> subprocess.CompletedProcess:
    environment = {"PATH": os.environ["PATH"], "TMPDIR": str(place), **pointed_at(server.port, place)}
    return subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, timeout=60)


def _lay_out(server: Server, place: Path) -> None:
    server.reset()
    server.data, server.archive = {"train.csv": 1}, packed({"train.csv": b"x"})
    (place / "data").mkdir(parents=True)
    metadata = {"id": f"{OWNER}/malrule-form", "title": "malrule form", "licenses": [{"name": "other"}]}
    metadata |= {"subtitle": "so that this field is sent", "description": "words", "keywords": ["nlp"]}
    for name, content in {"dataset-metadata.json": metadata, "manifest.json": {"files": {}}}.items():
        (place / "data" / name).write_text(json.dumps(content), encoding="utf-8")
    make_kernel(place / "kernel", internet=False)
    path = place / "kernel/kernel-metadata.json"
    text = json.dumps({**json.loads(path.read_text(encoding="utf-8")), "id": f"{OWNER}/malrule-submit"})
    sources = {"malrule-code": f"{OWNER}/malrule-form", "malrule-wheels": f"{OWNER}/malrule-wheels"}
    for ours, there in sources.items():
        text = text.replace(f'"{ours}"', f'"{there}"')
    path.write_text(text.replace('"malrule-{tag}-', f'"{OWNER}/malrule-form-'), encoding="utf-8")
    for slug in ("malrule-form-embedder", "malrule-form-reranker"):
        server.datasets[slug] = {"private": True, "versions": [], "created": {}}
    server.kernels["malrule-wheels"] = {"versions": [], "statuses": {}, "shows": []}


def our_forms(server: Server, publish, checkout: Path) -> Forms:
    """What our commands send, by the verb of `kaggle` that asks the same."""
    server.reset()
    server.data, server.archive = {"train.csv": 1}, packed({"train.csv": b"x"})
    forms = {}
    for verb, command in OURS.items():
        if verb == "datasets version":
            (checkout / "shared/a.py").write_text("A = 2\n", encoding="utf-8")
        if verb == "kernels push":
            assert publish("push-models", "iter=1").code == publish("push-wheels").code == 0
        outcome, sent = _recorded(server, lambda command=command: publish(*command))
        assert outcome.code == 0, outcome.err
        forms[verb] = sent
    return forms


def _recorded(server: Server, act) -> tuple:
    """(what `act`() gives, {service/call: fields of its requests})."""
    before = len(server.log)
    outcome, sent = act(), {}
    for path, (_, body) in zip(server.paths[before:], server.log[before:], strict=True):
        inner = {f"body.{name}": value for name, value in body.get("body", {}).items()}
        fields = {name: value for name, value in body.items() if name != "body"} | inner
        types = {name: type(value).__name__ for name, value in fields.items()}
        sent.setdefault(path.partition("/api/v1/")[2], {}).update(types)
    return outcome, sent


def by_call(forms: Forms) -> dict[str, Fields]:
    """{service/call: all fields that some verb sends with it}."""
    calls: dict[str, Fields] = {}
    for sent in forms.values():
        for call, fields in sent.items():
            calls.setdefault(call, {}).update(fields)
    return calls


def table(real: Forms, ours: Forms, version: str) -> str:
    """The page that docs/kaggle-requests.md is."""
    own = by_call(ours)
    lines = [
        "# What goes to Kaggle, beside what its own command sends",
        "",
        "Written by `python -m tests.kaggle_kernels.cli_forms`,"
        f" which asked {version} on the local server of the tests.",
        "`tests/kaggle_kernels/test_cli_forms.py` holds the two to each other and says why they may differ.",
        "",
        "| `kaggle` | request | fields of both | of `kaggle` alone | ours alone |",
        "|---|---|---|---|---|",
    ]
    for verb, sent in real.items():
        for call, fields in sorted(sent.items()):
            theirs, mine = set(fields), set(own.get(call, {}))
            cells = (theirs & mine, theirs - mine, mine - theirs)
            both, alone, more = (", ".join(f"`{name}`" for name in sorted(cell)) for cell in cells)
            lines.append(f"| {verb} | `{call}` | {both} | {alone} | {more if call in own else 'we do not ask it'} |")
    return "\n".join(lines) + "\n"


def main(kaggle: str) -> None:
    """Print the page, from runs of `kaggle` and of our own commands in a folder that is thrown away."""
    server = Server()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        os.environ.update(pointed_at(server.port, place))
        real = cli_forms(server, place / "cli", kaggle)
        version = _run(server, place, [kaggle, "--version"]).stdout.strip()
        checkout = place / "checkout"
        lay_out_checkout(checkout)
        os.chdir(checkout)
        print(table(real, our_forms(server, Publish(server), checkout), version), end="")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else str(Path(sys.executable).with_name("kaggle")))
