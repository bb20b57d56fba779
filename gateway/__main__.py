"""`python -m gateway` is `callgate`."""

from gateway.cli import main

if __name__ == "__main__":
    main()
