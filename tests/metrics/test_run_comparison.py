import json

import numpy as np
import pytest
import torch
from scipy.stats import binomtest

from graphmotion.__main__ import main
from graphmotion.metrics import compare_paired, compare_runs, describe_outcomes

HITS = {
    'a': [1, 1, 1, 1, 1, 1, 0, 1, 1, 0, 1, 1],
    'b': [0, 0, 1, 0, 1, 0, 1, 1, 0, 0, 1, 0],
    'c': [1, 0, 1, 1, 1, 0, 0, 1, 0, 1, 1, 1],
    'd': [0, 0, 1, 0, 0, 0, 1, 1, 1, 0, 0, 0],
}
SUBJECT = torch.tensor([0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3])


def write(path, hits, name='net', groups=None, fingerprint='f', protocol='p', more=None, **entries):
    path.mkdir(parents=True, exist_ok=True)
    correct = torch.tensor(hits).bool()
    run = describe_outcomes({name: correct}, fingerprint, protocol, groups) | entries | (more or {})
    (path / 'results.json').write_text(json.dumps(run))
    return str(path)


def test_two_runs_are_compared_by_mcnemars_test(tmp_path):
    paths = [write(tmp_path / name, HITS[name]) for name in 'ab']
    found = compare_runs(paths[0], f'{paths[1]}/results.json').comparisons['net']
    assert found == compare_paired(HITS['a'], HITS['b'])
    assert found.p_value == pytest.approx(binomtest(6, 7).pvalue)
    assert (found.first, found.second) == (10 / 12, 5 / 12)


def test_groups_are_resampled(tmp_path):
    paths = [write(tmp_path / name, HITS[name], groups=SUBJECT) for name in 'ab']
    found = compare_runs(*paths, confidence=0.9).comparisons['net']
    assert found == compare_paired(HITS['a'], HITS['b'], SUBJECT.numpy(), confidence=0.9)
    assert found.num_groups == 4


@pytest.mark.parametrize('groups', [None, SUBJECT])
def test_the_outcomes_of_several_seeds_are_resampled_together(tmp_path, groups):
    a, b, c, d = (write(tmp_path / name, HITS[name], groups=groups) for name in 'abcd')
    found = compare_runs([a, c], [b, d]).comparisons['net']
    one = np.tile(np.arange(12) if groups is None else SUBJECT.numpy(), 2)
    expected = compare_paired(HITS['a'] + HITS['c'], HITS['b'] + HITS['d'], one)
    assert (found.difference, found.num_groups) == (expected.difference, expected.num_groups)
    assert found.interval == pytest.approx(expected.interval, abs=0.05)


def test_seeds_may_have_different_test_samples(tmp_path):
    a, b, c, d = (
        write(tmp_path / name, HITS[name], fingerprint=(name in 'ab' and 'one') or 'two')
        for name in 'abcd'
    )
    assert compare_runs([a, c], [b, d]).comparisons['net'].num_groups == 24
    with pytest.raises(ValueError, match=r'must have the same data .*12 samples one'):
        compare_runs([a, c], [d, b])


def test_models_are_paired_by_name_or_if_there_is_one_each(tmp_path):
    a = write(tmp_path / 'a', HITS['a'], name='ours')
    b = write(tmp_path / 'b', HITS['b'], name='theirs')
    assert list(compare_runs(a, b).comparisons) == ['ours - theirs']
    both = {'ours': torch.tensor(HITS['c']).bool(), 'other': torch.tensor(HITS['d']).bool()}
    text = json.dumps(describe_outcomes(both, 'f', 'p'))
    (tmp_path / 'b' / 'results.json').write_text(text)
    assert list(compare_runs(a, b).comparisons) == ['ours']
    write(tmp_path / 'a', HITS['a'], name='foreign')
    with pytest.raises(ValueError, match=r"\['foreign'\] and \['ours', 'other'\]"):
        compare_runs(a, b)
    found = compare_runs(a, b, models=('foreign', 'other')).comparisons
    assert found == {'foreign - other': compare_paired(HITS['a'], HITS['d'])}
    with pytest.raises(ValueError, match=r"those of 'net', got \['ours', 'other'\]"):
        compare_runs(a, b, models=('foreign', 'net'))


def test_facts_that_differ_are_named(tmp_path):
    environment = {
        'commit': 'c1',
        'machine': 'm',
        'threads': 1,
        'packages': {'torch': '2.6', 'numpy': '2'},
        'date': 'today',
    }
    a = write(
        tmp_path / 'a',
        HITS['a'],
        environment=environment,
        seeds=[0],
        arguments={'seed': 0, 'out': 'a', 'model': 'x'},
    )
    other = environment | {'commit': 'c2', 'packages': {'torch': '2.7', 'numpy': '2'}, 'date': 'x'}
    b = write(
        tmp_path / 'b',
        HITS['b'],
        environment=other,
        seeds=[1],
        arguments={'seed': 1, 'out': 'b', 'model': 'y'},
    )
    found = compare_runs(a, b)
    assert found.differences == {
        'commit': ('c1', 'c2'),
        'torch': ('2.6', '2.7'),
        'seeds': ([0], [1]),
        'model': ('x', 'y'),
    }
    assert 'different commit: c1 and c2' in str(found)
    assert compare_runs([a, b], [a, b]).differences == {}


@pytest.mark.parametrize(
    ('changes', 'match'),
    [
        ({'fingerprint': 'g'}, r"the same data to be compared, got '12 samples f' in .*a/results"),
        ({'protocol': 'q'}, r"the same protocol to be compared, got 'p' in .* and 'q' in .*b/res"),
        ({'groups': SUBJECT}, r'the same data'),
        ({'outcomes': {'net': '01'}}, r'b/results.json: outcomes must be 12 characters'),
        ({'outcomes': {'net': 'x' * 12}}, r'b/results.json: outcomes must be 12 characters'),
    ],
)
def test_runs_that_cannot_be_compared_raise(tmp_path, changes, match):
    paths = write(tmp_path / 'a', HITS['a']), write(tmp_path / 'b', HITS['b'], **changes)
    with pytest.raises(ValueError, match=match):
        compare_runs(*paths)


def test_files_without_outcomes_raise(tmp_path):
    path = write(tmp_path / 'a', HITS['a'])
    (tmp_path / 'b.json').write_text('{"scores": 1, "data": {}}')
    with pytest.raises(ValueError, match=r"b\.json: .* lacks \['protocol', 'outcomes'\]"):
        compare_runs(path, str(tmp_path / 'b.json'))
    (tmp_path / 'b.json').write_text('{')
    with pytest.raises(ValueError, match=r'b\.json: must be JSON'):
        compare_runs(path, str(tmp_path / 'b.json'))
    with pytest.raises(FileNotFoundError, match='no such file'):
        compare_runs(path, str(tmp_path / 'c'))
    with pytest.raises(ValueError, match='the same number of runs, got 1 and 2'):
        compare_runs(path, [path, path])


def change(run, field, value):
    *parents, name = field.split('.')
    for parent in parents:
        run = run.setdefault(parent, {})
    if value is None:
        del run[name]
    else:
        run[name] = value


@pytest.mark.parametrize(
    ('field', 'value', 'match'),
    [
        ('protocol', 3, 'protocol must be a string, got 3'),
        ('data', ['f', 12], r"data must be an object, got \['f', 12\]"),
        ('data', 'f', "data must be an object, got 'f'"),
        ('data.fingerprint', None, r"lacks \['fingerprint'\]"),
        ('data.groups', None, r"lacks \['groups'\]"),
        ('data.fingerprint', 7, 'data.fingerprint must be a string, got 7'),
        ('data.num_samples', float('nan'), 'data.num_samples must be an integer, got nan'),
        ('data.num_samples', True, 'data.num_samples must be an integer, got True'),
        ('data.num_samples', 0, 'data.num_samples must be at least 1, got 0'),
        ('data.groups', 3, 'data.groups must be a list, got 3'),
        ('data.groups', [0] * 11, 'data.groups must be 12 integers, got 11 values'),
        (
            'data.groups',
            [float('nan')] * 12,
            'data.groups must be 12 integers, got 12 values: .nan',
        ),
        ('data.groups', [[0]] * 12, 'data.groups must be 12 integers'),
        ('outcomes', [1, 0], r'outcomes must be an object, got \[1, 0\]'),
        ('outcomes', {}, 'outcomes must be those of at least one model, got none'),
        ('outcomes.net', float('nan'), "12 characters, 0 or 1, of each model, got nan of 'net'"),
        ('outcomes.net', [1] * 12, r"12 characters, .*, got \[1, 1, .*\] of 'net'"),
        ('outcomes.net', '1' * 10**4, r"12 characters, .*, got '1{59}\.\.\. of 'net'"),
        ('environment', 'laptop', "environment must be an object, got 'laptop'"),
        ('environment.packages', ['torch'], 'environment.packages must be an object'),
        ('arguments', [1], 'arguments must be an object'),
    ],
)
def test_malformed_fields_are_named_with_their_file(tmp_path, field, value, match):
    paths = [write(tmp_path / name, HITS[name]) for name in 'ab']
    file = tmp_path / 'b' / 'results.json'
    run = json.loads(file.read_text())
    change(run, field, value)
    file.write_text(json.dumps(run))
    for order in (paths, paths[::-1]):
        with pytest.raises(ValueError, match=f'^[^:]*b/results.json: .*{match}'):
            compare_runs(*order)
    with pytest.raises(SystemExit, match=r'^error: .*b/results\.json: '):
        main(['compare', *paths])


@pytest.mark.parametrize(
    ('content', 'match'),
    [
        (b'[1, 2]', r'must hold a JSON object, got \[1, 2\]'),
        (b'null', 'must hold a JSON object, got None'),
        (b'', 'must be JSON'),
        (b'{"protocol": "p", "da', 'must be JSON'),
        (b'\xff\xfe', 'must be JSON'),
        (b'[' * 10**5, 'must be JSON'),
    ],
)
def test_other_files_are_named(tmp_path, content, match):
    path = write(tmp_path / 'a', HITS['a'])
    (tmp_path / 'b.json').write_bytes(content)
    with pytest.raises(ValueError, match=f'b.json: {match}'):
        compare_runs(path, str(tmp_path / 'b.json'))


def test_a_run_may_hold_other_fields(tmp_path):
    more = {'path': 1, 'scores': float('nan')}
    paths = [write(tmp_path / name, HITS[name], more=more) for name in 'ab']
    assert compare_runs(*paths).differences == {}
    write(tmp_path / 'b', HITS['b'], protocol='q', more=more)
    with pytest.raises(ValueError, match=r'in .*a/results\.json and .* in .*b/results'):
        compare_runs(*paths)


def test_outcomes_must_have_one_size():
    with pytest.raises(ValueError, match=r'one value for each sample, got \[3, 12\] values'):
        describe_outcomes({'a': torch.ones(3).bool()}, 'f', 'p', SUBJECT)
    with pytest.raises(ValueError, match=r'got \[\] values'):
        describe_outcomes({}, 'f', 'p')


def test_the_command(tmp_path, capsys):
    a, b = (write(tmp_path / name, HITS[name], groups=SUBJECT) for name in 'ab')
    main(['compare', a, b])
    assert 'net: 83.3 - 41.7 = +41.7 [' in capsys.readouterr().out
    main(['compare', a, b, '--with', b, a])
    assert 'net: 62.5 - 62.5 = +0.0 [' in capsys.readouterr().out
    main(['compare', a, a, '--models', 'net', 'net'])
    assert 'net - net: 83.3 - 83.3 = +0.0 [' in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(['compare', a])
    assert 'give two runs' in capsys.readouterr().err
    write(tmp_path / 'b', HITS['b'], protocol='q', groups=SUBJECT)
    with pytest.raises(SystemExit, match='error: runs must have the same protocol'):
        main(['compare', a, b])
