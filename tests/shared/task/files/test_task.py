"""Guards task.py and what it reads with: files of any form become the tables, or are refused with their place."""

import json

import polars as pl
import pytest

from shared.prompts.query import row_text
from shared.task.csv_records import CompetitionError
from shared.task.current import find_task
from shared.task.files.catalogue import number_of
from shared.task.files.definition import Definition
from shared.task.files.task import task_of
from shared.task.folds import hold_out_questions, labels_of
from shared.task.submission import known_of, names_of, read_right, read_submission, score_submission, submission_rows
from training.synthesis.malrules.generate import write_competition

TICKETS = Definition.model_validate(
    {
        "queries": {
            "train": "tickets.csv",
            "test": "neu.jsonl",
            "id": "Nr",
            "group": "Kunde",
            "text": "{Betreff}\n{Text}",
        },
        "catalogue": {"file": "themen.parquet", "id": "Kürzel", "text": "{Name}: {Hinweis}"},
        "labels": {"form": "column", "item": "Themen", "separator": ","},
        "metric": {"name": "ndcg", "k": 2},
        "submission": {"columns": ["Nr", "Themen"], "k": 3, "separator": ","},
    }
)
CSV = (
    "Nr;Kunde;Betreff;Text;Themen;Notiz\n"
    'A-1;Köhl;Gerät defekt;"Es geht; nicht\nmehr an";HW,GAR;\n'
    "A-2;Köhl;;Rechnung fehlt;RE;x\n"
    "A-3;Öz;Frage;Wie lange läuft die Garantie?;GAR;\n"
    "A-4;Li;Leer;Nichts;;\n"
)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "tickets.csv").write_text(CSV, encoding="utf-8")
    line = json.dumps({"Nr": 7, "Kunde": "Li", "Betreff": None, "Text": "Garantie?"}, ensure_ascii=False)
    (tmp_path / "neu.jsonl").write_text(line + "\n", encoding="utf-8")
    names = {"Kürzel": ["HW", "RE", "GAR"], "Name": ["Gerät", "Rechnung", "Garantie"], "Hinweis": ["defekt", "", None]}
    pl.DataFrame(names).write_parquet(tmp_path / "themen.parquet")
    return tmp_path


@pytest.fixture
def collection(tmp_path):
    """Two documents and three queries in BEIR's form, one of them without a right answer."""
    docs = [{"_id": "d1", "title": "T", "text": "x"}, {"_id": "d2", "title": "", "text": "y"}]
    asked = [{"_id": "q1", "text": "a b"}, {"_id": "q2", "text": "c"}, {"_id": "q3", "text": "d"}]
    (tmp_path / "qrels").mkdir()
    for name, rows in (("corpus", docs), ("queries", asked)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    rows = "query-id\tcorpus-id\tscore\nq1\td1\t1\nq1\td2\t3\nq2\td1\t0\nq3\td1\t2\n"
    (tmp_path / "qrels/train.tsv").write_text(rows, encoding="utf-8")
    return tmp_path


def test_columns_of_any_name_with_several_right_answers_become_the_tables(folder):
    task = task_of("tickets", TICKETS)
    data = task.read(folder)
    numbers = {name: number_of(name) for name in ("HW", "RE", "GAR")}
    assert data.train["query_id"].to_list() == ["A-1", "A-2", "A-3", "A-4"]
    assert data.train["right"].to_list() == [[numbers["HW"], numbers["GAR"]], [numbers["RE"]], [numbers["GAR"]], []]
    assert data.train["misconception_id"].to_list() == [numbers["HW"], numbers["RE"], numbers["GAR"], None]
    # a line of the template without any field is left out, and what is in quotes stays as it is
    assert [row_text(row) for row in data.train.iter_rows(named=True)][:2] == [
        "Gerät defekt\nEs geht; nicht\nmehr an",
        "Rechnung fehlt",
    ]
    assert data.train["question_id"].n_unique() == 3  # customers
    assert data.misconceptions["text"].to_list() == ["Gerät: defekt", "Rechnung:", "Garantie:"]
    assert data.test.select("query_id", "text", "fold").rows() == [("7", "Garantie?", "test")]
    assert task.check(folder) == [("tickets.csv", 4, ""), ("neu.jsonl", 1, ""), ("themen.parquet", 3, "")]


def test_rows_of_one_group_stay_in_one_fold(folder):
    train = task_of("tickets", TICKETS).read(folder).train
    for seed in "abcde":
        folds = hold_out_questions(train, 0.4, seed, 0.75).group_by("question_id").agg(pl.col("fold").n_unique())
        assert folds["fold"].to_list() == [1, 1, 1]


def test_a_submission_names_entries_as_the_files_do_and_is_read_back(folder, tmp_path):
    task = task_of("tickets", TICKETS)
    data = task.read(folder)
    known, names = known_of(data.misconceptions), names_of(data.misconceptions)
    rows = [("7", number_of(name), rank) for rank, name in enumerate(("GAR", "RE", "HW"), 1)]
    ranked = pl.DataFrame(rows, schema=["query_id", "misconception_id", "rank"], orient="row")
    table = submission_rows(ranked, data.test["query_id"], task.submission, names)
    assert table.rows() == [("7", "GAR,RE,HW")] and table.columns == ["Nr", "Themen"]
    table.write_csv(tmp_path / "s.csv")
    assert read_submission(tmp_path / "s.csv", data.test, known, task.submission).rows() == rows
    (tmp_path / "l.csv").write_text('Nr,Themen\n7,"HW,GAR"\n', encoding="utf-8")
    right = read_right(tmp_path / "l.csv", data.test, known, task.submission)
    # right at ranks 3 and 1, of which the first 2 count: 1 / (1 + 1 / log2(3))
    reached = score_submission(
        read_submission(tmp_path / "s.csv", data.test, known, task.submission), right, task.metric
    )
    assert reached == pytest.approx(1 / (1 + 1 / 1.584962500721156))
    (tmp_path / "s.csv").write_text("Nr,Themen\n7,GAR RE\n", encoding="utf-8")
    with pytest.raises(ValueError, match="row 7: 'GAR RE' is not 1 to 3 different known .* separated by ','"):
        read_submission(tmp_path / "s.csv", data.test, known, task.submission)


def test_judgements_have_grades_and_what_is_below_the_least_is_not_right(collection):
    data = find_task("beir").read(collection)
    assert labels_of(data.train).select("query_id", "grade").rows() == [("q1", 3), ("q1", 1), ("q3", 2)]
    assert data.train["misconception_id"].to_list() == [number_of("d2"), None, number_of("d1")]
    assert data.misconceptions["text"].to_list() == ["T\nx", "y"]


def test_numbers_are_their_own_and_names_get_larger_ones_that_depend_on_nothing_else():
    assert (number_of("17"), number_of("0")) == (17, 0)
    assert len({number_of(name) for name in ("017", "a", "A", "17.0", "-1")}) == 5
    assert all(2**62 <= number_of(name) < 2**63 for name in ("017", "a", "9" * 19)) and number_of("9" * 18) < 2**62


def test_eedis_files_in_the_general_form_give_the_same_queries_and_the_same_submission(tmp_path):
    write_competition(tmp_path, questions=40, test_questions=10)
    eedi, choices = find_task("eedi").read(tmp_path), find_task("choices").read(tmp_path)
    for one, other in ((eedi.train, choices.train), (eedi.test, choices.test)):
        ids = ["query_id", "question_id", "misconception_id"]
        assert one.select(ids).equals(other.select(ids)) and one["question"].equals(other["question"])
        texts = [[row_text(row) for row in table.iter_rows(named=True)] for table in (one, other)]
        assert texts[0] == texts[1]
    assert eedi.misconceptions.equals(choices.misconceptions.drop("item"))
    first = eedi.misconceptions["misconception_id"].head(30).to_list()
    rows = [(query_id, id_, rank) for query_id in eedi.test["query_id"] for rank, id_ in enumerate(first, 1)]
    ranked = pl.DataFrame(rows, schema=["query_id", "misconception_id", "rank"], orient="row")
    forms = [find_task(name).submission for name in ("eedi", "choices")]
    made = [submission_rows(ranked, eedi.test["query_id"], form).write_csv() for form in forms]
    assert (
        made[0]
        == made[1]
        == submission_rows(ranked, eedi.test["query_id"], None, names_of(choices.misconceptions)).write_csv()
    )


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("Themen;", "Thema;", "tickets.csv, record from line 1: column Themen is missing; rename 'Thema' to it"),
        ("A-2;", "A-1;", "record from line 4, column Nr: 'A-1' is also the id on line 2; remove one of the two rows"),
        (";RE;", ";REX;", "column Themen: 'REX' is not in themen.parquet"),
        (";;Rechnung fehlt;", ";;;", "record from line 4, column Betreff, Text: nothing is there to be seen"),
        (";GAR;\n", ";GAR\n", "record from line 5: 5 fields from 'A-3' on, and the header has 6"),
        ("A-3", "", "record from line 5, column Nr: nothing is there to be seen"),
    ],
)
def test_a_defect_is_one_sentence_with_its_place(folder, old, new, sentence):
    assert old in CSV
    (folder / "tickets.csv").write_text(CSV.replace(old, new, 1), encoding="utf-8")
    _refused(task_of("tickets", TICKETS), folder, sentence)


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        (
            "corpus.jsonl",
            '{"_id": "d1", "title": "a"}\n',
            "corpus.jsonl, record from line 1, column text: there is no text",
        ),
        ("corpus.jsonl", '{"_id": "d1"\n', "record from line 1: the line is no JSON"),
        ("corpus.jsonl", "[1]\n", "record from line 1: '[1]' is no JSON object"),
        ("corpus.jsonl", '{"_id": "d1", "title": {}, "text": ""}\n', "column title: '{}' is no text and no number"),
        ("corpus.jsonl", '{"_id": "d 1", "title": "", "text": "x"}\n', "'d 1' holds ' ', which stands between two ids"),
        ("corpus.jsonl", "", "corpus.jsonl: there are no rows"),
        (
            "qrels/train.tsv",
            "query-id\tcorpus-id\tscore\nq1\td9\t1\n",
            "line 2, column corpus-id: 'd9' is not in corpus",
        ),
        ("qrels/train.tsv", "query-id\tcorpus-id\tscore\nq9\td1\t1\n", "'q9' is no query of the training file"),
        ("qrels/train.tsv", "query-id\tcorpus-id\tscore\nq1\td1\tx\n", "column score: 'x' is no grade"),
        ("qrels/train.tsv", "query-id\tcorpus-id\tscore\nq1\td1\t1\nq1\td1\t2\n", "'d1' is named twice for 'q1'"),
        ("qrels/train.tsv", "query-id\tcorpus-id\tscore\nq1\td1\t0\n", "queries.jsonl: no row has a label"),
    ],
)
def test_a_defect_of_a_collection_is_one_sentence_with_its_place(collection, name, text, sentence):
    (collection / name).write_text(text, encoding="utf-8")
    _refused(find_task("beir"), collection, sentence)


def test_a_catalogue_may_be_the_labels_of_the_training_file(folder):
    label = TICKETS.labels.model_copy(update={"separator": "+"})
    alone = TICKETS.model_copy(update={"catalogue": type(TICKETS.catalogue)(spaces="_"), "labels": label})
    text = CSV.replace("HW,GAR", "HW_1+GAR")
    (folder / "tickets.csv").write_text(text, encoding="utf-8")
    found = task_of("tickets", alone).read_misconceptions(folder)
    assert found.select("item", "text").rows() == [("GAR", "GAR"), ("HW_1", "HW 1"), ("RE", "RE")]


def test_a_kernels_sample_has_training_rows_as_its_test_and_their_right_answers(folder, tmp_path):
    task = task_of("tickets", TICKETS)
    place = tmp_path / "sample"
    place.mkdir()
    task.write_sample(folder, place, 3, "seed")
    data = task.read(place, need_train=False)
    assert len(data.test) == 3 and (place / "themen.parquet").is_file()
    right = read_right(place / "labels.csv", data.test, known_of(data.misconceptions), task.submission)
    train = task.read(folder).train.filter(pl.col("query_id").is_in(data.test["query_id"].implode()))
    assert sorted(right.select("query_id", "misconception_id").rows()) == sorted(
        labels_of(train).select("query_id", "misconception_id").rows()
    )


def _refused(task, folder, sentence):
    with pytest.raises(CompetitionError) as caught:
        task.read(folder)
    assert sentence in str(caught.value) and "\n" not in str(caught.value)
