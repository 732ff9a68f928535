"""Sends many requests to the tagging service at once, beside the same rows without a service; then kills it.

    python -m benchmarks.service.load [models/minilm] [1000]

The embedder alone tags generated questions. The service is started as a user starts it. While the requests are under
way an entry is added by another process, whose clock no queue of this one's requests holds up; then the service is
killed, started again, and asked for that entry.
"""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import httpx
import numpy as np

from inference.engines.serving import Serving
from inference.machine.profiles import load_profile
from inference.tagging.rows import check_row
from inference.tagging.tagger import TagModels, open_tagger
from shared.artifacts.card import EmbedderCard, write_card
from shared.artifacts.files import write_json
from shared.artifacts.manifest import write_manifest
from shared.prompts.embedder import EmbedderPrompt
from shared.settings.load import ITERATIONS, RUNS, load_settings, write_settings
from shared.task.eedi import EEDI, read_competition
from shared.task.tables import MISCONCEPTIONS
from training.run_folder.base_models import local_folder
from training.synthesis.malrules.generate import write_competition

ROOT = Path(__file__).parents[2]
MEASURED = ROOT / "benchmarks" / "measured" / "tagging_load.json"
PROMPT = EmbedderPrompt("", 400, 60, 60, 60)
SECONDS = 1800.0  # that a request may take
NEW = "Reads the clock's hands the other way round"
EDITOR = """
import json, sys, time, httpx
address, text, timeout = sys.argv[1], sys.argv[2], float(sys.argv[3])
with httpx.Client(base_url=address, timeout=timeout) as client:
    client.get("/health")
    print("ready", flush=True)
    sys.stdin.readline()
    began = time.perf_counter()
    added = client.post("/catalogue", json={"text": text})
    print(json.dumps({"edit_status": added.status_code, "edit_s": time.perf_counter() - began}), flush=True)
"""


def main(base: str, count: int) -> None:
    """Measure, print and keep the figures."""
    folder = local_folder(base).resolve()
    with tempfile.TemporaryDirectory() as place:
        os.chdir(place)
        Path("training").mkdir()
        ITERATIONS.symlink_to(ROOT / ITERATIONS)
        rows, run = _make_run(Path(place), folder, count)
        figures = {"base": folder.name, "requests": count, "cores": os.cpu_count(), **_plain(run, rows)}
        figures |= asyncio.run(_serve(rows))
    print(json.dumps(figures, indent=1))
    write_json(MEASURED, figures)


def _make_run(place: Path, base: Path, count: int) -> tuple[list[dict], Path]:
    """Rows of generated questions, and a run that ends at an embedder."""
    write_competition(place / "competition", questions=240, test_questions=count)
    data = read_competition(place / "competition")
    run = RUNS / "demo0" / "full"
    write_settings(load_settings("demo0", ["evaluate.engine=hf"]), run)
    MISCONCEPTIONS.write(data.misconceptions, run / "prepare")
    shutil.copytree(base, run / "merge_embedder")
    write_card(EmbedderCard("mean", PROMPT), run / "merge_embedder")
    write_manifest(run / "merge_embedder", {})
    return data.test.select(EEDI.row_form.fields)[:count].to_dicts(), run


def _plain(run: Path, rows: list[dict]) -> dict[str, float]:
    """Rows per second of the same work in this process, all rows at once, and the seconds that it computed."""
    checked = [check_row(row, "row") for row in rows]
    models = TagModels(run / "merge_embedder", None, Serving("hf", load_profile("cpu")))
    with open_tagger(models, MISCONCEPTIONS.read(run / "prepare")) as tagger:
        tagger.tag(checked[:8])
        began, before = time.perf_counter(), time.process_time()
        tagger.tag(checked)
        busy = time.process_time() - before
        return {"plain_rows_per_s": len(rows) / (time.perf_counter() - began), "plain_cpu_s": busy}


async def _serve(rows: list[dict]) -> dict:
    server, address = _start()
    try:
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        async with httpx.AsyncClient(base_url=address, timeout=SECONDS, limits=limits) as client:
            await client.post("/tag", json={"rows": rows[:8]})
            editor = await _start_editor(address)
            began, before = time.perf_counter(), _cpu_seconds(server.pid)
            asked = [asyncio.create_task(_ask(client, row)) for row in rows]
            await asyncio.sleep(0.5)
            edited = json.loads((await editor.communicate(b"go\n"))[0])
            answers = await asyncio.gather(*asked)
            seconds, busy = time.perf_counter() - began, _cpu_seconds(server.pid) - before
            batches = _batches((await client.get("/metrics")).text)
    finally:
        server.send_signal(signal.SIGKILL)
        server.wait()
    server, address = _start()
    try:
        entries = httpx.get(f"{address}/catalogue", timeout=SECONDS).json()["entries"]
    finally:
        server.terminate()
        server.wait()
    waits = np.array([wait for _, wait in answers])
    return {
        "served_rows_per_s": len(rows) / seconds,
        "served_cpu_s": busy,
        "batches": batches,
        "answers": dict(Counter(status for status, _ in answers)),
        "median_s": float(np.median(waits)),
        "p99_s": float(np.percentile(waits, 99)),
        **edited,
        "edit_there_after_kill": any(entry["text"] == NEW for entry in entries),
    }


async def _ask(client: httpx.AsyncClient, row: dict) -> tuple[str, float]:
    began = time.perf_counter()
    try:
        answer = await client.post("/tag", json={"rows": [row]})
        status = str(answer.status_code)
    except httpx.HTTPError as error:
        status = type(error).__name__
    return status, time.perf_counter() - began


async def _start_editor(address: str) -> asyncio.subprocess.Process:
    """A process that adds an entry once it reads a line, and then writes how many seconds that took."""
    pipes = {"stdin": asyncio.subprocess.PIPE, "stdout": asyncio.subprocess.PIPE}
    editor = await asyncio.create_subprocess_exec(sys.executable, "-c", EDITOR, address, NEW, str(SECONDS), **pipes)
    await editor.stdout.readline()
    return editor


def _cpu_seconds(pid: int) -> float:
    """What a process has computed, on all cores: other programs on the machine do not change it much."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _batches(metrics: str) -> int:
    """How often the service has computed, the first time for a request that warmed it up."""
    line = next(line for line in metrics.splitlines() if line.startswith("malrule_batch_rows_count"))
    return int(float(line.split()[1])) - 1


def _start() -> tuple[subprocess.Popen, str]:
    """A server, once it answers, and its address."""
    command = [sys.executable, "-m", "training", "serve", "iter=demo0", "port=0", "--retrieve-only"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    address = next(line.split("/docs")[0] for line in server.stdout if "/docs" in line)
    httpx.get(f"{address}/health", timeout=SECONDS).raise_for_status()
    return server, address


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "models/minilm", int(sys.argv[2]) if len(sys.argv) > 2 else 1000)
