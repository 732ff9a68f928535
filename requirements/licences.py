"""Prints the licence that every installed package states: those that are not free software first, then those unknown.

It says what the packages say of themselves, and changes nothing: .venv/bin/python requirements/licences.py
"""

import re
from importlib.metadata import Distribution, distributions

FREE = re.compile(  # names of licences that the OSI or the FSF calls free, as packages write them
    r"\b(apache|mit|bsd|isc|mpl|mozilla public|psf|python software foundation|lgpl|gpl|gnu|unlicense|zlib|hpnd|cc0|0bsd"
    r"|blueoak|public domain|historical permission|artistic|boost|bsl-1\.0|ofl|wtfpl)",
    re.IGNORECASE,
)
PROPRIETARY = re.compile(r"proprietary|end user license|\beula\b", re.IGNORECASE)
SHOWN = 60  # characters of a licence's name


def main() -> None:
    rows = sorted({_describe(package) for package in distributions()})
    for number, title in enumerate(("Not free software", "Unknown: look at the package", "Free software")):
        mine = [row for row in rows if row[0] == number]
        print(f"{title}: {len(mine)}")
        for _, name, licence in mine:
            print(f"  {name:<40} {licence}")


def _describe(package: Distribution) -> tuple[int, str, str]:
    """(0: proprietary, 1: unknown, 2: free; the package with its version; its licence)."""
    said = package.metadata
    classified = [name.split(" :: ")[-1] for name in said.get_all("Classifier") or [] if name.startswith("License ::")]
    own = (said.get("License") or "").strip().splitlines()
    licence = said.get("License-Expression") or ", ".join(classified) or (own[0] if own else "")
    text = " ".join([licence, *own[:3]])
    place = 0 if PROPRIETARY.search(text) else 2 if FREE.search(text) else 1
    return place, f"{said['Name']} {package.version}", licence[:SHOWN] or "it says nothing"


if __name__ == "__main__":
    main()
