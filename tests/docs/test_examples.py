"""Runs the examples in the docstrings of the library."""

import doctest
import importlib
import inspect

import matplotlib
import matplotlib.pyplot as plt
import pytest
from generate.examples import ROOT, find_examples, namespace, unknown_names

import graphmotion
from tests.docs.user_files import prepare

EXAMPLES = list(find_examples())
# Examples that are not run: their names are checked. Those of published data sets read files that
# their owners give out, and export takes a minute.
NOT_RUN = (
    *('CASIABPose', 'CASIABSilhouettes', 'CKPlus', 'EmotionGait', 'FER2013', 'FaceFolder'),
    *('GREWPose', 'GREWSilhouettes', 'Gait3DPose', 'Gait3DSilhouettes', 'JAFFE', 'MixedFaces'),
    *('NTURGBD', 'NWUCLA', 'OUMVLP', 'OUMVLPPose', 'PoseFolder', 'SkeletonArrays'),
    *('SkeletonPickle', 'UCalgaryGait', 'USFGait', 'UTDMHAD'),
    *('convert_reference_state_dict', 'export', 'read_ultralytics'),
)
PLACEHOLDERS = {'joints', 'model', 'onnxruntime', 'x'}  # names in these examples
# Public names without an example: base classes, steps of generators, and readers of one data set.
WITHOUT_EXAMPLE = {
    *('DistributedBatchSampler', 'GaitPoseDataset', 'RecordedDataset'),
    *('from_hetero', 'set_edges', 'set_nodes', 'set_shared_edges', 'to_hetero'),
    *('read_emotion_gait', 'read_nw_ucla', 'read_ucalgary_gait', 'read_utd_mhad'),
    *('render_faces', 'sample_face_styles', 'sample_performances', 'sample_walks'),
    *('simulate_action', 'simulate_walk'),
}


def is_run(example):
    return example.name not in NOT_RUN


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    matplotlib.use('Agg')
    monkeypatch.chdir(tmp_path)
    yield
    plt.close('all')


def test_examples_are_found():
    by_name = {example.name: example for example in EXAMPLES}
    assert len(EXAMPLES) > 280
    assert by_name['SpatialConv'].code.endswith('batch.edge_weight))')
    assert by_name['list_models'].is_session
    lines = (ROOT / 'nn/conv/spatial_conv.py').read_text().split('\n')
    assert '.. code-block:: python' in lines[by_name['SpatialConv'].line - 1]


def test_public_names_have_an_example():
    missing = set()
    for room in graphmotion._SUBPACKAGES:
        module = importlib.import_module(f'graphmotion.{room}')
        for name in module.__all__:
            member = getattr(module, name)
            is_documented = inspect.isclass(member) or inspect.isfunction(member)
            if is_documented and '.. code-block:: python' not in (member.__doc__ or ''):
                missing.add(name)
    assert missing == WITHOUT_EXAMPLE


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
        names |= prepare(example)
        exec(compile(example.code, str(example), 'exec'), names)


@pytest.mark.parametrize('example', [e for e in EXAMPLES if not is_run(e)], ids=str)
def test_names_of_an_example_exist(example):
    assert unknown_names(example.code, namespace(example)) - PLACEHOLDERS == set()


def test_unknown_names_are_found():
    code = 'for a in b:\n    def f(c):\n        return print(c, a, d)\n'
    assert unknown_names(code, {'d': 1}) == {'b'}
