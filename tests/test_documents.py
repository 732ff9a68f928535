"""Guards README and docs/: they show what the code says, name what is there, and the README stays short."""

import re
from pathlib import Path

import pytest

from docs import life_of_a_row
from docs.pictures.draw import FOLDER, PICTURES

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
ROOMS = {path.name for path in ROOT.iterdir() if path.is_dir()} - {"runs", "data", "models"}  # these are made by runs
# A reader makes the first of these, and a push to Kaggle the second.
EXAMPLES = {"training/iterations/iter2/params.toml", "datasets_meta/*.lock.json"}
MOST_WORDS = 1000


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch):
    monkeypatch.chdir(ROOT)


def test_the_readme_is_short_enough_to_be_read():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").split()) <= MOST_WORDS


@pytest.mark.parametrize("name", PICTURES)
def test_a_committed_picture_is_what_the_script_draws(name):
    assert (FOLDER / name).read_text(encoding="utf-8") == PICTURES[name](), "run: python -m docs.pictures.draw"


def test_the_life_of_a_row_is_what_the_script_renders():
    page = life_of_a_row.PAGE.read_text(encoding="utf-8")
    assert page == life_of_a_row.render_page(), "run: python -m docs.life_of_a_row"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_path_that_a_page_names_exists(page):
    text = page.read_text(encoding="utf-8")
    missing = [name for name in named_paths(text) if name not in EXAMPLES and not is_there(name)]
    missing += [link for link in relative_links(text) if not (page.parent / link).exists()]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_that_a_page_names_is_a_recipe(page):
    recipes = set(
        re.findall(r"^([a-z-]+)(?: \*?[a-z]+)*:", (ROOT / "justfile").read_text(encoding="utf-8"), re.MULTILINE)
    )
    assert "train" in recipes
    named = set(re.findall(r"\./just ([a-z-]+)", page.read_text(encoding="utf-8")))
    assert not named - recipes


def test_paths_and_links_are_found_in_a_text():
    text = "`shared/task/` `./just test` `runs/iter1/cv` [a](b/c.md#d) [e](https://f) `python -m docs.x` ![g](h.svg)"
    assert named_paths(text) == ["shared/task/"]
    assert relative_links(text) == ["b/c.md", "h.svg"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_module_that_a_page_runs_exists(page):
    modules = re.findall(r"python -m ([\w.]+)", page.read_text(encoding="utf-8"))
    paths = [Path(ROOT, *module.split(".")) for module in modules]
    assert not [
        path for path in paths if not path.with_suffix(".py").is_file() and not (path / "__main__.py").is_file()
    ]


def is_there(name):
    return any(ROOT.glob(name.rstrip("/")))


def named_paths(text):
    """Paths of the repository between backticks: their first part is one of its folders."""
    return [name for name in re.findall(r"`([\w./*-]+/[\w./*-]*)`", text) if name.partition("/")[0] in ROOMS]


def relative_links(text):
    return [link for link in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text) if "://" not in link]
