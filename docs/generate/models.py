"""Index of models: task, inputs, size, paper and the results reached with each."""

from __future__ import annotations

from pathlib import Path

import torch

from benchmarks.common import count_flops
from benchmarks.models.workloads import WORKLOADS, Workload, face_graph, make_inputs, make_model
from generate.pages import heading, list_table, papers, write_page
from generate.results import find_cell
from graphmotion import models
from graphmotion.models import list_models
from graphmotion.models.registry import TASKS
from graphmotion.skeletons import get_skeleton

TASK_NAMES = {
    'action': 'actions',
    'emotion': 'emotion from gait',
    'expression': 'facial expressions',
    'recognition': 'people by their gait',
}
# Results of the models: words, and cells of the tables of results as table, row and column.
_FOUR = ('nw-ucla', 'FG-STFormer of width 16, four streams', 'accuracy')
RESULTS: dict[str, list[str | tuple[str, str, str]]] = {
    'fg_stformer': [
        *[
            'NW-UCLA',
            ('nw-ucla', 'FG-STFormer of width 16, joint', 'accuracy'),
            '; four streams',
            _FOUR,
        ],
        *['; UTD-MHAD', ('utd-mhad', 'FG-STFormer of width 16, joint', 'accuracy')],
    ],
    'gaitformer': ['generated walks, rank-1', ('generated-walks', 'GaitFormer', 'mean')],
    'gaitmixer': ['generated walks, rank-1', ('generated-walks', 'GaitMixer', 'mean')],
    'lmgcs': [
        *['CASIA-B, validation, rank-1', ('casia-b', 'LMGCS', 'mean')],
        *['; USF, half cycles', ('usf-samples', 'LMGCS', 'mean')],
    ],
    'msa_gcn': ['Emotion-Gait', ('emotion-gait', 'MSA-GCN', 'accuracy')],
    'spagnn': ['FER2013', ('fer2013', 'SPAGNN', 'accuracy')],
    'spegnn': ['FER2013', ('fer2013', 'SPEGNN', 'accuracy')],
    'ssgnn': [
        *['FER2013', ('fer2013', 'SSGNN, mean', 'accuracy')],
        *['; generated faces', ('generated-faces', 'SSGNN', 'accuracy')],
    ],
    'st_gcn': [
        *['NW-UCLA', ('nw-ucla', 'ST-GCN, joint', 'accuracy')],
        *['; UTD-MHAD', ('utd-mhad', 'ST-GCN, joint', 'accuracy')],
        *['; Emotion-Gait', ('emotion-gait', 'ST-GCN', 'accuracy')],
    ],
}
TEXT = (
    'The registered models, with the defaults of their papers, built by '
    ':func:`~graphmotion.models.create_model`. Parameters and multiply-adds of one sample, in '
    'millions, are counted when this page is built; multiply-adds are those of matrix products '
    'and convolutions, of which SPAGNN, with a weight for each edge, has none. The results are in '
    'per cent and were reached by the smaller networks of '
    '``--preset cpu``; :doc:`/results/index` has their tables and commands.'
)


def describe_input(workload: Workload) -> str:
    """Describes the sample that a model is measured with."""
    if workload.face is not None:
        return f'{face_graph(workload.face).num_nodes} pixels'
    if workload.silhouettes:
        height, width = workload.silhouettes
        return f'{workload.frames} silhouettes of {height} x {width}'
    joints = get_skeleton(workload.skeleton).num_joints
    return f'{joints} joints, {workload.frames} frames'


def describe_results(name: str) -> str:
    """Describes the results of a model in per cent."""
    parts = [p if isinstance(p, str) else find_cell(*p) for p in RESULTS.get(name, [])]
    return ' '.join(parts).replace(' ;', ';') or '–'


def rows(name: str, task: str) -> tuple[list[str], list[str]]:
    """Returns the rows of a model in the tables of papers and of sizes."""
    workload = WORKLOADS.get(name, Workload())
    torch.manual_seed(0)
    model = make_model(name, getattr(models, name), workload).eval()
    inputs = make_inputs(name, model, workload, batch_size=1)
    with torch.no_grad():
        megas = count_flops(lambda: model(*inputs)) / 2e6
    parameters = sum(p.numel() for p in model.parameters()) / 1e6
    cls = type(model)
    link = f':class:`{name} <graphmotion.models.{cls.__name__}>`'
    paper = [link, TASK_NAMES[task], papers(cls).split('; ')[0], describe_results(name)]
    fields = ', '.join(f'``{field}``' for field in model.inputs)
    cost = f'{megas:,.0f}' if megas else '–'
    return paper, [link, fields, describe_input(workload), f'{parameters:.2f}', cost]


def write(folder: Path) -> None:
    """Writes the index."""
    named = [(name, task) for task in TASKS for name in list_models(task=task)]
    pairs = [rows(name, task) for name, task in named if hasattr(models, name)]
    paper_rows, size_rows = zip(*pairs)
    lines = [
        *heading('Models', '='),
        *[TEXT, ''],
        *heading('Papers and results', '-'),
        *list_table(['model', 'task', 'paper', 'results'], paper_rows, '16 16 40 28'),
        *heading('Inputs and sizes', '-'),
        *list_table(
            ['model', 'reads', 'sample', 'parameters, M', 'multiply-adds, M'],
            size_rows,
            '20 25 25 15 15',
        ),
    ]
    write_page(folder / 'models.rst', lines)
