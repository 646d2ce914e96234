"""Tests of the benchmark of batch assembly."""

import io
import json
import math
from contextlib import redirect_stdout

import pytest
import torch

from benchmarks import loading as bench
from benchmarks.random_motion import RandomMotion


@pytest.fixture(scope='module')
def report(tmp_path_factory):
    """Returns the output of a tiny run."""
    path = tmp_path_factory.mktemp('benchmark') / 'loading.json'
    with redirect_stdout(io.StringIO()) as out:
        bench.main(['--tiny', '--threads', '1', '--json', str(path)])
    return out.getvalue(), json.loads(path.read_text())


def test_every_loader_is_measured(report):
    text, written = report
    names = {bench.OURS, bench.PYG, bench.PYG + ', 1 workers', bench.PYG_IN_MEMORY}
    found = {(r['batch'], r['transform'], r['implementation']) for r in written['results']}
    streams = ('', 'joints and bones')
    assert found == {(4, stream, name) for stream in streams for name in names}
    lines = [line for line in text.splitlines() if line.startswith('| ')]
    assert len(lines) == 2 + len(written['results']) + 3  # the last table is for faces


def test_numbers_are_plausible(report):
    _, written = report
    assert written['environment']['threads'] == 1
    for r in written['results']:
        speed = r['batches_per_second']
        assert 0 < speed['low'] <= speed['median'] <= speed['high'] < math.inf
        speeds = [2 / seconds for seconds in r['rounds']]  # two batches a pass
        assert min(speeds) <= speed['median'] <= max(speeds)
        assert (r['ratio'] is None) == (r['implementation'] == bench.OURS)
        # At least the positions of the batch.
        assert (r['memory'] or math.inf) >= r['batch'] * r['joints'] * r['frames'] * 12
        assert (r['memory'] is None) == ('workers' in r['implementation'])


def test_the_target_is_evaluated_at_its_batch_size(report):
    _, written = report
    assert written['targets'] == []  # a tiny run has no batches of that size
    result = {**written['results'][0], 'batch': 64, 'implementation': bench.PYG}
    assert result['transform'] == ''
    transformed = {**result, 'transform': 'bones', 'ratio': {'median': 1.0}}
    for measured, met in ((8.0, True), (7.9, False)):
        (target,) = bench.evaluate_targets(
            [{**result, 'ratio': {'median': measured}}, transformed, *written['results']]
        )
        assert (target['measured'], target['met']) == (measured, met)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda batches: batches[:1], '1 batches, expected 2'),
        (lambda batches: [b.update({'y': b.y + 1}) for b in batches], "'y' differs"),
        (lambda batches: [b.update({'z': b.y}) for b in batches], 'fields differ'),
    ],
)
def test_loaders_that_differ_are_not_timed(change, message):
    dataset = RandomMotion('coco17', 4, 3)
    batches = [dataset.get_batch([i, i + 1]) for i in (0, 2)]
    bench.check({bench.OURS: batches, 'other': list(batches)})
    other = change([dataset.get_batch([i, i + 1]) for i in (0, 2)])
    with pytest.raises(AssertionError, match=f'other: .*{message}'):
        bench.check({bench.OURS: batches, 'other': other})


def test_one_number_of_frames_applies_to_all_skeletons(capsys):
    sizes = '--skeleton coco17 ntu25 --frames 3 --sequences 4 --batch 2 --workers 0 --images 0'
    turns = '--threads 1 --rounds 1 --seconds 0'
    results = bench.main(f'{sizes} {turns}'.split())
    assert {(r['joints'], r['frames']) for r in results} == {(17, 3), (25, 3)}
    with pytest.raises(SystemExit):
        bench.main(['--skeleton', 'coco17', '--frames', '3', '4'])
    assert 'one value for each skeleton' in capsys.readouterr().err


def test_a_pass_consumes_every_batch():
    dataset = RandomMotion('coco17', 6, 3)
    seen = []

    class Seen(list):
        def __iter__(self):
            for batch in super().__iter__():
                seen.append(batch.num_graphs)
                yield batch

    loader = Seen([dataset.get_batch([0, 1, 2, 3]), dataset.get_batch([4, 5])])
    bench.consume(loader, torch.device('cpu'))()
    assert seen == [4, 2]


def test_faces_become_graphs_and_the_target_is_evaluated(report, capsys, monkeypatch):
    _, written = report
    faces = written['faces']
    assert (faces['images'], faces['size'], faces['nodes']) == (10, 12, 57)  # 0.4 of the pixels
    assert faces['modes'] == 57
    assert list(faces['seconds']) == ['store', 'graph and basis', 'one pass']
    assert faces['total'] == pytest.approx(sum(faces['seconds'].values()))
    assert faces['processor'] > 0
    assert faces['met'] is None  # not the size of the target
    options = ['--skeleton', '--images', '10', '--size', '12', '--threads', '1']
    for limit, word in ((60.0, 'met'), (0.0, 'MISSED')):
        target = {'images': 10, 'size': 12, 'seconds': limit}
        monkeypatch.setattr(bench, 'FACE_TARGET', target)
        assert bench.main(options) == []
        assert f'Target: {limit:.0f} s; {word}' in capsys.readouterr().out
