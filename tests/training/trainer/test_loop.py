"""Guards loop.py and lora.py: the schedule, every epoch's adapter, the masters of the weights."""

import json

import pytest
import torch

from inference.engines.transformers.engine import load_causal
from shared.settings.sections import Lora
from tests.training.tiny import (
    CPU,
    DECODER,
    adapter_of,
    embedder_settings,
    make_embedder,
    make_reranker,
    reranker_settings,
    updates_of,
)
from training.trainer.loop import rate_at, train
from training.trainer.lora import Masters, add_lora, save_adapter


class Watched:
    """An objective that remembers the adapter's values at every evaluation."""

    def __init__(self, model, objective):
        self.model, self.objective, self.seen = model, objective, []
        self.count_tokens = objective.count_tokens

    def accumulate(self, *arguments):
        return self.objective.accumulate(*arguments)

    def evaluate(self):
        self.seen.append({name: value.clone() for name, value in self.model.named_parameters() if value.requires_grad})
        return self.objective.evaluate()


def run(model, objective, tables, settings, work):
    return train(model, objective, lambda epoch: updates_of(*tables, settings, epoch), settings, work, "mine")


def test_the_rate_rises_over_the_warm_up_and_falls_in_a_line_to_0():
    # 10 updates, 2 of them warm-up: 1/2, 1, then 8 steps down from 8/8 to 1/8
    rates = [rate_at(step, 10, 0.2) for step in range(10)]
    assert rates == [0.5, 1, 1, 7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8, 2 / 8, 1 / 8]
    assert [rate_at(step, 3, 0.0) for step in range(3)] == [1, 1, 0.5]  # the first update is always warm-up
    assert rate_at(0, 1, 1.0) == 1


# seed: `int(epoch)` of 2.9999 put epoch 3's adapter into lora_epoch_2
def test_folder_epoch_n_holds_the_adapter_as_it_was_after_n_epochs(tiny_qwen, queries, misconceptions, tmp_path):
    tables, settings = (queries, misconceptions), reranker_settings(epochs=3)  # 8 queries in updates of 3, 3 and 2
    model, objective = make_reranker(tiny_qwen, tables, settings, dtype="float32")
    watched = Watched(model, objective)
    history = run(model, watched, tables, settings, tmp_path / "work")
    assert sorted(path.name for path in (tmp_path / "work").glob("epoch_*")) == ["epoch_1", "epoch_2", "epoch_3"]
    assert [figures["epoch"] for figures in history] == [0, 1, 2, 3] == list(range(len(watched.seen)))
    for epoch in (1, 2, 3):
        saved = adapter_of(tmp_path / "work" / f"epoch_{epoch}")
        assert len(saved) == 28  # A and B of 7 weights in 2 layers
        for name, tensor in saved.items():
            assert torch.equal(tensor, watched.seen[epoch][name.replace(".weight", ".default.weight")])
        assert any(not torch.equal(watched.seen[epoch][name], value) for name, value in watched.seen[epoch - 1].items())


@pytest.mark.parametrize("kind", ["embedder", "reranker"])
def test_training_learns_and_tells_the_figures_of_every_epoch(kind, tiny_causal, queries, misconceptions, tmp_path):
    tables = (queries, misconceptions)
    make, settings = {
        "embedder": (make_embedder, embedder_settings(epochs=4, distill=0.0)),
        "reranker": (make_reranker, reranker_settings(epochs=4, distill=0.0)),
    }[kind]
    history = run(*make(tiny_causal, tables, settings, dtype="float32"), tables, settings, tmp_path / "work")
    assert history[4]["loss"] < 0.8 * history[1]["loss"]
    assert json.loads((tmp_path / "work" / "metrics.json").read_text(encoding="utf-8")) == history
    assert all({"eval_loss", "all", "seen", "unseen", "weighted"} < figures.keys() for figures in history)
    assert "loss" not in history[0]  # nothing was trained yet


def test_the_base_is_not_trained(tiny_causal, queries, misconceptions, tmp_path):
    tables, settings = (queries, misconceptions), embedder_settings(epochs=1)
    model, objective = make_embedder(tiny_causal, tables, settings, dtype="float32")
    before = {name: value.clone() for name, value in model.state_dict().items() if "lora_" not in name}
    run(model, objective, tables, settings, tmp_path / "work")
    assert all(torch.equal(model.state_dict()[name], value) for name, value in before.items())


def test_a_loss_that_is_no_number_stops_the_run_and_names_the_queries(tiny_qwen, queries, misconceptions, tmp_path):
    tables, settings = (queries, misconceptions), reranker_settings()
    model, objective = make_reranker(tiny_qwen, tables, settings, dtype="float32")
    first = updates_of(*tables, settings)[0]
    for id_ in first[1].misconception_ids:
        objective.known[id_] = [199]  # an id of no text
    with torch.no_grad():
        model.get_input_embeddings().weight[199] = float("nan")
    with pytest.raises(ValueError, match=f"the loss is nan.*queries {first[0].query_id}, .*: lower the rate"):
        run(model, Watched(model, _Unmeasured(objective)), tables, settings, tmp_path / "work")
    assert not list((tmp_path / "work").glob("epoch_*"))


class _Unmeasured:
    """The objective without its evaluation, which would find the NaN first."""

    def __init__(self, objective):
        self.accumulate, self.count_tokens = objective.accumulate, objective.count_tokens

    def evaluate(self):
        return {}


def test_new_adapters_follow_from_the_seed_and_change_no_answer(tiny_causal):
    from inference.engines.packing.prefix_forest import grow
    from inference.engines.transformers.engine import embed, load_backbone

    batch = grow([[2, 40, 41, 3]], most=4)
    answers, adapters = [], []
    for seed in ("a", "a", "b"):
        model = load_backbone(tiny_causal, "float32", CPU)
        before = embed(model, batch, "last")
        torch.rand(5)
        adapted = add_lora(model, Lora(targets=DECODER), seed=seed)
        answers.append(torch.equal(embed(model, batch, "last"), before))
        adapters.append(torch.cat([value.flatten() for _, value in adapted.named_parameters() if value.requires_grad]))
    assert answers == [True] * 3  # B is 0
    assert torch.equal(adapters[0], adapters[1]) and not torch.equal(adapters[0], adapters[2])


def test_masters_keep_what_16_bits_would_round_away():
    model = torch.nn.Linear(1, 1, bias=False).bfloat16()
    model.weight.data.fill_(1.0)
    masters = Masters(model)
    for _ in range(100):  # steps of 1e-4 on 1: bfloat16 next to 1 goes by 0.0078 and would never move
        with torch.no_grad():
            masters.weights[0] += 1e-4
        masters.publish()
    assert masters.weights[0].item() == pytest.approx(1.01, abs=1e-5)
    assert model.weight.item() == 1.0078125


def test_masters_add_up_the_gradients_of_micro_batches_and_clear_the_models():
    model = torch.nn.Linear(2, 1, bias=False)
    masters = Masters(model)
    for value in (1.0, 2.0):
        model(torch.full((1, 2), value)).sum().backward()
        masters.collect()
        assert model.weight.grad is None
    masters.collect()  # without a new gradient nothing is added
    assert masters.weights.grad.tolist() == [3, 3]
    masters.publish()
    assert masters.weights.grad.tolist() == [0, 0]


def test_an_adapter_names_its_modules_in_order_whatever_order_the_hash_seed_gives_them(tiny_qwen, tmp_path):
    model = add_lora(load_causal(tiny_qwen, "float32", CPU), Lora(rank=4, alpha=8, targets=DECODER), seed="x")
    save_adapter(model, tmp_path / "epoch_1")
    said = json.loads((tmp_path / "epoch_1" / "adapter_config.json").read_text(encoding="utf-8"))
    assert said["target_modules"] == sorted(DECODER)
