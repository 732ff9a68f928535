"""Draws how fast malrule and its peers do the same work, from what the benchmarks wrote or printed."""

import json
import re
from pathlib import Path

from docs.pictures.svg import draw, rectangle, text

MEASURED = Path(__file__).parents[2] / "benchmarks" / "measured"
WORK = (  # what is done, unit, file, and the setting of each side that is drawn
    (
        "train the reranker",
        "groups/s",
        "train_reranker.txt",
        {
            "ours": "exact",
            "transformers": "1 at once, all activations kept",
            "FlagEmbedding": "1 at once, all activations kept",
        },
    ),
    (
        "train the embedder",
        "queries/s",
        "train_embedder.txt",
        {"ours": "16 queries, exact", "FlagEmbedding": "4 queries, all activations kept"},
    ),
    ("score pairs", "pairs/s", "score.txt", {"ours": "exact", "FlagEmbedding": "compute_score, batch 32"}),
    (
        "rerank 25 candidates",
        "pairs/s",
        "rerank_hf.json",
        {"ours": "exact", "transformers": "longest first, batch 64"},
    ),
    (
        "embed queries, vLLM",
        "queries/s",
        "embed.json",
        {"ours": "vLLM, behind an example", "sentence-transformers": "batch 64", "FlagEmbedding": "batch 32"},
    ),
    ("mine", "queries/s", "mine.json", {"ours": "exact", "FlagEmbedding": "batch 1024"}),
)
LINE, GAP, LEFT, SCALE = 19, 12, 300, 460  # pixels


def peers() -> str:
    """The picture: in every group of bars malrule's is full, and the others are in proportion."""
    parts = [
        text(16, 28, "The same work at the Qwen2.5-14B shape on one H200: malrule and peers at their best", size=14)
    ]
    y = 46.0
    for work, unit, name, settings in WORK:
        rates = read_rates(MEASURED / name)
        values = {side: rates[side, setting] for side, setting in settings.items()}
        parts.append(text(16, y + 14, work))
        for side, value in values.items():
            parts += _bar(side, value, value / values["ours"], unit, y)
            y += LINE
        y += GAP
    return draw(900, round(y) + 4, "Speed of malrule beside its peers, six kinds of work", parts)


def read_rates(path: Path) -> dict[tuple[str, str], float]:
    """{(side, setting): items a second} of a JSON of the benchmarks, or of the table that one printed."""
    content = path.read_text(encoding="utf-8")
    if path.suffix == ".json":
        return {(arm["side"], arm["setting"]): arm["rate"] for arm in json.loads(content)["arms"] if "rate" in arm}
    rows = re.findall(r"^│ (\S.*?) +│ (\S.*?) +│ ([\d.]+) ", content, re.MULTILINE)
    return {(side, setting): float(rate) for side, setting, rate in rows}


def _bar(side: str, value: float, share: float, unit: str, y: float) -> list[str]:
    name, length = ("malrule", SCALE) if side == "ours" else (side, share * SCALE)
    number = f"{value:,.0f}" if value >= 100 else f"{value:#.3g}"
    return [
        text(LEFT - 8, y + 14, name, size=12, colour="ink" if side == "ours" else "faint", anchor="end"),
        rectangle(LEFT, y + 2, length, LINE - 4, "ours" if side == "ours" else "peer"),
        text(LEFT + length + 8, y + 14, f"{number} {unit}", size=12),
    ]
