"""Run every benchmark, one after the other: `make bench`."""

import subprocess
import sys
from pathlib import Path


def main() -> int:
    """Return the largest exit code."""
    scripts = sorted(Path(__file__).parent.glob("bench_*.py"))
    codes = []
    for script in scripts:
        print(f"== {script.stem}", flush=True)
        codes.append(subprocess.run([sys.executable, str(script)], check=False).returncode)
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
