"""Support vector machines, the baselines beside networks."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor


def classify_by_svm(
    first_step: Any, x: np.ndarray, target: Tensor, test_x: np.ndarray, c: float
) -> Tensor:
    """Returns the log-probabilities of the test samples by a support vector machine with a
    Gaussian kernel.

    Args:
        first_step: What prepares the features, such as a scaler of scikit-learn.
        x: Features of the training samples.
        target: Classes of the training samples.
        test_x: Features of the test samples.
        c: Weight of the errors.
    """
    # Installed by the extra 'train'.
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import SVC

    machine = CalibratedClassifierCV(make_pipeline(first_step, SVC(C=c)), ensemble=False)
    machine.fit(x, target.numpy())
    return torch.from_numpy(machine.predict_proba(test_x)).clamp(min=1e-12).log()
