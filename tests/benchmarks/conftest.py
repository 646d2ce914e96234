"""The scripts find what they share beside them; here they are found as modules by their names."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / 'benchmarks'))
