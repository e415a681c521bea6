"""Lets PyPI's torch for Linux on x86-64 be imported without the gigabytes of NVIDIA's libraries that it is linked to.
This is for a machine that only compares numbers on its CPU. It puts libraries in their place that have the names, and
no GPU.

    pip install --no-deps torch==2.15.0 && pip install pyelftools
    python onnx/torch_without_cuda.py

It needs gcc. Every function of these libraries returns 100, which is cudaErrorNoDevice.
"""

import collections
import importlib.util
import pathlib
import subprocess
import tempfile

from elftools.elf.elffile import ELFFile

# What a Linux has, and what binds itself at run time.
SYSTEM = ("libc.", "libm.", "libdl.", "librt.", "libpthread.", "libz.", "libstdc++.", "libgcc_s.", "libgomp", "ld-linux")
CXX = ("_ZNS", "_ZSt", "__cxa", "_Unwind")


def symbols(path):
    """The libraries that a file needs, the names it defines, and those it lacks: by (library, version), or without."""
    lacks, defines = collections.defaultdict(set), set()
    with path.open("rb") as file:
        elf = ELFFile(file)
        needs = {tag.needed for tag in elf.get_section_by_name(".dynamic").iter_tags("DT_NEEDED")}
        required, versions = elf.get_section_by_name(".gnu.version_r"), {}
        for library, entries in required.iter_versions() if required else ():
            versions |= {entry["vna_other"]: (library.name, entry.name) for entry in entries}
        numbers = elf.get_section_by_name(".gnu.version")
        for index, symbol in enumerate(elf.get_section_by_name(".dynsym").iter_symbols()):
            if symbol["st_shndx"] != "SHN_UNDEF":
                defines.add(symbol.name)
                continue
            number = numbers.get_symbol(index)["ndx"] if numbers else 0
            version = versions.get(number & 0x7FFF) if isinstance(number, int) else None
            if symbol.name and (version or symbol["st_info"]["bind"] != "STB_WEAK"):
                lacks[version].add(symbol.name)
    return needs, defines, lacks


def write(path, versions, more):
    """A library of functions: those of `versions`, and `more` without one."""
    names = sorted(more.union(*versions.values()))
    # What asks for a text gets one.
    texts = [name for name in names if "ErrorString" in name or "ErrorName" in name]
    lines = ['.section .rodata', 'text: .string "no GPU"', ".text"]
    lines += [line for name in names for line in (f".globl {name}", f".type {name},@function")]
    lines += [f"{name}: leaq text(%rip),%rax\n ret" for name in texts]
    lines += [f"{name}:" for name in names if name not in texts]
    lines += [" movl $100,%eax", " ret", '.section .note.GNU-stack,"",@progbits', ""]
    with tempfile.TemporaryDirectory() as folder:
        source, script = pathlib.Path(folder, "stub.S"), pathlib.Path(folder, "stub.map")
        source.write_text("\n".join(lines))
        script.write_text("".join(f"{name} {{ global: {'; '.join(sorted(of))}; }};\n" for name, of in versions.items()))
        command = ["gcc", "-shared", "-nostdlib", "-o", str(path), str(source), f"-Wl,-soname,{path.name}"]
        subprocess.run(command + ([f"-Wl,--version-script,{script}"] if versions else []), check=True)


def main():
    folder = pathlib.Path(importlib.util.find_spec("torch").origin).parent / "lib"
    files = sorted(folder.glob("*.so*"))
    read = [symbols(path) for path in files]
    names = {path.name for path in files}
    missing = sorted({need for needs, _, _ in read for need in needs if not need.startswith(SYSTEM)} - names)
    lacks = collections.defaultdict(set)
    for _, _, of in read:
        for version, symbol_names in of.items():
            lacks[version] |= symbol_names
    defined = set().union(*(defines for _, defines, _ in read))
    versioned = set().union(*(of for version, of in lacks.items() if version))
    loose = {name for name in lacks[None] - defined - versioned if not name.startswith(CXX)}
    for number, name in enumerate(missing):
        versions = {version: of for (library, version), of in ((key, of) for key, of in lacks.items() if key) if library == name}
        write(folder / name, versions, loose if number == 0 else set())
    print(f"{len(missing)} libraries without a GPU")


if __name__ == "__main__":
    main()
