"""Guards manifest.py: what a manifest says of a folder is true of every byte in it."""

import hashlib
import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.artifacts import manifest
from shared.artifacts.manifest import digest, read_manifest, verify_manifest, write_manifest


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "merge_embedder"
    (folder / "tokens").mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"abc")
    (folder / "tokens" / "vocab.txt").write_bytes(b"")
    return folder


def test_the_manifest_lists_every_file_by_sha256_and_size_and_not_itself(folder):
    write_manifest(folder, {"iteration": "iter1"})
    expected = {  # SHA-256 of "abc" is FIPS 180-2's first example; the other is that of nothing
        "model.safetensors": {"sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "bytes": 3},
        "tokens/vocab.txt": {"sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "bytes": 0},
    }
    assert read_manifest(folder) == {"files": expected, "lineage": {"iteration": "iter1"}}
    assert list(read_manifest(folder)["files"]) == sorted(expected)
    verify_manifest(folder)
    write_manifest(folder, {"iteration": "iter1"})  # again, with a manifest already there
    assert read_manifest(folder)["files"] == expected


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda folder: (folder / "model.safetensors").unlink(), "model.safetensors is missing"),
        (lambda folder: (folder / "tokens" / "new").touch(), "tokens/new is extra"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"ab"), "model.safetensors differs: 2 bytes"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"abd"), "model.safetensors differs: SHA-256"),
        (lambda folder: (folder / "manifest.json").unlink(), "does not exist"),
        (lambda folder: (folder / "manifest.json").write_text("{", encoding="utf-8"), "is no manifest"),
        (lambda folder: (folder / "manifest.json").write_text("[]", encoding="utf-8"), "is no manifest"),
        (lambda folder: (folder / "manifest.json").write_bytes(b"\xff"), "is no manifest"),
    ],
)
def test_verify_names_the_file_that_is_not_as_listed(folder, spoil, words):
    write_manifest(folder, {})
    spoil(folder)
    with pytest.raises(ValueError, match=words):
        verify_manifest(folder)


@pytest.mark.parametrize(
    "path", ["../model.safetensors", "/etc/hostname", "tokens/../../x", "./model.safetensors", "manifest.json", ""]
)
def test_a_listed_path_that_leaves_the_folder_is_refused(folder, path):
    write_manifest(folder, {})
    said = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    said["files"][path] = {"sha256": "0" * 64, "bytes": 1}
    (folder / "manifest.json").write_text(json.dumps(said), encoding="utf-8")
    with pytest.raises(ValueError, match="is no manifest"):
        verify_manifest(folder)


@pytest.mark.parametrize("target", ["model.safetensors", "/", "nowhere"])
def test_a_symbolic_link_is_refused_by_write_and_by_verify(folder, target):
    write_manifest(folder, {})
    (folder / "tokens" / "link").symlink_to(target)
    for check in (verify_manifest, lambda folder: write_manifest(folder, {})):
        with pytest.raises(ValueError, match="tokens/link is a symbolic link"):
            check(folder)


def test_a_named_pipe_and_an_empty_folder_are_refused(folder, tmp_path):
    os.mkfifo(folder / "pipe")
    with pytest.raises(ValueError, match="pipe is no plain file"):
        write_manifest(folder, {})
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="holds no files"):
        write_manifest(tmp_path / "empty", {})
    with pytest.raises(ValueError, match="is no folder"):
        write_manifest(tmp_path / "absent", {})


def test_the_digest_depends_on_the_files_and_not_on_the_lineage(folder):
    write_manifest(folder, {"iteration": "iter1"})
    first = digest(folder)
    write_manifest(folder, {"iteration": "iter2"})
    assert digest(folder) == first
    (folder / "tokens" / "vocab.txt").rename(folder / "tokens" / "merges.txt")
    write_manifest(folder, {})
    assert digest(folder) != first


def test_a_write_that_is_killed_leaves_no_manifest_and_the_next_one_does_not_list_its_rest(folder, monkeypatch):
    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", die)
        with pytest.raises(KeyboardInterrupt):
            write_manifest(folder, {})
    assert not (folder / "manifest.json").exists()
    write_manifest(folder, {})
    assert sorted(path.name for path in folder.iterdir()) == ["manifest.json", "model.safetensors", "tokens"]


@given(content=st.binary(max_size=40), chunk=st.integers(1, 50))
def test_the_hash_does_not_depend_on_how_much_is_read_at_once(tmp_path_factory, content, chunk):
    path = tmp_path_factory.mktemp("chunk") / "file"
    path.write_bytes(content)
    kept, manifest.CHUNK = manifest.CHUNK, chunk
    try:
        assert manifest.file_facts(path) == {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    finally:
        manifest.CHUNK = kept
