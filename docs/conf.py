"""Configuration of the documentation site."""

import os
import sys
from pathlib import Path

DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS), str(DOCS.parent)]  # for docs/generate, graphmotion and benchmarks
os.environ['PYTHONPATH'] = os.pathsep.join(sys.path[:2])  # for the kernels that run the guides

import graphmotion  # noqa: E402

project = 'graphmotion'
author = 'The graphmotion authors'
copyright = f'2026, {author}'
version = release = graphmotion.__version__

extensions = [
    'sphinx.ext.autodoc',
    'sphinx.ext.autosummary',
    'sphinx.ext.intersphinx',
    'sphinx.ext.mathjax',
    'sphinx.ext.napoleon',
    'sphinx_copybutton',
    'sphinx_design',
    'myst_nb',
]
exclude_patterns = ['_build', 'generate']
# Pages are MyST Markdown; those with a kernel in their header are executed.
source_suffix = {'.rst': 'restructuredtext', '.md': 'myst-nb'}
myst_enable_extensions = ['colon_fence', 'dollarmath', 'amsmath']
myst_heading_anchors = 3
nb_execution_mode = 'force'
nb_execution_timeout = 120
nb_execution_raise_on_error = True
nb_merge_streams = True
copybutton_exclude = '.linenos, .gp, .go'

autodoc_typehints = 'none'  # types are in the docstrings
autodoc_member_order = 'bysource'
autosummary_generate = False  # docs/generate/reference.py writes the pages
napoleon_custom_sections = ['Shapes']

# The inventories of other projects need a network: "sphinx-build -t links" links to them.
intersphinx_mapping = {
    name: (url, None)
    for name, url in {
        'lightning': 'https://lightning.ai/docs/pytorch/stable/',
        'matplotlib': 'https://matplotlib.org/stable/',
        'numpy': 'https://numpy.org/doc/stable/',
        'python': 'https://docs.python.org/3/',
        'torch': 'https://docs.pytorch.org/docs/stable/',
        'torch_geometric': 'https://pytorch-geometric.readthedocs.io/en/stable/',
    }.items()
    if tags.has('links')  # noqa: F821, defined by Sphinx
}

html_theme = 'furo'
html_title = 'graphmotion'
html_static_path = ['_static']
html_css_files = ['graphmotion.css']


def skip_undocumented(app, what, name, obj, skip, options):
    """Skips the fields of named tuples, which are documented in the class."""
    return True if (getattr(obj, '__doc__', '') or '').startswith('Alias for field') else skip


def generate_pages(app, config):
    """Writes the pages that are made from the code, before Sphinx looks for pages."""
    from generate import gallery, models, operators, reference

    folder = DOCS / 'generated'
    folder.mkdir(exist_ok=True)
    reference.write(folder)
    operators.write(folder)
    models.write(folder)
    gallery.write(folder, pictures=config.nb_execution_mode != 'off')


def setup(app):
    """Connects the steps of the build that are specific to this site."""
    app.connect('autodoc-skip-member', skip_undocumented)
    app.connect('config-inited', generate_pages)
