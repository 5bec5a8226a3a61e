"""`python -m pinwheel`, the same as the `pinwheel` command."""

from pinwheel.main import main

if __name__ == "__main__":
    main()
