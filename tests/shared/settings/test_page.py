"""Guards page.py: docs/configuration.md says what the settings say, and every setting says why it is as it is."""

import pytest

from shared.settings.keys import fields_of
from shared.settings.page import PAGE, render_page
from shared.settings.sections import Settings


def test_the_committed_page_is_what_the_command_writes():
    assert PAGE.read_text(encoding="utf-8") == render_page(), "run: python -m shared.settings.page"


@pytest.mark.parametrize(("key", "field"), list(fields_of(Settings)))
def test_every_setting_has_a_whole_sentence(key, field):
    assert field.description, f"{key} needs a sentence below it"
    assert field.description.strip().endswith(".")


def test_a_row_has_type_bounds_default_and_sentence():
    page = render_page()
    assert '| `recompute` | `measured` or `all` or `none` | `"measured"` | Which layers compute' in page
    assert "| `epoch` | whole number, at least 1 | needed | The epoch whose adapter is merged." in page
    assert "It has the keys of [embedder](#embedder)." in page
