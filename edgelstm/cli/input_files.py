"""Checks of a command's files, made before TensorFlow is loaded: its start takes many seconds."""

from pathlib import Path


def check_readable(*paths: Path | None) -> None:
    """Find missing, unreadable and empty files before the long work.

    Args:
        *paths: Files of data; None is passed over.

    Raises:
        SeriesError: If one cannot be read, or only once.
    """
    from edgelstm.runtime.errors import SeriesError
    from edgelstm.runtime.sources.line_reader import check_rereadable

    for path in paths:
        if path is None:
            continue
        check_rereadable(path)
        try:
            with path.open("rb") as stream:
                if not stream.read(1):
                    raise SeriesError(f"{path} is empty. Give one row a sample.")
        except OSError as error:
            raise SeriesError(f"Cannot read {path}: {error.strerror or error}. Name an existing file.") from error


def check_folder(folder: Path, file: str) -> None:
    """Make an output folder, and find out whether files can be written there.

    Args:
        folder: The folder, made with its parents if missing.
        file: Name of a file that will be written.

    Raises:
        OutputError: If the folder cannot be made or is not writable.
    """
    from edgelstm.runtime.errors import OutputError
    from edgelstm.runtime.io.atomic_files import check_writable

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"Cannot make the folder {folder}: {error.strerror}. Choose another with -o.") from error
    check_writable(folder / file)
