"""The notebooks as files: all of them, or things stay as they were."""

from __future__ import annotations

from pathlib import Path

from ..torch import saving
from .lessons import LESSONS
from .notebooks import notebook


def write(given: str, force: bool = False) -> list[Path]:
    """Write all notebooks into a folder, which is made if it is not there; returns where they are.

    ValueError where it is no folder, or has files in it and ``force`` is not given; OSError where
    it cannot be written, and nothing new is left then.
    """
    folder = Path(given)
    texts = {folder / f"{lesson}.ipynb": notebook(lesson).encode() for lesson in LESSONS}
    made: list[Path] = []  # to take away again, should anything fail
    try:
        refuse(given, folder, texts, force)
        for path in reversed([path for path in (folder, *folder.parents) if not path.exists()]):
            path.mkdir()
            made.append(path)
        for path, text in texts.items():
            new = not path.exists()
            saving.replace_file(path, [text])
            if new:
                made.append(path)
    except BaseException:
        for path in reversed(made):
            path.rmdir() if path.is_dir() else path.unlink()
        raise
    return list(texts)


def refuse(given: str, folder: Path, texts: dict[Path, bytes], force: bool) -> None:
    """ValueError where the notebooks would go among, or in place of, what is there."""
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{given} is a file; give a folder")
    if not force and folder.exists() and any(folder.iterdir()):
        there = [path.name for path in texts if path.exists()]
        lost = f"replaces {' and '.join(there)}" if there else "writes beside them"
        if len(there) > 2:
            lost = f"replaces the {len(there)} notebooks there, with your answers in them"
        raise ValueError(f"{given} has files in it; give another folder, or --force, which {lost}")
