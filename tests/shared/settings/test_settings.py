"""Guards sections.py: what a person wrote is taken exactly, or refused with the name of what is wrong."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from shared.settings.keys import inner_section
from shared.settings.load import ITERATIONS, load_settings, read_settings, write_settings
from shared.settings.sections import Settings

ROOT = Path(__file__).parents[3]
NAMES = sorted(path.parent.name for path in (ROOT / ITERATIONS).glob("*/params.toml"))


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.mark.parametrize("name", NAMES)
def test_every_params_toml_of_the_repository_loads_and_survives_settings_json(name, tmp_path):
    settings = load_settings(name)
    write_settings(settings, tmp_path / name / "cv")
    assert read_settings(tmp_path / name / "cv") == settings


def test_there_are_iterations_and_a_missing_one_is_answered_with_their_names():
    assert {"iter0", "iter1", "demo0", "demo1"} <= set(NAMES)
    with pytest.raises(ValueError, match="there is no iteration 'iter9'; there are: .*demo0.*iter1"):
        load_settings("iter9")


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("train_embedder.lerning_rate=1e-4", "train_embedder.lerning_rate: Extra inputs are not permitted"),
        ("trainer.rate=1e-4", "trainer: Extra inputs"),
        ("train_embedder.lora.rang=8", "train_embedder.lora.rang: Extra"),
        ("train_embedder.batch=sixteen", "train_embedder.batch: .*integer, got 'sixteen'"),
        ("train_embedder.batch=1.5", "train_embedder.batch: .*integer"),
        ('train_embedder.batch="16"', "train_embedder.batch: .*integer"),
        ("prepare.seed=5", "prepare.seed: .*string"),
        ("train_reranker.recompute=true", "train_reranker.recompute: .*'measured', 'all' or 'none'"),
        ("prepare.held_out=1.5", "prepare.held_out: .*less than 1"),
        ("prepare.held_out=nan", "prepare.held_out"),
        ("train_reranker.label_smoothing=1.0", "train_reranker.label_smoothing"),
        ("mine_for_embedder.engine=onnx", "mine_for_embedder.engine: .*'hf' or 'vllm'"),
        ("embedder.pooling=max", "embedder.pooling"),
        ("merge_embedder.epoch=9", "merge_embedder.epoch: 9 is never trained; train_embedder.epochs is 3"),
        ("train_reranker.siblings=0.5", "siblings: 0.5 needs mine_for_reranker.siblings=true"),
        ("train_reranker.siblings=2", "train_reranker.siblings: .*less than or equal to 1"),
        ("reranker.layout=last", "reranker.layout: .*'plain', 'wrong_first' or 'wrong_marked'"),
        ("merge_reranker.epoch=0", "merge_reranker.epoch: .*greater than or equal to 1"),
        ("evaluate.pool=24", "evaluate.depth: 25 is more than evaluate.pool, 24"),
        ("mine_for_reranker.kept=24", "train_reranker.depth: 25 is more than mine_for_reranker.kept, 24"),
        ("prepare.scheme=questions", "prepare.scheme: Extra inputs are not permitted"),
        ("mine_for_embedder.lowest=200", "mine_for_embedder.lowest: 200 is not below highest, 200"),
        ("train_reranker.group=17", "train_reranker.group: 17 needs 16 negatives; mine_for_reranker.count is 15"),
        ("train_embedder.distill=1.0", "train_embedder.distill: 1.0 needs a teacher"),
        ("train_embedder.label_weight=0", "label_weight: 0 leaves nothing to learn from, since distill is 0 too"),
        ("train_reranker.distill_loss=mse", "distill_loss: .*'kl', 'margin_mse' or 'ranknet'"),
        ("train_reranker.loss=listmle", "loss: .*'cross_entropy', 'ranknet', 'lambda' or 'approx_mrr'"),
        ("mine_for_reranker.random=1.5", "mine_for_reranker.random: .*less than or equal to 1"),
        ("iteration.previous=iter1", "either iteration.previous or a .miner."),
        ("train_embedder", "is no section.key=value"),
        ("rate=1", "is no section.key=value"),
        ("train_embedder.rate.peak=1", "train_embedder.rate: .*valid number"),
        ("embedder.base.name=x", "'embedder.base.name=x': base is a value, not a section"),
        ("prepare.seed=2024-01-01", "prepare.seed"),  # TOML reads a date
    ],
)
def test_a_bad_override_names_the_key_and_what_is_wrong(override, words):
    with pytest.raises(ValueError, match=words):
        load_settings("iter0", [override])


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("train_embedder.lerning_rate=1e-4", r"got '0.0001'; did you mean train_embedder.rate\?$"),
        ("trainer.rate=1e-4", r"got .*; did you mean train_.*.rate\?$"),
        ("train_embedder.lora.rang=8", r"did you mean train_embedder.lora.rank\?$"),
        ("evaluat.depht=8", r"did you mean evaluate.depth\?$"),
        ("zzz.qqq=8", r"got \"{'qqq': 8}\"$"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_known_one(override, words):
    with pytest.raises(ValueError, match=words):
        load_settings("iter0", [override])


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (
            ["train_reranker.loss=ranknet"],
            "label_smoothing: 0.2 belongs to loss=cross_entropy, .* say label_sm",
        ),
        (
            ["train_embedder.distill_loss=ranknet", "train_embedder.distill_temperature=2"],
            "train_embedder.distill_temperature: 2.0 belongs to distill_loss=kl, .* leave it out",
        ),
        (
            ["teach_reranker.margin=1", "teach_reranker.least=14"],
            "least: 14 negatives may be left .* train_reranker.group needs 15: say teach_reranker.least=15",
        ),
    ],
)
def test_what_a_later_iteration_asks_of_its_teacher_goes_together(overrides, words):
    with pytest.raises(ValueError, match=words):
        load_settings("iter1", overrides)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (
            ["train_reranker.shortest_list=3"],
            "shortest_list: 3 is of a kind that reads lists, .*: leave it out",
        ),
        (["reranker.kind=listed", "reranker.template=pair"], "kind: listed reads lists, .*: say kind=pointwise"),
        (
            ["reranker.kind=cumulative", "reranker.window=4", "train_reranker.shortest_list=5"],
            "train_reranker.shortest_list: 5 is more than reranker.window, 4",
        ),
        (["reranker.kind=listed", "merge_reranker.orders=3"], "merge_reranker.orders: Input should be 1 or 2"),
        (["merge_reranker.orders=2"], "merge_reranker.orders: 2 is of a kind that reads lists, .*: leave it out"),
        (["reranker.window=1"], "reranker.window: Input should be greater than or equal to 2"),
    ],
)
def test_what_a_kind_of_reranker_is_asked_goes_together(overrides, words):
    with pytest.raises(ValueError, match=words):
        load_settings("iter0", overrides)


def test_overrides_are_toml_values_or_bare_words_and_the_last_one_counts():
    settings = load_settings(
        "iter0",
        [
            "train_embedder.rate=2e-4",
            "train_embedder.batch=8",
            "train_embedder.batch=4",
            "train_embedder.recompute=none",
            "train_embedder.warmup=0",  # a whole number for a share
            "prepare.competition=data/other",
            'prepare.seed="17"',
            'train_reranker.lora.targets=["q_proj", "v_proj"]',
        ],
    )
    assert (settings.train_embedder.rate, settings.train_embedder.batch) == (2e-4, 4)
    assert (settings.train_embedder.recompute, settings.train_embedder.warmup) == ("none", 0)
    assert (settings.prepare.competition, settings.prepare.seed) == ("data/other", "17")
    assert settings.train_reranker.lora.targets == ("q_proj", "v_proj")
    assert settings.train_reranker.lora.rank == load_settings("iter0").train_reranker.lora.rank


SECTIONS = [name for name, field in Settings.model_fields.items() if inner_section(field) and name != "writer"]


@pytest.mark.parametrize("section", SECTIONS)  # iter0 has no writer
def test_naming_a_section_leaves_its_other_keys_as_they_were(section):
    settings = load_settings("iter0")
    for key, value in getattr(settings, section).model_dump(mode="json").items():
        if not isinstance(value, dict) and value is not None:  # TOML has no word for a key that is not there
            assert (
                load_settings("iter0", [f"{section}.{key}={json.dumps(value)}"]) == settings
            )  # JSON's words are TOML's


def test_broken_toml_is_an_error_with_its_place(tmp_path, monkeypatch):
    (tmp_path / ITERATIONS / "bad").mkdir(parents=True)
    (tmp_path / ITERATIONS / "bad" / "params.toml").write_text("[embedder]\nbase = \n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="bad/params.toml: .*line 2"):
        load_settings("bad")


def test_settings_cannot_be_changed_once_they_are_loaded():
    with pytest.raises(ValidationError):
        load_settings("iter0").train_embedder.rate = 1.0


def test_a_run_folder_without_settings_says_how_to_make_them(tmp_path):
    with pytest.raises(ValueError, match="settings iter=iter1 split=cv"):
        read_settings(tmp_path / "iter1" / "cv")


def test_settings_that_say_the_same_are_not_written_again(tmp_path):
    settings = load_settings("iter0")
    write_settings(settings, tmp_path)
    before = (tmp_path / "settings.json").stat().st_mtime_ns
    write_settings(settings, tmp_path)
    assert (tmp_path / "settings.json").stat().st_mtime_ns == before
    assert [path.name for path in tmp_path.iterdir()] == ["settings.json"]


@pytest.mark.parametrize("content", [b"\xff\xfe", b"[embedder\n", b"a = " + b"[" * 5000, b"a = 1\x00"])
def test_a_params_toml_that_cannot_be_read_is_named(content, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ITERATIONS / "odd").mkdir(parents=True)
    (tmp_path / ITERATIONS / "odd/params.toml").write_bytes(content)
    with pytest.raises(ValueError, match=r"training/iterations/odd/params.toml: "):
        load_settings("odd")


def test_an_override_of_brackets_without_an_end_and_a_damaged_settings_json_are_sentences(tmp_path):
    with pytest.raises(ValueError, match=r"prepare.seed"):
        load_settings("demo0", ["prepare.seed=" + "[" * 5000])
    (tmp_path / "settings.json").write_bytes(b"[" * 100_000)
    with pytest.raises(ValueError, match=r"settings.json is damaged"):
        read_settings(tmp_path)
