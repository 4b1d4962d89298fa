"""Pages of the notebooks in `examples/`, for the site.

python docs/scripts/notebooks.py            # write docs/notebooks/*.md
python docs/scripts/notebooks.py --check    # exit code 1 when a page is out of date
"""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "docs" / "notebooks"
NOTE = "*A notebook: `examples/{name}.ipynb` in the repository. CI runs it from top to bottom.*"


def page(notebook: Path) -> str:
    """A notebook as Markdown, its code as blocks."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    parts = []
    for number, cell in enumerate(cells):
        text = "".join(cell["source"]).strip()
        parts.append(text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```")
        if number == 0:
            parts.append(NOTE.format(name=notebook.stem))
    return "\n\n".join(parts) + "\n"


def main() -> int:
    """Write the pages, or check them."""
    pages = {PAGES / f"{path.stem}.md": page(path) for path in sorted((ROOT / "examples").glob("*.ipynb"))}
    if "--check" in sys.argv[1:]:
        old = [
            path.name for path, text in pages.items() if not path.is_file() or path.read_text(encoding="utf-8") != text
        ]
        if old:
            print(f"out of date: {', '.join(old)}: python docs/scripts/notebooks.py", file=sys.stderr)
        return 1 if old else 0
    PAGES.mkdir(exist_ok=True)
    for path, text in pages.items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
