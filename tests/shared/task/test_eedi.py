"""Guards eedi.py: a file loads whole and as it is, or is refused with its place and the way out."""

import json
import os
import re
import tempfile
from pathlib import Path

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.task.csv_records import CompetitionError
from shared.task.current import TASK
from shared.task.eedi import check_competition, read_competition, read_misconceptions, stream_test
from shared.task.tables import MISCONCEPTIONS, QUERIES
from shared.task.task import Competition

ROOT = Path(__file__).parents[3]
QUESTION_HEADER = (
    "QuestionId,ConstructId,ConstructName,SubjectId,SubjectName,CorrectAnswer,QuestionText,"
    "AnswerAText,AnswerBText,AnswerCText,AnswerDText"
)
FILES = {  # train.csv's records start on lines 2 and 3, and the second one goes on to line 5
    "train.csv": f"{QUESTION_HEADER},MisconceptionAId,MisconceptionBId,MisconceptionCId,MisconceptionDId\n"
    "7,10,Add fractions,20,Fractions,B,Half of 2?,0,1,2,4,5.0,,9,\n"
    '8,11,Add powers,21,Power,A,"Line one\nsay ""two"", \\( x^{2} \\)\nline three",\\( \\frac{1}{2} \\),3,4,5,,5.0,,\n',
    "test.csv": f"{QUESTION_HEADER}\n30,10,Add fractions,20,Fractions,D,A third of 3?,3,9,0,1\n",
    "misconception_mapping.csv": "MisconceptionId,MisconceptionName\n"
    '5,"Adds, not halves"\n9,Same words\n12,Same words\n',
    "sample_submission.csv": "QuestionId_Answer,MisconceptionId\n30_A,5 9\n30_B,5 9\n30_C,5 9\n",
}


@pytest.fixture
def folder(tmp_path):
    return write_files(tmp_path, FILES)


def write_files(folder: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def rewrite(path: Path, old: str, new: str) -> None:
    data = path.read_bytes()
    assert old.encode() in data, "the test spoils nothing"
    path.write_bytes(data.replace(old.encode(), new.encode(), 1))


def check_tables(competition: Competition) -> None:
    MISCONCEPTIONS.check(competition.misconceptions, "misconceptions")
    for fold, table in (("train", competition.train), ("test", competition.test)):
        QUERIES.check(table, fold)
        assert set(table["fold"]) == {fold} and table.height == 3 * table["question_id"].n_unique()
        labels = table["misconception_id"].drop_nulls()
        assert set(labels) <= (set(competition.misconceptions["misconception_id"]) if fold == "train" else set())
        texts = table.select("construct", "subject", "question", "correct", "wrong")
        assert all(text and text == text.strip() for row in texts.rows() for text in row)


def test_every_wrong_option_is_one_row_in_option_order_with_its_label_or_null(folder):
    competition = read_competition(folder)
    check_tables(competition)
    half = ("Add fractions", "Fractions", "Half of 2?", "1")
    lines = ("Add powers", "Power", 'Line one\nsay "two", \\( x^{2} \\)\nline three', "\\( \\frac{1}{2} \\)")
    assert competition.train.rows() == [
        ("7_A", 7, *half, "0", 5, "train"),
        ("7_C", 7, *half, "2", 9, "train"),
        ("7_D", 7, *half, "4", None, "train"),
        ("8_B", 8, *lines, "3", 5, "train"),
        ("8_C", 8, *lines, "4", None, "train"),
        ("8_D", 8, *lines, "5", None, "train"),
    ]
    third = ("Add fractions", "Fractions", "A third of 3?", "1")
    assert competition.test.rows() == [
        (f"30_{option}", 30, *third, wrong, None, "test") for option, wrong in zip("ABC", "390", strict=True)
    ]
    assert competition.misconceptions.rows() == [(5, "Adds, not halves"), (9, "Same words"), (12, "Same words")]


def test_the_check_counts_the_rows_of_all_four_files(folder):
    expected = {"train.csv": 2, "test.csv": 1, "misconception_mapping.csv": 3, "sample_submission.csv": 3}
    assert check_competition(folder) == [(name, rows, "") for name, rows in expected.items()]


@pytest.mark.parametrize("rows", ["30_A,1\n30_D,1\n", "30_A,1\n30_B,1\n"])
def test_a_sample_of_another_test_is_a_note_and_no_defect(folder, rows):
    (folder / "sample_submission.csv").write_text(f"QuestionId_Answer,MisconceptionId\n{rows}", encoding="utf-8")
    name, count, note = check_competition(folder)[-1]
    assert (name, count) == ("sample_submission.csv", 2) and note.startswith("a sample of another test: it ")
    assert read_competition(folder).test.height == 3


@pytest.mark.parametrize(("there", "missing"), [("Question", "QuestionId"), ("AnswerText", "AnswerAText")])
def test_a_column_of_other_words_is_not_one_to_rename(folder, there, missing):
    path = folder / "train.csv"
    path.write_text(path.read_text(encoding="utf-8").replace(missing, there, 1), encoding="utf-8")
    with pytest.raises(CompetitionError, match=f"{missing} is missing; add it to the header"):
        read_competition(folder)


def test_without_need_train_the_kaggle_kernel_needs_two_files_only(folder):
    (folder / "train.csv").unlink()
    (folder / "sample_submission.csv").unlink()
    competition = read_competition(folder, need_train=False)
    assert competition.train is None and competition.test.height == 3
    with pytest.raises(CompetitionError, match="train.csv: the file does not exist"):
        read_competition(folder)


ROWS = FILES["test.csv"].split("\n", 1)[1]
TRAIN, TEST, MAPPING, SAMPLE = FILES
DEFECTS = {  # what is wrong: (file, what stands there, what stands there instead, words of the message in their order)
    "renamed column": (TRAIN, "QuestionText", "Question_Text", "line 1: .. missing; rename 'Question_Text' to it"),
    "column in other case": (TEST, "SubjectName", "subjectname", "SubjectName is missing; rename 'subjectname' to it"),
    "renamed answer": (TEST, "AnswerBText", "answer b", "AnswerBText is missing; rename 'answer b' to it"),
    "missing column": (TEST, "CorrectAnswer", "x", "line 1: column CorrectAnswer is missing; add it to the header"),
    "semicolons": (MAPPING, "Id,Mis", "Id;Mis", "line 1 .. 'MisconceptionId;MisconceptionName' .. with commas"),
    "labels in test": (TEST, "DText", "DText,MisconceptionAId", "line 1: column 'MisconceptionAId' .. remove it"),
    "index column of pandas": (TRAIN, "QuestionId,", "Unnamed: 0,QuestionId,", "column 'Unnamed: 0' .. remove it"),
    "column twice": (TRAIN, "SubjectName", "ConstructName", "line 1: column 'ConstructName' is there twice; remove"),
    "second byte order mark": (TEST, "Q", "\ufeff\ufeffQ", "QuestionId is missing; rename '\\ufeffQuestionId' to it"),
    "question id twice": (TRAIN, "8,11", "7,11", "line 3, column QuestionId: 7 is also the id on line 2; remove"),
    "misconception id twice": (MAPPING, "12,", "5,", "line 4, column MisconceptionId: 5 is also the id on line 2"),
    "unknown misconception": (TRAIN, ",9,", ",10.0,", "line 2, column MisconceptionCId: .. '10.0' is not in .. mend"),
    "label on the correct option": (TRAIN, "5.0,,9", "5.0,9,", "line 2, column MisconceptionBId: '9' labels the"),
    "no such letter": (TEST, ",D,", ",E,", "line 2, column CorrectAnswer: 'E' is not a letter from A to D; name"),
    "two letters": (TEST, ",D,", ",AB,", "CorrectAnswer: 'AB' is not a letter"),
    "small letter": (TEST, ",D,", ",d,", "CorrectAnswer: 'd' is not a letter"),
    "no letter": (TEST, ",D,", ",,", "CorrectAnswer: '' is not a letter"),
    "empty question": (TRAIN, "Half of 2?", "", "line 2, column QuestionText: the text is empty; fill it in"),
    "blank answer": (TRAIN, ",4,5,,", ",4,\u00a0\t,,", "line 3, column AnswerDText: the text is empty"),
    "empty correct answer": (TEST, ",1\n", ",\n", "line 2, column AnswerDText: the text is empty"),
    "empty construct": (TEST, "Add fractions", "", "line 2, column ConstructName: the text is empty"),
    "empty subject": (TEST, "Fractions", " ", "line 2, column SubjectName: the text is empty"),
    "empty misconception": (MAPPING, "Same words", '"\n"', "line 3, column MisconceptionName: the text is empty"),
    "fields have shifted": (TEST, "10,Add", "Add,10", "line 2, column ConstructId: 'Add' is not an id"),
    "too few fields": (TEST, ROWS, "7,10,Add\n", "line 2: 3 fields .. the header has 11; put .. in quotes"),
    "too many fields": (TEST, "of 3?", "of 3, or 6?", "line 2: 12 fields .. the header has 11; put .. in quotes"),
    "ragged after a long record": (TRAIN, ",,5.0,,\n", ",,5.0,,\n9,9\n", "record from line 6: 2 fields"),
    "quote never closed": (TEST, "A third", '"A third', "line 2: a quote opens here and is never closed; close it"),
    "text after a quote": (TRAIN, '""two', '"two', "line 3: the quotes do not match .. double every quote"),
    "NUL byte": (TRAIN, "line three", "line\0three", "line 5 holds a NUL byte; run .. download"),
    "only a header": (TEST, ROWS, "", "there is a header but no rows; run .. download"),
    "nothing": (TEST, FILES[TEST], "", "the file is empty; run .. download"),
    "only line breaks": (TEST, FILES[TEST], "\n\r\n", "the file is empty"),
    "long field": (TEST, "A third of 3?", "x" * 100_001, "QuestionText: .. 100,001 .. limit is 100,000; shorten"),
    "endless field": (TEST, "A third", "x" * 200_000, "line 2: a field has more than 100,000 .. look for a quote"),
    "submission row twice": (SAMPLE, "30_B", "30_A", "line 3, .. '30_A' is also on line 2; remove"),
}  # fmt: skip


@pytest.mark.parametrize(("file", "old", "new", "said"), DEFECTS.values(), ids=DEFECTS)
def test_a_defect_is_one_sentence_with_file_place_and_way_out(folder, file, old, new, said):
    rewrite(folder / file, old, new)
    message = refusal(folder)
    assert message.startswith(str(folder / file))
    assert re.search(".*".join(re.escape(words.strip()) for words in said.split("..")), message), message


def refusal(folder: Path) -> str:
    with pytest.raises(CompetitionError) as error:
        check_competition(folder)
    message = str(error.value)
    assert len(message.splitlines()) == 1 and message.isprintable()
    assert len(message) < len(str(folder)) + 300  # values are shortened
    return message


NO_IDS = ["1e3", " 5", "5 ", "１２", "-0", "-5", "+5", "12.5", "5.00", "5.", ".0", "5.0.0", "05", "nan", "NaN", "inf"]
NO_IDS += ["0x5", "1_0", "1" + "0" * 30, " ", "None", "five", "5\u2028"]


@pytest.mark.parametrize("value", NO_IDS)
def test_a_number_that_is_not_plain_digits_is_refused_wherever_an_id_stands(folder, value):
    for file, old, new, column in (
        ("train.csv", ",5.0,,9", f",{value},,9", "MisconceptionAId"),
        ("test.csv", "30,", f"{value},", "QuestionId"),
        ("misconception_mapping.csv", "9,", f"{value},", "MisconceptionId"),
    ):
        write_files(folder, FILES)
        rewrite(folder / file, old, new)
        message = refusal(folder)
        assert f"{file}, record from line " in message and f"column {column}: " in message and "is not an id" in message


def test_point_zero_is_for_labels_only_because_a_question_id_is_also_text(folder):
    rewrite(folder / "test.csv", "30,", "30.0,")
    assert "'30.0' is not an id" in refusal(folder)


def test_the_largest_id_that_is_taken_has_18_digits(folder):
    rewrite(folder / "test.csv", "30,", "9" * 18 + ",")
    assert read_competition(folder).test["question_id"].to_list() == [10**18 - 1] * 3
    rewrite(folder / "test.csv", "9,", "90,")
    assert "is not an id" in refusal(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_missing_says_how_to_get_it(folder, name):
    (folder / name).unlink()
    message = refusal(folder)
    assert message.startswith(f"{folder / name}: the file does not exist; run `kaggle competitions download")
    (folder / name).mkdir()
    assert "cannot be read" in refusal(folder)


@pytest.mark.parametrize("name", FILES)
def test_bad_utf8_is_named_by_byte_offset_and_line(folder, name):
    data = (folder / name).read_bytes()
    second = data.index(b"\n") + 1
    (folder / name).write_bytes(data[:second] + b"\xff" + data[second:])
    assert f"byte 0xff at offset {second:,} (line 2) is not UTF-8; save the file as UTF-8" in refusal(folder)
    (folder / name).write_bytes(data.decode().encode("utf-16"))
    assert "at offset 0 (line 1) is not UTF-8" in refusal(folder)


def reorder(text: str) -> str:
    lines = [line.split(",") for line in text.splitlines()]
    return "\n".join(",".join(line[::-1]) for line in lines)


ODDITIES = {  # all of test.csv, whose table must not change
    "byte order mark": lambda text: "\ufeff" + text,
    "CRLF": lambda text: text.replace("\n", "\r\n"),
    "old Mac line ends": lambda text: text.replace("\n", "\r"),
    "no line break at the end": lambda text: text.removesuffix("\n"),
    "blank lines": lambda text: "\n" + text.replace("\n", "\n\r\n\n"),
    "columns in another order": reorder,
    "every field in quotes": lambda text: '"' + text.rstrip().replace(",", '","').replace("\n", '"\n"') + '"\n',
    "white space around a text": lambda text: text.replace("Add", "\u00a0 Add").replace(",9,", ',"\n9\n",'),
}


@pytest.mark.parametrize("dress", ODDITIES.values(), ids=ODDITIES)
def test_what_a_spreadsheet_does_to_the_same_data_changes_nothing(folder, dress):
    before = read_competition(folder).test
    (folder / "test.csv").write_bytes(dress(FILES["test.csv"]).encode())
    assert read_competition(folder).test.equals(before)


def test_a_text_is_kept_to_the_letter_between_its_ends(folder):
    text = '\\[\n\\begin{tabular}{l|l}\r\n  a & ""b"", c \\\\\n\n\\end{tabular}\n\\]  ![\\u00e9 é 🍎 `x` #]() $5, ＡＢ'
    rewrite(folder / "test.csv", "A third of 3?", f'"{text}"')
    assert set(read_competition(folder).test["question"]) == {text.replace('""', '"')}


def test_a_wrong_option_may_read_like_the_correct_one_because_one_real_question_does(folder):
    rewrite(folder / "test.csv", ",3,9,0,1", ",1,9,0,1")
    first = read_competition(folder).test.row(0, named=True)
    assert (first["query_id"], first["correct"], first["wrong"]) == ("30_A", "1", "1")


def test_a_train_question_may_have_no_label(folder):
    rewrite(folder / "train.csv", ",5.0,,9,", ",,,,")
    assert read_competition(folder).train["misconception_id"].to_list() == [None, None, None, 5, None, None]


def test_a_field_at_the_limit_loads(folder):
    rewrite(folder / "test.csv", "A third of 3?", "x" * 100_000)
    assert read_competition(folder).test["question"].str.len_chars().to_list() == [100_000] * 3


@pytest.mark.parametrize("length", [100_001, 300_000])
def test_a_text_that_is_too_long_is_cut_where_it_is_predicted_and_refused_elsewhere(folder, length, capsys):
    rewrite(folder / "test.csv", "A third of 3?", "x" * length)
    (part,) = stream_test(folder, 1000)
    assert part["question"].str.len_chars().to_list() == [100_000] * 3
    said = capsys.readouterr().err
    assert "column QuestionText: 'xxx" in said and f"has {length:,} characters and the limit is 100,000; it is" in said
    with pytest.raises(CompetitionError, match="look for a quote that is never closed"):
        read_competition(folder)


def test_a_name_that_is_too_long_is_cut_where_it_is_predicted_and_refused_elsewhere(folder, capsys):
    rewrite(folder / "misconception_mapping.csv", "Same words", "x" * 100_001)
    assert read_misconceptions(folder)["text"].str.len_chars().max() == 100_000
    assert "column MisconceptionName: 'xxx" in capsys.readouterr().err
    with pytest.raises(CompetitionError, match="look for a quote that is never closed"):
        read_competition(folder)


SNIPPETS = [text.encode() for text in ('"', '""', ",", "\n", "\r", "\r\n", "\0", "\ufeff", "\u2028", "", " ", "１")]
SNIPPETS += [b"1e3", b"-0", b"nan", b"5.0", b"9" * 31, b"x" * 100_001, b'"' + b"y" * 140_000, b"\xff"]
CUTS = st.tuples(st.integers(0, 400), st.integers(0, 30), st.sampled_from(SNIPPETS) | st.binary(max_size=6))


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(FILES)), st.lists(CUTS, min_size=1, max_size=3))
@example("train.csv", [(0, 400, b"")])
def test_any_bytes_load_to_valid_tables_or_are_refused_in_one_line(name, cuts):
    data = FILES[name].encode()
    for start, length, snippet in cuts:
        start %= len(data) + 1
        data = data[:start] + snippet + data[start + length :]
    with tempfile.TemporaryDirectory() as folder:
        folder = write_files(Path(folder), FILES | {name: data})
        refusal = None
        try:
            check_competition(folder)
        except CompetitionError as error:
            refusal = str(error)
        if refusal is None:
            check_tables(read_competition(folder))
        else:
            assert refusal.isprintable() and str(folder) in refusal


@pytest.fixture(scope="module")
def eedi():
    set_by_hand = os.environ.get("MALRULE_EEDI")
    places = [Path(set_by_hand)] if set_by_hand else [ROOT / "data" / "eedi", ROOT.parent / "shared" / "eedi"]
    for place in places:
        if (place / "train.csv").is_file():
            return place
    looked = " or ".join(map(str, places))
    pytest.skip(f"no train.csv in {looked}: set MALRULE_EEDI to a folder that holds the competition's files")


def test_the_real_files_load_with_their_known_counts(eedi):
    counts = {  # questions: (labelled pairs, distinct labels), of the part we develop on and of the whole train.csv
        1043: (2312, 962),
        1869: (4370, 1604),
    }
    (_, questions, _), *others = check_competition(eedi)
    competition = read_competition(eedi)
    check_tables(competition)
    labels = competition.train["misconception_id"].drop_nulls()
    assert (labels.len(), labels.n_unique()) == counts[questions]
    assert others == [("test.csv", 3, ""), ("misconception_mapping.csv", 2587, ""), ("sample_submission.csv", 9, "")]
    twins = competition.misconceptions.filter(pl.col("misconception_id").is_in([2068, 2142]))
    assert twins.height == 2 and twins["text"].n_unique() == 1


def test_streaming_gives_the_rows_of_reading_whatever_the_parts(folder):
    rows = "".join(
        f'{number},10,Add,20,Fractions,D,"A third\r\nof {number}? ×",3,9,0,1\n' for number in range(100, 140)
    )
    (folder / "test.csv").write_text(FILES["test.csv"] + rows, newline="", encoding="utf-8")
    whole = read_competition(folder, need_train=False).test
    assert len(whole) == 3 * 41
    for questions in (1, 7, 41, 1000):
        parts = list(stream_test(folder, questions))
        assert [len(part) for part in parts[:-1]] == [3 * questions] * (len(parts) - 1)
        assert pl.concat(parts).equals(whole)


def test_an_id_that_comes_again_in_a_later_part_is_refused_with_both_lines(folder):
    rows = "".join(f"{number},10,Add,20,Fractions,D,A third of 3?,3,9,0,1\n" for number in [*range(60, 50, -1), 53])
    (folder / "test.csv").write_text(FILES["test.csv"] + rows, encoding="utf-8")
    # line 2 is question 30, lines 3 to 12 are 60 to 51: 53 on line 10, and again on line 13
    with pytest.raises(CompetitionError, match=r"line 13, column QuestionId: 53 is also the id on line 10;"):
        list(stream_test(folder, 3))


@pytest.mark.parametrize("piece", [1, 2, 3, 5, 64])
def test_bytes_are_checked_alike_wherever_the_pieces_end(piece, folder, monkeypatch):
    monkeypatch.setattr("shared.task.csv_records.PIECE", piece)
    path = folder / "test.csv"
    good = (FILES["test.csv"] + "31,10,Añadir × 🙂,20,F,D,Q?,3,9,0,1\n").replace("\n", "\r\n").encode()
    path.write_bytes(good)
    assert len(read_competition(folder, need_train=False).test) == 6
    for bad, words in ((b"\xff", "byte 0xff"), (b"\0", "NUL byte"), (b"\xf0\x9f", "byte 0xf0")):
        path.write_bytes(good + b"32," + bad)
        with pytest.raises(CompetitionError) as error:
            read_competition(folder, need_train=False)
        assert words in str(error.value) and "line 4" in str(error.value)
        assert "offset" not in str(error.value) or f"offset {len(good) + 3:,}" in str(error.value)


def test_the_kernel_is_pushed_to_the_competition_of_the_task():
    metadata = json.loads((ROOT / "kaggle_kernels/submit/kernel-metadata.json").read_text(encoding="utf-8"))
    assert metadata["competition_sources"] == [TASK.slug]


INVISIBLE = ["\u200b", "\u2060", "\u00ad", "\u3164", "\ufe0f", "\u200b \u2060", "\u2800", "\u0301"]


@pytest.mark.parametrize("text", INVISIBLE, ids=ascii)
def test_a_text_that_shows_nothing_is_refused_wherever_it_stands(folder, text):
    rewrite(folder / "test.csv", "A third of 3?", text)
    with pytest.raises(CompetitionError, match=r"line 2, column QuestionText: the text, .*, shows nothing"):
        read_competition(folder)
    rewrite(folder / "test.csv", text, "A third of 3?")
    rewrite(folder / "misconception_mapping.csv", "Same words", text)
    with pytest.raises(CompetitionError, match=r"line 3, column MisconceptionName: the text, .*, shows nothing"):
        read_competition(folder)


def test_a_text_with_something_to_see_keeps_what_is_invisible_in_it(folder):
    rewrite(folder / "test.csv", "A third of 3?", "x\u200by")
    assert read_competition(folder).test["question"][0] == "x\u200by"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "a pointer of Git LFS"),
        (b"\x1f\x8b\x08\0", "packed with gzip"),
        (b"PK\x03\x04", "a zip archive"),
        (b"<!DOCTYPE html><p>", "a web page"),
    ],
)
def test_a_file_of_another_kind_is_called_what_it_is(folder, content, words):
    (folder / "test.csv").write_bytes(content)
    with pytest.raises(CompetitionError, match=f"test.csv: this is {words}, not the file itself; run `kaggle"):
        read_competition(folder)


def test_a_named_pipe_is_refused_instead_of_waited_for(folder):
    (folder / "test.csv").unlink()
    os.mkfifo(folder / "test.csv")
    with pytest.raises(CompetitionError, match=r"test.csv: the file cannot be read .it is no plain file"):
        read_competition(folder)
