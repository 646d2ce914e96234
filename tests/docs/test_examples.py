"""Runs the examples in the docstrings of the library."""

import doctest

import matplotlib
import matplotlib.pyplot as plt
import pytest
from generate.examples import ROOT, find_examples, namespace, unknown_names

EXAMPLES = list(find_examples())
# Examples of these packages read files of the user or train for long: their names are checked.
NOT_RUN = ('datasets', 'extras.py', 'inference', 'io', 'training')
# Neither are these: published weights are not in the repository, and a model would stay registered.
NOT_RUN_NAMES = ('Configurable', 'convert_reference_state_dict', 'register_model')
# Names in examples that are not run, for data and models of the user.
PLACEHOLDERS = {
    *(
        'array',
        'dataset',
        'train',
        'test',
        'data',
        'x',
        'joints',
        'camera',
        'parts',
        'labels',
        'hop',
    ),
    *('embedding', 'embeddings', 'embeddings_of_anna', 'embeddings_of_ben'),
    *('embeddings_of_others', 'labels_of_others'),
    *('model', 'recipe', 'recognizer', 'transform'),
    *('folder', 'names', 'broken', 'onnxruntime'),
}


def is_run(example):
    if example.is_session:
        return True
    reads_file = ".ckpt'" in example.code or example.name in NOT_RUN_NAMES
    return example.room not in NOT_RUN and not reads_file


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    matplotlib.use('Agg')
    monkeypatch.chdir(tmp_path)
    yield
    plt.close('all')


def test_examples_are_found():
    by_name = {example.name: example for example in EXAMPLES}
    assert len(EXAMPLES) > 120
    assert by_name['SpatialConv'].code.endswith('batch.edge_weight))')
    assert by_name['list_models'].is_session
    lines = (ROOT / 'nn/conv/spatial_conv.py').read_text().split('\n')
    assert '.. code-block:: python' in lines[by_name['SpatialConv'].line - 1]


@pytest.mark.slow
@pytest.mark.parametrize('example', [e for e in EXAMPLES if is_run(e)], ids=str)
def test_example_runs(example):
    names = namespace(example)
    if example.is_session:
        session = doctest.DocTestParser().get_doctest(
            example.code + '\n', names, str(example), example.path, example.line
        )
        assert doctest.DocTestRunner(verbose=False).run(session).failed == 0
    else:
        exec(compile(example.code, str(example), 'exec'), names)


@pytest.mark.parametrize('example', [e for e in EXAMPLES if not is_run(e)], ids=str)
def test_names_of_an_example_exist(example):
    assert unknown_names(example.code, namespace(example)) - PLACEHOLDERS == set()


def test_unknown_names_are_found():
    code = 'for a in b:\n    def f(c):\n        return print(c, a, d)\n'
    assert unknown_names(code, {'d': 1}) == {'b'}
