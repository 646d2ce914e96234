import gaitmixer as example
import pytest
from PIL import Image

TINY = ['--subjects', '4', '--views', '0', '90', '--frames', '31', '--epochs', '1', '--quiet']

# As they may after a few steps of training.
pytestmark = pytest.mark.filterwarnings('ignore:.*embeddings of the gallery have collapsed')


@pytest.mark.slow
def test_networks_are_compared_with_features_and_chance(tmp_path, capsys):
    models = ['st_gcn', 'gaitformer', 'gaitmixer']
    results = example.main([*TINY, '--models', *models, '--out', str(tmp_path)])
    printed = capsys.readouterr().out
    for row in ('| mean ', '| chance ', 'limb lengths', 'GaitFormer'):
        assert row in printed
    titles = ['ST-GCN', 'GaitFormer', 'GaitMixer']
    assert list(results['runs']) == titles
    assert list(results['scores']) == ['chance', 'limb lengths, cadence, speeds', *titles]
    for name in ('cmc', 'grad_cam', 'retrieval', 'spectrum', 'views', 'views_polar', 'walks'):
        with Image.open(tmp_path / f'{name}.png') as image:
            assert min(image.size) > 100


def test_frames_of_any_network(refused):
    options = ['--frames', '30', '--models', 'st_gcn', 'gaitmixer']
    assert 'need --frames 31 or more, got 30' in refused(example, options)
    assert example.parse(['--frames', '30', '--models', 'st_gcn']).frames == 30
