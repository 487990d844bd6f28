"""`python -m agent` is the command `tidings`."""

from agent.cli import main

if __name__ == "__main__":
    main()
