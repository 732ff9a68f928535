"""Guards training/analysis/report/: the page in a real headless Chromium, narrow and wide, light and dark."""

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

from shared.artifacts.manifest import write_manifest
from shared.settings.load import ITERATIONS
from tests.training.analysis.finished_run import HOSTILE, finish_run
from training.__main__ import main
from training.analysis.report import page as page_module
from training.analysis.report.charts import move_apart
from training.analysis.report.page import write_page

ROOT = Path(__file__).parents[4]
BROWSER = ROOT / ".tools/browser"
LOOKS = [(width, scheme) for width in (390, 1280) for scheme in ("light", "dark")]
# all of them; losses, losses within epochs, scores, time; scores of other runs, time
CHARTS = {"demo1/cv": 13, "demo1/full": 6, "small0/cv": 2}
CUT_OFF = """[...document.querySelectorAll('[data-chart] svg')].flatMap(svg => {
  const frame = svg.getBoundingClientRect();
  return [...svg.querySelectorAll('text')].filter(text => {
    const box = text.getBoundingClientRect();
    return box.width && (box.left < frame.left - 1 || box.right > frame.right + 1 || box.top < frame.top - 1
      || box.bottom > frame.bottom + 1);
  }).map(text => text.textContent);
})"""
AXIS_COLOUR = "getComputedStyle(document.querySelector('[data-chart] svg .role-axis-label text')).fill"


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A checkout with three runs: one whose every text is hostile, one of split=full, one that was only prepared."""
    place, before = tmp_path_factory.mktemp("place"), Path.cwd()
    (place / "training").mkdir()
    (place / ITERATIONS).symlink_to(ROOT / ITERATIONS)
    os.chdir(place)
    try:
        finish_run(Path("data"), "demo1", "cv", questions=120, hostile=True)
        finish_run(Path("data"), "demo1", "full", questions=120)
        begun = finish_run(Path("data"), "small0", "cv", questions=120)
        for stage in begun.glob("*/"):
            if stage.name != "prepare":
                (stage / "manifest.json").unlink()
                (stage / "metrics.json").unlink(missing_ok=True)
                (stage / "audit.json").unlink(missing_ok=True)
        write_calibration(Path("runs/demo1/calibration"))
        main(["lb", "iter=demo1", "public=0.505"])
        for run in ("demo1/cv", "demo1/full", "small0/cv"):
            write_page(Path("runs", run))
    finally:
        os.chdir(before)
    return place


@pytest.fixture(scope="module")
def chromium():
    assert (BROWSER / "installed").is_file(), "there is no browser in .tools: ./just browser puts it there"
    libraries = {"LD_LIBRARY_PATH": str(BROWSER / "lib"), "FONTCONFIG_FILE": str(BROWSER / "fonts.conf")}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=BROWSER / "chromium", env={**os.environ, **libraries}, args=["--no-sandbox"]
        )
        yield browser
        browser.close()


def write_calibration(folder: Path) -> None:
    """As training/analysis/calibrate/calibrate.py leaves it."""
    folder.mkdir()
    values = {"retrieved": 200, "depth": 25, "extra": 5, "blend": 1.5, "offset": 0.4, "tail_offset": 0.02}
    (folder / "calibration.json").write_text(
        json.dumps({**values, "labelled": [1, 2], "fitted": None}), encoding="utf-8"
    )
    figures = {"draw": "cv2", "pool": "labelled", "ranking": "reranked", "chosen": "depth 25, extra 5"}
    parts = {side: {"seen": 0.3, "unseen": 0.2, "weighted": 0.225} for side in ("without", "with")}
    numbers = {**parts, "gain": 0.0123, "low": -0.001, "high": 0.025}
    (folder / "figures.json").write_text(json.dumps([{**figures, **numbers}]), encoding="utf-8")


def open_page(chromium, path: Path, width: int, scheme: str) -> tuple[Page, list[str]]:
    """The drawn page, and what it said on the console, threw, or asked the network for."""
    page, said = chromium.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme), []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: said.append(request.url))
    page.goto(path.as_uri())
    try:
        page.wait_for_selector("html[data-drawn]", state="attached", timeout=20_000)
    except Exception as error:
        raise AssertionError(f"the charts were not drawn: {said}") from error
    assert said.pop(0) == path.as_uri()
    return page, said


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
@pytest.mark.parametrize("run", ["demo1/cv", "demo1/full", "small0/cv"])
def test_it_draws_every_chart_says_nothing_asks_for_nothing_and_never_scrolls_sideways(
    chromium, place, run, width, scheme
):
    page, said = open_page(chromium, place / "runs" / run / "report.html", width, scheme)
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert said == []
    assert page.locator("[data-chart]").count() == page.locator("[data-chart] svg").count() == CHARTS[run]
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate(CUT_OFF) == []  # no label of a chart runs out of it
    page.close()


def test_texts_are_shown_and_do_nothing(chromium, place):
    page, said = open_page(chromium, place / "runs/demo1/cv/report.html", 1280, "light")
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    page.wait_for_timeout(200)
    shown = page.locator("#worst").inner_text()
    for text in HOSTILE[:2]:
        assert text in shown
    assert "{{ 7 * 7 }} {% raw %}" in shown and "&lt;b&gt;" in shown and "]]>" in shown
    assert page.evaluate("window.hacked") is None and said == []
    assert page.locator("#worst img, #worst svg, #worst script, #worst style").count() == 0
    page.hover("#subjects svg .mark-symbol path >> nth=0")
    assert "</script>" in page.locator("#vg-tooltip-element").inner_text()
    assert page.evaluate("window.hacked") is None and said == []
    page.close()


def test_the_charts_follow_the_reader_into_the_dark_without_being_drawn_again(chromium, place):
    page, _ = open_page(chromium, place / "runs/demo1/cv/report.html", 1280, "light")
    before = page.evaluate(AXIS_COLOUR), page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.emulate_media(color_scheme="dark")
    after = page.evaluate(AXIS_COLOUR), page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert all(one != other for one, other in zip(before, after, strict=True))
    page.close()


def test_details_open_from_the_keyboard(chromium, place):
    page, _ = open_page(chromium, place / "runs/demo1/cv/report.html", 390, "light")
    row = page.locator("#worst details").first
    row.locator("summary").focus()
    page.keyboard.press("Enter")
    assert row.evaluate("one => one.open")
    page.close()


def test_latex_is_typeset_and_a_hostile_one_is_not_obeyed(chromium, place):
    page, said = open_page(chromium, place / "runs/demo1/cv/report.html", 1280, "light")
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert page.locator("#worst math mfrac").count() > 0
    assert page.locator("#worst a, #rows a").count() == 0 and said == []  # an \\href is shown, and leads nowhere
    page.close()


@pytest.mark.parametrize("width", [390, 1280])
def test_all_rows_are_filtered_by_words_seen_rank_and_what_the_reranker_did(chromium, place, width):
    page, said = open_page(chromium, place / "runs/demo1/cv/report.html", width, "light")

    def count():
        return int(page.locator("#count").inner_text().split(" of ")[0])

    whole = count()
    assert page.locator("#found details").count() == min(whole, 20)
    counts = []
    for kind in ("seen", "unseen"):
        page.select_option("[name=seen]", kind)
        counts.append(count())
    assert sum(counts) == whole and all(counts)
    page.select_option("[name=seen]", "")
    for name, values in (("rank", ("1-1", "2-5", "6-25", "26-")), ("moved", ("better", "worse", "as before"))):
        counts = []
        for value in values:
            page.select_option(f"[name={name}]", value)
            counts.append(count())
        assert sum(counts) == whole
        page.select_option(f"[name={name}]", "")
    page.fill("[name=words]", "no such words anywhere")
    assert count() == 0
    page.fill("[name=words]", page.locator("#worst .id").first.inner_text().lower())
    assert count() == 1 and page.locator("#found details").count() == 1
    page.locator("#found summary").click()
    assert page.evaluate("document.documentElement.scrollWidth") == width and said == []
    assert page.evaluate("window.hacked") is None
    page.close()


def test_no_table_is_clipped_on_a_telephone(chromium, place):
    page, _ = open_page(chromium, place / "runs/demo1/cv/report.html", 390, "light")
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    wide = "[...document.querySelectorAll('.scroll')].filter(one => one.scrollWidth > one.clientWidth + 1).length"
    assert page.evaluate(wide) == 0
    page.close()


def test_katex_is_the_file_that_its_page_names():
    folder = Path(page_module.__file__).parent / "katex"
    named = re.findall(r"([0-9a-f]{64})  (\S+)", (folder / "README.md").read_text(encoding="utf-8"))
    assert len(named) == len(list(folder.iterdir())) - 1
    for digest, name in named:
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest, name


def test_a_part_without_anything_to_show_says_why(place):
    full, begun = (
        (place / "runs" / run / "report.html").read_text(encoding="utf-8") for run in ("demo1/full", "small0/cv")
    )
    assert "nothing is held out" in full and "The leak audit has not run yet" in full
    assert "depth 25, extra 5, blend 1.5" in full and "+0.0123 (-0.0010\u00a0to\u00a0+0.0250)" in full
    for sentence in (
        "The run is not evaluated yet.",
        "The reranker is not trained yet.",
        "The leak audit has not run yet.",
        "No calibration is chosen yet",
    ):
        assert sentence in begun


def test_it_is_written_whole_or_stays_as_it_was(place, monkeypatch):
    monkeypatch.chdir(place)
    path = Path("runs/demo1/full/report.html")
    before = path.read_bytes()
    assert write_page(path.parent).read_bytes() == before  # the same run, the same bytes
    monkeypatch.setattr(page_module, "worst_rows", lambda found: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_page(path.parent)
    assert path.read_bytes() == before and len(before) < 2_000_000
    assert not list(path.parent.glob(".*partial"))


def test_the_command_prints_and_writes_it_without_torch(place):
    code = """
import sys
from training.__main__ import main
assert main(["report", "iter=demo1", "split=full"]) == 0
print(sorted({"torch", "transformers", "vllm", "peft", "faiss"} & set(sys.modules)))
"""
    path = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], cwd=place, env=path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-2:] == ["written to runs/demo1/full/report.html", "[]"]


def test_a_run_that_is_not_begun_or_was_evaluated_by_an_older_version_is_named(place, monkeypatch, capsys):
    monkeypatch.chdir(place)
    assert main(["report", "iter=small1"]) == 0  # small0 has begun, small1 has not
    assert "no report.html: runs/small1/cv has no finished stage yet" in capsys.readouterr().out
    old = Path("runs/demo0/cv/evaluate")
    old.mkdir(parents=True)
    (old / "metrics.json").write_text("{}", encoding="utf-8")
    write_manifest(old, {"seconds": 1.0})
    assert main(["report", "iter=demo0"]) == 2
    assert "runs/demo0/cv was evaluated by an older version" in capsys.readouterr().err


def test_names_at_the_ends_of_lines_move_apart_no_further_than_they_must():
    # 10 and 12 are 8 too near: each gives 4; 50 stays
    assert move_apart([10, 12, 50], 10) == [6, 16, 50]
    # three at 0 would go up by 10, and nothing goes above 0
    assert move_apart([0, 0, 0], 10) == [0, 10, 20]
    # 20 and 21 part to 15.5 and 25.5, which is too near 30: the three share 13.67, 23.67, 33.67
    assert move_apart([20, 21, 30], 10) == pytest.approx([41 / 3, 71 / 3, 101 / 3])
