"""Labels of gait datasets, and datasets that consist of labels."""

import torch


def casia_b_labels(num_subjects, num_views=11, keep=1.0, seed=0):
    """Returns labels as in CASIA-B; sequences are missing if ``keep`` is below 1."""
    takes = [(0, take) for take in range(1, 7)] + [(c, take) for c in (1, 2) for take in (1, 2)]
    rows = [
        (subject, condition, take, 18 * view)
        for subject in range(num_subjects)
        for condition, take in takes
        for view in range(num_views)
    ]
    grid = torch.tensor(rows)
    generator = torch.Generator().manual_seed(seed)
    grid = grid[torch.rand(len(grid), generator=generator) < keep]
    return dict(zip(('subject', 'condition', 'take', 'view'), grid.unbind(1)))


class Labelled:
    """The interface of a dataset that protocols require."""

    def __init__(self, labels):
        self.fields = labels

    def labels(self, field):
        if field not in self.fields:
            raise ValueError(f'no field {field!r}; there are {sorted(self.fields)}')
        return self.fields[field]

    def index_select(self, idx):
        return Labelled({name: values[idx] for name, values in self.fields.items()})

    def __len__(self):
        return len(self.fields['subject'])
