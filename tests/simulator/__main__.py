"""`python -m tests.simulator [--seed N] [--count N]`, which is `make simulate`."""

import argparse
import random
import sys
import tempfile
from pathlib import Path

import structlog

from tests.simulator.simulation import make_template, run


def main() -> int:
    """Play seeds one after the other; 1 at the first that fails."""
    parser = argparse.ArgumentParser(prog="tests.simulator", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().getrandbits(32))
    parser.add_argument("--count", type=int, default=1, help="so many seeds from it on")
    parser.add_argument("--story", action="store_true", help="tell what happened")
    asked = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    with tempfile.TemporaryDirectory(prefix="callgate-simulator-") as name:
        folder = Path(name)
        template = make_template(folder / "template.db")
        for seed in range(asked.seed, asked.seed + asked.count):
            sys.stdout.write(f"seed {seed}: ")
            sys.stdout.flush()
            outcome = run(seed, template, folder)
            sys.stdout.write(
                f"{outcome.recordings} recordings, {outcome.recorded_ms / 1000:.3f} s, "
                f"{outcome.deaths} deaths; all sums hold\n"
            )
            if asked.story:
                sys.stdout.write("".join(f"  {line}\n" for line in outcome.story))
    return 0


if __name__ == "__main__":
    sys.exit(main())
