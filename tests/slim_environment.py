"""Assert that this environment is slim: run by `make test-slim` before the tests."""

import importlib.util
import subprocess
import sys

HEAVY = ("tensorflow", "keras", "pandas", "sklearn", "scipy", "matplotlib", "rich", "pydantic")

present = [name for name in HEAVY if importlib.util.find_spec(name)]
if present:
    sys.exit(f"this environment is not slim: it holds {', '.join(present)}")
code = (
    "import sys, edgelstm.cli, edgelstm.runtime, edgelstm.cli.run, edgelstm.cli.score;"
    "allowed = set(sys.stdlib_module_names) | {'edgelstm', 'numpy', 'click', 'ai_edge_litert', 'tflite_runtime'};"
    "print(*sorted({name.split('.')[0] for name in sys.modules} - allowed))"
)
extra = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="/").stdout.split()
foreign = [name for name in extra if not name.startswith(("_", "sitecustomize", "usercustomize", "google"))]
if foreign:
    sys.exit(f"the runtime imports {', '.join(foreign)}")
print(f"slim on Python {sys.version.split()[0]}: nothing heavy is installed or imported")
