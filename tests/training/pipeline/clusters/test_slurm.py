"""Guards on=slurm: the script's words, what Slurm's programs are given, and what is said where they are not there."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from shared.settings.arguments import read_arguments
from shared.settings.sections import Machine
from training import words
from training.pipeline.clusters import slurm
from training.run_folder.names import Target
from training.synthesis.malrules.generate import write_competition

TARGET = Target("demo0", overrides=("machine.nodes=2", 'machine.slurm="--partition=gpu --time=60"'))


@pytest.fixture
def programs(place, monkeypatch):
    """A folder for programs that stand in for Slurm's: each writes down its words and prints what it is told."""
    folder = place / "bin"
    folder.mkdir()
    bash = str(Path(shutil.which("bash")).parent)
    monkeypatch.setenv("PATH", str(folder))
    write_competition(place / "data/demo", questions=40, test_questions=10)

    def make(name: str, prints: str = "", status: int = 0):
        path = folder / name
        path.write_text(
            f'#!{bash}/bash\nprintf "%s\\n" "$@" >{place}/{name}.words\n{prints}\nexit {status}\n', encoding="utf-8"
        )
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    return make


def said_to(place, name):
    return (place / f"{name}.words").read_text(encoding="utf-8").splitlines()


def test_sbatch_gets_the_settings_words_and_the_script(place, programs, capsys):
    programs("squeue")
    programs("sbatch", "echo '7;tiny'")
    assert slurm.submit(TARGET, ["iter=demo0"]) == 0
    script = "runs/demo0/cv/slurm/train.sbatch"
    assert said_to(place, "sbatch") == ["--parsable", "--partition=gpu", "--time=60", script]
    assert "job 7 trains runs/demo0/cv on 2 machines" in capsys.readouterr().out


def test_each_machine_runs_the_command_that_was_typed_and_meets_at_the_first_one(place, programs):
    words_ = ["iter=demo0", "as=a b", "train_embedder.rate=1e-4"]
    text = slurm.render(Path("runs/demo0/cv"), "malrule-demo0-cv", words_, Machine(nodes=2))
    script = place / "script"
    script.write_text(text, encoding="utf-8")
    hosts = 'if [ "$2" = hostnames ]; then echo n7; echo n8; else echo "NodeName=n7 NodeAddr=10.0.0.7 NodeHost=x"; fi'
    programs("scontrol", hosts)
    programs("srun")
    environment = {
        **os.environ,
        "PATH": f"{place}/bin:/usr/bin:/bin",
        "SLURM_JOB_ID": "40007",
        "SLURM_JOB_NODELIST": "n[7-8]",
    }
    subprocess.run(["bash", str(script)], env=environment, check=True)
    assert said_to(place, "srun") == [
        *("--kill-on-bad-exit=1", sys.executable, "-m", "training", "train"),
        *words_,
        *("nodes=2", "rendezvous=10.0.0.7:20007"),
    ]
    assert {"#SBATCH --requeue", "#SBATCH --nodes=2", "#SBATCH --output=runs/demo0/cv/slurm/%j.log"} <= set(
        text.splitlines()
    )


def test_a_run_that_is_in_the_queue_is_not_put_there_twice(place, programs):
    programs("squeue", "echo 12")
    with pytest.raises(ValueError, match="job 12 trains runs/demo0/cv already: scancel 12 ends it"):
        slurm.submit(TARGET, ["iter=demo0"])


def test_what_slurm_refuses_is_said_in_a_sentence(place, programs):
    programs("squeue")
    programs("sbatch", "echo 'sbatch: error: invalid partition specified: gpu' >&2", status=1)
    with pytest.raises(ValueError, match="on=slurm: invalid partition specified: gpu; `machine.slurm` has words for"):
        slurm.submit(TARGET, ["iter=demo0"])


def test_where_there_is_no_slurm_that_is_said(place, programs):
    with pytest.raises(ValueError, match="on=slurm: there is no squeue here"):
        slurm.submit(TARGET, ["iter=demo0"])


def test_what_was_typed_is_repeated_without_where_it_is_to_run():
    typed = [
        "iter=1",
        "on=slurm",
        "nodes=2",
        "rendezvous=a:1",
        "machine.rendezvous=b:1",
        "train_reranker.rate=1",
        "--replace",
    ]
    names = [word.name for word in (*words.TRAINED.needed, *words.TRAINED.optional) if word.example]
    said = read_arguments(typed, names, flags=("--replace", "--verify"), overrides=True)
    assert words.repeated(said) == ["iter=1", "train_reranker.rate=1", "--replace"]
    assert words.overrides_of(said)[-2:] == ("machine.nodes=2", "machine.rendezvous=a:1")
    assert words.read_place(said) == "slurm"
