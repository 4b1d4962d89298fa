"""`python -m edgelstm` is the `edgelstm` command."""

from edgelstm.cli import main

if __name__ == "__main__":
    main()
