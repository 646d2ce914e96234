"""Compiled models give the same results."""

import shutil

import pytest
import torch

from graphmotion.models import create_model
from tests.models.test_export import CASES, inputs

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not any(map(shutil.which, ('c++', 'g++', 'clang++'))), reason='needs a C++ compiler'
    ),
]


@pytest.mark.filterwarnings('ignore')  # from the compiler
@pytest.mark.parametrize('case', CASES)
def test_compiled_models_give_the_same_results(case):
    name, options, kind = CASES[case]
    torch.manual_seed(0)
    model, args = create_model(name, **options).eval(), inputs(kind, 3, 12)
    torch.compiler.reset()
    with torch.no_grad():
        out = torch.compile(model)(*args)
        torch.testing.assert_close(out, model(*args), atol=1e-4, rtol=1e-4)
