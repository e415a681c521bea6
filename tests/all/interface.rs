//! The C interface as the header declares it, parsed once: what the reference, the bindings and the lists in `include`
//! are made from.

/// Everything that a header declares, in its order.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Interface {
    pub(crate) constants: Vec<Constant>,
    /// Handles: types that are only known by their names.
    pub(crate) handles: Vec<Handle>,
    /// Types of functions that a host brings.
    pub(crate) callbacks: Vec<Function>,
    pub(crate) structs: Vec<Struct>,
    pub(crate) functions: Vec<Function>,
}

/// `#define name value`.
#[derive(Debug, PartialEq)]
pub(crate) struct Constant {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) doc: String,
}

/// `typedef struct name name;`
#[derive(Debug, PartialEq)]
pub(crate) struct Handle {
    pub(crate) name: String,
    pub(crate) doc: String,
    pub(crate) code: String,
}

/// A function that is exported, or the type of one that is called back.
#[derive(Debug, PartialEq)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) result: Type,
    pub(crate) parameters: Vec<Variable>,
    pub(crate) doc: String,
    pub(crate) code: String,
}

/// A struct whose fields are known.
#[derive(Debug, PartialEq)]
pub(crate) struct Struct {
    pub(crate) name: String,
    pub(crate) fields: Vec<Variable>,
    pub(crate) doc: String,
    pub(crate) code: String,
}

/// A parameter of a function, or a field of a struct.
#[derive(Debug, PartialEq)]
pub(crate) struct Variable {
    pub(crate) name: String,
    pub(crate) of: Type,
    /// Of a field; parameters are described with their function.
    pub(crate) doc: String,
}

/// A type: `const struct diffuse_job **` is `diffuse_job`, two pointers away, and not to be written to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Type {
    pub(crate) name: String,
    pub(crate) pointers: usize,
    pub(crate) read_only: bool,
}

impl Interface {
    /// What `header` declares.
    ///
    /// # Panics
    /// With a declaration that is none of the above: whoever reads the interface would miss it.
    pub(crate) fn parse(header: &str) -> Self {
        let mut interface = Self::default();
        let mut rest = header;
        let mut doc = String::new();
        loop {
            rest = rest.trim_start();
            if let Some(comment) = rest.strip_prefix("/*") {
                let (text, after) = comment.split_once("*/").expect("a comment ends");
                (doc, rest) = (paragraphs(text), after);
            } else if rest.starts_with("//") {
                rest = rest.split_once('\n').map_or("", |(_, after)| after);
            } else if rest.starts_with('#') {
                let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
                interface.define(line, std::mem::take(&mut doc));
                rest = after;
            } else if let Some(after) = rest.strip_prefix("extern \"C\" {").or_else(|| rest.strip_prefix('}')) {
                // What C++ needs around it.
                rest = after;
            } else if rest.is_empty() {
                return interface;
            } else {
                let end = end_of_declaration(rest);
                interface.declare(&rest[..end], std::mem::take(&mut doc));
                rest = &rest[end..];
            }
        }
    }

    /// A line for the preprocessor; guards and includes are no constants.
    fn define(&mut self, line: &str, doc: String) {
        let define = line.strip_prefix("#define ").and_then(|define| define.split_once(' '));
        if let Some((name, value)) = define {
            self.constants.push(Constant { name: name.into(), value: value.trim().into(), doc });
        }
    }

    fn declare(&mut self, code: &str, doc: String) {
        let plain = without_comments(code);
        let plain = plain.trim_end_matches(';');
        let code = code.to_owned();
        match plain.strip_prefix("typedef ") {
            None => {
                let (start, parameters) = plain.split_once('(').unwrap_or_else(|| panic!("what is {plain}?"));
                let Variable { name, of: result, .. } = variable(start, String::new());
                self.functions.push(Function { name, result, parameters: variables(parameters), doc, code });
            }
            Some(typedef) => {
                if let Some((result, rest)) = typedef.split_once("(*") {
                    let (name, parameters) = rest.split_once(")(").unwrap_or_else(|| panic!("what is {plain}?"));
                    let parameters = variables(parameters);
                    self.callbacks.push(Function { name: name.into(), result: of(result), parameters, doc, code });
                } else if let Some((_, rest)) = typedef.split_once('{') {
                    let (_, name) = rest.split_once('}').expect("a struct ends");
                    self.structs.push(Struct { name: name.trim().into(), fields: fields(&code), doc, code });
                } else {
                    let names: Vec<&str> = typedef.split(' ').collect();
                    let ["struct", tag, name] = names[..] else { panic!("what is {plain}?") };
                    assert_eq!(tag, name);
                    self.handles.push(Handle { name: name.into(), doc, code });
                }
            }
        }
    }

    /// The handle that a function is of, by its name; `None` for those of the library itself.
    pub(crate) fn handle_of(&self, function: &str) -> Option<&str> {
        let names = self.handles.iter().map(|handle| handle.name.as_str());
        let is_of = |name: &&str| function.strip_prefix(*name).is_some_and(|rest| rest.starts_with('_'));
        // The longest that fits: diffuse_model_options before diffuse_model.
        names.filter(is_of).max_by_key(|name| name.len())
    }

    /// What a compiled host relies on, a line each: constants, types and functions without their comments.
    pub(crate) fn declarations(&self) -> Vec<String> {
        let constants = self.constants.iter().map(|constant| format!("#define {} {}", constant.name, constant.value));
        let codes = (self.handles.iter().map(|handle| &handle.code))
            .chain(self.callbacks.iter().map(|callback| &callback.code))
            .chain(self.structs.iter().map(|of| &of.code))
            .chain(self.functions.iter().map(|function| &function.code));
        constants.chain(codes.map(|code| without_comments(code))).collect()
    }
}

/// The text of a comment: a paragraph a line, with an empty one between.
fn paragraphs(comment: &str) -> String {
    let parts = comment.trim_matches('\n').split("\n\n");
    parts.map(one_line).collect::<Vec<_>>().join("\n\n")
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Where the declaration that `text` begins with ends: behind the first semicolon that is in no braces and in no
/// comment.
fn end_of_declaration(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while let Some(byte) = text.as_bytes().get(at) {
        match byte {
            b'/' if text[at..].starts_with("/*") => at += text[at..].find("*/").expect("a comment ends") + 1,
            b'{' => depth += 1,
            b'}' => depth -= 1,
            b';' if depth == 0 => return at + 1,
            _ => {}
        }
        at += 1;
    }
    panic!("this does not end: {text}");
}

/// The code in one line.
pub(crate) fn without_comments(code: &str) -> String {
    let mut parts = code.split("/*");
    let first = parts.next().unwrap_or_default().to_owned();
    let plain = parts.fold(first, |plain, part| plain + part.split_once("*/").map_or("", |(_, after)| after));
    one_line(&plain).replace("( ", "(")
}

/// Parameters, from behind their opening brace.
fn variables(parameters: &str) -> Vec<Variable> {
    let list = parameters.trim().trim_end_matches(')');
    let each = list.split(',').map(str::trim).filter(|parameter| *parameter != "void");
    each.map(|parameter| variable(parameter, String::new())).collect()
}

/// The fields of a struct, each with the comment above it.
fn fields(code: &str) -> Vec<Variable> {
    let (_, mut rest) = code.split_once('{').expect("a struct has fields");
    let mut fields = Vec::new();
    let mut doc = String::new();
    loop {
        rest = rest.trim_start();
        if let Some(comment) = rest.strip_prefix("/*") {
            let (text, after) = comment.split_once("*/").expect("a comment ends");
            (doc, rest) = (paragraphs(text), after);
        } else if rest.starts_with('}') {
            return fields;
        } else {
            let (field, after) = rest.split_once(';').expect("a field ends");
            fields.push(variable(field, std::mem::take(&mut doc)));
            rest = after;
        }
    }
}

/// A type and a name.
fn variable(text: &str, doc: String) -> Variable {
    let text = text.trim();
    let at = text.rfind([' ', '*']).unwrap_or_else(|| panic!("what is {text}?")) + 1;
    Variable { name: text[at..].to_owned(), of: of(&text[..at]), doc }
}

fn of(text: &str) -> Type {
    let spaced = text.replace('*', " * ");
    let words: Vec<&str> = spaced.split_whitespace().filter(|word| *word != "struct").collect();
    let names: Vec<&str> = words.iter().copied().filter(|word| !matches!(*word, "*" | "const")).collect();
    let [name] = names[..] else { panic!("what is {text}?") };
    let pointers = words.iter().filter(|word| **word == "*").count();
    Type { name: name.to_owned(), pointers, read_only: words[0] == "const" }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "\
/* What it is.
 * It has no other state. */
#ifndef THING_H
#define THING_H
#include <stdint.h>

/*
 Twice; as it
 is told.
 */
#define THING_TWICE 2

/*
 A thing.
 */
typedef struct thing thing;

typedef struct thing_part thing_part;

typedef struct thing_size {
  /*
   How wide; it is not; negative.
   */
  uint32_t width;
  const char *const *names;
} thing_size;

/*
 Hears.
 */
typedef void (*thing_sink)(int32_t severity, const char *message,
                           void *user_data);

#ifdef __cplusplus
extern \"C\" {
#endif // __cplusplus

/*
 Opens; {see} below.

 And fails.
 */
int32_t thing_open(const struct thing_part *from,
                   struct thing **thing);

const char *thing_part_name(const struct thing_part *part);

uint32_t thing_version(void);

#ifdef __cplusplus
}  // extern \"C\"
#endif  // __cplusplus

#endif /* THING_H */
";

    fn spelled(Type { name, pointers, read_only }: &Type) -> String {
        format!("{}{name}{}", if *read_only { "const " } else { "" }, "*".repeat(*pointers))
    }

    #[test]
    fn constants_handles_and_structs_are_read_with_their_comments() {
        let interface = Interface::parse(HEADER);
        let twice = Constant { name: "THING_TWICE".into(), value: "2".into(), doc: "Twice; as it is told.".into() };
        assert_eq!(interface.constants, [twice]);
        let names: Vec<_> = interface.handles.iter().map(|handle| (&*handle.name, &*handle.doc)).collect();
        assert_eq!(names, [("thing", "A thing."), ("thing_part", "")]);
        let [size] = &interface.structs[..] else { panic!("{:?}", interface.structs) };
        let fields: Vec<_> = size.fields.iter().map(|field| (&*field.name, spelled(&field.of), &*field.doc)).collect();
        assert_eq!(
            fields,
            [
                ("width", "uint32_t".to_owned(), "How wide; it is not; negative."),
                ("names", "const char**".to_owned(), "")
            ]
        );
        assert_eq!((&*size.name, &*size.doc), ("thing_size", ""));
    }

    #[test]
    fn functions_and_callbacks_are_read_with_their_parameters() {
        let interface = Interface::parse(HEADER);
        let told = |function: &Function| {
            let parameters: Vec<_> =
                function.parameters.iter().map(|of| format!("{} {}", spelled(&of.of), of.name)).collect();
            format!("{} {}({})", spelled(&function.result), function.name, parameters.join(", "))
        };
        assert_eq!(
            interface.functions.iter().chain(&interface.callbacks).map(told).collect::<Vec<_>>(),
            [
                "int32_t thing_open(const thing_part* from, thing** thing)",
                "const char* thing_part_name(const thing_part* part)",
                "uint32_t thing_version()",
                "void thing_sink(int32_t severity, const char* message, void* user_data)",
            ]
        );
        assert_eq!(interface.functions[0].doc, "Opens; {see} below.\n\nAnd fails.");
        assert!(interface.functions[0].code.contains("from,\n"));
        let handles = ["thing_open", "thing_part_name", "other_open", "things"].map(|name| interface.handle_of(name));
        assert_eq!(handles, [Some("thing"), Some("thing_part"), None, None]);
    }

    #[test]
    fn declarations_are_a_line_each() {
        assert_eq!(
            Interface::parse(HEADER).declarations(),
            [
                "#define THING_TWICE 2",
                "typedef struct thing thing;",
                "typedef struct thing_part thing_part;",
                "typedef void (*thing_sink)(int32_t severity, const char *message, void *user_data);",
                "typedef struct thing_size { uint32_t width; const char *const *names; } thing_size;",
                "int32_t thing_open(const struct thing_part *from, struct thing **thing);",
                "const char *thing_part_name(const struct thing_part *part);",
                "uint32_t thing_version(void);",
            ]
        );
    }

    #[test]
    #[should_panic(expected = "what is")]
    fn what_is_not_known_is_not_passed_over() {
        Interface::parse("enum thing { ONE };");
    }
}
