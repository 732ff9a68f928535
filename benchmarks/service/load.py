"""Sends many requests to the tagging service at once, beside the same rows without a service; then kills it.

    python -m benchmarks.service.load [models/minilm] [1000]

The embedder alone tags generated questions. The service is started as a user starts it. While the requests are under
way an entry is added, and looked for at once; then the process is killed, started again, and asked for that entry.
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
from inference.tagging.rows import COLUMNS, check_row
from inference.tagging.tagger import TagModels, open_tagger
from shared.artifacts.card import EmbedderCard, write_card
from shared.artifacts.files import write_json
from shared.artifacts.manifest import write_manifest
from shared.prompts.embedder import EmbedderPrompt
from shared.settings.load import ITERATIONS, RUNS, load_settings, write_settings
from shared.task.eedi import read_competition
from shared.task.tables import MISCONCEPTIONS
from training.run_folder.base_models import local_folder
from training.synthesis.malrules.generate import write_competition

ROOT = Path(__file__).parents[2]
MEASURED = ROOT / "benchmarks" / "measured" / "tagging_load.json"
PROMPT = EmbedderPrompt("", 400, 60, 60, 60)
SECONDS = 1800.0  # that a request may take
NEW = "Reads the clock's hands the other way round"


def main(base: str, count: int) -> None:
    """Measure, print and keep the figures."""
    folder = local_folder(base).resolve()
    with tempfile.TemporaryDirectory() as place:
        os.chdir(place)
        Path("training").mkdir()
        ITERATIONS.symlink_to(ROOT / ITERATIONS)
        rows, run = _make_run(Path(place), folder, count)
        figures = {
            "base": folder.name,
            "requests": count,
            "cores": os.cpu_count(),
            "plain_rows_per_s": _plain(run, rows),
        }
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
    return data.test.select(COLUMNS)[:count].to_dicts(), run


def _plain(run: Path, rows: list[dict]) -> float:
    """Rows per second of the same work in this process, all rows at once."""
    checked = [check_row(row, "row") for row in rows]
    models = TagModels(run / "merge_embedder", None, Serving("hf", load_profile("cpu")))
    with open_tagger(models, MISCONCEPTIONS.read(run / "prepare")) as tagger:
        tagger.tag(checked[:8])
        began = time.perf_counter()
        tagger.tag(checked)
        return len(rows) / (time.perf_counter() - began)


async def _serve(rows: list[dict]) -> dict:
    server, address = _start()
    try:
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        async with httpx.AsyncClient(base_url=address, timeout=SECONDS, limits=limits) as client:
            await client.post("/tag", json={"rows": rows[:8]})
            began = time.perf_counter()
            asked = [asyncio.create_task(_ask(client, row)) for row in rows]
            await asyncio.sleep(0.5)
            edited = await _edit(client)
            answers = await asyncio.gather(*asked)
            seconds = time.perf_counter() - began
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


async def _edit(client: httpx.AsyncClient) -> dict:
    """Seconds until an entry that is added under load is in the catalogue that every later request sees."""
    began = time.perf_counter()
    added = await client.post("/catalogue", json={"text": NEW})
    return {"edit_status": added.status_code, "edit_s": time.perf_counter() - began}


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
