"""Says what the audit of labels and catalogue found: suspect labels, double entries, pairs that are confused."""

from collections.abc import Sequence

from training.analysis.report.panels import Panel
from training.analysis.report.read import Finished

SHOWN = 50  # of each list; the files have all


def label_panels(found: Finished) -> list[Panel]:
    """A panel for each of the three lists, or one sentence where the audit was not asked for."""
    audit = found.label_audit
    if audit is None:
        again = f"just audit-labels iter={found.run.parent.name.removeprefix('iter')}"
        return [Panel("Labels that may be wrong", missing=f"Nobody has looked for them yet: {again}")]
    suspects = [
        [row["query_id"], row["row"], row["label_text"], row["suggestion_text"], f"{row['agree']} of {row['draws']}"]
        for row in audit["labels"]
    ]
    double = [
        [row["kind"], _entry(row, "entry"), _entry(row, "other"), row["similarity"][:5]] for row in audit["duplicates"]
    ]
    confused = [[_entry(row, "entry"), _entry(row, "other"), row["times"], row["rows"]] for row in audit["confused"]]
    caption = (
        "The models of every draw rank the rows that they were not trained on. Labels listed here are ranked first by "
        "none of them, those that most draws agree against first; an unsure model puts a right label here, too."
    )
    return [
        _panel("Labels that may be wrong", caption, ("row", "text", "label", "suggestion", "draws agree"), suspects),
        _panel("Double entries", "", ("why", "entry", "other", "similarity"), double),
        _panel("Confused entries", "", ("entry", "other", "times", "rows of both"), confused),
    ]


def _panel(title: str, caption: str, headers: Sequence[str], rows: Sequence[Sequence[str]]) -> Panel:
    if not rows:
        return Panel(title, missing="None was found.")
    more = f"The first {SHOWN} of {len(rows):,}." if len(rows) > SHOWN else ""
    return Panel(title, " ".join(filter(None, (caption, more))), None, headers, rows[:SHOWN])


def _entry(row: dict[str, str], column: str) -> str:
    return f"{row[column]}: {row[f'{column}_text']}"
