from __future__ import annotations

import subprocess
import sys

from inference.engine.openmp import find_bundled

_LOADED = """
import ctypes
from inference.engine.openmp import find_bundled, load_renamed
library = load_renamed(find_bundled())
assert library.omp_get_max_threads() >= 1
# The linker now knows it by the usual name: another request for it opens no second file.
usual = ctypes.CDLL("libgomp.so.1", mode=ctypes.RTLD_GLOBAL)
assert usual._handle == library._handle
"""


def test_the_bundled_openmp_takes_the_place_of_a_missing_one() -> None:
    assert find_bundled() is not None
    done = subprocess.run([sys.executable, "-c", _LOADED], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
