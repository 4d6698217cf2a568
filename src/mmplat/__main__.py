"""`python -m mmplat`: the command line, for whoever starts several processes of it."""

from mmplat.cli.app import main

if __name__ == "__main__":
    main()
