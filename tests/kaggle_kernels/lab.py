"""What fixtures and commands of their own share: time that a test moves, a checkout, commands run in this process."""

import contextlib
import io
import random
import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.kaggle_kernels.kaggle_checkout import ROOT, make_kernel, make_run
from tests.kaggle_kernels.kaggle_server import OWNER, Server

CODE = {
    "shared/a.py": "A = 1\n",
    "inference/b.py": "B = 2\n",
    "inference/engines/c.py": "",
    "inference/p.toml": "x = 1\n",
}


class FakeClock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.time = 1_800_000_000.0

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


@dataclass
class Outcome:
    code: int
    out: str
    err: str


def pointed_at(port: int, home: Path) -> dict[str, str]:
    """The environment in which Kaggle's client talks to the server on `port` and to nobody else."""
    others = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
    proxies = dict.fromkeys(("HTTP_PROXY", "http_proxy"), f"http://127.0.0.1:{port}")
    proxies |= dict.fromkeys(others, "http://127.0.0.1:9")
    who = {"KAGGLE_CONFIG_DIR": str(home), "KAGGLE_USERNAME": OWNER, "KAGGLE_KEY": "fake", "HOME": str(home)}
    return {**who, "KAGGLE_API_ENVIRONMENT": "LOCALHOST", "NO_PROXY": "", "no_proxy": "", **proxies}


def lay_out_checkout(checkout: Path) -> None:
    """A small checkout to run commands in: templates, code, and an iteration that is trained."""
    shutil.copytree(ROOT / "datasets_meta", checkout / "datasets_meta", ignore=shutil.ignore_patterns("*.lock.json"))
    for path, text in CODE.items():
        (checkout / path).parent.mkdir(parents=True, exist_ok=True)
        (checkout / path).write_text(text, encoding="utf-8")
    make_run(checkout / "runs/iter1/full", random.Random("run"))
    make_kernel(checkout / "kaggle_kernels/submit", internet=False)
    make_kernel(checkout / "kaggle_kernels/wheels", internet=True)


class Publish:
    """publish("push-models", "iter=1") runs one command line in this process, at the time of `clock`."""

    def __init__(self, server: Server) -> None:
        self.clock = FakeClock()
        server.now, server.stale = self.clock.now, 20.0

    def __call__(self, *arguments: str) -> Outcome:
        from kaggle_kernels.cli import main

        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(list(arguments), self.clock)
        return Outcome(code, out.getvalue(), err.getvalue())
