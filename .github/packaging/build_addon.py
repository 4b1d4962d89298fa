"""Write the repository of the Home Assistant add-on: `python build_addon.py --image REGISTRY/NAME -o dist/home-assistant`.

Home Assistant wants repository.yaml at the root of a branch and the version in files; both are made here, from
runtime/version.py, and the release workflow puts them on a branch of their own.
"""

import argparse
import shutil
from pathlib import Path

from release import ROOT, VERSION

LANGUAGES = "|".join(sorted(file.stem for file in (ROOT / "runtime" / "languages").glob("*.json")))
TEMPLATES = Path(__file__).parent / "home-assistant"


def build(image: str, output: Path) -> Path:
    """Write the folder and return it.

    Args:
        image: The product's container image, without a tag.
        output: Folder to be made or replaced.
    """
    shutil.rmtree(output, ignore_errors=True)
    shutil.copytree(TEMPLATES, output)
    for path in filter(Path.is_file, output.rglob("*")):
        if path.suffix != ".png":
            text = path.read_text(encoding="utf-8")
            for place, word in (("@VERSION@", VERSION), ("@IMAGE@", image.lower()), ("@LANGUAGES@", LANGUAGES)):
                text = text.replace(place, word)
            path.write_text(text, encoding="utf-8")
    shutil.copyfile(ROOT / "CHANGELOG.md", output / "edgelstm" / "CHANGELOG.md")
    return output


def main() -> None:
    """Read the command line and build."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--image", required=True, help="the product's container image, without a tag")
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "dist" / "home-assistant")
    options = parser.parse_args()
    print(build(options.image, options.output))


if __name__ == "__main__":
    main()
