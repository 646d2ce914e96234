"""Index of operators: paper, equation, shapes and cost of each."""

from __future__ import annotations

import inspect
from pathlib import Path

import torch

from benchmarks.common import count_flops
from benchmarks.operators import cases
from benchmarks.operators.harness import CASES, Setup
from generate.pages import equation, heading, list_table, papers, section, write_page
from generate.reference import group_names
from graphmotion import nn

SIZES = {'batch': 2, 'joints': 25, 'frames': 64, 'channels': 64}
TEXT = (
    'All operators of :mod:`graphmotion.nn`. The cost is measured when this page is built, for one '
    'graph of 25 joints, 64 frames and 64 channels, or one face with as many values: '
    'multiply-adds of matrix products and convolutions in the forward pass, in millions. '
    'Operators without any only add and select values. Their running times and the alternatives '
    'they were compared with are in the benchmarks.'
)


def measure() -> dict[str, tuple[int, float]]:
    """Returns the parameters and the millions of multiply-adds of each benchmarked operator."""
    assert cases  # importing the cases registers them
    costs: dict[str, tuple[int, float]] = {}
    for case in CASES:
        if case.operator not in costs and case.operator in nn.__all__:
            torch.manual_seed(0)
            ours, _ = case.make(Setup(**{**SIZES, **case.sizes}))
            parameters = sum(p.numel() for p in ours.parameters)
            multiply_adds = count_flops(ours.outputs) / 2 / SIZES['batch']  # of one graph
            costs[case.operator] = parameters, multiply_adds / 1e6
    return costs


def operators() -> dict[str, list[str]]:
    """Returns the names of the operators by the title of their group."""
    groups = group_names('nn')
    return {
        title: [name for name in names if issubclass(getattr(nn, name), torch.nn.Module)]
        for title, names in groups.items()
    }


def write(folder: Path) -> None:
    """Writes the index."""
    costs, details, rows = measure(), [], []
    for title, names in operators().items():
        details += heading(title, '-')
        for name in names:
            obj = getattr(nn, name)
            parameters, megas = costs[name]
            link = f':class:`~graphmotion.nn.{name}`'
            rows.append([link, f'{parameters:,}', format_cost(megas), papers(obj)])
            summary = inspect.cleandoc(obj.__doc__).split('\n\n')[0]
            details += heading(name, '~')
            details += [f'{link}. {summary}', '']
            if formula := equation(obj):
                details += ['.. math::', '', *(f'   {line}' for line in formula.split('\n')), '']
            details += [*section(obj, 'Shapes'), '']
            details += [
                f'Cost: {parameters:,} parameters, {format_cost(megas)} M multiply-adds.',
                '',
            ]
    header = ['operator', 'parameters', 'multiply-adds, M', 'paper']
    lines = [
        *heading('Operators', '='),
        *[TEXT, ''],
        *list_table(header, rows, '27 12 13 48'),
        *details,
    ]
    write_page(folder / 'operators.rst', lines)


def format_cost(megas: float) -> str:
    """Formats millions with two significant digits."""
    return f'{megas:.0f}' if megas >= 9.95 else f'{megas:.2g}' if megas else '0'
