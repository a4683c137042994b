from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_professionals_token_is_exchanged_over_mutual_tls_and_bound_to_the_certificate() -> None:
    """Real TLS, a served server: the whole dance of `examples/exchange.py`, which stops where a step fails."""
    line = [sys.executable, "-m", "examples.exchange"]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("ok  ") == 8
