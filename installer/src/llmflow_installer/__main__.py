"""`python -m llmflow_installer` is `llmflow`."""

from llmflow_installer.cli import main

if __name__ == "__main__":
    main()
