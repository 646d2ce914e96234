"""Paired comparison of runs by the outcomes that they stored for each test sample."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from graphmotion.metrics.comparison import PairedComparison, compare_paired

_FIELDS = {'protocol': str, 'data': dict, 'outcomes': dict}
_DATA_FIELDS = {'fingerprint': str, 'num_samples': int}
_TYPE_NAMES = {str: 'a string', int: 'an integer', list: 'a list', dict: 'an object'}


def describe_outcomes(
    correct: Mapping[str, Tensor],
    fingerprint: str,
    protocol: str,
    groups: Tensor | None = None,
) -> dict[str, Any]:
    r"""Returns what :func:`compare_runs` needs to know of a run, for :obj:`results.json`.

    .. code-block:: python

        train, test = SyntheticGait(num_subjects=4, num_frames=8).split((3, 1), by='subject')
        predicted = torch.zeros(len(test), dtype=torch.long)  # of a network
        correct = {'ST-GCN': predicted == test.labels()}
        groups = test.labels('subject')
        entries = describe_outcomes(correct, test.fingerprint(), 'split 3:1 by subject', groups)

    Args:
        correct (dict): Whether each test sample was classified or recognised correctly, for one or
            more models by name.
        fingerprint (str): Fingerprint of the test samples, such as that of a
            :class:`~graphmotion.data.GraphDataset`.
        protocol (str): How training and test samples were selected.
        groups (Tensor, optional): Group of each sample, such as its subject, if the samples of a
            group are not independent. (default: :obj:`None`)

    Shapes:
        - **correct:** :math:`(N)`, bool
        - **groups:** :math:`(N)`, integers

    Raises:
        ValueError: If there are no models, or the sizes differ.
    """
    sizes = {len(c) for c in correct.values()} | ({len(groups)} if groups is not None else set())
    if len(sizes) != 1 or not correct:
        raise ValueError(
            f'correct and groups must have one value for each sample, got {sorted(sizes)} values'
        )
    return {
        'protocol': protocol,
        'data': {
            'fingerprint': fingerprint,
            'num_samples': sizes.pop(),
            'groups': None if groups is None else groups.tolist(),
        },
        'outcomes': {
            name: ''.join('1' if hit else '0' for hit in hits.tolist())
            for name, hits in correct.items()
        },
    }


@dataclass(frozen=True)
class RunComparison:
    r"""The difference between runs, returned by :func:`compare_runs`.

    .. code-block:: python

        found = RunComparison({'ST-GCN': compare_paired([True] * 9 + [False], [True] * 10)}, {})
        found.comparisons['ST-GCN'].p_value

    Args:
        comparisons (dict): The :class:`PairedComparison` of each pair of models by name.
        differences (dict): The facts that differ, each with both values, by name.
    """

    comparisons: dict[str, PairedComparison]
    differences: dict[str, tuple[Any, Any]]

    def __str__(self) -> str:
        lines = [f'{name}: {comparison}' for name, comparison in self.comparisons.items()]
        lines += [f'different {name}: {a} and {b}' for name, (a, b) in self.differences.items()]
        return '\n'.join(lines)


def compare_runs(
    first: str | Sequence[str],
    second: str | Sequence[str],
    confidence: float = 0.95,
    models: tuple[str, str] | None = None,
) -> RunComparison:
    r"""Compares the accuracies of two runs, or of two groups of runs such as several seeds.

    .. code-block:: python

        for name in ('a', 'b'):
            correct = {'ST-GCN': torch.rand(50) < 0.8}
            entries = describe_outcomes(correct, 'fingerprint of the test samples', 'split 8:1:1')
            pathlib.Path(f'{name}.json').write_text(json.dumps(entries))
        print(compare_runs('a.json', 'b.json'))

    The accuracies are compared by :func:`compare_paired` on the same samples, or on groups of
    samples if the runs stored groups. Runs of a group are paired in their order, and all outcomes
    of a sample are resampled together. Models of the same name are compared, or the only model of
    each run, or the given :obj:`models`, which may be of the same run.

    Args:
        first (str or sequence of str): The :obj:`results.json` of a run, or its folder.
        second (str or sequence of str): The same of as many other runs.
        confidence (float, optional): Level of the confidence intervals. (default: :obj:`0.95`)
        models (tuple of str, optional): Names of a model of the first runs and of one of the other
            runs. (default: :obj:`None`)

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If a file is malformed or holds no outcomes, the runs differ in test samples or
            protocol, or have no models to compare.
    """
    paths = [
        [side] if isinstance(side, str | os.PathLike) else list(side) for side in (first, second)
    ]
    if len(paths[0]) != len(paths[1]) or not paths[0]:
        raise ValueError(
            f'first and second must have the same number of runs, got {len(paths[0])} and '
            f'{len(paths[1])}'
        )
    runs = [[_read(path) for path in side] for side in paths]
    for one, other in zip(*runs):
        _check_same_samples(one, other)
    pairs = _pair_models(runs[0][0], runs[1][0], models)
    groups = _groups(runs[0])
    comparisons = {}
    for name, pair in pairs.items():
        hits = [
            np.concatenate([_hits(run, model) for run in side]) for side, model in zip(runs, pair)
        ]
        comparisons[name] = compare_paired(hits[0], hits[1], groups, confidence)
    return RunComparison(comparisons, _differences(*runs))


def _read(path: str | os.PathLike) -> dict[str, Any]:
    """Returns the content of a valid file, and its path."""
    path = os.fspath(path)
    if os.path.isdir(path):
        path = os.path.join(path, 'results.json')
    try:
        with open(path, encoding='utf-8') as file:
            run = json.load(file)
    except FileNotFoundError as error:
        raise FileNotFoundError(f'{path}: no such file') from error
    except (ValueError, RecursionError) as error:
        raise ValueError(f'{path}: must be JSON, got {error}') from error
    if type(run) is not dict:
        raise ValueError(f'{path}: must hold a JSON object, got {_shorten(run)}')
    missing = [name for name in _FIELDS if name not in run]
    if missing:
        raise ValueError(f'{path}: must hold outcomes of samples to be compared, lacks {missing}')
    _check_types(path, '', run, _FIELDS | {'environment': dict, 'arguments': dict})
    _check_types(path, 'environment.', run.get('environment', {}), {'packages': dict})
    data, outcomes = run['data'], run['outcomes']
    missing = [name for name in (*_DATA_FIELDS, 'groups') if name not in data]
    if missing:
        raise ValueError(f'{path}: data must describe the test samples, lacks {missing}')
    _check_types(path, 'data.', data, _DATA_FIELDS)
    count, groups = data['num_samples'], data['groups']
    if count < 1:
        raise ValueError(f'{path}: data.num_samples must be at least 1, got {count}')
    if groups is not None:
        _check_types(path, 'data.', data, {'groups': list})
        if len(groups) != count or any(type(group) is not int for group in groups):
            raise ValueError(
                f'{path}: data.groups must be {count} integers, got {len(groups)} values: '
                f'{_shorten(groups)}'
            )
    if not outcomes:
        raise ValueError(f'{path}: outcomes must be those of at least one model, got none')
    for name, hits in outcomes.items():
        if type(hits) is not str or len(hits) != count or set(hits) - {'0', '1'}:
            raise ValueError(
                f'{path}: outcomes must be {count} characters, 0 or 1, of each model, '
                f'got {_shorten(hits)} of {name!r}'
            )
    return {**run, 'path': path}


def _check_types(
    path: str, prefix: str, values: Mapping[str, Any], types: Mapping[str, type]
) -> None:
    for name, expected in types.items():
        if name in values and type(values[name]) is not expected:
            raise ValueError(
                f'{path}: {prefix}{name} must be {_TYPE_NAMES[expected]}, '
                f'got {_shorten(values[name])}'
            )


def _shorten(value: Any, most: int = 60) -> str:
    text = repr(value)
    return text if len(text) <= most else f'{text[:most]}...'


def _check_same_samples(one: Mapping[str, Any], other: Mapping[str, Any]) -> None:
    for name in ('protocol', 'data'):
        if one[name] != other[name]:
            values = [
                run[name] if name == 'protocol' else _describe(run[name]) for run in (one, other)
            ]
            raise ValueError(
                f'runs must have the same {name} to be compared, got {values[0]!r} in '
                f'{one["path"]} and {values[1]!r} in {other["path"]}'
            )


def _describe(data: Mapping[str, Any]) -> str:
    return f'{data["num_samples"]} samples {data["fingerprint"][:12]}'


def _pair_models(
    one: Mapping[str, Any], other: Mapping[str, Any], models: tuple[str, str] | None
) -> dict[str, tuple[str, str]]:
    names = list(one['outcomes']), list(other['outcomes'])
    common = {name: (name, name) for name in names[0] if name in names[1]}
    if common and not models:
        return common
    if not models and len(names[0]) == len(names[1]) == 1:
        models = names[0][0], names[1][0]
    if models:
        return {' - '.join(models): models}
    raise ValueError(
        f'runs must have a model in common or one each, or models be given, got {names[0]} and '
        f'{names[1]}'
    )


def _hits(run: Mapping[str, Any], model: str) -> np.ndarray:
    if model not in run['outcomes']:
        raise ValueError(
            f'{run["path"]}: outcomes must include those of {model!r}, got {list(run["outcomes"])}'
        )
    return np.array([hit == '1' for hit in run['outcomes'][model]])


def _groups(runs: Sequence[Mapping[str, Any]]) -> np.ndarray | None:
    """Returns the group of each outcome; of several runs, at least the sample."""
    if len(runs) == 1:
        return runs[0]['data']['groups']
    names = [
        f'{run["data"]["fingerprint"]} {position}' if groups is None else str(groups[position])
        for run in runs
        for groups in [run['data']['groups']]
        for position in range(run['data']['num_samples'])
    ]
    return np.array(names)


def _differences(
    first: Sequence[Mapping[str, Any]], second: Sequence[Mapping[str, Any]]
) -> dict[str, tuple[Any, Any]]:
    sides = [[_facts(run) for run in side] for side in (first, second)]
    names = dict.fromkeys(name for side in sides for facts in side for name in facts)
    out = {}
    for name in names:
        values = [[facts.get(name) for facts in side] for side in sides]
        one, other = (side[0] if all(v == side[0] for v in side) else side for side in values)
        if one != other:
            out[name] = one, other
    return out


def _facts(run: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the facts that may explain a difference, by name."""
    environment = dict(run.get('environment', {}))
    environment.pop('date', None)
    packages = environment.pop('packages', {})
    arguments = {name: v for name, v in run.get('arguments', {}).items() if name not in _IGNORED}
    return environment | packages | {'seeds': run.get('seeds')} | arguments


_IGNORED = ('out', 'quiet', 'fresh', 'evaluate', 'seed')
