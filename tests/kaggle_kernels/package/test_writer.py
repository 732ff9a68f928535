"""Guards package/writer.py: a run's writer travels as a dataset of its own, which the kernel mounts."""

import json
import random

import pytest
from huggingface_hub import constants

from inference.kernel.writer import find_writer
from shared.artifacts.manifest import digest, verify_manifest, write_manifest
from tests.kaggle_kernels.kaggle_checkout import failure, make_run, rewrite, safetensors
from tests.kaggle_kernels.kaggle_storage import Fault

WRITER = "malrule-iter1-writer"
COMMIT = "0123456789abcdef0123456789abcdef01234567"  # as the hub names a snapshot
ROLES = {"embedder": {"base": "a", "rationale": "short", "rationale_tokens": 96}, "reranker": {"base": "b"}}
SETTINGS = ROLES | {
    "miner": {"base": "c"},
    "merge_embedder": {"epoch": 1},
    "merge_reranker": {"epoch": 1},
    "writer": {"base": "models/writer"},
    "explain": {"writer": "vllm"},
}


@pytest.fixture
def run(checkout):
    run = checkout / "runs/iter1/full"
    say(run)
    return run


def say(run, **sections) -> None:
    """Write the run's settings, with `sections` in place of those of SETTINGS."""
    (run / "settings.json").write_text(json.dumps({**SETTINGS, **sections}), encoding="utf-8")


def make_writer(folder, name="model.safetensors", config="config.json", **content):
    """A causal model or an adapter, of which nothing but the form is real."""
    folder.mkdir(parents=True)
    (folder / name).write_bytes(safetensors(random.Random(folder.name).randbytes(2000)))
    (folder / config).write_text(json.dumps(content or {"architectures": ["Qwen2ForCausalLM"]}), encoding="utf-8")
    if config == "config.json":
        (folder / "tokenizer.json").write_text("{}", encoding="utf-8")
    return folder


def make_merged(run):
    folder = make_writer(run / "merge_writer")
    write_manifest(folder, {"stage": "merge_writer", "base": "models/writer"})
    return folder


def mounted(server, place):
    """What Kaggle would mount of the writer's dataset."""
    for name, data in server.newest(WRITER).files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(data)
    verify_manifest(place)
    return place


def test_a_merged_writer_is_a_dataset_of_its_own_and_the_kernel_mounts_that_very_one(server, publish, run, tmp_path):
    say(run, train_writer={"file": "teacher.csv"})
    merged = make_merged(run)
    rehearsed = publish("release", "iter=1", "--dry-run")
    assert rehearsed.code == 0 and f"the new dataset alice/{WRITER}, private, 4 files" in rehearsed.out
    assert not server.blobs
    outcome = publish("release", "iter=1")
    assert outcome.code == 0, outcome.err
    assert "runs/iter1/full/merge_writer goes along as the writer" in outcome.out
    assert (
        server.datasets[WRITER]["private"]
        and '| base | "models/writer" |' in server.datasets[WRITER]["created"]["description"]
    )
    place = mounted(server, tmp_path / "input")
    assert digest(place) == digest(merged) and find_writer(tmp_path / "input") == {"writer": place}
    sent = server.kernels["malrule-submit"]["versions"][-1]
    assert sent["datasetDataSources"][-1] == f"alice/{WRITER}"
    sources = json.loads(sent["text"].splitlines()[0].partition(" = ")[2])
    assert sources[WRITER] == {"version": 1, "digest": digest(merged)}
    assert f"with the line {sent['text'].splitlines()[0]}\n" in rehearsed.out
    calls = len(server.blobs)
    again = publish("release", "iter=1")
    assert again.out.count("already there") == 6 and len(server.blobs) == calls


def test_where_data_are_held_out_the_base_travels_with_the_adapter_on_top_of_it(server, publish, checkout, tmp_path):
    run = checkout / "runs/iter1/cv"
    make_run(run, random.Random("cv"))
    say(run, train_writer={"file": "teacher.csv", "epochs": 2}, writer={"base": str(make_writer(tmp_path / "base"))})
    assert "train_writer is not there, or not complete: just train iter=1 split=cv" in failure(
        publish("push-models", "iter=1", "split=cv")
    )
    whole = run / "train_writer/whole/epoch_2"
    make_writer(whole, "adapter_model.safetensors", "adapter_config.json", r=8, modules_to_save=None)
    write_manifest(run / "train_writer", {"stage": "train_writer"})
    assert publish("push-models", "iter=1", "split=cv").code == 0
    place = tmp_path / "input"
    for name, data in server.newest("malrule-iter1-cv-writer").files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(data)
    assert find_writer(place) == {"writer": place, "writer-adapter": place / "adapter"}
    config = (whole / "adapter_config.json").read_bytes()
    assert (place / "adapter/adapter_config.json").read_bytes() == config


def test_a_base_that_writes_as_it_is_travels_alone_and_without_what_is_no_model(server, publish, run, tmp_path):
    base = make_writer(tmp_path / "base")
    (base / "notes.pdf").write_bytes(b"no model")
    linked = tmp_path / "linked"  # as the hub's client keeps a model: links to files of other names
    linked.mkdir()
    for path in base.iterdir():
        (linked / path.name).symlink_to(path)
    say(run, writer={"base": str(linked)})
    assert publish("push-models", "iter=1").code == 0
    place = mounted(server, tmp_path / "input")
    names = sorted(path.name for path in place.iterdir())
    assert names == ["config.json", "manifest.json", "model.safetensors", "tokenizer.json"]
    assert publish("push-models", "iter=1").out.count("already there") == 3


def test_of_a_writer_only_what_engines_read_in_the_top_folder_travels(server, publish, run, tmp_path):
    strays = ("epoch_9/adapter_config.json", "runs/README.md", "original/consolidated.safetensors", "README.md")
    base, licence = make_writer(tmp_path / "base"), "preprocessor_config.json LICENSE"
    say(run, train_writer={"file": "teacher.csv"})
    merged = make_writer(run / "merge_writer")
    for folder in (base, merged):
        for name in (*strays, *licence.split()):
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text('{"r": 8}', encoding="utf-8")
    write_manifest(merged, {"stage": "merge_writer", "base": "models/writer"})
    for place, sections in (("a", {"train_writer": {"file": "t.csv"}}), ("b", {"writer": {"base": str(base)}})):
        say(run, **sections)
        assert publish("push-models", "iter=1").code == 0
        folder = mounted(server, tmp_path / "mounted" / place / "input")
        names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
        assert names == {"config.json", "manifest.json", "model.safetensors", "tokenizer.json", *licence.split()}
        assert find_writer(folder.parent) == {"writer": folder}


def only_config(base):
    (base / "model.safetensors").unlink()
    (base / "tokenizer.json").unlink()


def pickled(base):
    (base / "model.safetensors").rename(base / "pytorch_model.bin")
    (base / "tokenizer.json").rename(base / "tokenizer.tiktoken")
    (base / "epoch_9").mkdir()
    (base / "epoch_9/adapter_config.json").write_text('{"r": 8}', encoding="utf-8")


def short_of_a_shard(base):
    (base / "model.safetensors").rename(base / "a.safetensors")
    index = {"weight_map": {"t": "a.safetensors", "u": "b.safetensors"}}
    (base / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (only_config, "base holds no .safetensors file: take the model in safetensors"),
        (pickled, "base holds no .safetensors file, only pytorch_model.bin, which is a pickle and not read"),
        (short_of_a_shard, "base/b.safetensors is missing, and model.safetensors.index.json lists it"),
        (lambda base: (base / "consolidated.safetensors").write_bytes(safetensors(b"abc")), "consolidated.safetensors"),
        (lambda base: (base / "model.safetensors").write_bytes(b"cut"), "model.safetensors is cut or damaged"),
        (lambda base: (base / "tokenizer.json").rename(base / "tokenizer.tiktoken"), "base holds no tokenizer"),
        (lambda base: (base / "config.json").unlink(), "config.json does not exist: a writer is a folder of a causal"),
        (lambda base: rewrite(base / "config.json", architectures=["BertModel"]), "which has no head to write with"),
    ],
)
def test_a_base_that_no_engine_could_open_is_refused_before_anything_is_staged(
    spoil, sentence, server, publish, run, tmp_path, checkout
):
    base = make_writer(tmp_path / "base")
    spoil(base)
    say(run, writer={"base": str(base)})
    for command in ("push-models", "release"):
        said = failure(publish(command, "iter=1"))
        assert sentence in said and "settings.json" not in said
    assert not server.blobs and not (checkout / ".cache/kaggle").exists()


def test_a_snapshot_of_the_hub_goes_along_once_it_is_whole(server, publish, run, tmp_path, tiny_causal, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    kept = tmp_path / "hub/models--some--writer"
    snapshot, blobs = kept / "snapshots" / COMMIT, kept / "blobs"
    for folder in (snapshot, blobs, kept / "refs"):
        folder.mkdir(parents=True)
    (kept / "refs/main").write_text(COMMIT, encoding="utf-8")
    (snapshot / "config.json").write_bytes((tiny_causal / "config.json").read_bytes())
    say(run, writer={"base": "some/writer"})
    said = failure(publish("push-models", "iter=1"))
    assert f"snapshots/{COMMIT} holds no .safetensors file: take the model in safetensors" in said and not server.blobs
    for number, path in enumerate(sorted(tiny_causal.iterdir())):  # links, as the hub keeps a model
        (blobs / f"{number}").write_bytes(path.read_bytes())
        (snapshot / path.name).unlink(missing_ok=True)
        (snapshot / path.name).symlink_to(f"../../blobs/{number}")
    assert publish("push-models", "iter=1").code == 0
    place = mounted(server, tmp_path / "input")
    assert {path.name for path in place.iterdir()} == {path.name for path in tiny_causal.iterdir()} | {"manifest.json"}
    assert (place / "model.safetensors").read_bytes() == (tiny_causal / "model.safetensors").read_bytes()


@pytest.mark.parametrize(
    ("name", "config", "sentence"),
    [
        ("adapter_model.bin", {"r": 8}, "epoch_2/adapter_model.safetensors does not exist"),
        ("adapter_model.safetensors", {"r": 8, "modules_to_save": ["lm_head"]}, "epoch_2 brings whole modules along"),
    ],
)
def test_an_adapter_that_does_not_load_is_refused_before_anything_is_staged(
    name, config, sentence, server, publish, checkout, tmp_path
):
    run = checkout / "runs/iter1/cv"
    make_run(run, random.Random("cv"))
    say(run, train_writer={"file": "teacher.csv", "epochs": 2}, writer={"base": str(make_writer(tmp_path / "base"))})
    make_writer(run / "train_writer/whole/epoch_2", name, "adapter_config.json", **config)
    write_manifest(run / "train_writer", {"stage": "train_writer"})
    assert sentence in failure(publish("push-models", "iter=1", "split=cv"))
    assert not server.blobs and not (checkout / ".cache/kaggle").exists()


def test_what_a_writer_was_shown_travels_with_it_and_is_never_published(server, publish, run, tmp_path, checkout):
    base, shots = make_writer(tmp_path / "base"), run / "explain/shots.json"
    explain = {"writer": "vllm", "shots": 2, "shots_file": "shown.csv"}
    say(run, writer={"base": str(base)}, explain=explain)
    assert "explain is not there, or not complete: just train" in failure(publish("push-models", "iter=1"))
    shots.parent.mkdir()
    shots.write_text('{"count": 2}', encoding="utf-8")
    write_manifest(shots.parent, {"stage": "explain"})
    metadata = checkout / "datasets_meta/writer/dataset-metadata.json"
    rewrite(metadata, licenses=[{"name": "apache-2.0"}])
    assert "explain/shots.json quotes items of the competition" in failure(publish("push-models", "iter=1", "--public"))
    assert publish("push-models", "iter=1").code == 0
    place = mounted(server, tmp_path / "input")
    assert (place / "shots.json").read_bytes() == shots.read_bytes() and not (base / "shots.json").exists()


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        (
            {"train_writer": {"file": "t.csv"}},
            "merge_writer is not there, or not complete: just train iter=1 split=full",
        ),
        ({"writer": {"base": "no/such model"}}, "no/such model is neither a folder nor among the models that the hub"),
        ({"writer": {"base": "nobody/has-this"}}, "nobody/has-this is neither a folder nor among"),
    ],
)
def test_a_writer_that_is_not_there_is_missed_before_a_byte_moves(sections, said, server, publish, run):
    say(run, **sections)
    for command in ("push-models", "release"):
        assert said in failure(publish(command, "iter=1"))
    assert not server.blobs


def test_a_writer_without_a_licence_is_not_published(server, publish, run):
    say(run, train_writer={"file": "teacher.csv"})
    make_merged(run)
    said = failure(publish("push-models", "iter=1", "--public"))
    assert "datasets_meta/writer/dataset-metadata.json must name the licence of the base model" in said
    assert not server.blobs


@pytest.mark.parametrize(
    "sections",
    [
        {"embedder": {"base": "a"}, "explain": {"writer": "off"}, "describe": {"writer": "vllm"}},  # names alone
        {"writer": None, "explain": {"writer": "replay"}},
    ],
)
def test_models_that_read_nothing_a_writer_writes_go_without_one(sections, server, publish, run):
    say(run, **sections)
    assert publish("release", "iter=1").code == 0
    assert WRITER not in server.datasets
    assert len(server.kernels["malrule-submit"]["versions"][-1]["datasetDataSources"]) == 3


def test_a_writer_whose_upload_broke_off_is_sent_on_and_made_once(server, publish, run):
    say(run, train_writer={"file": "teacher.csv"})
    make_merged(run)
    server.faults = [Fault("CreateDataset", 2, "cut")]  # the third one is the writer's
    assert publish("push-models", "iter=1", "--dry-run").code == 0
    assert f"gave no answer when {WRITER} was sent" in failure(publish("push-models", "iter=1"))
    assert publish("push-models", "iter=1", "--again").code == 0
    assert len(server.datasets[WRITER]["versions"]) == 1
