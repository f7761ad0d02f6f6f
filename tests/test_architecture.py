"""The house rules that a machine can hold: what may import what, what may never be written, how long things may get."""

import ast
import importlib
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import influence

ROOT = Path(influence.__file__).parent.parent
LIBRARY = sorted((ROOT / "influence").rglob("*.py"))
APP = [ROOT / "app.py", *sorted((ROOT / "pages").rglob("*.py"))]
BENCHMARKS = sorted((ROOT / "tests" / "benchmarks").glob("*.py"))

# The floors of influence/, from the ground up: a package imports from those on the floors below it and from no other.
FLOORS = [
    ["errors"],
    ["types"],
    ["program"],
    ["timing"],
    ["cards"],
    ["formulas"],
    ["seals"],
    ["files"],
    ["growing"],
    ["guarded"],
    ["described"],
    ["sealed"],
    ["engines"],
    ["reading"],
    ["annotation"],
    ["sources"],
    ["data"],
    ["models"],
    ["gradients"],
    ["checkpoints"],
    ["segments"],
    ["attribution"],
    ["indexing"],
    ["workspace"],
    ["opinion_files"],
    ["standing"],
    ["explanations", "review", "retraining", "opinions"],
    ["rules"],
    ["suspects", "fixes"],
    ["clusters", "candidates", "exchange", "hub"],
    ["experiments"],
    ["gate"],
    ["api"],
    ["cli"],
    ["__main__"],
]
FLOOR_OF = {package: floor for floor, packages in enumerate(FLOORS) for package in packages}
# What the packages of pages/ui/ that all pages share import of each other; a page imports from these and no other page.
SHARED: dict[str, set[str]] = {"frame": set(), "jobs": {"frame"}, "parts": {"frame", "jobs"}}
LONGEST_MODULE, LONGEST_FUNCTION, LONGEST_PAGE_FILE = 300, 45, 10
MOST_MODULES = 13  # of a package


def name_of(file: Path) -> str:
    return str(file.relative_to(ROOT))


@cache
def tree_of(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def imports_of(file: Path) -> Iterator[tuple[str, str]]:
    """(module, name) of every import, wherever it stands; the name is "" for a whole module."""
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(file)}:{node.lineno}: write imports in full"
            yield from ((str(node.module), alias.name) for alias in node.names)


def module_of(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_of(file): file for file in [*LIBRARY, *APP]}


def package_of(module: str) -> str:
    """The package of influence/ that a module belongs to, or the module itself where it is one; "" for the front door."""
    return module.partition(".")[2].partition(".")[0]


def modules_imported(file: Path) -> set[str]:
    """The modules of ours that a file imports."""
    found = set()
    for module, name in imports_of(file):
        whole = f"{module}.{name}"
        found |= {whole} & MODULES.keys() or {module} & MODULES.keys()
    return found


@pytest.mark.parametrize("file", [file for file in LIBRARY if package_of(module_of(file))], ids=name_of)
def test_imports_only_go_down(file: Path) -> None:
    """Packages on one floor do not import each other, and nobody in the house uses the front door."""
    here = package_of(module_of(file))
    for module in modules_imported(file):
        there = package_of(module)
        if there and there != here:
            assert FLOOR_OF[there] < FLOOR_OF[here], f"{module} is not below {name_of(file)}"
    through_the_front = {
        name for module, name in imports_of(file) if module == "influence" and f"influence.{name}" not in MODULES
    }
    assert through_the_front <= {"__version__"} or here == "__main__"


@pytest.mark.parametrize("file", [file for file in APP if file.parent.parent.name == "ui"], ids=name_of)
def test_no_page_imports_another(file: Path) -> None:
    here = file.parent.name
    allowed = {here, *SHARED.get(here, SHARED)}
    imported = {module for module in modules_imported(file) if module.partition(".")[0] in ("app", "pages")}
    assert {module.removeprefix("pages.ui.").partition(".")[0] for module in imported} <= allowed


@pytest.mark.parametrize("face", [file for file in [*LIBRARY, *APP] if file.stem == "__init__"], ids=name_of)
def test_packages_are_small(face: Path) -> None:
    assert len([file for file in face.parent.glob("*.py") if file != face]) <= MOST_MODULES


def test_the_files_that_streamlit_runs_are_short() -> None:
    files = [file for file in APP if file.parent in (ROOT, ROOT / "pages")]
    assert {name_of(file) for file in files if len(file.read_text(encoding="utf-8").splitlines()) > LONGEST_PAGE_FILE} == set()


def test_nothing_imports_in_a_circle() -> None:
    """Each module is taken away once all it imports are gone; where none is left to take, those are a circle."""
    left = {module: modules_imported(file) - {"influence", module} for module, file in MODULES.items()}
    while left:
        free = {module for module, imported in left.items() if not imported & left.keys()}
        assert free, sorted(left)
        left = {module: imported for module, imported in left.items() if module not in free}


@pytest.mark.parametrize("file", BENCHMARKS, ids=name_of)
def test_benchmarks_import_what_there_is(file: Path) -> None:
    """They are run by hand, so nothing else would say that a name has moved."""
    for module, name in imports_of(file):
        if module.partition(".")[0] == "influence":
            found = importlib.import_module(module)
            assert not name or hasattr(found, name), f"{name_of(file)}: {module} has no {name}"


@pytest.mark.parametrize("file", LIBRARY, ids=name_of)
def test_the_library_knows_no_streamlit_and_keeps_to_its_stores(file: Path) -> None:
    packages = {module.split(".")[0] for module, _ in imports_of(file)}
    assert not packages & {"streamlit", "pages", "app"}
    assert "duckdb" not in packages or file.stem == "database" or file.stem.endswith("tables")


@pytest.mark.parametrize("file", APP, ids=name_of)
def test_the_app_has_no_torch_and_no_sql(file: Path) -> None:
    packages = {module.split(".")[0] for module, _ in imports_of(file)}
    assert not packages & {"torch", "transformers", "duckdb", "sqlite3", "pyarrow"}
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            assert not re.search(r"\b(select\b.+\bfrom|insert into|delete from|create table)\b", node.value, re.I | re.S), (
                node.value
            )


def test_reading_a_workspace_needs_no_pytorch_and_no_streamlit() -> None:
    """So that the app and the command line start quickly; both come when they are needed."""
    code = "import sys, influence, influence.__main__; print({'torch', 'transformers', 'streamlit'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


NEVER = {
    r"unsafe_allow_html": "HTML is made in pages/ui/frame/render.py and shown by st.html",
    r"st\.navigation": "with it, a page opened at its deep link never runs app.py",
    r"\.executemany\b": "hundreds of times slower than an insert from Arrow",
    r"\bimport (pickle|dill|joblib|shelve)\b|allow_pickle=True": "data must not be able to run code",
    r"trust_remote_code=True": "nor must a model",
    r"weights_only=False|torch\.load\((?!.*weights_only=True)": "torch.load runs code unless told not to",
    r"np\.random\.(seed|rand\w*|shuffle|permutation)\(": "pass a generator",
    r"\b(TODO|FIXME|XXX)\b": "do it or drop it",
    r"(?<!\.)\beval\(|\bexec\(": "no code from strings",  # a model's eval mode is none
    r"^\s*except:|^from \S+ import \*": "say what",
}


@pytest.mark.parametrize("file", [*LIBRARY, *APP], ids=name_of)
def test_what_is_never_written(file: Path) -> None:
    found = [
        f"{name_of(file)}:{number}: {why}"
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1)
        for pattern, why in NEVER.items()
        if re.search(pattern, line)
    ]
    assert not found


@pytest.mark.parametrize("file", LIBRARY, ids=name_of)
def test_only_the_commands_print(file: Path) -> None:
    calls = [
        n for n in ast.walk(tree_of(file)) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id == "print"
    ]
    assert not calls or package_of(module_of(file)) == "cli"


@pytest.mark.parametrize("file", [*LIBRARY, *APP], ids=name_of)
def test_modules_and_functions_are_short(file: Path) -> None:
    assert len(file.read_text(encoding="utf-8").splitlines()) <= LONGEST_MODULE
    assert file.stem not in {"utils", "helpers", "common", "misc"}
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= LONGEST_FUNCTION, f"{name_of(file)}:{node.lineno}: {node.name} has {length} lines"


def public(body: list[ast.stmt], prefix: str = "") -> Iterator[tuple[str, ast.FunctionDef | ast.ClassDef]]:
    """Public functions, classes and methods; a subclass's version of an inherited method needs no words of its own."""
    for node in body:
        if not isinstance(node, ast.FunctionDef | ast.ClassDef) or node.name.startswith("_"):
            continue
        if isinstance(node, ast.FunctionDef) and re.fullmatch(r"m\d{3}_\w+", node.name):
            continue  # a migration says in SQL what it does
        yield prefix + node.name, node
        if isinstance(node, ast.ClassDef) and node.name != "CnnForSequenceClassification":
            yield from public(node.body, f"{node.name}.")


@pytest.mark.parametrize("file", LIBRARY, ids=name_of)
def test_every_public_name_says_what_it_is(file: Path) -> None:
    tree = tree_of(file)
    assert ast.get_docstring(tree), "a module begins with what it is for"
    assert [name for name, node in public(tree.body) if not ast.get_docstring(node)] == []


def exported(face: Path) -> dict[str, str]:
    """The names that a package's face exports, with the module of the package that each stands in."""
    stub = face.with_suffix(".pyi")
    return {
        alias.name: str(node.module or alias.name)
        for node in ast.walk(tree_of(stub))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


FACES = [file for file in LIBRARY if file.stem == "__init__"]


@pytest.mark.parametrize("face", FACES, ids=name_of)
def test_every_face_says_what_it_is_for_and_exports_what_is_there(face: Path) -> None:
    package = importlib.import_module(module_of(face))
    assert package.__doc__
    assert sorted(package.__all__) == sorted(exported(face))
    modules = {file.stem for file in face.parent.iterdir() if file.stem != "__init__"}
    assert not modules & set(package.__all__), "a name that is a module as well is one or the other as imports happen"
    for name in package.__all__:
        found = getattr(package, name)
        assert found.__doc__ or not (inspect.isclass(found) or inspect.isfunction(found)), name


@pytest.mark.parametrize("file", [*LIBRARY, *APP], ids=name_of)
def test_others_use_a_package_by_its_face(file: Path) -> None:
    here = module_of(file).rpartition(".")[0] if file.stem != "__init__" else module_of(file)
    for module, _ in imports_of(file):
        package, _, inside = module.rpartition(".")
        if inside and module in MODULES and MODULES[module].stem != "__init__" and package not in ("influence", "pages"):
            assert here == package, f"{name_of(file)}: import from {package}, not from {module}"


def test_errors_are_one_tree_as_drawn() -> None:
    """The drawing at the top of errors.py is the tree, and every message class says what it means."""
    from influence import errors

    drawn = re.findall(r"[├└]── (\w+)", str(errors.__doc__))
    classes = [value for value in vars(errors).values() if isinstance(value, type)]
    assert sorted(drawn) == sorted(found.__name__ for found in classes if found is not errors.WordtraceError)
    assert all(issubclass(found, errors.WordtraceError) and found.__doc__ for found in classes)


def test_no_two_files_of_tests_have_one_name() -> None:
    """They are imported by their names alone, so that the second of two could not be collected."""
    names = [file.name for file in (ROOT / "tests").rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))
