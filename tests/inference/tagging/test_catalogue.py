"""Guards edits of a catalogue: what cannot be is refused, what was said yes to is on the disk, half a line is not."""

import numpy as np
import pytest

from inference.tagging.catalogue import Catalogue, Edit, EditLog, check_edit, edited, read_edits

ADD, RENAME, RETIRE = (
    Edit(edit="add", id=60, text=" Halves twice "),
    Edit(edit="rename", id=10, text="Adds both"),
    Edit(edit="retire", id=12),
)


@pytest.fixture
def catalogue(misconceptions):
    return Catalogue(misconceptions, np.eye(12, 3, dtype=np.float32))


def encode(rows):
    return np.full((len(rows), 3), 7, np.float32)


def test_edits_change_entries_and_vectors_together(catalogue):
    for edit in (ADD, RENAME, RETIRE):
        catalogue = edited(catalogue, edit, encode)
    texts = dict(catalogue.entries.iter_rows())
    assert (texts[60], texts[10], 12 in texts, len(texts)) == ("Halves twice", "Adds both", False, 12)
    assert len(catalogue.vectors) == 12 and (catalogue.vectors[-2:] == 7).all() and (catalogue.vectors[:-2] != 7).all()
    assert catalogue.next_id == 61 and (catalogue.retired, catalogue.changed) == ({12}, {10, 60})


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (Edit(edit="add", id=10, text="x"), "has or had an entry 10"),
        (Edit(edit="add", id=99, text="x"), "has or had an entry 99"),
        (Edit(edit="add", id=61, text=" "), "is empty"),
        (Edit(edit="rename", id=10, text="\u200b\ufe0f"), "is empty"),  # nothing to see
        (Edit(edit="rename", id=60, text="x"), "entry 60 is not there"),
        (Edit(edit="retire", id=99), "entry 99 was retired"),
    ],
)
def test_an_edit_that_cannot_be_is_one_sentence(catalogue, edit, sentence):
    gone = Catalogue(catalogue.entries, catalogue.vectors, frozenset({99}))
    with pytest.raises(ValueError, match=sentence):
        check_edit(gone, edit)


def test_the_last_entry_stays(catalogue):
    alone = Catalogue(catalogue.entries[:1], catalogue.vectors[:1])
    with pytest.raises(ValueError, match="the only one left"):
        check_edit(alone, Edit(edit="retire", id=10))


def test_a_log_gives_back_what_it_was_given_and_cuts_off_half_a_line(tmp_path):
    path = tmp_path / "tagging" / "edits.jsonl"
    log = EditLog(path)
    log.add(ADD)
    log.add(RENAME)
    log.close()
    with path.open("ab") as file:
        file.write(b'{"edit":"retire","id":1')  # a process that was killed while it wrote
    assert read_edits(path) == [ADD, RENAME]
    log = EditLog(path)
    log.add(RETIRE)
    log.close()
    assert read_edits(path) == [ADD, RENAME, RETIRE] and read_edits(tmp_path / "none") == []


def test_a_line_that_is_no_edit_is_named(tmp_path):
    (tmp_path / "edits.jsonl").write_text(ADD.model_dump_json() + "\n{}\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"edits.jsonl, line 2 is no edit"):
        read_edits(tmp_path / "edits.jsonl")
