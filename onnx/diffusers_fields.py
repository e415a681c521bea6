"""Lists every field that a scheduler of diffusers has or had: src/model/diffusers/fields.txt.

    python3 onnx/diffusers_fields.py                  # downloads all releases, some 300 MB, and writes the list
    python3 onnx/diffusers_fields.py --check FOLDER   # whether the wheels in FOLDER, of newer releases, have others

A scheduler_config.json holds what its class's constructor was given, and `from_config` carries along what other
classes were. So a field that one of them has is no misspelling, and is ignored where its class does not have it.
"""

import argparse
import ast
import pathlib
import re
import subprocess
import sys
import tempfile
import zipfile

LIST = pathlib.Path(__file__).resolve().parent.parent / "src" / "model" / "diffusers" / "fields.txt"


def releases():
    said = subprocess.run(
        [sys.executable, "-m", "pip", "index", "versions", "diffusers"], check=True, capture_output=True, text=True
    ).stdout
    return re.search(r"Available versions: (.*)", said).group(1).split(", ")


def fields_of(source):
    """The parameters of the constructors of the classes in `source` that are schedulers."""
    for node in ast.parse(source).body:
        if not (isinstance(node, ast.ClassDef) and node.name.endswith("Scheduler")):
            continue
        for method in node.body:
            if isinstance(method, ast.FunctionDef) and method.name == "__init__":
                parameters = method.args.posonlyargs + method.args.args + method.args.kwonlyargs
                yield from (parameter.arg for parameter in parameters if parameter.arg != "self")


def fields_in(wheel):
    with zipfile.ZipFile(wheel) as files:
        for name in files.namelist():
            if "/schedulers/" in name and name.endswith(".py") and "_flax" not in name:
                yield from fields_of(files.read(name))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", metavar="FOLDER", type=pathlib.Path)
    arguments = parser.parse_args()
    if arguments.check:
        listed = {line for line in LIST.read_text().splitlines() if not line.startswith("#")}
        found = {field for wheel in arguments.check.glob("diffusers-*.whl") for field in fields_in(wheel)}
        if found - listed:
            sys.exit(f"not in {LIST.name}: {', '.join(sorted(found - listed))}; run onnx/diffusers_fields.py")
        print(f"{len(found)} fields, all of them in {LIST.name}")
        return
    found, versions = set(), releases()
    with tempfile.TemporaryDirectory() as folder:
        for version in versions:
            pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder]
            if subprocess.run([*pip, "--only-binary=:all:", f"diffusers=={version}"]).returncode != 0:
                print(f"{version} has no wheel", file=sys.stderr)
        wheels = sorted(pathlib.Path(folder).glob("diffusers-*.whl"))
        for wheel in wheels:
            found.update(fields_in(wheel))
    head = f"# Every field of every scheduler of diffusers up to {versions[0]}, by onnx/diffusers_fields.py.\n"
    LIST.write_text(head + "".join(f"{field}\n" for field in sorted(found)))
    print(f"{len(found)} fields from {len(wheels)} releases")


if __name__ == "__main__":
    main()
