"""Guards the command that checks a file of written questions: it writes the table, and refuses in one sentence."""

import sys

import pytest

from tests.training.synthesis.test_read_file import ROW, write
from training.synthesis.malrules.generate import write_competition
from training.synthesis.replay import main
from training.synthesis.schema import SYNTHETIC


def run(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["replay", *map(str, words)])
    main()


def test_a_file_is_checked_into_a_table_and_every_reason_is_counted(tmp_path, monkeypatch, capsys):
    write_competition(tmp_path / "demo", questions=8, test_questions=2)
    file = write(tmp_path / "q.csv", ROW, ROW, ROW | {"MisconceptionAId": ""})
    run(monkeypatch, file, tmp_path / "out", "--competition", tmp_path / "demo")
    table = SYNTHETIC.read(tmp_path / "out")
    assert table.select("synthetic_id", "reason").rows() == [("7/0", ""), ("7/1", "repeated")]
    assert "1 of 3 kept" in capsys.readouterr().out


def test_a_missing_file_ends_with_status_2_and_a_sentence(tmp_path, monkeypatch, capsys):
    write_competition(tmp_path / "demo", questions=8, test_questions=2)
    with pytest.raises(SystemExit, match="2"):
        run(monkeypatch, tmp_path / "no.csv", tmp_path / "out", "--competition", tmp_path / "demo")
    assert "no.csv does not exist: it needs" in capsys.readouterr().err
