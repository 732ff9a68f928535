"""Guards --dry-run: it says exactly what the same command without it sends next, and sends nothing itself."""

import hashlib
import json

from tests.kaggle_kernels.kaggle_checkout import failure, safetensors
from tests.kaggle_kernels.kaggle_server import Version
from tests.kaggle_kernels.kaggle_storage import Fault

READS = {"GetDataset", "GetDatasetStatus", "ListDatasetFiles", "DownloadDataset", "GetKernel", "GetSubmissionLimits"}
READS |= {"GetKernelSessionStatus", "ListKernelSessionOutput", "ListSubmissions"}
FIRST = (["push-code"], ["push-models", "iter=1"], ["push-wheels"], ["push-kernel", "iter=1"])


def _rehearse(server, publish, *command: str) -> str:
    """What the dry run says; it must not write anything at Kaggle."""
    before = len(server.log)
    outcome = publish(*command, "--dry-run")
    assert outcome.code == 0, outcome.err
    assert {name for name, _ in server.log[before:]} <= READS
    return outcome.out


def test_a_dataset_is_rehearsed_with_every_file_its_metadata_and_its_card(server, publish):
    said = _rehearse(server, publish, "push-models", "iter=1")
    assert publish("push-models", "iter=1").code == 0
    for slug in ("malrule-iter1-embedder", "malrule-iter1-reranker"):
        created, files = server.datasets[slug]["created"], server.newest(slug).files
        total = sum(map(len, files.values()))
        assert f"the new dataset alice/{slug}, private, {len(files)} files, {total:,} bytes (0 of them arrived" in said
        for name, data in files.items():
            assert f"  {name}  {len(data):,} bytes  {hashlib.sha256(data).hexdigest()}" in said
        for field in ("title", "subtitle", "description"):
            assert json.dumps(created[field], ensure_ascii=False) in said
        assert '"apache-2.0"' not in said and '"other"' in said  # the licence


def test_a_kernel_is_rehearsed_with_every_field_its_code_and_its_sources(server, publish):
    said = _rehearse(server, publish, "release", "iter=1")
    assert publish("release", "iter=1").code == 0
    for slug in ("malrule-wheels", "malrule-submit"):
        sent = server.kernels[slug]["versions"][0]
        digest = hashlib.sha256(sent["text"].encode()).hexdigest()
        assert f"would push alice/{slug} version 1" in said and digest in said
        for field in ("machineShape", "dockerImage", "enableInternet", "isPrivate", "datasetDataSources"):
            if field in sent:  # false and empty are not sent
                text = json.dumps(sent[field], indent=1).replace("\n", "\n ")
                assert f'"{field}": {text}' in said, field
    line = server.kernels["malrule-submit"]["versions"][0]["text"].splitlines()[0]
    assert f"with the line {line}\n" in said  # with the versions and digests that the datasets would have
    assert "would wait for that run, and enter it into eedi" in said


def test_what_is_there_is_rehearsed_as_nothing_to_send(server, publish):
    assert publish("release", "iter=1").code == 0
    said = _rehearse(server, publish, "release", "iter=1")
    assert said.count("is already there; nothing would be") == 5 and "would send" not in said
    said = _rehearse(server, publish, "submit")
    assert "version 1 was entered as submission 1; nothing would be sent" in said


def test_a_changed_model_is_rehearsed_as_one_new_version_and_a_kernel_with_it(server, publish, checkout):
    from shared.artifacts.manifest import write_manifest

    assert publish("release", "iter=1").code == 0
    folder = checkout / "runs/iter1/full/merge_reranker"
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").write_bytes(safetensors(b"other"))
    write_manifest(folder, {"stage": "merge_reranker"})
    said = _rehearse(server, publish, "release", "iter=1")
    assert "would send version 2 of alice/malrule-iter1-reranker" in said
    assert said.count("is already there; nothing would be") == 3
    assert publish("release", "iter=1").code == 0
    line = server.kernels["malrule-submit"]["versions"][1]["text"].splitlines()[0]
    assert "would push alice/malrule-submit version 2" in said and f"with the line {line}\n" in said


def test_a_clone_without_locks_rehearses_what_it_would_do_too(server, publish, checkout):
    assert publish("push-code").code == 0
    (checkout / "datasets_meta/malrule-code.lock.json").unlink()
    assert "version 1 is already there; nothing would be sent" in _rehearse(server, publish, "push-code")


def test_a_half_sent_push_is_rehearsed_with_what_has_arrived_and_what_is_unanswered(server, publish):
    server.faults = [Fault("CreateDataset", 0, "cut")]
    assert "gave no answer" in failure(publish("push-code"))
    said = _rehearse(server, publish, "push-code")
    total = sum(blob.size for blob in server.blobs.values())
    assert f"{total:,} bytes ({total:,} of them arrived before)" in said
    assert "was sent at 2027-01-15T08:00:00+00:00 and is not there yet: would look for that first, else" in said


def test_a_rehearsal_fails_as_the_command_would(server, publish):
    assert "malrule-wheels was not pushed from here" in failure(publish("push-kernel", "iter=1", "--dry-run"))
    assert "malrule-submit was not pushed from here" in failure(publish("submit", "--dry-run"))
    assert publish("push-code").code == 0
    server.datasets["malrule-code"]["private"] = False
    assert "is public and this push is private" in failure(publish("push-code", "--dry-run"))
    server.datasets["malrule-code"]["versions"].append(Version({}, "", ["DELETED"], 0))
    assert "was deleted" in failure(publish("push-code", "--dry-run"))


def test_a_submission_is_rehearsed_with_its_version_and_what_is_left_today(server, publish):
    assert all(publish(*command).code == 0 for command in FIRST)
    said = _rehearse(server, publish, "submit")
    assert "would enter alice/malrule-submit version 1 (its run is COMPLETE) into eedi" in said
    assert "4 submissions are left today" in said
    assert publish("submit").code == 0
    assert f"as {server.submissions[0]['submissionDescription']!r}" in said
