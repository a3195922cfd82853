"""Sphinx: the pages of this directory, in Markdown."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "src"))

from prefix64 import __version__

project = "prefix64"
author = "The prefix64 authors"
version = release = __version__
extensions = ["myst_parser"]
exclude_patterns = ["_build"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = f"prefix64 {release}"
