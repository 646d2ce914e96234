"""Random files: valid files are read back exactly, damaged files never crash a reader."""

import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.io.fuzz import CASES, OTHERS, make_recording, try_damaged, write_files


@pytest.mark.parametrize('name', CASES)
@settings(max_examples=12, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1), num_people=st.integers(1, 3), num_frames=st.integers(1, 5))
def test_valid_files_round_trip(name, seed, num_people, num_frames):
    case = CASES[name]
    recording = make_recording(case, seed, num_people, num_frames)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter('error')
        people = case.read(write_files(case.write(recording), Path(folder)))
    assert len(people) == len(recording.pos)
    for pos, score in people:
        # People are 20 apart along x.
        present = np.asarray(score) > 0
        person = round(float(pos[..., 0][present].mean()) / 20 - 0.025)
        np.testing.assert_allclose(pos, recording.pos[person], rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(score, recording.score[person], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('name', [*CASES, *OTHERS])
@settings(max_examples=60, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1))
def test_damaged_files_never_crash_a_reader(name, seed):
    with tempfile.TemporaryDirectory() as folder:
        try_damaged({**CASES, **OTHERS}[name], seed, Path(folder))
