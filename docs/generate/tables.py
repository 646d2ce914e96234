"""The tables of results: which runs each row shows, and the figures of the papers beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Column:
    """A number of each row.

    Paths are keys of a record, joined by dots; a star stands for the title of the row. The number
    is the mean over the paths.
    """

    header: str
    paths: tuple[str, ...]
    deviation: str = ''  # path of the deviation over the folds of one run
    unit: str = 'per cent'  # of a fraction; 'count', or 'minutes' of a number of seconds


@dataclass(frozen=True)
class Row:
    """The runs of a command."""

    label: str
    title: str  # in the records
    command: str
    others: Sequence[str] = ()  # further commands whose runs count for the row
    paper: Sequence[str] = ()


@dataclass(frozen=True)
class Table:
    """Rows and columns, with further columns for the figures of the paper."""

    columns: Sequence[Column]
    rows: Sequence[Row]
    corner: str = ''
    paper: Sequence[str] = ()  # headers
    lists_runs: bool = True


def column(header: str, *paths: str, **options: object) -> Column:
    """Returns a column of a number or of the mean of several."""
    return Column(header, paths, **options)  # type: ignore[arg-type]


def rows(command: str, titles: Sequence[str], **labels: str) -> list[Row]:
    """Returns a row for each title in the records of a command."""
    return [Row(labels.get(title, title), title, command) for title in titles]


def with_paper(table: Table, header: Sequence[str], figures: dict[str, Sequence[str]]) -> Table:
    """Returns the table with the figures of a paper for some of its rows.

    Raises:
        ValueError: If the table lacks a row.
    """
    missing = figures.keys() - {row.label for row in table.rows}
    if missing:
        raise ValueError(f'figures must be those of rows of the table, got {sorted(missing)}')
    found = [replace(row, paper=figures.get(row.label, ())) for row in table.rows]
    return replace(table, paper=header, rows=found)


def parameters(path: str) -> Column:
    """Returns the column of the number of parameters."""
    return column('parameters', path, unit='count')


def minutes(path: str) -> Column:
    """Returns the column of the training time."""
    return column('minutes', path, unit='minutes')


RANK_1 = [
    *[column(name, f'scores.*.figures.rank-1/{name}') for name in ('NM', 'BG', 'CL')],
    column('mean', 'scores.*.figures.rank-1'),
]
VIEWS = [str(view) for view in range(0, 181, 18)]

# Emotion from gait #############################################################################

EMOTION = 'python examples/papers/msa_gcn.py --root DIR --folds 5 --compare --svm'
EMOTION_NETWORKS = ['ST-GCN', 'MSA-GCN, one scale', 'MSA-GCN, no cross-scale fusion', 'MSA-GCN']
emotion_gait = Table(
    [
        parameters('models.*.parameters'),
        *[
            column(name, f'models.*.scores.mean.{key}', deviation=f'models.*.scores.std.{key}')
            for name, key in [
                ('accuracy', 'accuracy'),
                ('macro-F1', 'macro_f1'),
                ('F1 of means', 'f1_of_macro_means'),
                ('mean (TP + TN) / all', 'mean_one_vs_rest_accuracy'),
            ]
        ],
        minutes('models.*.seconds'),
    ],
    [
        Row('SVM on gait features', 'SVM on gait features', EMOTION),
        *rows(EMOTION, EMOTION_NETWORKS),
        *rows(EMOTION, [f'{name} and SVM' for name in EMOTION_NETWORKS]),
    ],
    corner='model',
)
ENSEMBLES = 'python examples/papers/msa_gcn.py --root DIR --folds 5 --model {} --svm --repeats 5'
emotion_gait_ensembles = Table(
    [
        column(f'{header}: {name}', f'models.*.{key}.mean.{score}')
        for header, key in [
            ('five runs', 'scores'),
            ('mean of five', 'ensemble'),
            ('and of the SVM', 'ensemble_and_svm'),
        ]
        for name, score in [('accuracy', 'accuracy'), ('macro-F1', 'macro_f1')]
    ],
    [
        Row(title, title, ENSEMBLES.format(model))
        for title, model in [('ST-GCN', 'st_gcn'), ('MSA-GCN', 'msa_gcn')]
    ],
    corner='model',
)
generated_gaits = Table(
    [
        parameters('parameters'),
        column('accuracy', 'scores.*.accuracy'),
        column('macro-F1', 'scores.*.macro_f1'),
        minutes('seconds'),
    ],
    rows('python examples/gait_emotion.py', ['MSA-GCN']),
)

# Actions #######################################################################################

ACTIONS = 'python examples/action_recognition.py --dataset {} --root DIR'
_STREAMS = 'python examples/papers/fg_stformer.py --dataset {} --root DIR'
_JOINT = f'{_STREAMS} --streams joint --width 16 --epochs 60 --svm'
UCLA_STREAMS = f'{_STREAMS.format("nw_ucla")} --width 16 --epochs 60 --svm'
UCLA_JOINT, UTD_JOINT = _JOINT.format('nw_ucla'), _JOINT.format('utd_mhad')
NARROW = 'FG-STFormer of width 16'
ACTION_COLUMNS = [
    parameters('*.parameters'),
    column('accuracy', '*.scores.accuracy'),
    minutes('*.seconds'),
]
_UCLA_ROWS = [  # label, command, and titles in the scores and in the accuracy without copies
    ('SVM on distances', UCLA_STREAMS, 'streams.svm', 'SVM on distances'),
    *[
        (f'{name}, joint', f'{ACTIONS.format("nw_ucla")} --model {model}', '', f'{name}, joint')
        for name, model in [('ST-GCN', 'st_gcn'), ('CTR-GCN', 'ctr_gcn')]
    ],
    *[
        (f'{NARROW}, {label}', UCLA_STREAMS, f'streams.{key}', f'FG-STFormer, {title}')
        for label, key, title in [
            ('joint', 'joint', 'joint'),
            ('bone', 'bone', 'bone'),
            ('joint motion', 'joint_motion', 'joint_motion'),
            ('bone motion', 'bone_motion', 'bone_motion'),
            ('four streams', 'fused', 'fused'),
            ('four streams and SVM', 'with_svm', 'fused and SVM on distances'),
        ]
    ],
]


def _ucla_rows(title: int) -> list[Row]:
    """Returns the rows of NW-UCLA, given the position of their titles."""
    return [
        Row(row[0], row[title], row[1], [UCLA_JOINT] if row[0] == f'{NARROW}, joint' else [])
        for row in _UCLA_ROWS
    ]


nw_ucla = with_paper(
    Table(ACTION_COLUMNS, _ucla_rows(2)),
    ['paper'],
    {f'{NARROW}, four streams': ['97.0']},
)
UNSEEN = column('369 others', 'without_copies.accuracy.*')
nw_ucla_unseen = Table([UNSEEN], _ucla_rows(3), lists_runs=False)
UCLA_PARTS = f'{_STREAMS.format("nw_ucla")} --streams joint --ablation --width 16 --epochs 20'
nw_ucla_parts = with_paper(
    Table(
        [parameters('runs.*.parameters'), column('accuracy', 'runs.*.scores.accuracy'), UNSEEN],
        rows(
            UCLA_PARTS,
            [
                'all joints',
                'focal joints',
                'no cross attention',
                'no temporal convolution',
                'no temporal attention',
                'complete',
            ],
        ),
    ),
    ['paper: NTU RGB+D'],
    {
        'all joints': ['87.8'],
        'focal joints': ['88.3'],
        'no cross attention': ['89.1'],
        'no temporal convolution': ['82.8'],
        'no temporal attention': ['89.1'],
        'complete': ['89.5'],
    },
)
utd_mhad = Table(
    ACTION_COLUMNS,
    [
        Row('SVM on distances', 'streams.svm', UTD_JOINT),
        Row('ST-GCN, joint', '', f'{ACTIONS.format("utd_mhad")} --model st_gcn'),
        Row(f'{NARROW}, joint', 'streams.joint', UTD_JOINT),
        Row(f'{NARROW}, joint, and SVM', 'streams.with_svm', UTD_JOINT),
    ],
)

# Fine-tuning ###################################################################################

TUNING = 'python examples/fine_tuning.py'
TUNING_REAL = f'{TUNING} --root DIR --weights FILE --epochs 20'
fine_tuning = Table(
    [column('accuracy', 'scores.*.mean.accuracy', deviation='scores.*.std.accuracy')],
    [
        Row('generated actions, from scratch', 'from scratch', TUNING),
        Row('generated actions, fine-tuned', 'fine-tuned', TUNING),
        Row('generated actions, head only', 'head only', TUNING),
        Row('NW-UCLA, from scratch', 'from scratch', TUNING_REAL),
        Row('NW-UCLA, fine-tuned', 'fine-tuned', TUNING_REAL),
        Row('NW-UCLA, head only', 'head only', TUNING_REAL),
    ],
)

# Gait recognition from skeletons ###############################################################

WALKS = 'python examples/papers/gaitmixer.py --models st_gcn gaitformer --precision bf16-mixed'
MIXER = 'python examples/papers/gaitmixer.py --models gaitmixer --precision bf16-mixed'
SIMPLE = 'limb lengths, cadence, speeds'
generated_walks = with_paper(
    Table(
        [parameters('runs.*.parameters'), *RANK_1, minutes('runs.*.seconds')],
        [*rows(WALKS, ['chance', SIMPLE, 'ST-GCN', 'GaitFormer']), *rows(MIXER, ['GaitMixer'])],
    ),
    ['paper: CASIA-B'],
    {'GaitFormer': ['83.4'], 'GaitMixer': ['88.3']},
)
generated_walks_by_view = Table(
    [column(f'{view}°', f'scores.*.rank-1 by view.mean.{view}') for view in VIEWS],
    [*rows(WALKS, ['ST-GCN', 'GaitFormer']), *rows(MIXER, ['GaitMixer'])],
    lists_runs=False,
)
CALGARY = 'python examples/papers/ucalgary.py --root DIR'
calgary_identity = Table(
    [
        parameters('runs.*.parameters'),
        column('rank-1', 'scores.*.figures.rank-1'),
        column('rank-5', 'scores.*.figures.rank-5'),
        column('mAP', 'scores.*.figures.mAP'),
        minutes('runs.*.seconds'),
    ],
    [
        *rows(
            f'{CALGARY} --models st_gcn gaitmixer',
            ['chance', SIMPLE, 'SVM on bone lengths', 'ST-GCN', 'GaitMixer'],
        ),
        Row(
            'GaitMixer, mean over joints',
            'GaitMixer',
            f'{CALGARY} --models gaitmixer --joint-pooling mean',
        ),
    ],
)
calgary_condition = Table(
    [
        *[
            column(name, f'condition.mean.{key}', deviation=f'condition.std.{key}')
            for name, key in [('accuracy', 'accuracy'), ('macro-F1', 'macro_f1')]
        ],
        minutes('seconds'),
    ],
    [Row('ST-GCN', '', f'{CALGARY} --task condition')],
)

# Gait recognition from silhouettes #############################################################

CASIA = (
    'python examples/silhouette_gait.py --dataset casia_b --root DIR --protocol LT --validation '
    '--precision bf16-mixed'
)
casia_b = with_paper(
    Table(
        [parameters('runs.*.parameters'), *RANK_1, minutes('runs.*.seconds')],
        rows(CASIA, ['silhouettes', 'PCA + LDA', 'LMGCS']),
    ),
    ['paper: NM', 'BG', 'CL', 'mean'],
    {'LMGCS': ['98.0', '95.4', '85.0', '92.8']},
)
casia_b_by_view = Table(
    [column(f'{view}°', f'scores.LMGCS.rank-1 by view.*.{view}') for view in VIEWS],
    rows(CASIA, ['NM', 'BG', 'CL', 'mean']),
    lists_runs=False,
)
# Parts of LMGCS by their titles in the records.
PARTS = {
    'baseline': 'baseline',
    'local': 'local features',
    'local, fusion': 'local features, fusion',
    'local, attention': 'local features, attention',
    'local, fusion, attention': 'local features, fusion, attention',
}
PAPER_PARTS = {
    'baseline': ['96.0', '92.6', '81.2', '89.9'],
    'local features': ['97.1', '94.0', '82.7', '91.3'],
    'local features, fusion': ['97.2', '94.9', '84.6', '92.2'],
    'local features, attention': ['97.8', '95.3', '84.6', '92.6'],
    'local features, fusion, attention': ['98.0', '95.4', '85.0', '92.8'],
}


def ablation(command: str) -> Table:
    """Returns the table of the parts of LMGCS for the runs of a command."""
    found = [Row(label, title, command) for title, label in PARTS.items()]
    table = Table([parameters('runs.*.parameters'), *RANK_1], found)
    return with_paper(table, ['paper: NM', 'BG', 'CL', 'mean'], PAPER_PARTS)


casia_b_ablation = ablation(
    'python examples/papers/lmgcs.py --dataset casia_b --root DIR --validation '
    '--precision bf16-mixed --ablation --epochs 8'
)
generated_silhouettes = ablation('python examples/papers/lmgcs.py --ablation')
LOSSES = 'python examples/papers/lmgcs.py --compare-losses --baseline'
SIZES = 'python examples/papers/lmgcs.py --sweep-dimension 8 32 128 --baseline'
losses_and_sizes = Table(
    [parameters('runs.*.parameters'), *RANK_1, minutes('runs.*.seconds')],
    [
        *rows(LOSSES, ['cross-entropy', 'triplet', 'both'], both='both losses, 32 features'),
        *rows(SIZES, ['8 features', '128 features']),
    ],
)
USF = 'python examples/papers/usf_gait.py --root DIR --precision bf16-mixed'
USF_TITLES = ['silhouettes', 'PCA + LDA', 'PCA + LDA, augmented', 'LMGCS', 'LMGCS + LDA', 'both']


def usf(level: str) -> Table:
    """Returns the table of the USF gait challenge at the level of samples or of sequences."""
    paths = {probe: f'probes.*.{level}.{probe}' for probe in 'ABCDEFG'}
    columns = [column(probe, path) for probe, path in paths.items()]
    columns += [column('mean', *paths.values()), minutes('runs.*.seconds')]
    return Table(columns, rows(USF, USF_TITLES))


usf_samples, usf_sequences = replace(usf('sample'), lists_runs=False), usf('sequence')

# Facial expressions ############################################################################

FACE_COLUMNS = [
    parameters('parameters.*'),
    column('accuracy', 'results.*.mean.accuracy'),
    column('macro-F1', 'results.*.mean.macro_f1'),
    minutes('seconds.*'),
]
FACES = 'python examples/papers/ssgnn.py'
FACE_TITLES = ['linear SVM on pixels', 'SPAGNN', 'SPEGNN', 'SSGNN']
fer2013 = Table(
    FACE_COLUMNS,
    rows(
        f'{FACES} --dataset fer2013 --root DIR --svm --cnn --precision bf16-mixed',
        [*FACE_TITLES, 'small CNN'],
        SSGNN='SSGNN, mean',
    ),
)
generated_faces = Table(FACE_COLUMNS, rows(f'{FACES} --svm', FACE_TITLES))

# All tables, by the names in the pages #########################################################


def shorten(table: Table, headers: Sequence[str], labels: Sequence[str] = ()) -> Table:
    """Returns the table with some columns and rows and without its runs and the paper."""
    kept = [k for k, column in enumerate(table.columns) if column.header in headers]
    return replace(
        table,
        columns=[table.columns[k] for k in kept],
        rows=[replace(row, paper=()) for row in table.rows if not labels or row.label in labels],
        paper=(),
        lists_runs=False,
    )


TABLES = {
    'emotion-gait': with_paper(
        emotion_gait,
        ['paper: F1', 'mean (TP + TN) / all'],
        {
            'ST-GCN': ['72.7', '91.4'],
            'MSA-GCN, one scale': ['', '91.6'],
            'MSA-GCN': ['81.2', '93.5'],
        },
    ),
    'emotion-gait-ensembles': emotion_gait_ensembles,
    'generated-gaits': generated_gaits,
    'nw-ucla': nw_ucla,
    'nw-ucla-unseen': nw_ucla_unseen,
    'nw-ucla-parts': nw_ucla_parts,
    'utd-mhad': utd_mhad,
    'fine-tuning': fine_tuning,
    'generated-walks': generated_walks,
    'generated-walks-by-view': generated_walks_by_view,
    'calgary-identity': calgary_identity,
    'calgary-condition': calgary_condition,
    'casia-b': casia_b,
    'casia-b-by-view': casia_b_by_view,
    'casia-b-ablation': casia_b_ablation,
    'generated-silhouettes': generated_silhouettes,
    'losses-and-sizes': losses_and_sizes,
    'usf-samples': usf_samples,
    'usf-sequences': usf_sequences,
    'fer2013': fer2013,
    'generated-faces': generated_faces,
    # Of the README of the examples.
    'short-emotion-gait': shorten(emotion_gait, ['accuracy', 'macro-F1']),
    'short-nw-ucla': shorten(
        nw_ucla,
        ['accuracy'],
        [
            'SVM on distances',
            'ST-GCN, joint',
            'CTR-GCN, joint',
            f'{NARROW}, joint',
            f'{NARROW}, four streams',
            f'{NARROW}, four streams and SVM',
        ],
    ),
    'short-generated-walks': shorten(generated_walks, ['NM', 'BG', 'CL', 'mean']),
    'short-casia-b': shorten(casia_b, ['NM', 'BG', 'CL', 'mean']),
    'short-usf': replace(
        shorten(usf_samples, []),
        columns=[
            replace(column, header=header)
            for header, table in [('half cycles', usf_samples), ('walks', usf_sequences)]
            for column in table.columns
            if column.header == 'mean'
        ],
    ),
    'short-fer2013': shorten(fer2013, ['accuracy']),
    'short-fine-tuning': shorten(fine_tuning, ['accuracy']),
}
