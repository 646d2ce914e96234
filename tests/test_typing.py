"""Annotations accept what the code accepts."""

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
USER = ROOT / 'tests' / 'typed_user.py'
# Parts of torch that this code does not use, which take half of the time.
INTERNAL = (
    *('_decomp', '_dynamo', '_export', '_functorch', '_inductor', '_prims', '_refs'),
    *('distributed', 'export', 'fx', 'onnx', 'testing'),
)


def test_what_a_user_writes_runs(tmp_path):
    script = runpy.run_path(str(USER))
    (tmp_path / 'raw').mkdir()
    script['store'](tmp_path)


@pytest.mark.slow
def test_what_a_user_writes_passes_a_strict_type_checker(tmp_path, pytestconfig):
    """Includes the README's sample. PyG and parts of torch have no annotations."""
    pytest.importorskip('mypy')
    (sample,) = re.findall(r'```python\n(.*?)```', (ROOT / 'README.md').read_text(), re.DOTALL)
    readme = tmp_path / 'readme_sample.py'
    readme.write_text(sample)
    config = tmp_path / 'mypy.ini'
    skipped = ','.join([f'torch.{name}.*' for name in INTERNAL] + ['sympy.*'])
    config.write_text(f'[mypy]\n[mypy-{skipped}]\nfollow_imports = skip\n')
    cache = pytestconfig.cache.mkdir('mypy')  # of torch, which takes most of the time
    options = ['--strict', '--allow-untyped-calls', '--ignore-missing-imports']
    options += ['--follow-imports', 'silent', '--config-file', str(config)]
    options += ['--cache-dir', str(cache)]
    command = [sys.executable, '-m', 'mypy', *options, str(USER), str(readme)]
    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
