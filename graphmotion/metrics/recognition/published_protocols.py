"""The protocols of published gait recognition benchmarks."""

from __future__ import annotations

from torch import Tensor

from graphmotion.metrics.recognition.protocols import GalleryProbeProtocol


def _is_odd(values: Tensor) -> Tensor:
    return values % 2 == 1


def _is_even(values: Tensor) -> Tensor:
    return values % 2 == 0


def _casia_b(name: str, train_subjects: int) -> GalleryProbeProtocol:
    """124 subjects and 11 views; conditions 0, 1 and 2 are normal, with a bag and with a coat."""
    return GalleryProbeProtocol(
        name,
        gallery={'condition': 0, 'take': (1, 2, 3, 4)},
        probes={
            'NM': {'condition': 0, 'take': (5, 6)},
            'BG': {'condition': 1, 'take': (1, 2)},
            'CL': {'condition': 2, 'take': (1, 2)},
        },
        train_subjects=train_subjects,
    )


#: CASIA-B with the first 24 subjects for training (small) and the other 100 for testing.
CASIA_B_ST = _casia_b('CASIA-B ST', 24)
#: CASIA-B with the first 62 subjects for training (medium) and the other 62 for testing.
CASIA_B_MT = _casia_b('CASIA-B MT', 62)
#: CASIA-B with the first 74 subjects for training (large) and the other 50 for testing.
CASIA_B_LT = _casia_b('CASIA-B LT', 74)

#: OU-MVLP with 14 views: the gallery is sequence 01 (take 1), the probes are sequence 00 (take 0).
#: Of 10,307 subjects, the 5,153 numbered 1, 3, ..., 10,305 in the files (0, 2, ... here) are for
#: training, the other 5,154 for testing. Some subjects lack a sequence in some views.
OU_MVLP = GalleryProbeProtocol(
    'OU-MVLP',
    gallery={'take': 1},
    probes={'00': {'take': 0}},
    train_subjects=range(0, 10305, 2),
)

#: Gait3D: of the 4,000 subjects, 3,000 are for training and 1,000 for testing, with one probe each;
#: all other sequences are the gallery, from all cameras.
GAIT3D = GalleryProbeProtocol(
    'Gait3D',
    gallery={'probe': 0},
    probes={'probes': {'probe': 1}},
    train_subjects=3000,
    view=None,
)

#: GREW as evaluated locally by OpenGait, since the subjects of the official probes are not
#: published: of two sequences of 6,000 test subjects, take 1 is the gallery and take 2 the probe.
GREW = GalleryProbeProtocol(
    'GREW',
    gallery={'take': 1},
    probes={'02': {'take': 2}},
    train_subjects=20000,
    view=None,
)

#: The gallery and the probe sets A to G of `"The HumanID Gait Challenge Problem: Data Sets,
#: Performance, and Analysis" <https://doi.org/10.1109/TPAMI.2005.39>`_ for sequences without a
#: briefcase. Labels: :obj:`surface` 0 grass, 1 concrete; :obj:`shoe` 0 type A, 1 type B;
#: :obj:`camera` 0 right, 1 left. Only the gallery is for training.
USF = GalleryProbeProtocol(
    'USF',
    gallery={'surface': 0, 'shoe': 0, 'camera': 0},
    probes={
        'A': {'surface': 0, 'shoe': 0, 'camera': 1},
        'B': {'surface': 0, 'shoe': 1, 'camera': 0},
        'C': {'surface': 0, 'shoe': 1, 'camera': 1},
        'D': {'surface': 1, 'shoe': 0, 'camera': 0},
        'E': {'surface': 1, 'shoe': 1, 'camera': 0},
        'F': {'surface': 1, 'shoe': 0, 'camera': 1},
        'G': {'surface': 1, 'shoe': 1, 'camera': 1},
    },
    view=None,
)

#: Any dataset with one view: the odd takes are the gallery, the even takes are the probes.
ODD_TO_EVEN_TAKES = GalleryProbeProtocol(
    'odd to even takes',
    gallery={'take': _is_odd},
    probes={'even': {'take': _is_even}},
    view=None,
)
