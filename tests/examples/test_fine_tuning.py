import json

import fine_tuning as example
import pytest
import torch

from graphmotion.models import st_gcn

TINY = ['--epochs', '1', '--train-fraction', '0.1', '--frames', '16', '--seeds', '2', '--quiet']
TINY += ['--subjects', '2']


@pytest.mark.slow
def test_three_ways_start_from_the_generated_actions(tmp_path, monkeypatch, capsys):
    tiny = {'width': 8, 'growth': (1, 2), 'dropout': 0.1}
    monkeypatch.setitem(example.PRESETS, ('st_gcn', 'cpu'), tiny)
    with pytest.warns(
        UserWarning, match=r'of another size: lin\.weight \(\[8, 16\] in the weights'
    ):
        results = example.main([*TINY, '--pretrain-epochs', '1', '--out', str(tmp_path)])
    assert json.loads((tmp_path / 'results.json').read_text()) == results
    assert list(results['scores']) == ['from scratch', 'fine-tuned', 'head only']
    assert all(row['num_folds'] == 2 for row in results['scores'].values())
    for name, row in results['scores'].items():
        hits = results['outcomes'][name]
        assert hits.count('1') / len(hits) == pytest.approx(row['pooled']['accuracy'])
    assert 'head only' in capsys.readouterr().out

    def weights(folder):
        content = torch.load(tmp_path / folder / 'last.ckpt', weights_only=True)
        return content['state_dict']

    first, head = weights('generated'), weights('head_only/seed_1')
    same = {name for name in first if torch.equal(first[name], head[name])}
    assert {name for name in first if name.startswith('model.') and name not in same} == {
        'model.lin.weight', 'model.lin.bias'
    }  # fmt: skip
    name = 'model.layers.0.spatial.weight'
    assert not torch.equal(first[name], weights('fine_tuned/seed_1')[name])


def test_recipes():
    args = example.parse(
        ['--freeze', 'layers.0', 'input_norm', '--head-lr', '0.5', '--epochs', '7']
    )
    scratch, tuned, head = example.make_recipes(args).values()
    assert {r.optimization.max_epochs for r in (scratch, tuned, head)} == {7}
    assert (scratch.freeze, tuned.freeze, head.freeze) == ((), ('layers.0', 'input_norm'), '*')
    assert (scratch.head_lr, tuned.head_lr, head.head_lr) == (None, 0.5, None)
    assert [r.optimization.lr for r in (scratch, tuned, head)] == [3e-3, 1e-3, 3e-3]


def test_weights_of_a_file(tmp_path):
    samples = example.make_datasets(example.parse([]))[0]
    assert samples.num_classes == 5
    source = example.make_model(samples)
    torch.save(source.state_dict(), tmp_path / 'a.pt')
    model = example.make_model(samples, str(tmp_path / 'a.pt'))
    assert torch.equal(model.lin.weight, source.lin.weight)
    assert type(model) is st_gcn


@pytest.mark.parametrize(
    ('options', 'reason'),
    [
        (['--pretrain-epochs', '3'], '--pretrain-epochs is only valid without --weights'),
        (['--root', 'x', '--subjects', '9'], '--subjects is only valid for generated actions'),
    ],
)
def test_options_that_do_not_go_together(refused, options, reason):
    assert reason in refused(example, ['--weights', 'a.ckpt', *options])
