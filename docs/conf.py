"""Sphinx settings: sphinx-build -W -b html docs docs/_build"""

import runpy
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

project = 'rsmm'
author = 'The rsmm contributors'
copyright = 'The rsmm contributors, Apache-2.0'
runpy.run_path(str(ROOT / 'docs' / 'generate_reference.py'))['write_reference']()
release = runpy.run_path(str(ROOT / 'rsmm' / 'version.py'))['__version__']

extensions = ['myst_parser', 'sphinx.ext.autodoc', 'sphinx.ext.autosummary', 'sphinx.ext.napoleon']
templates_path = ['_templates']
exclude_patterns = ['_build', '_templates', 'figures']
myst_heading_anchors = 3

html_theme = 'furo'
html_title = f'rsmm {release}'

autosummary_generate = True
autodoc_typehints = 'signature'
autodoc_member_order = 'bysource'
napoleon_google_docstring = True
napoleon_numpy_docstring = False
# Napoleon links parameter names such as x, which several classes have as attributes.
suppress_warnings = ['ref.python']
napoleon_use_ivar = True  # attributes of named tuples are listed once
