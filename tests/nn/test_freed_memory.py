"""Freed memory is kept while a network is trained."""

import subprocess
import sys

import pytest

SCRIPT = """
import resource
import torch
from graphmotion.nn import freed_memory

mallopt = freed_memory._from_glibc('mallopt')
if mallopt is None or not mallopt(freed_memory._MMAP_THRESHOLD, 2**30):
    print('refused')
    raise SystemExit
mallopt(freed_memory._MMAP_THRESHOLD, 2**17)

def new_pages():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(12 * 2**20)  # 48 MB, larger than what glibc keeps by itself
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def resident():
    return int(open('/proc/self/statm').read().split()[1])

new_pages()
outside, start = new_pages(), resident()
with freed_memory.kept_freed_memory():
    new_pages()
    kept = new_pages()
    inside = resident()
print(outside, kept, inside - start, resident() - start)
"""


def test_memory_is_kept_inside_and_returned_afterwards():
    pytest.importorskip('resource')
    run = subprocess.run(
        [sys.executable, '-c', SCRIPT], capture_output=True, text=True, check=True, timeout=120
    )
    if 'refused' in run.stdout:
        pytest.skip('the allocator is not a recent one of glibc')
    outside, kept, inside, after = map(int, run.stdout.split())
    assert kept < outside / 10 or outside < 100  # pages of 2 MB
    assert inside > 8000  # pages of 4 kB
    assert after < 4000
