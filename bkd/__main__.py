"""`python -m bkd`: the command line, or, as `python -m bkd run FOLDER ...`, the child process of a run."""

import sys


def main() -> None:
    """Run the child for `run`, else the command line."""
    if sys.argv[1:2] == ["run"]:
        from bkd.stopping import StopFlag

        flag = StopFlag().install()  # before the long import, so that an early stop is not a crash
        from bkd.run import main as run

        sys.exit(run(sys.argv[2:], flag))
    from bkd.cli.main import main as cli

    cli()


if __name__ == "__main__":
    main()
