"""Guards writer.py: a base and its adapter are found wherever they are mounted, and what cannot write is refused."""

import json

import pytest

from inference.kernel.writer import find_writer
from shared.artifacts.manifest import write_manifest


def mount(folder, name="config.json", **content):
    folder.mkdir(parents=True)
    (folder / name).write_text(json.dumps(content), encoding="utf-8")
    return folder


def base(folder):
    return mount(folder, architectures=["Qwen2ForCausalLM"])


def adapter(folder, **changes):
    return mount(folder, "adapter_config.json", **{"r": 8, "modules_to_save": None, **changes})


def test_a_base_and_its_adapter_are_found_in_either_layout_and_our_own_models_are_no_writers(tmp_path):
    ours = base(tmp_path / "malrule-embedder")
    (ours / "card.json").write_text("{}", encoding="utf-8")
    mount(tmp_path / "other", architectures=None)
    mount(tmp_path / "list", "config.json")
    assert find_writer(tmp_path) == {}
    hosted = base(tmp_path / "models/qwen/2.5/transformers/14b/1")
    assert find_writer(tmp_path) == {"writer": hosted}
    lora = adapter(tmp_path / "datasets/alice/lora")
    assert find_writer(tmp_path) == {"writer": hosted, "writer-adapter": lora}


def test_two_writers_an_adapter_alone_and_one_that_does_not_load_are_refused(tmp_path):
    lora = adapter(tmp_path / "lora", modules_to_save=["lm_head"])
    with pytest.raises(ValueError, match="lora is an adapter without its base"):
        find_writer(tmp_path)
    base(tmp_path / "a")
    with pytest.raises(ValueError, match="brings whole modules along"):
        find_writer(tmp_path)
    (lora / "adapter_config.json").unlink()
    base(tmp_path / "b")
    with pytest.raises(ValueError, match="a and .*b are both writers"):
        find_writer(tmp_path)


def test_a_writer_with_a_manifest_is_verified(tmp_path):
    folder = base(tmp_path / "a")
    write_manifest(folder, {})
    assert find_writer(tmp_path) == {"writer": folder}
    (folder / "extra.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ValueError, match=r"extra.json is extra"):
        find_writer(tmp_path)
