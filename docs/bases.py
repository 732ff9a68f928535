"""Writes docs/bases.md: what became of a tiny random model of every family as a base, in each role and engine.

python -m docs.bases [--try [FAMILY ...] | --vllm [FAMILY ...]]

Without a word it writes the page from docs/bases.json. `--try` fills that file anew, in a minute on one core. `--vllm`
asks vLLM for the merged models of these families, or of all, each in a process of its own: half a minute for each.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

PAGE, TRIED = Path(__file__).with_name("bases.md"), Path(__file__).with_name("bases.json")
HEAD = """# Bases

This page is written by `python -m docs.bases` from `docs/bases.json`, which `python -m docs.bases --try` fills; a test
tries every family again and fails where the page says anything else. How a base is named, and where it is refused, is
in [use another base model](how-to/use-another-base-model.md).

Of each family a tiny random model was trained for one update with `lora.targets = ["all-linear"]`, merged, and served
by the engine `hf`; what that says was compared with transformers' eager attention on the merged folder. The figure is
the largest difference of a coordinate of a unit vector, or of a score as a share of the largest one, in 32 bits. An
encoder is a retriever by the mean of its tokens and a reranker as a cross-encoder of one label
(`reranker.template = "pair"`), a decoder a retriever by its last token and a reranker by its logit of "Yes".

vLLM's columns say what vLLM on a CPU made of the same merged folders: the largest difference to the engine `hf`, why it
refused, or that it was not asked (`python -m docs.bases --vllm FAMILY`).

"""
ROLES = ("retriever", "reranker")
COLUMNS = ("family", "retriever", "reranker", "retriever in vLLM", "reranker in vLLM")


def render(tried: dict[str, dict]) -> str:
    """The page, from what was tried of each family."""
    rows = [COLUMNS, ["---"] * len(COLUMNS)]
    for name, row in sorted(tried.items()):
        roles = [_figure(row[role]) if row[role] is not None else f"no: {row['refusal']}" for role in ROLES]
        vllm = row.get("vllm", {})
        rows.append([name, *roles, *(_said(row[role], vllm.get(role)) for role in ROLES)])
    return HEAD + "".join(f"| {' | '.join(cells)} |\n" for cells in rows)


def _figure(value: float) -> str:
    return f"{value:.0e}" if value else "0"


def _said(here: float | None, value: float | str | None) -> str:
    if here is None:
        return ""
    return "not asked" if value is None else value if isinstance(value, str) else _figure(value)


def try_all(names: list[str], ask_vllm: bool) -> dict[str, dict]:
    """What becomes of these families, by their names."""
    import polars as pl

    from shared.task.tables import MISCONCEPTIONS, QUERIES
    from tests.conftest import MISCONCEPTION_TEXTS, QUERY_ROWS
    from tests.inference.engines.transformers.families import config_of
    from tests.training.base_matrix import FAMILIES, try_family

    tables = (
        pl.DataFrame(QUERY_ROWS, schema=QUERIES.schema, orient="row"),
        pl.DataFrame(list(MISCONCEPTION_TEXTS.items()), schema=MISCONCEPTIONS.schema, orient="row"),
    )
    found = {}
    for name in names or FAMILIES:
        with tempfile.TemporaryDirectory() as place:
            tried = try_family(config_of(*FAMILIES[name]), Path(place), tables)
            found[name] = vars(tried) | ({"vllm": _ask_vllm(Path(place), tried)} if ask_vllm else {})
        print(name, found[name], flush=True)
    return found


def _ask_vllm(place: Path, tried) -> dict[str, float | str]:
    """What vLLM says of both merged folders, each in a process of its own: it may not come back."""
    roles = [role for role in ROLES if getattr(tried, role) is not None]
    return {role: _ask_in_a_process(place, role) for role in roles}


def _ask_in_a_process(place: Path, role: str) -> float | str:
    words = [sys.executable, "-m", "docs.bases", "--ask", role, str(place)]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=600, check=False)
    except subprocess.TimeoutExpired:
        return "no answer in 10 minutes"
    if done.returncode == 0:
        return float(done.stdout.split()[-1])
    lines = [line for line in done.stderr.splitlines() if "Error" in line]
    return f"no: {' '.join((lines or ['it ended without a word'])[-1].split())[:90].replace('|', '/')}"


def ask(role: str, place: Path) -> float:
    """How far vLLM's answers are from those of the engine hf."""
    from tests.training.base_matrix import difference_of_vllm

    return difference_of_vllm(role, place)


def main(words: list[str]) -> None:
    if words[:1] == ["--ask"]:
        print(ask(words[1], Path(words[2])))
        return
    known = json.loads(TRIED.read_text(encoding="utf-8")) if TRIED.is_file() else {}
    if words:
        found = try_all(words[1:], words[0] == "--vllm")
        known = {name: known.get(name, {}) | row for name, row in (known | found).items()}
        TRIED.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(render(known), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
