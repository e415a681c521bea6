//! The JSON Schema of the manifest (`onnx/manifest.schema.json`), for editors and for whoever writes manifests by
//! program. Fields, words and limits are the library's own (`onnx/manifest_facts.json`). Their meanings are those of
//! the tables in `docs/model/manifest.md`. It states what each field may be. How fields fit each other is checked where
//! a model is opened.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::support::{agree, repository};

fn read(path: &str) -> String {
    std::fs::read_to_string(repository(path)).unwrap()
}

/// What each field means and defaults to, by the tables of three columns; a table of two has the words of the field at
/// its head.
fn meanings() -> BTreeMap<String, String> {
    let text = read("docs/model/manifest.md");
    let plain = |cell: &str| cell.replace(['`', '*'], "");
    let mut meanings = BTreeMap::new();
    let mut words: BTreeMap<String, String> = BTreeMap::new();
    let mut head = "";
    for (line, next) in text.lines().zip(text.lines().skip(1)) {
        let Some(row) = line.strip_prefix("| ").and_then(|line| line.strip_suffix(" |")) else { continue };
        match row.split(" | ").collect::<Vec<_>>()[..] {
            [fields, meaning, default] => {
                for field in fields.split(", ").filter(|field| field.contains('`')) {
                    meanings.insert(plain(field), format!("{meaning}. Default: {default}."));
                }
            }
            [field, _] if next.starts_with("|---") => head = field,
            [word, meaning] => *words.entry(plain(head)).or_default() += &format!(" {word}: {meaning}."),
            _ => (),
        }
    }
    for (field, words) in words {
        *meanings.get_mut(&field).unwrap() += &words;
    }
    meanings
}

/// What a field may be, but for null.
fn kind(field: &str, facts: &Value) -> Value {
    let limit = |name: &str| &facts["limits"][name];
    let text = json!({"type": "string"});
    let number = json!({"type": "number"});
    let above_0 = json!({"type": "number", "exclusiveMinimum": 0});
    let share = json!({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1});
    let flag = json!({"type": "boolean"});
    let whole = |least: usize| json!({"type": "integer", "minimum": least});
    if let Some(words) = facts["words"].get(field) {
        return json!({"enum": words});
    }
    match field {
        "diffuse" => json!({"const": facts["version"]}),
        "name" => json!({"type": "string", "pattern": "^[A-Za-z0-9_-][A-Za-z0-9._-]*$", "maxLength": limit("name")}),
        "$schema" | "description" | "license" | "source" | "defaults.solver" | "outputs.prediction"
        | "outputs.derivative" => text,
        "sample.shape" | "conditions.NAME.shape" => json!({
            "type": "array",
            "items": {"anyOf": [
                {"type": "integer", "minimum": 1},
                {"type": "string", "pattern": "^[0-9]*[A-Za-z_][A-Za-z0-9_]*$", "maxLength": limit("name")},
            ]},
            "minItems": if field == "sample.shape" { 1 } else { 0 },
        }),
        "sample.preview" => {
            json!({"type": "array", "items": {"type": "array", "items": number}, "minItems": 3, "maxItems": 3})
        }
        "sample.range" | "conditions.NAME.range" => {
            json!({"type": "array", "items": number, "minItems": 2, "maxItems": 2})
        }
        "conditions.NAME.kind" => json!({"enum": facts["words"]["sample.kind"]}),
        "sample.channels_last"
        | "sample.clip"
        | "sample.clamp"
        | "conditions.NAME.batch"
        | "conditions.NAME.joined"
        | "conditions.NAME.before" => flag,
        "sample.sigma_data" | "sample.deviation" => above_0,
        "schedule.train_steps" => json!({"type": "integer", "minimum": 1, "maximum": limit("train_steps")}),
        "schedule.betas" => json!({"type": "array", "items": share, "minItems": 1, "maxItems": limit("train_steps")}),
        "schedule.beta_start" | "schedule.beta_end" | "schedule.least_time" => share,
        "schedule.beta_min" | "schedule.beta_max" | "schedule.sigma_min" | "schedule.sigma_max" | "schedule.tau"
        | "schedule.snr_shift" => above_0,
        "schedule.s" => json!({"type": "number", "minimum": 0, "exclusiveMaximum": 1}),
        "schedule.start" | "schedule.end" | "time.scale" | "time.offset" => number,
        "classes.names" => json!({"type": "array", "items": text, "uniqueItems": true}),
        "classes.count" => json!({"type": "integer", "minimum": 0, "maximum": limit("classes")}),
        "classes.null" => json!({"type": "integer", "minimum": 0, "maximum": limit("classes")}),
        "conditions.NAME.axis" | "defaults.steps_offset" => whole(0),
        "defaults.steps" => whole(1),
        "defaults.eta" => json!({"type": "number", "minimum": 0, "maximum": 1}),
        "defaults.options" => json!({"type": "object"}),
        _ => panic!("{field} has no type in the schema"),
    }
}

/// An object with these fields.
fn object(prefix: &str, section: &Value, facts: &Value, meanings: &BTreeMap<String, String>) -> Value {
    let mut properties = Map::new();
    let listed = |list: &Value| -> BTreeSet<String> {
        list.as_array().unwrap().iter().map(|field| field.as_str().unwrap().to_owned()).collect()
    };
    let nullable = listed(&section["nullable"]);
    for field in listed(&section["fields"]) {
        let path = format!("{prefix}{field}");
        let mut own = match &*path {
            "sample" | "time" | "classes" | "outputs" | "defaults" => {
                object(&format!("{path}."), &facts["sections"][&path], facts, meanings)
            }
            "conditions" => json!({
                "type": "object",
                "propertyNames": {"pattern": "^[a-z][a-z0-9_]*$", "maxLength": facts["limits"]["name"]},
                "additionalProperties": object("conditions.NAME.", &facts["sections"]["conditions"], facts, meanings),
            }),
            "inputs" => json!({
                "type": "object",
                "properties": facts["roles"].as_object().unwrap().keys().map(|role| {
                    let meaning = meanings.get(&format!("inputs.{role}"));
                    (role.clone(), json!({"type": ["string", "null"], "description": meaning}))
                }).collect::<Map<String, Value>>(),
                "additionalProperties": {"type": "string"},
            }),
            "schedule" => schedule(facts, meanings),
            _ => kind(&path, facts),
        };
        if let Some(meaning) = meanings.get(&path) {
            own["description"] = json!(meaning);
        }
        if nullable.contains(&field) {
            own = json!({"anyOf": [own, {"type": "null"}]});
        }
        properties.insert(field, own);
    }
    json!({
        "type": "object",
        "properties": properties,
        "required": section["required"],
        "additionalProperties": false,
    })
}

/// The schedules, each with its own fields.
fn schedule(facts: &Value, meanings: &BTreeMap<String, String>) -> Value {
    let kinds = facts["schedules"].as_object().unwrap().iter().map(|(name, of)| {
        let mut properties = Map::from_iter([("kind".to_owned(), json!({"const": name}))]);
        for field in of["fields"].as_array().unwrap().iter().map(|field| field.as_str().unwrap()) {
            let path = format!("schedule.{field}");
            let mut own = kind(&path, facts);
            if let Some(meaning) = meanings.get(&path) {
                own["description"] = json!(meaning);
            }
            properties.insert(field.to_owned(), own);
        }
        let required: Vec<Value> =
            std::iter::once(json!("kind")).chain(of["required"].as_array().unwrap().iter().cloned()).collect();
        json!({"properties": properties, "required": required, "additionalProperties": false})
    });
    json!({"type": "object", "oneOf": kinds.collect::<Vec<Value>>()})
}

#[test]
fn the_schema_is_fresh() {
    let facts: Value = serde_json::from_str(&read("onnx/manifest_facts.json")).unwrap();
    let meanings = meanings();
    let mut schema = object("", &facts["sections"][""], &facts, &meanings);
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!("The manifest of a noise predictor for diffuse, version 1");
    agree("onnx/manifest.schema.json", &(serde_json::to_string_pretty(&schema).unwrap() + "\n"));
}
