"""Guards held_out.py: a base that a run of another split trained is refused where rows are held out."""

from pathlib import Path

import pytest

from shared.artifacts.lineage import Lineage
from shared.artifacts.manifest import write_manifest
from shared.settings.load import load_settings
from training.run_folder.held_out import MODELS, refuse_learnt

HERE = Path("runs/demo0/cv")


def trained(folder: Path, **said) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}", encoding="utf-8")
    write_manifest(folder, Lineage(stage="merge_reranker", iteration="other", **said).record())
    return folder


@pytest.mark.parametrize("name", [name for name in MODELS if name != "writer"])
def test_a_model_of_another_split_is_no_base_where_rows_are_held_out(tmp_path, name):
    full = trained(tmp_path / "full", split="full")
    settings = load_settings("demo0", [f"{name}.base={full}"])
    with pytest.raises(ValueError, match=rf"{name}\.base=.* by other on split full, .*: take the one of split cv"):
        refuse_learnt(HERE, settings)
    refuse_learnt(Path("runs/demo0/full"), settings)  # which holds nothing out


def test_a_writer_of_another_split_is_none(tmp_path):
    full = trained(tmp_path / "full", split="cv2")
    with pytest.raises(ValueError, match=r"writer\.base=.* on split cv2"):
        refuse_learnt(HERE, load_settings("demo0", [f"writer.base={full}"]))


def test_a_model_of_the_same_folds_is_taken_and_one_of_others_is_not(tmp_path):
    own = load_settings("demo0").model_dump(mode="json")
    same = trained(tmp_path / "same", split="cv", all_settings=own)
    refuse_learnt(HERE, load_settings("demo0", [f"reranker.base={same}"]))
    others = {**own, "prepare": {**own["prepare"], "seed": "others"}}
    settings = load_settings("demo0", [f"reranker.base={trained(tmp_path / 'b', split='cv', all_settings=others)}"])
    with pytest.raises(ValueError, match=r"trained on other folds than runs/demo0/cv has .*the same \[prepare\]"):
        refuse_learnt(HERE, settings)


def test_a_base_from_elsewhere_is_taken(tmp_path):
    (tmp_path / "plain").mkdir()
    refuse_learnt(HERE, load_settings("demo0", [f"reranker.base={tmp_path / 'plain'}", "embedder.base=models/minilm"]))
    refuse_learnt(HERE, load_settings("demo0", [f"reranker.base={trained(tmp_path / 'made')}"]))  # no split is said
