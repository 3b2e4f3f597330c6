"""`python -m bkd`: the command line, or, as `python -m bkd run FOLDER ...`, the child process of a run.

`python -m bkd queue FOLDER ...` is the process that starts the children of several runs one after another.
"""

import sys


def main() -> None:
    """Run the child for `run`, the queue for `queue`, else the command line."""
    if sys.argv[1:2] == ["run"]:
        from bkd.stopping import StopFlag

        flag = StopFlag().install()  # before the long import, so that an early stop is not a crash
        from bkd.run import main as run

        sys.exit(run(sys.argv[2:], flag))
    if sys.argv[1:2] == ["queue"]:
        from bkd.run_queue import main as queue
        from bkd.stopping import StopFlag

        sys.exit(queue(sys.argv[2:], StopFlag().install()))
    from bkd.cli.main import main as cli

    cli()


if __name__ == "__main__":
    main()
