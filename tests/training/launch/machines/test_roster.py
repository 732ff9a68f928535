"""Guards the machines that train together: who leads, what each hears of the others, and what is said of a lost one."""

import json
import socket
import threading
from pathlib import Path

import pytest

from shared.settings.sections import Machine
from training.launch.machines import lead, roster
from training.pipeline.machines import follow


@pytest.fixture
def machine(monkeypatch):
    """Two machines that meet on this one, and are quickly given up."""
    monkeypatch.setattr(roster, "SILENCE_SECONDS", 2.0)
    monkeypatch.setattr(lead, "SILENCE_SECONDS", 2.0)
    monkeypatch.setattr(roster, "BEAT_SECONDS", 0.1)
    monkeypatch.setattr(lead, "LEAVE_SECONDS", 1.0)
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port = trial.getsockname()[1]
    return Machine(nodes=2, rendezvous=f"127.0.0.1:{port}", device="cpu", profile="cpu")


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Path("runs/demo0/cv")


def in_thread(work):
    """Run `work` beside the test; what it returned or raised is in the list once the thread has ended."""
    ended = []

    def catch():
        try:
            ended.append(work())
        except ValueError as error:
            ended.append(str(error))

    thread = threading.Thread(target=catch, daemon=True)
    thread.start()
    return thread, ended


def test_the_first_at_its_own_address_leads_and_the_second_follows(machine):
    first, second = roster.open_roster(machine), roster.open_roster(machine)
    assert (first.leads, second.leads) == (True, False)
    first.set("word", "said")
    assert second.get("word") == "said" and second.get("another") is None


def test_who_follows_ends_with_the_status_of_who_leads(machine, run):
    first, second = roster.open_roster(machine), roster.open_roster(machine)
    thread, ended = in_thread(lambda: follow.follow(second))
    with lead.leading(first, run) as statuses:
        statuses.append(0)
    thread.join(20)
    assert ended == [0]
    assert not (run / roster.NOTE).exists()


def test_a_failure_of_who_leads_is_said_where_others_follow(machine, run):
    first, second = roster.open_roster(machine), roster.open_roster(machine)
    thread, ended = in_thread(lambda: follow.follow(second))
    with pytest.raises(KeyError), lead.leading(first, run):
        raise KeyError
    thread.join(20)
    assert ended[0].startswith("machine 0 (") and "ended with status 2 (its message stands there)" in ended[0]


def test_a_machine_with_another_folder_is_refused_by_name(machine, run, monkeypatch):
    first, second = roster.open_roster(machine), roster.open_roster(machine)
    monkeypatch.setattr(follow, "SEEN_SECONDS", 0.1)
    monkeypatch.setattr(follow, "read_note", lambda folder: "")
    thread, _ = in_thread(lambda: follow.follow(second))
    said = r"machine 1 \(.*\) does not see runs/demo0/cv as machine 0 \(.*\) does: start both in one folder"
    with pytest.raises(ValueError, match=said), lead.leading(first, run):
        pass
    thread.join(20)


def test_a_machine_with_other_code_is_refused(machine):
    own = {"host": "a", "code": "1", "torch": "2.9", "lacks": ""}
    assert lead._lacks(own, own) == ""
    assert lead._lacks({**own, "code": "2"}, own).startswith("has other code than a: ")
    assert lead._lacks({**own, "torch": "2.8"}, own).startswith("has torch 2.8, and a has 2.9: ")


def test_one_machine_too_many_is_sent_away(machine):
    first = roster.open_roster(machine)
    first.add("joined", 1)
    with pytest.raises(ValueError, match=r"2 machines are at 127.0.0.1:\d+ already: this one is not needed"):
        follow.follow(roster.open_roster(machine))


def test_a_machine_that_falls_silent_is_named_and_one_that_beats_is_not(machine):
    first, second = roster.open_roster(machine), roster.open_roster(machine)
    second.number = 1
    second.set("hello/1", json.dumps({"host": "far"}))
    second.beat()
    lives = roster.Lives(first, range(1, 2))
    deadline = threading.Event()
    for _ in range(30):  # 3 s, longer than the silence that is allowed
        assert lives.lost() == ""
        deadline.wait(0.1)
    second.leave()
    for _ in range(40):
        if said := lives.lost():
            break
        deadline.wait(0.1)
    assert said == "machine 1 (far) shows no life any more"


def test_a_machine_that_leads_and_is_gone_is_said_by_its_address(machine):
    first = roster.open_roster(machine)
    second = roster.open_roster(machine)
    first.store = None  # the last reference: it ends the server
    with pytest.raises(ValueError, match=rf"the machine that leads does not answer at {machine.rendezvous} any more"):
        second.get("word")


def test_a_failure_in_a_stage_names_the_machine(machine):
    first = roster.open_roster(machine)
    first.set("hello/1", json.dumps({"host": "far"}))
    job = lead.Job(machine, ["worker", "prepare", "runs/demo0/cv", "print"])
    first.set(f"job/{job.number}/ready/1", "it has no GPU")
    with pytest.raises(ValueError, match=r"machine 1 \(far\): it has no GPU"):
        job.wait_ready()
    first.set(f"job/{job.number}/done/1", "1")
    assert job.wrong() == "machine 1 (far) failed with status 1 (its message stands there)"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rendezvous": ""}, "nodes=2: say where the machines meet, the same on each: rendezvous=HOST:PORT"),
        ({"rendezvous": "no.such.machine.invalid:1"}, "no machine is called no.such.machine.invalid"),
    ],
)
def test_an_address_that_cannot_be_is_refused(machine, changes, said):
    with pytest.raises(ValueError, match=said):
        roster.open_roster(machine.model_copy(update=changes))


def test_where_nobody_leads_that_is_said(machine):
    with pytest.raises(ValueError, match=rf"nobody leads at {machine.rendezvous}: start the same command"):
        roster.connect(machine, wait_seconds=0.1)
