"""Checks what the site is made from."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from generate import links, models, operators, reference
from generate.gallery import gallery_examples
from generate.results import find_cell

import graphmotion.models
from graphmotion import nn, visualization
from graphmotion.models import list_models

DOCS = Path(__file__).parents[2] / 'docs'


def test_the_gallery_has_every_function():
    assert gallery_examples().keys() == set(visualization.__all__)


def test_the_index_of_operators_has_every_module_with_its_cost(tmp_path):
    operators.write(tmp_path)
    text = (tmp_path / 'operators.rst').read_text()
    for name in nn.__all__:
        if issubclass(getattr(nn, name), torch.nn.Module):
            assert f'\n{name}\n~~~' in text
    row = text[text.index('* - :class:`~graphmotion.nn.SpatialConv`') :]
    # A linear map of 64 to 64 channels and a sum over 25 joints, for 25 joints and 64 frames.
    expected = 25 * 64 * 64 * (64 + 25) / 1e6
    assert f'- 4,160\n     - {expected:.1f}\n' in row[:200]
    assert 'arxiv.org/abs/1801.07455' in row


@pytest.mark.slow
def test_the_index_of_models_has_every_model(tmp_path):
    models.write(tmp_path)
    text = (tmp_path / 'models.rst').read_text()
    for name in set(list_models()) & set(dir(graphmotion.models)):  # not those of other tests
        assert text.count(f':class:`{name} <') == 2


def test_results_in_the_index_of_models():
    assert set(models.RESULTS) <= set(list_models())
    for name in models.RESULTS:
        for part in models.describe_results(name).split('; '):
            assert re.fullmatch(r'[\w, -]+ \d+\.\d( ± \d+\.\d)?', part)
    expected = find_cell('fer2013', 'SPAGNN', 'accuracy')
    assert models.describe_results('spagnn') == f'FER2013 {expected}'


def test_the_reference_has_every_public_name(tmp_path):
    removed = tmp_path / 'reference' / 'api' / 'nn.Removed.rst'
    removed.parent.mkdir(parents=True)
    removed.touch()
    reference.write(tmp_path)
    assert not removed.exists()
    for room in reference.existing_rooms():
        page = (tmp_path / 'reference' / f'{room}.rst').read_text()
        for name in reference.public_names(room):
            assert re.search(rf'^(   {name}|- :data:`{name}`)$', page, re.MULTILINE)
            assert (tmp_path / 'reference' / 'api' / f'{room}.{name}.rst').exists()


def test_broken_links_are_found(tmp_path):
    targets = ('page.html#part', '#part', 'https://pyg.org', 'missing.html')
    (tmp_path / 'page.html').write_text(''.join(f'<a href="{link}">' for link in targets))
    assert links.broken_links(tmp_path) == [('page.html', 'missing.html')]
    run = [sys.executable, '-m', 'docs.generate.links', tmp_path]
    result = subprocess.run(run, cwd=DOCS.parent, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (1, 'page.html: missing.html\n')
    (tmp_path / 'missing.html').touch()
    assert subprocess.run(run, cwd=DOCS.parent, check=True).returncode == 0
