"""Guards base_models.py: processes that want a small model at the same time get one, made once."""

from concurrent.futures import ThreadPoolExecutor

from training.run_folder import base_models


def test_who_asks_for_a_small_model_while_it_is_made_waits_for_it(tmp_path, monkeypatch):
    monkeypatch.setattr(base_models, "MODELS", tmp_path / "models")
    made, make = [], base_models._make_small
    monkeypatch.setattr(base_models, "_make_small", lambda folder: made.append(folder) or make(folder))
    wanted = str(tmp_path / "models" / base_models.MINILM)
    with ThreadPoolExecutor(4) as pool:
        folders = list(pool.map(base_models.local_folder, [wanted] * 4))
    assert len(made) == 1
    assert all((folder / "config.json").is_file() for folder in folders)
