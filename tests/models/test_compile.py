"""Compiled models give the same results."""

import shutil

import pytest
import torch

from graphmotion.models import create_model, list_models
from tests.models.test_export import CASES, inputs

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings('ignore')]  # from the compiler


def check_compiled(case, **kwargs):
    """Compares a compiled model with the model."""
    name, options, kind = CASES[case]
    torch.manual_seed(0)
    model, args = create_model(name, **options).eval(), inputs(kind, 3, 12)
    torch.compiler.reset()
    with torch.no_grad():
        out = torch.compile(model, **kwargs)(*args)
        torch.testing.assert_close(out, model(*args), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize('case', list_models())
def test_all_models_compile_into_one_graph(case):
    """The backend generates no code, which would take most of the time."""
    check_compiled(case, backend='eager', fullgraph=True)


@pytest.mark.skipif(
    not any(map(shutil.which, ('c++', 'g++', 'clang++'))), reason='needs a C++ compiler'
)
def test_generated_code_gives_the_same_results():
    check_compiled('st_gcn')
