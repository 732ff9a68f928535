"""Reads judgements (qrels) in TREC's or BEIR's form, and writes a ranking as a run in TREC's form."""

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from shared.artifacts.files import write_text
from shared.task.csv_records import CompetitionError, check_bytes, defect, shorten
from shared.task.submission import Known

COLUMNS = {"query_id": pl.String, "question_id": pl.Int64, "misconception_id": pl.Int64, "grade": pl.Int64}
ENDS = (".tsv", ".qrels", ".qrel")


def is_qrels(path: Path) -> bool:
    """Whether the name is that of a file of judgements, and not of a submission."""
    return path.suffix in ENDS or "qrel" in path.name


def read_qrels(path: Path, queries: pl.DataFrame, known: Known, least: int = 1) -> pl.DataFrame:
    """query_id, question_id, misconception_id, grade of the right answers that the file has for `queries`.

    A line is `query 0 item grade` (TREC) or `query item grade` (BEIR, whose header is passed over); a grade below
    `least` is not right. Judgements of other queries are passed over. Raises CompetitionError for a line that is none
    of these, an item that the catalogue does not have, a pair that comes twice, and where no query is judged.
    """
    check_bytes(path, "name a file of judgements")
    groups = dict(queries.select("query_id", "question_id").iter_rows())
    names = known if isinstance(known, Mapping) else {str(id_): id_ for id_ in known}
    rows: dict[tuple[str, str], tuple] = {}
    with open(path, encoding="utf-8-sig") as file:
        for line, text in enumerate(file, 1):
            fields = text.split("\t") if "\t" in text else text.split()
            fields = [field.strip() for field in fields]
            if not any(fields) or (line == 1 and fields[-1] == "score"):
                continue
            query_id, item, grade = _judgement(path, line, fields)
            if query_id not in groups:
                continue
            if item not in names:
                raise defect(path, f"{shorten(item)} is not in the catalogue; judge what is there", line)
            if (query_id, item) in rows:
                raise defect(path, f"{shorten(item)} is judged twice for {shorten(query_id)}; leave one line", line)
            rows[query_id, item] = (query_id, groups[query_id], names[item], grade)
    right = [row for row in rows.values() if row[3] >= least]
    if not right:
        raise CompetitionError(f"{path}: it has no right answer to any of the queries; it belongs to other ones")
    return pl.DataFrame(right, schema=COLUMNS, orient="row")


def write_run(ranked: pl.DataFrame, names: Mapping[int, str] | None, tag: str, path: Path) -> int:
    """Write `ranked` (query_id, misconception_id, rank) as lines `query Q0 item rank score tag`; returns their number.

    Other tools order a run by its scores and break ties in ways of their own. So the score says the rank alone: it
    falls by one from line to line. Raises ValueError for an id with white space, which the form cannot hold.
    """
    lines = []
    for query_id, id_, rank in (
        ranked.sort("query_id", "rank").select("query_id", "misconception_id", "rank").iter_rows()
    ):
        item = str(id_) if names is None else names[id_]
        for word in (query_id, item, tag):
            if not word or word.split() != [word]:
                raise ValueError(f"{shorten(word)} has white space, and the words of a TREC run are parted by it")
        lines.append(f"{query_id} Q0 {item} {rank} {-rank} {tag}\n")
    write_text(path, "".join(lines))
    return len(lines)


def _judgement(path: Path, line: int, fields: list[str]) -> tuple[str, str, int]:
    if len(fields) == 4:
        fields = [fields[0], *fields[2:]]
    if len(fields) != 3:
        what = f"{len(fields)} fields; write query, item and grade, or query, 0, item and grade"
        raise defect(path, what, line)
    try:
        return fields[0], fields[1], int(fields[2])
    except ValueError:
        raise defect(path, f"{shorten(fields[2])} is no grade; write a whole number", line) from None
