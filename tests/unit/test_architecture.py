"""The shape of the code is a promise: layers, docstrings, and that nothing heavy is imported before it is needed."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCES = sorted(Path("src").rglob("*.py"))


def test_imports_go_down_the_list_only():
    done = subprocess.run([str(Path(sys.executable).parent / "lint-imports")], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_a_module_opens_with_what_it_is(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree) or not tree.body


def test_no_extension_names_another_by_an_if():
    """`if suite == "pope"` in a model is how harnesses rot."""
    from mmplat.methods import catalog as methods
    from mmplat.suites import catalog as suites

    names = {*suites, *methods}
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Compare):
                said = {c.value for c in node.comparators if isinstance(c, ast.Constant) and isinstance(c.value, str)}
                world = "world" in path.parts  # the world is where these suites are made
                assert world or not said & names, f"{path}:{node.lineno}"


def test_help_imports_nothing_heavy():
    code = (
        "import sys; sys.argv = ['mmplat', '--help']\n"
        "from mmplat.cli.app import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = ('torch', 'numpy', 'polars', 'pyarrow', 'sqlalchemy', 'duckdb', 'mlflow', 'pydantic')\n"
        "print([m for m in heavy if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"
