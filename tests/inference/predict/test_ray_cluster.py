"""Guards ray_cluster.py on a real cluster of two nodes: it says what one machine says."""

import threading
from pathlib import Path

import pytest
import ray
import ray.data
from ray.cluster_utils import Cluster

from inference.engines.serving import Serving
from inference.fusion.calibration import Ensemble, plain
from inference.fusion.ensemble import Member, Models
from inference.machine.profiles import load_profile
from inference.predict.predict import predict
from inference.predict.ray_cluster import connect, predict_with_ray


@pytest.fixture
def cluster():
    """Two nodes with a CPU each, so that two workers are on two nodes."""
    node = {"num_cpus": 1, "object_store_memory": 100 * 2**20}
    cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
    try:
        cluster.add_node(**node)
        connect(cluster.address)
        yield cluster
    finally:
        ray.shutdown()
        cluster.shutdown()


def test_two_workers_write_the_submission_of_one_machine(cluster, competition, models, tmp_path, monkeypatch):
    monkeypatch.setattr("inference.predict.predict.QUESTIONS", 1)  # four chunks
    monkeypatch.chdir(models)  # relative folders are relative to here, not to where a worker runs
    members = Models((Member(Path("e1")),), (Member(Path("r1")),))
    ray.data.DataContext.get_current().wait_for_min_actors_s = 300  # or one does all
    ensemble, serving = Ensemble(members, plain(6)), Serving("hf", load_profile("cpu"))
    predict(competition, ensemble, tmp_path / "alone.csv", serving)
    done = predict_with_ray(competition, ensemble, tmp_path / "ray.csv", serving, workers=2)
    assert (tmp_path / "ray.csv").read_text(encoding="utf-8") == (tmp_path / "alone.csv").read_text(encoding="utf-8")
    for stage in ("Finder 0", "Ranker 0"):
        here = [row for row in done if row["stage"] == stage]
        assert sorted(row["chunk"] for row in here) == [0, 1, 2, 3]
        assert len({row["node"] for row in here}) == 2
    assert not list(tmp_path.glob(".*"))
    assert not [thread for thread in threading.enumerate() if "usage" in thread.name]  # Ray's, which outlives all
