"""Tests of the benchmark of the models."""

import io
import json
import math
from contextlib import redirect_stdout
from dataclasses import replace
from functools import partial

import pytest
import torch

import graphmotion.models
from benchmarks.models import __main__ as script
from benchmarks.models import alternatives, harness, workloads
from graphmotion.models import STGCN, fg_stformer, gaitformer, gaitmixer, lmgcs, st_gcn

LAYERS = {'channels': (8, 8, 12)}
MIXER = {'channels': 8, 'heads': 2, 'depth': 2}
STRIPS = {'channels': (3, 4), 'feature_dim': 5, 'width': 8, 'heads': 2, 'feedforward_channels': 12}
# Options of networks that are fast to measure.
SMALL = {
    **dict.fromkeys(('agcn', 'ctr_gcn', 'fg_stformer', 'msa_gcn', 'st_gcn'), LAYERS),
    'gaitformer': MIXER,
    'gaitmixer': MIXER | {'temporal_channels': (8, 12), 'kernel_size': 5},
    'lmgcs': STRIPS,
    'lmgcs_ou_mvlp': STRIPS,
}


@pytest.fixture(scope='module')
def report(tmp_path_factory):
    """Returns the output of a tiny run of small networks of all models."""
    path = tmp_path_factory.mktemp('benchmark') / 'models.json'
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(io.StringIO()) as out:
        for name, options in SMALL.items():
            workload = workloads.get_workload(name)
            options = workload.options | options
            patch.setitem(workloads.WORKLOADS, name, replace(workload, options=options))
        script.main(['--tiny', '--threads', '1', '--json', str(path)])
    return out.getvalue(), json.loads(path.read_text())


def small(skeleton, num_classes=5, channels=(4, 4, 8), **options):
    """Builds a small ST-GCN."""
    return st_gcn(skeleton, num_classes, channels=channels, **options)


def tiny(*options):
    """Returns the options of a tiny run."""
    return script.parse_args(
        script.make_parser(), ['--threads', '1', '--tiny', *options], script.TINY
    )


@pytest.mark.slow
def test_every_model_is_measured_in_both_passes(report):
    text, written = report
    found = {
        (r['model'], r['pass']) for r in written['results'] if r['implementation'] == harness.OURS
    }
    names = workloads.workload_names()
    assert set(names) >= set(graphmotion.models.list_models())
    assert found == {(name, label) for name in names for label in ('inference', 'training')}
    for name in alternatives.ALTERNATIVES:
        names = {r['implementation'] for r in written['results'] if r['model'] == name}
        assert names == {harness.OURS, harness.PLAIN}
    lines = [line for line in text.splitlines() if line.startswith('| ')]
    assert len(lines) == 2 + len(written['results'])
    assert len({line.count('|') for line in lines}) == 1


@pytest.mark.slow
def test_numbers_are_plausible(report):
    _, written = report
    assert written['environment']['threads'] == 1
    for r in written['results']:
        speed = r['sequences_per_second']
        assert 0 < speed['low'] <= speed['median'] <= speed['high'] < math.inf
        assert (r['ratio'] is None) == (r['implementation'] == harness.OURS)
        assert 0 <= r['difference'] <= harness.TOLERANCE
        assert r['memory'] > 0
        if r['pass'] == 'training':  # at least a gradient for each parameter
            assert r['memory'] >= 4 * r['parameters']


def test_parameters_and_operations_are_counted(monkeypatch):
    class Line(torch.nn.Module):
        inputs = ('x',)

        def __init__(self, in_channels, num_classes):
            super().__init__()
            self.lin = torch.nn.Linear(in_channels, num_classes)

        def forward(self, x):
            return self.lin(x), x  # the first output counts

    monkeypatch.setattr(harness, 'ALTERNATIVES', {})
    made = list(harness.measure('line', lambda skeleton, num_classes: Line(3, num_classes), tiny()))
    for result in made:
        assert result['parameters'] == 60 * 4
        assert result['flops'] == 2 * 25 * 8 * 3 * 60  # of one sequence
        assert (result['batch'], result['joints'], result['frames']) == (2, 25, 8)
    assert [result['pass'] for result in made] == ['inference', 'training']


def small_mixer(padding='reflect_start'):
    """Builds a small GaitMixer."""
    return gaitmixer(
        'coco17',
        8,
        channels=8,
        heads=2,
        depth=2,
        temporal_channels=(8, 12),
        kernel_size=5,
        padding=padding,
        dropout=0.0,
    )


def small_dsta_net(**options):
    sizes = {'num_classes': 5, 'in_channels': 2, 'channels': (8, 8, 16, 16)}
    return fg_stformer('coco17', **sizes, **workloads.WORKLOADS['dsta_net'].options | options)


@pytest.mark.parametrize(
    ('name', 'make'),
    [
        ('dsta_net', small_dsta_net),
        ('dsta_net', partial(small_dsta_net, dilations=(1, 2))),
        ('st_gcn', partial(small, 'coco17', in_channels=2, dropout=0.0)),
        ('gaitmixer', small_mixer),
        ('gaitmixer', partial(small_mixer, 'reflect')),
        ('gaitformer', partial(gaitformer, 'coco17', 8, channels=8, heads=2, depth=2)),
    ],
)
def test_the_plain_network_computes_the_same(name, make):
    torch.manual_seed(0)
    model, x = make(), torch.randn(3 * 17, 6, 2)
    harness.warm_up_norms(model, [x])
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    kind = alternatives.ALTERNATIVES[name]
    plain, model, x = kind(model).double(), model.double(), x.double()
    (image,) = plain.convert(x)
    assert image.shape == (3, 2, 6, 17)
    for train in (True, False):
        model.train(train)
        plain.train(train)
        outs = [plain(image), model(x)]
        torch.testing.assert_close(*outs)
        # The weights have other names and shapes, so only the norms of their gradients compare.
        norms = []
        for network, out in zip((plain, model), outs):
            weight = torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view(out.shape)
            grads = torch.autograd.grad(out, list(network.parameters()), weight)
            norms.append(sorted(float(gradient.norm()) for gradient in grads))
        assert norms[0] == pytest.approx(norms[1], abs=1e-9)
    assert sum(p.numel() for p in plain.parameters()) == sum(p.numel() for p in model.parameters())


def test_the_plain_network_of_silhouettes_computes_the_same():
    torch.manual_seed(0)
    model = lmgcs(channels=(4, 6, 8, 8), feature_dim=6, width=16, feedforward_channels=12)
    x = (torch.rand(2, 5, 64, 12) > 0.5).double()
    ours, plain = (
        harness.Implementation(name, harness.EAGER, network, [x], network)
        for name, network in (
            (harness.OURS, model.double()),
            (harness.PLAIN, alternatives.PlainLMGCS(model).double()),
        )
    )
    assert harness.check(plain, ours) < 1e-9
    used = sum(p.numel() for p in model.parameters()) - model.local_lin.weight.numel()
    assert sum(p.numel() for p in plain.model.parameters()) == used


def test_the_plain_network_does_not_share_weights():
    model = small_mixer()
    plain = alternatives.PlainGaitMixer(model)
    with torch.no_grad():
        for parameter in plain.parameters():
            parameter.add_(1)
    x = torch.randn(17, 6, 2)
    assert not torch.allclose(plain(plain.convert(x)[0]), model(x))


def test_normalized_embeddings_have_gradients():
    """The sum of squares of normalised embeddings would have no gradient."""
    torch.manual_seed(0)
    model, x = small_mixer(), torch.randn(3 * 17, 6, 2)
    harness.warm_up_norms(model, [x])
    ours = harness.Implementation(
        harness.OURS, harness.EAGER, model, [x], model, workloads.triplet_loss
    )
    out, gradient = ours.results()
    assert float(gradient.norm()) > 1e-3 * float(out.norm())
    anchor, near, far = out, out.roll(1, dims=0), out.roll(2, dims=0)
    distances = (anchor - near).norm(dim=1) - (anchor - far).norm(dim=1)
    wanted = (distances + 1).clamp_min(0).mean()
    torch.testing.assert_close(workloads.triplet_loss(out), wanted, rtol=1e-4, atol=1e-4)
    before = model.lin.weight.clone()
    ours.training()()
    torch.testing.assert_close(model.lin.weight, before, rtol=0, atol=1e-9)


@pytest.mark.parametrize('wrong', ['output', 'gradient', 'shape'])
def test_networks_that_differ_are_not_timed(monkeypatch, wrong):
    class Wrong(alternatives.PlainSTGCN):
        def forward(self, x):
            if wrong == 'gradient':
                x = x.detach() + 2 * (x - x.detach())
            out = super().forward(x)
            return {'output': out + 1, 'gradient': out, 'shape': out[:1]}[wrong]

    monkeypatch.setitem(alternatives.ALTERNATIVES, 'st_gcn', Wrong)
    with pytest.raises(AssertionError, match='differ'):
        list(harness.measure('st_gcn', small, tiny()))


def test_every_model_has_a_workload():
    for name in workloads.workload_names():
        workload = workloads.WORKLOADS.get(name, workloads.Workload())
        model = workloads.make_model(name, workloads.get_builder(name), workload)
        assert workloads.make_inputs(name, model, workload, 1)
    assert set(alternatives.ALTERNATIVES) <= set(workloads.workload_names())


def test_a_new_model_needs_an_entry_only_for_new_arguments_or_fields():
    class Scored(STGCN):
        inputs = ('x', 'score', 'edge_index', 'batch')

    def new(skeleton, num_classes, in_channels, depth=1, **options):
        return Scored(skeleton, num_classes, in_channels, channels=[8] * depth, **options)

    model = workloads.make_model(
        'new', new, workloads.Workload(options={'num_classes': 7, 'depth': 2})
    )
    assert (model.lin.out_features, len(model.layers)) == (7, 2)
    x, score, edge_index, batch = workloads.make_inputs(
        'new', model, workloads.Workload(frames=5), 3
    )
    assert (x.shape, score.shape, len(batch)) == ((75, 5, 3), (75, 5), 75)
    assert edge_index.shape == (2, 3 * 48)

    def faces(eigenvectors, num_classes):
        return model

    with pytest.raises(
        ValueError, match=r"builder 'faces' requires .*'eigenvectors'.*to WORKLOADS"
    ):
        workloads.make_model('faces', faces, workloads.Workload())
    model.inputs = ('x', 'eigenvectors')
    with pytest.raises(ValueError, match=r"model 'new' reads .*no \['eigenvectors'\]: add"):
        workloads.make_inputs('new', model, workloads.Workload(), 1)


@pytest.mark.slow
def test_compiled_models_are_checked_and_timed(monkeypatch):
    compiler = torch.compile
    monkeypatch.setattr(torch, 'compile', lambda model: compiler(model, backend='eager'))
    args = tiny()
    args.compile = True
    shallow = partial(small, channels=(4,))  # for speed
    results = list(harness.measure('st_gcn', shallow, args))
    keys = [(harness.OURS, harness.EAGER), (harness.PLAIN, harness.EAGER)]
    keys += [(name, harness.COMPILED) for name, _ in keys]
    assert [(r['pass'], r['implementation'], r['mode']) for r in results] == [
        (label, *key) for label in ('inference', 'training') for key in keys
    ]
    assert [r['ratio'] is None for r in results] == [True, False, False, False] * 2
    assert all(r['difference'] <= harness.TOLERANCE for r in results)


@pytest.mark.slow
def test_compiler_errors_are_reported_and_the_rest_is_measured(monkeypatch):
    def broken(model):
        def run(*args):
            raise RuntimeError('no compiler found\nand much more')

        return run

    monkeypatch.setattr(torch, 'compile', broken)
    args = tiny()
    args.compile = True
    results = list(harness.measure('st_gcn', small, args))
    failed = [r for r in results if 'error' in r]
    assert [(r['implementation'], r['mode']) for r in failed] == [
        (harness.OURS, harness.COMPILED),
        (harness.PLAIN, harness.COMPILED),
    ]
    assert {r['error'] for r in failed} == {'RuntimeError: no compiler found'}
    assert 'graphmotion, compiled: RuntimeError: no compiler found' in script.table_row(failed[0])
    assert {len(script.table_row(r)) for r in results} == {len(script.COLUMNS)}
    assert len(results) == 2 + 4
