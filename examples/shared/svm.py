"""Support vector machines, the baselines beside networks."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor


def classify_by_svm(
    first_step: Any, x: np.ndarray, target: Tensor, test_x: np.ndarray, num_classes: int, c: float
) -> Tensor:
    """Returns the probabilities of all classes for the test samples by a support vector machine
    with a Gaussian kernel, at least 1e-12.

    Args:
        first_step: What prepares the features, such as a scaler of scikit-learn.
        x: Features of the training samples.
        target: Classes of the training samples.
        test_x: Features of the test samples.
        num_classes: Number of classes, some of which may have no training samples.
        c: Weight of the errors.
    """
    # Installed by the extra 'train'.
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import SVC

    smallest = int(target.unique(return_counts=True)[1].min())
    if smallest < 2:
        raise SystemExit('an SVM needs at least two training samples of each class, got one')
    machine = CalibratedClassifierCV(
        make_pipeline(first_step, SVC(C=c)), ensemble=False, cv=min(5, smallest)
    )
    machine.fit(x, target.numpy())
    found = torch.from_numpy(machine.predict_proba(test_x))
    out = found.new_full((len(found), num_classes), 1e-12)
    out[:, torch.from_numpy(machine.classes_)] = found.clamp(min=1e-12)
    return out
