"""Guards the small JSON files that a push lives on: their bytes, and one sentence for a broken one."""

import json

import pytest

from kaggle_kernels.push.pending import Blob, Pending
from kaggle_kernels.push.receipts import Receipt, Source, read_receipt, write_receipt
from tests.kaggle_kernels.kaggle_checkout import failure, rewrite

TIME = "2027-01-15T08:00:00+00:00"
DATASET = {"owner": "alice", "version": 3, "digest": "ab", "files": {"b": 1, "a": 2}, "time": TIME}
KERNEL = {
    "owner": "alice",
    "version": 1,
    "digest": "cd",
    "sources": {"malrule-code": {"version": 2, "digest": "ef"}},
    "tag": "iter1",
    "run": "runs/iter1/full",
    "models": {"merge_embedder": "01"},
    "time": TIME,
}


@pytest.mark.parametrize("said", [DATASET, KERNEL, {"owner": "alice", "version": 1, "digest": "", "time": TIME}])
def test_a_receipt_holds_what_was_said_in_this_order_and_no_more(said, checkout):
    sources = {slug: Source(**source) for slug, source in said.get("sources", {}).items()}
    write_receipt("x", Receipt(**{**said, **({"sources": sources} if sources else {})}))
    assert (checkout / "datasets_meta/x.lock.json").read_text(encoding="utf-8") == json.dumps(said, indent=1) + "\n"
    assert read_receipt("x", "alice").model_dump(exclude_unset=True) == said
    assert read_receipt("x", "bob") is None and read_receipt("y", "alice") is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"version": "1"}, "malrule-code.lock.json: version: Input should be a valid integer"),
        ({"version": True}, "malrule-code.lock.json: version: Input should be a valid integer"),
        ({"digest": None}, "malrule-code.lock.json: digest: Input should be a valid string"),
        ({"time": "yesterday"}, "malrule-code.lock.json: time: Value error, Invalid isoformat string"),
        ({"files": {"a": "big"}}, "malrule-code.lock.json: files.a: Input should be a valid integer"),
    ],
)
def test_a_broken_receipt_is_named_with_its_key_and_what_to_do(changes, words, publish, checkout):
    assert publish("push-code").code == 0
    rewrite(checkout / "datasets_meta/malrule-code.lock.json", **changes)
    said = failure(publish("push-code"))
    assert words in said and said.endswith("it is no receipt of this version; take it from git, or delete it")


def test_two_receipts_in_one_file_after_a_merge_are_refused(publish, checkout):
    assert publish("push-code").code == 0
    path = checkout / "datasets_meta/malrule-code.lock.json"
    path.write_text(f"<<<<<<< mine\n{path.read_text(encoding='utf-8')}", encoding="utf-8")
    assert "malrule-code.lock.json: Invalid JSON" in failure(publish("push-code"))


def test_a_receipt_of_a_later_version_that_says_more_is_read(publish, checkout):
    assert publish("push-code").code == 0
    rewrite(checkout / "datasets_meta/malrule-code.lock.json", seen=True)
    assert "already there" in publish("push-code").out


def test_what_is_under_way_is_kept_in_these_bytes_for_nobody_else_to_read(tmp_path):
    pending = Pending(tmp_path / "push.json", "ab")
    pending.keep("cd a.txt", Blob(token="t", address="http://localhost/upload/t", begun=5.5, done=True))
    pending.sending(2, 1_800_000_000.0)
    blob = {"token": "t", "address": "http://localhost/upload/t", "begun": 5.5, "done": True}
    sent = {"previous": 2, "time": 1_800_000_000.0, "answered": False}
    text = json.dumps({"digest": "ab", "sent": sent, "blobs": {"cd a.txt": blob}}, indent=1) + "\n"
    assert (tmp_path / "push.json").read_text(encoding="utf-8") == text
    assert (tmp_path / "push.json").stat().st_mode & 0o777 == 0o600
    assert Pending(tmp_path / "push.json", "ab").sent == pending.sent
    other = Pending(tmp_path / "push.json", "another content")
    assert (other.sent, other.blobs) == (None, {})  # its files were sent, and serve no more


def test_a_broken_file_of_what_is_under_way_is_named_without_the_addresses_in_it(publish, checkout):
    folder = checkout / ".cache/kaggle/malrule-code"
    folder.mkdir(parents=True)
    blob = {"token": "token-7", "address": ["http://localhost/upload/token-7"], "begun": 1.0, "done": False}
    (folder / "push.json").write_text(
        json.dumps({"digest": "ab", "sent": None, "blobs": {"x": blob}}), encoding="utf-8"
    )
    said = failure(publish("push-code"))
    assert ".cache/kaggle/malrule-code/push.json: blobs.x.address: Input should be a valid string: look at" in said
    assert "token-7" not in said


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"id": 5}, "datasets_meta/code/dataset-metadata.json: id: Input should be a valid string: take it from git"),
        ({"licenses": "other"}, "dataset-metadata.json: licenses: Input should be a valid array"),
        ({"licenses": [{"name": 1}]}, "dataset-metadata.json: licenses.0.name: Input should be a valid string"),
    ],
)
def test_metadata_of_another_form_are_named_with_their_key(changes, words, publish, checkout):
    rewrite(checkout / "datasets_meta/code/dataset-metadata.json", **changes)
    assert words in failure(publish("push-code"))


def test_a_key_of_kaggles_that_we_do_not_read_stays_in_the_metadata(publish, checkout):
    rewrite(checkout / "datasets_meta/code/dataset-metadata.json", collaborators=["bob"])
    assert '"collaborators": [' in publish("push-code", "--dry-run").out
