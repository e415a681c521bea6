//! What lies in `include` is what the code says. `tests/bless` writes it.
#![cfg(feature = "capi")]

use std::collections::BTreeSet;
use std::fmt::Write as _;

use diffuse::capi::DIFFUSE_STATUSES;
use diffuse::network::PROVIDERS;
use diffuse::option::Group;
use diffuse::option::Kind;
use diffuse::settings;

use crate::interface::{Function, Interface, Type, Variable, without_comments};
use crate::support::bindings::{Binding, has_all};
use crate::support::{agree, repository, versions};

const TOP: &str = "\
/* diffuse: draws samples from diffusion models. This header is generated from the library's source. Do not edit it.
 *
 * The host is the program that calls the library. Most functions return a status: DIFFUSE_OK (0), or a code that states
 * what the caller can do. diffuse_error_message() then returns what went wrong. A function that fails changes nothing,
 * except the outputs that it is described to clear.
 *
 * Functions with _new or _open in their names make handles, and _free frees them. Freeing NULL is fine. A handle must
 * not be used after it was freed. The library detects such a use, and a handle of another type, where it can. It then
 * returns DIFFUSE_ARGUMENT.
 *
 * Several threads may use a handle at once in calls that take it as `const`. Any other call needs the handle for
 * itself. diffuse_job has rules of its own. The library has no other state than ONNX Runtime and the log sink.
 *
 * A pointer must be valid or NULL. NULL is DIFFUSE_ARGUMENT unless it is allowed. Strings are UTF-8 and end in a zero
 * byte, and the library copies those that it keeps. Buffers belong to the caller and are not kept.
 *
 * A time t is one of the model's training, and 0 is the cleanest. alpha and sigma are the shares of the clean sample
 * and of the noise: `x = alpha*x0 + sigma*noise`.
 *
 * Once loaded, the library stays in the process, as ONNX Runtime does. dlclose() does not unload it, nor a plugin that
 * it is linked into. Opening it again goes on with the same one.
 *
 * A call returns DIFFUSE_MEMORY if the system has no memory for a tensor. If it has none for small things, the process
 * ends, as with most libraries.
 *
 * Bad input never crashes. No function writes to stdout or stderr, exits, or installs a signal handler.
 *
 * At the end of the process, the library cancels what is running, in jobs and in calls of other threads. It waits for
 * that, for 12 seconds at most. On Windows it does not, since its threads are gone by then. A process that ends by
 * _exit() or a signal needs none of this.
 *
 * After fork(), the child must not use the parent's handles. Freeing one does nothing there. Every other call of it
 * returns DIFFUSE_ARGUMENT, or NULL or 0 if the function returns no status. The child may open handles of its own,
 * beginning with diffuse_runtime_open(). There, that call refers to the ONNX Runtime that the parent has loaded. The
 * child has no log sink until it sets one.
 *
 * fork() waits while other threads open ONNX Runtime or a model, or evaluate a model for the first time. It waits for a
 * second at most. In a child for which that was too short, diffuse_runtime_open() returns DIFFUSE_RUNTIME.
 *
 * Every call works in the usual floating-point environment: it rounds to nearest, flushes nothing to zero, and makes no
 * exception a signal. It then restores the host's environment. A callback is called in the host's environment. On a
 * worker, that is the environment of the thread that started the worker.";

/// The options of requests, as the end of the comment at the top.
fn request_options() -> String {
    let mut text = String::from(" * These are the options of diffuse_request_set().\n");
    for group in Group::OF_REQUEST {
        writeln!(text, " *\n * {}:", group.heading()).unwrap();
        for option in settings::of(*group) {
            writeln!(text, " *\n *     {}: {}\n *         {}", option.key, option.kind, option.text()).unwrap();
            if let Kind::Choice(words, meanings) = option.kind {
                for (word, meaning) in words.iter().zip(meanings) {
                    writeln!(text, " *         - {word}: {meaning}").unwrap();
                }
            }
        }
    }
    text + " */"
}

/// The header's text for compilers that take it for another encoding than UTF-8, as Microsoft's does.
fn ascii(text: &str) -> String {
    let spelled = |character: char| match character {
        'α' => "alpha",
        'β' => "beta",
        'γ' => "gamma",
        'ε' => "eps",
        'η' => "eta",
        'λ' => "lambda",
        'μ' => "mu",
        'π' => "pi",
        'ρ' => "rho",
        'σ' => "sigma",
        'τ' => "tau",
        'Δ' => "Delta",
        'Σ' => "Sigma",
        '∇' => "grad",
        '·' => "*",
        '−' | '–' => "-",
        '…' => "...",
        '²' => "^2",
        'ʰ' => "^h",
        '₀' => "0",
        '‖' => "|",
        '⌊' => "floor(",
        '⌋' => ")",
        // A hat and a tilde.
        '\u{302}' | '\u{303}' => "",
        _ => panic!("the header has {character:?}, which has no spelling here"),
    };
    let mut plain = String::new();
    for character in text.chars() {
        if character.is_ascii() { plain.push(character) } else { plain.push_str(spelled(character)) }
    }
    plain
}

fn sources() -> Vec<std::path::PathBuf> {
    let mut files: Vec<_> =
        std::fs::read_dir(repository("src/capi")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn header() -> String {
    let mut config = cbindgen::Config {
        language: cbindgen::Language::C,
        cpp_compat: true,
        include_guard: Some("DIFFUSE_H".into()),
        header: Some(format!("{TOP}\n *\n{}", request_options())),
        no_includes: true,
        sys_includes: vec!["stddef.h".into(), "stdint.h".into()],
        usize_is_size_t: true,
        documentation_style: cbindgen::DocumentationStyle::C,
        line_length: 100,
        ..cbindgen::Config::default()
    };
    config.export.exclude = vec!["DIFFUSE_STATUSES".into()];
    // The other files are found from this one.
    let builder = cbindgen::Builder::new().with_config(config).with_src(repository("src/capi/mod.rs"));
    let mut text = Vec::new();
    builder.generate().unwrap().write(&mut text);
    String::from_utf8(text).unwrap()
}

/// The names of the exported functions, from the source.
fn exports() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for file in sources() {
        let code = std::fs::read_to_string(file).unwrap();
        for rest in code.split("extern \"C\" fn diffuse_").skip(1) {
            let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            names.insert(format!("diffuse_{name}"));
        }
    }
    names
}

#[test]
fn the_header_is_fresh() {
    let header = header();
    let interface = Interface::parse(&header);
    let mut declared: Vec<&str> = interface.functions.iter().map(|function| &*function.name).collect();
    declared.sort_unstable();
    assert_eq!(declared, exports().iter().collect::<Vec<_>>());
    for (number, name) in DIFFUSE_STATUSES {
        let constant = interface.constants.iter().find(|constant| name.to_str() == Ok(&*constant.name));
        assert_eq!(constant.map(|constant| &*constant.value), Some(&*number.to_string()), "{name:?}");
    }
    assert_eq!(interface.constants.len(), DIFFUSE_STATUSES.len() + 26, "a status is not in the table");
    agree("include/diffuse.h", &ascii(&header));
    agree("include/REFERENCE.md", &reference(&interface));
}

/// The header for parsers that know neither a preprocessor nor comments.
#[test]
fn the_plain_header_is_fresh() {
    let interface = Interface::parse(&header());
    let constants: Vec<String> =
        interface.constants.iter().map(|constant| format!("  {} = {}", constant.name, constant.value)).collect();
    let mut plain = format!("enum {{\n{}\n}};\n", constants.join(",\n"));
    for declaration in interface.declarations().iter().filter(|declaration| !declaration.starts_with('#')) {
        plain += declaration;
        plain.push('\n');
    }
    agree("include/diffuse_plain.h", &plain);
}

const FUNCTIONS: &str = "\
/* The functions of diffuse.h as a table, for hosts that load the library by its path and link nothing. This header is
 * generated from the library's source. Do not edit it.
 *
 *     static void *find(void *library, const char *name) { return dlsym(library, name); }
 *
 *     diffuse_functions diffuse;
 *     void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
 *     const char *missing = diffuse_functions_load(&diffuse, find, library);
 *     if (missing != NULL) fail(library == NULL ? dlerror() : missing);
 *     diffuse.job_start(job);
 *
 * `find` wraps GetProcAddress() on Windows, or the engine's own function for it. This header needs C99 or C++. */

#ifndef DIFFUSE_FUNCTIONS_H
#define DIFFUSE_FUNCTIONS_H

#include <string.h>

#include \"diffuse.h\"

/* Each function of diffuse.h, by its name without `diffuse_`. */
typedef struct diffuse_functions {
";

const LOAD: &str = "\
} diffuse_functions;

/* Fills `functions` with what `find` finds in `library`. Returns NULL, or the name of a function that the library does
 * not have. A library that is older than this header may lack one, and a NULL library lacks all. All of `functions`
 * are NULL then. */
static inline const char *diffuse_functions_load(diffuse_functions *functions,
                                                 void *(*find)(void *library, const char *name),
                                                 void *library) {
  static const char *const names[] = {
";

const LOADED: &str = "  };
  size_t i;
  for (i = 0; i < sizeof names / sizeof names[0]; ++i) {
    void *address = library ? find(library, names[i]) : NULL;
    if (!address) {
      memset(functions, 0, sizeof *functions);
      return names[i];
    }
    memcpy((char *)functions + i * sizeof address, &address, sizeof address);
  }
  return NULL;
}

#endif /* DIFFUSE_FUNCTIONS_H */
";

#[test]
fn the_table_of_functions_is_fresh() {
    let interface = Interface::parse(&header());
    let mut table = String::from(FUNCTIONS);
    for function in &interface.functions {
        let declaration = without_comments(&function.code);
        let short = function.name.strip_prefix("diffuse_").unwrap();
        let pointer = declaration.replacen(&format!("{}(", function.name), &format!("(*{short})("), 1);
        assert_ne!(pointer, declaration);
        writeln!(table, "  {pointer}").unwrap();
    }
    table += LOAD;
    for function in &interface.functions {
        writeln!(table, "    \"{}\",", function.name).unwrap();
    }
    agree("include/diffuse_functions.h", &(table + LOADED));
}

#[test]
fn the_symbols_are_listed() {
    let list: Vec<String> = exports().into_iter().collect();
    agree("include/diffuse.symbols", &(list.join("\n") + "\n"));
}

/// The interface as a page: what the library has, noun by noun.
fn reference(interface: &Interface) -> String {
    let mut page = String::from(
        "# The C interface\n\nThis page lists the functions, types, constants and options of [diffuse.h](diffuse.h), from which it is generated. \
         [PROVIDERS.md](PROVIDERS.md) lists the options of the execution providers. \
         [BAD_ARGUMENTS.md](BAD_ARGUMENTS.md) shows what each function returns for bad arguments.\n\n",
    );
    let top =
        TOP.trim_start_matches("/* ").trim_end_matches(" */").lines().map(|line| line.trim_start_matches(" *").trim());
    // Its first paragraph is about the file.
    page += "## Rules of all functions\n\n";
    top.skip_while(|line| !line.is_empty()).skip(1).for_each(|line| writeln!(page, "{line}").unwrap());
    page += "\n## Options of requests\n";
    for group in Group::OF_REQUEST {
        writeln!(page, "\n### {}\n\n| option | value | meaning |\n|---|---|---|", group.heading()).unwrap();
        for option in settings::of(*group) {
            let words = if let Kind::Choice(words, meanings) = option.kind {
                words.iter().zip(meanings).map(|(word, meaning)| format!("<br>`{word}`: {meaning}")).collect()
            } else {
                String::new()
            };
            writeln!(page, "| `{}` | {} | {}{words} |", option.key, option.kind, option.text()).unwrap();
        }
    }
    page += &constants(interface);
    let nouns = ["runtime", "model_options", "model", "request", "job", "estimate", "cancel"];
    let nouns = nouns.map(|noun| Some(format!("diffuse_{noun}")));
    for handle in &interface.handles {
        assert!(nouns.contains(&Some(handle.name.clone())), "{} is missing from the reference", handle.name);
    }
    for noun in nouns.into_iter().chain([None]) {
        let noun = noun.as_deref();
        writeln!(page, "\n## {}", noun.map_or("The library".into(), |noun| format!("`{noun}`"))).unwrap();
        let types: Vec<_> = match noun {
            Some(noun) => {
                let handles = interface.handles.iter().filter(|handle| handle.name == noun);
                handles.map(|handle| (&handle.code, &handle.doc)).collect()
            }
            None => {
                let callbacks = interface.callbacks.iter().map(|callback| (&callback.code, &callback.doc));
                callbacks.chain(interface.structs.iter().map(|of| (&of.code, &of.doc))).collect()
            }
        };
        let functions = interface.functions.iter().filter(|function| interface.handle_of(&function.name) == noun);
        for (code, doc) in types.into_iter().chain(functions.map(|function| (&function.code, &function.doc))) {
            writeln!(page, "\n```c\n{code}\n```\n{doc}").unwrap();
        }
    }
    page
}

/// The constants of the reference: the status codes, and the others.
fn constants(interface: &Interface) -> String {
    let statuses = DIFFUSE_STATUSES.iter().map(|(_, name)| name.to_str().unwrap());
    let statuses: Vec<&str> = statuses.collect();
    let (codes, others): (Vec<_>, Vec<_>) =
        interface.constants.iter().partition(|constant| statuses.contains(&constant.name.as_str()));
    assert_eq!(codes.len(), statuses.len());
    let mut page = String::from("\n## Status codes\n\n| number | name | meaning |\n|---|---|---|\n");
    for code in codes {
        writeln!(page, "| {} | `{}` | {} |", code.value, code.name, code.doc).unwrap();
    }
    page += "\n## Other constants\n\n| name | value | meaning |\n|---|---|---|\n";
    for constant in others {
        writeln!(page, "| `{}` | {} | {} |", constant.name, constant.value, constant.doc).unwrap();
    }
    page
}

/// Every version of the interface that is stored in tests/abi is still a part of it. `tests/freeze` stores one.
#[test]
fn nothing_that_hosts_were_compiled_with_has_changed() {
    let (now, laid) = (Interface::parse(&header()).declarations(), layout());
    if let Some(folder) = std::env::var_os("DIFFUSE_FREEZE").map(std::path::PathBuf::from) {
        std::fs::write(folder.join("declarations.txt"), now.join("\n") + "\n").unwrap();
        std::fs::write(folder.join("layout.txt"), laid).unwrap();
        return;
    }
    for version in versions() {
        let stored = |name: &str| std::fs::read_to_string(version.join(name)).unwrap();
        let first = stored("declarations.txt");
        assert!(first.lines().count() > 100);
        for declaration in first.lines() {
            let there = match declaration.split_once('}') {
                // Fields are added at the end.
                Some((fields, _)) => now.iter().any(|now| now.starts_with(fields)),
                None => now.iter().any(|now| now == declaration),
            };
            assert!(there, "hosts were compiled with:\n{declaration}");
        }
        for line in stored("layout.txt").lines() {
            // A struct may grow, and what was in it stays where it was.
            let field = line.split(' ').next().unwrap().contains('.');
            assert!(!field || laid.lines().any(|now| now == line), "hosts were compiled with:\n{line}");
        }
    }
}

/// What ctypes calls a type.
fn type_for_python(of: &Type) -> String {
    let scalar = match of.name.as_str() {
        "int32_t" => "c_int32",
        "uint32_t" => "c_uint32",
        "int64_t" => "c_int64",
        "uint64_t" => "c_uint64",
        "uint8_t" => "c_uint8",
        "size_t" => "c_size_t",
        "float" => "c_float",
        "double" => "c_double",
        _ => "",
    };
    match (of.name.as_str(), of.pointers) {
        ("void", 0) => "None".into(),
        ("void", 1) => "c_void_p".into(),
        ("void", 2) => "POINTER(c_void_p)".into(),
        ("char", 1) => "c_char_p".into(),
        ("char", 2) => "POINTER(c_char_p)".into(),
        ("diffuse_callback", 0) => "Callback".into(),
        ("diffuse_log_sink", 0) => "LogSink".into(),
        ("diffuse_release", 0) => "Release".into(),
        ("diffuse_cost", 1) => "POINTER(Cost)".into(),
        (name, 1) if name.starts_with("diffuse_") => "c_void_p".into(),
        (name, 2) if name.starts_with("diffuse_") => "POINTER(c_void_p)".into(),
        (_, stars) => {
            assert!(!scalar.is_empty(), "{of:?}");
            "POINTER(".repeat(stars) + scalar + &")".repeat(stars)
        }
    }
}

/// The functions of the header for Python's ctypes.
#[test]
fn the_functions_for_python_are_fresh() {
    let interface = Interface::parse(&header());
    let mut page = String::from(
        "\"\"\"The functions, types and constants of diffuse.h for ctypes. Generated from the header by its test. Do not edit.\"\"\"\n\n\
         from __future__ import annotations\n\nfrom ctypes import CFUNCTYPE, POINTER, Structure, c_char_p, c_double, c_float, c_int32, c_int64, c_size_t, c_uint8, c_uint32, c_uint64, c_void_p\n\
         from typing import Any\n\n",
    );
    for constant in &interface.constants {
        writeln!(page, "{} = {}", constant.name.strip_prefix("DIFFUSE_").unwrap(), constant.value).unwrap();
    }
    let [cost] = &interface.structs[..] else { panic!("the package has the class Cost alone") };
    page += "\n\nclass Cost(Structure):\n    \"\"\"The expected cost of a run.\"\"\"\n\n    _fields_ = [\n";
    for field in &cost.fields {
        writeln!(page, "        (\"{}\", {}),", field.name, type_for_python(&field.of)).unwrap();
    }
    page += "    ]\n\n\n";
    // What is written to is no Python string.
    let parameter = |of: &Variable| {
        let written = of.of == Type { name: "char".into(), pointers: 1, read_only: false };
        if written { "c_void_p".into() } else { type_for_python(&of.of) }
    };
    for (python, c) in
        [("Callback", "diffuse_callback"), ("LogSink", "diffuse_log_sink"), ("Release", "diffuse_release")]
    {
        let callback = interface.callbacks.iter().find(|callback| callback.name == c).unwrap();
        let parameters: Vec<String> = callback.parameters.iter().map(parameter).collect();
        writeln!(page, "{python} = CFUNCTYPE({}, {})", type_for_python(&callback.result), parameters.join(", "))
            .unwrap();
    }
    page += "\nFUNCTIONS: dict[str, tuple[Any, list[Any]]] = {\n";
    for Function { name, result, parameters, .. } in &interface.functions {
        let parameters: Vec<String> = parameters.iter().map(|of| type_for_python(&of.of)).collect();
        writeln!(page, "    \"{name}\": ({}, [{}]),", type_for_python(result), parameters.join(", ")).unwrap();
    }
    agree("bindings/python/src/diffuse/_abi.py", &(page + "}\n"));
}

/// What C# calls a handle: JobHandle for diffuse_job.
fn handle_for_csharp(name: &str) -> String {
    let words = name.strip_prefix("diffuse_").unwrap().split('_');
    words.map(|word| word[..1].to_uppercase() + &word[1..]).collect::<String>() + "Handle"
}

/// What C# calls a type. Texts are bytes that end in a zero, since no attribute for UTF-8 is everywhere; what is only
/// looked at during a callback is an address.
fn type_for_csharp(of: &Type) -> String {
    let scalar = match of.name.as_str() {
        "int32_t" => "int",
        "uint32_t" => "uint",
        "int64_t" => "long",
        "uint64_t" => "ulong",
        "uint8_t" => "byte",
        "size_t" => "UIntPtr",
        "float" => "float",
        "double" => "double",
        "void" => "void",
        _ => "",
    };
    match (of.name.as_str(), of.pointers) {
        ("void", 1) | ("diffuse_estimate", 1) => "IntPtr".into(),
        ("char", 1) => "byte[]".into(),
        ("uint8_t", 2) => "IntPtr*".into(),
        ("char" | "void" | "float", 2) => "out IntPtr".into(),
        ("diffuse_callback", 0) => "Callback".into(),
        ("diffuse_log_sink", 0) => "LogSink".into(),
        ("diffuse_release", 0) => "Release".into(),
        ("diffuse_cost", 1) => "Cost*".into(),
        (name, 1) if name.starts_with("diffuse_") => handle_for_csharp(name),
        (name, 2) if name.starts_with("diffuse_") => format!("out {}", handle_for_csharp(name)),
        (_, stars) => {
            assert!(!scalar.is_empty() && stars < 2, "{of:?}");
            scalar.to_owned() + &"*".repeat(stars)
        }
    }
}

/// A parameter in C#: those that its language has a word for are escaped.
fn parameter_for_csharp(of: &Variable) -> String {
    // A list of texts.
    let list = of.of.name == "char" && of.of.pointers == 2 && of.name == "names";
    let kind = if list { "IntPtr*".into() } else { type_for_csharp(&of.of) };
    let name = if of.name == "base" { "@base" } else { &of.name };
    format!("{kind} {name}")
}

/// The functions of the header for C#'s P/Invoke.
#[test]
fn the_functions_for_csharp_are_fresh() {
    let interface = Interface::parse(&header());
    let mut page = String::from(
        "// The functions, types and constants of diffuse.h. Generated from the header by its test. Do not edit.\n\
         using System;\nusing System.Runtime.InteropServices;\n\nnamespace Diffuse\n{\n\
         \x20   internal static unsafe class Native\n    {\n\
         #if UNITY_IOS && !UNITY_EDITOR\n        private const string Library = \"__Internal\";\n\
         #else\n        private const string Library = \"diffuse\";\n#endif\n\n",
    );
    for constant in &interface.constants {
        let name = constant.name.strip_prefix("DIFFUSE_").unwrap();
        writeln!(page, "        internal const int {name} = {};", constant.value).unwrap();
    }
    for (delegate, name) in
        [("Callback", "diffuse_callback"), ("LogSink", "diffuse_log_sink"), ("Release", "diffuse_release")]
    {
        let callback = interface.callbacks.iter().find(|callback| callback.name == name).unwrap();
        // Within a callback a text is an address.
        let parameters: Vec<String> =
            callback.parameters.iter().map(|of| parameter_for_csharp(of).replace("byte[]", "byte*")).collect();
        let result = type_for_csharp(&callback.result);
        writeln!(
            page,
            "\n        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]\n        internal delegate {result} {delegate}({});",
            parameters.join(", ")
        )
        .unwrap();
    }
    for Function { name, result, parameters, .. } in &interface.functions {
        let frees = name.ends_with("_free");
        let parameters: Vec<String> = if frees {
            vec![format!("IntPtr {}", parameters[0].name)]
        } else {
            parameters.iter().map(parameter_for_csharp).collect()
        };
        let result = if result.pointers > 0 { "IntPtr".into() } else { type_for_csharp(result) };
        writeln!(
            page,
            "\n        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]\n        internal static extern {result} {name}({});",
            parameters.join(", ")
        )
        .unwrap();
    }
    page += "    }\n";
    let [cost] = &interface.structs[..] else { panic!("C# has the struct Cost alone") };
    page += "\n    [StructLayout(LayoutKind.Sequential)]\n    internal struct Cost\n    {\n";
    for field in &cost.fields {
        writeln!(page, "        internal {} {};", type_for_csharp(&field.of), field.name).unwrap();
    }
    page += "    }\n";
    for handle in interface.handles.iter().filter(|handle| handle.name != "diffuse_estimate") {
        let class = handle_for_csharp(&handle.name);
        write!(
            page,
            "\n    internal sealed class {class} : SafeHandle\n    {{\n\
             \x20       /// <summary>NULL.</summary>\n\
             \x20       internal static readonly {class} None = new {class}();\n\n\
             \x20       public {class}() : base(IntPtr.Zero, true) {{ }}\n\n\
             \x20       public override bool IsInvalid => handle == IntPtr.Zero;\n\n\
             \x20       protected override bool ReleaseHandle()\n        {{\n\
             \x20           Native.{}_free(handle);\n            return true;\n        }}\n    }}\n",
            handle.name
        )
        .unwrap();
    }
    agree("bindings/csharp/src/Native.cs", &(page + "}\n"));
}

/// What the header says of each function, for the documentation of the C# members that call it.
#[test]
fn the_documents_for_csharp_are_fresh() {
    let interface = Interface::parse(&header());
    let mut page = String::from(
        "<!-- The descriptions of the functions in diffuse.h. Generated by its test. Do not edit. -->\n<docs>\n",
    );
    for function in &interface.functions {
        let text = function.doc.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let paragraphs: Vec<String> = text.split("\n\n").map(|paragraph| format!("<para>{paragraph}</para>")).collect();
        writeln!(page, "<{0}><remarks><c>{0}()</c>: {1}</remarks></{0}>", function.name, paragraphs.join("")).unwrap();
    }
    agree("bindings/csharp/src/diffuse.xml", &(page + "</docs>\n"));
}

#[test]
fn the_binding_for_csharp_has_what_the_header_has() {
    let files = std::fs::read_dir(repository("bindings/csharp/src")).unwrap();
    let source: String = files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect();
    has_all(Binding::CSharp, exports().iter().map(String::as_str), |name| source.contains(&format!("Native.{name}(")));
}

#[test]
fn the_package_for_python_has_what_the_header_has() {
    let files = std::fs::read_dir(repository("bindings/python/src/diffuse")).unwrap();
    let source: String = files
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "py") && !path.ends_with("_abi.py"))
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    has_all(Binding::Python, exports().iter().map(String::as_str), |name| {
        let after = |end: char| !end.is_alphanumeric() && end != '_';
        source.split(name).skip(1).any(|rest| rest.starts_with(after))
    });
}

/// The size of every struct, and where its fields lie: `struct.field offset size`.
fn layout() -> String {
    macro_rules! layout {
        ($type:ident { $($field:ident),* }) => {{
            let of = |text: &str, at: usize, size: usize| format!("{}{text} {at} {size}\n", stringify!($type));
            fn size<T>(_: fn(&diffuse::capi::$type) -> &T) -> usize {
                size_of::<T>()
            }
            of("", 0, size_of::<diffuse::capi::$type>())
                $(+ &of(
                    concat!(".", stringify!($field)),
                    std::mem::offset_of!(diffuse::capi::$type, $field),
                    size(|value| &value.$field),
                ))*
        }};
    }
    layout!(diffuse_cost {
        struct_size,
        reserved,
        evaluations,
        peak_bytes,
        milliseconds,
        encoding_milliseconds,
        decoding_milliseconds
    })
}

/// The structs of the header lie in memory as they did, for Rust and for a C compiler.
#[test]
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
fn structs_lie_in_memory_as_they_did() {
    let layout = layout();
    agree("include/diffuse.layout", &layout);
    // Every struct of the header is in it, with every field.
    let declared = Interface::parse(&header()).structs.into_iter().flat_map(|of| {
        let fields: Vec<String> = of.fields.iter().map(|field| format!("{}.{}", of.name, field.name)).collect();
        [of.name].into_iter().chain(fields)
    });
    let listed: Vec<&str> = layout.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(listed, declared.collect::<Vec<_>>());
    let mut program = String::from("#include <stdio.h>\n#include \"diffuse.h\"\nint main(void) {\n");
    for line in layout.lines() {
        let name = line.split(' ').next().unwrap();
        match name.split_once('.') {
            None => writeln!(program, "printf(\"{name} 0 %zu\\n\", sizeof({name}));").unwrap(),
            Some((of, field)) => writeln!(
                program,
                "printf(\"{name} %zu %zu\\n\", offsetof({of}, {field}), sizeof((({of} *)0)->{field}));"
            )
            .unwrap(),
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let (source, binary) = (folder.path().join("layout.c"), folder.path().join("layout"));
    std::fs::write(&source, program + "return 0;\n}\n").unwrap();
    let mut compiler = std::process::Command::new("cc");
    assert!(
        compiler.arg("-I").arg(repository("include")).arg(source).arg("-o").arg(&binary).status().unwrap().success()
    );
    let output = std::process::Command::new(binary).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), layout);
}

/// The execution providers and their options.
#[test]
fn the_providers_are_listed() {
    let mut page = String::from(
        "# Execution providers\n\nThis page lists the execution providers and their options. It is generated from the library's table.\n\n\
         `1` and `0` switch a flag on and off, and so do `true` and `false`. An option that is not set has the provider's own default. \
         The defaults here are those of ONNX Runtime 1.31, and of 1.24 for OpenVINO.\n",
    );
    for provider in PROVIDERS {
        writeln!(
            page,
            "\n## {}\n\n{} It needs {}.\n\n| option | value | meaning |\n|---|---|---|",
            provider.name, provider.summary, provider.needs
        )
        .unwrap();
        for option in provider.options {
            writeln!(page, "| `{}` | {} | {} |", option.key, option.kind, option.text()).unwrap();
        }
    }
    page += "\n## Plugin libraries\n\n\
        A provider that comes as a plugin library is added by the path of that library, under a name of the caller's choice. \
        Its option `device` is the place of the device, counted from 0, among those that the library finds. The library checks its other options itself.\n";
    agree("include/PROVIDERS.md", &page);
    let page = std::fs::read_to_string(repository("docs/providers.md")).unwrap();
    let rows: Vec<_> = page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let names: Vec<_> = PROVIDERS.iter().map(|provider| provider.name).collect();
    assert!(rows.starts_with(&names), "docs/providers.md has {rows:?} in place of {names:?}");
}
