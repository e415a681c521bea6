//! Reading a manifest from text.

use serde::Deserialize;

use super::document::Manifest;
use crate::json::{Json, decoded};

/// The objects of a manifest, except its conditions.
const OBJECTS: &[&str] = &["sample", "schedule", "time", "classes", "inputs", "outputs", "defaults"];

/// The fields whose values are words.
const WORDED: &[&str] = &[
    "prediction",
    "input_scaling",
    "variance",
    "sample.kind",
    "schedule.kind",
    "schedule.terminal",
    "time.encoding",
    "time.direction",
    "guidance_pair",
];

/// The field that still has the suggested placeholder.
fn unfilled(manifest: &serde_json::Value) -> Option<&'static str> {
    let at = |field: &str| field.split('.').fold(manifest, |value, key| &value[key]);
    WORDED.iter().chain(&["classes.count", "classes.null"]).copied().find(|field| at(field) == "?")
}

/// Refuses what serde would accept as well. For an object this is the list of its values. For a word it is the word's
/// number, or an object that has the word for a key.
fn check_forms(manifest: &serde_json::Value) -> std::result::Result<(), String> {
    let at = |field: &str| field.split('.').fold(manifest, |value, key| &value[key]);
    let conditions = || manifest["conditions"].as_object().into_iter().flat_map(|conditions| conditions.keys());
    let objects = OBJECTS.iter().map(|field| (*field).to_owned());
    if let Some(list) =
        objects.chain(conditions().map(|name| format!("conditions.{name}"))).find(|field| at(field).is_array())
    {
        return Err(format!("{list} is a list; expected an object"));
    }
    let worded = WORDED.iter().map(|field| (*field).to_owned());
    let is_no_word = |field: &String| at(field).is_object() || at(field).is_number();
    match worded.chain(conditions().map(|name| format!("conditions.{name}.kind"))).find(is_no_word) {
        Some(field) => Err(format!("{field} is {}; expected a word", at(&field))),
        None => Ok(()),
    }
}

impl Manifest {
    /// The version of the schema that this crate reads.
    pub const VERSION: u32 = 1;

    /// Reads a manifest, in UTF-8 or in UTF-16 with a byte-order mark, and checks that its fields do not contradict
    /// each other.
    ///
    /// # Errors
    /// The field and what is wrong with it, as text. The caller knows the file.
    pub fn from_bytes(bytes: &[u8]) -> std::result::Result<Self, String> {
        if bytes.trim_ascii().is_empty() {
            return Err("the manifest is empty; `diffuse-cli inspect` prints one for a graph that has none".into());
        }
        Self::parse(&decoded(bytes).map_err(|reason| format!("the manifest cannot be read as JSON: {reason}"))?)
    }

    /// Reads a manifest from text, which may begin with a byte-order mark. A key that is there twice is an error. Whole
    /// numbers may be written `1000.0`.
    ///
    /// # Errors
    /// As [`from_bytes`](Self::from_bytes).
    pub fn parse(json: &str) -> std::result::Result<Self, String> {
        #[derive(Deserialize)]
        struct Version {
            diffuse: Option<serde_json::Value>,
        }
        // The version is read first. An older program should report a newer schema, and not a field that it does not
        // know.
        let json = Json::new(json).map_err(|error| format!("the manifest cannot be read as JSON: {error}"))?;
        let version: Version =
            json.read().map_err(|error| format!("the manifest cannot be read as JSON: {}", error.inner()))?;
        let read = Self::VERSION;
        match version.diffuse {
            Some(found) if found == read => {}
            Some(found) => {
                return Err(format!("manifest: \"diffuse\" is {found}; this program reads version {read}"));
            }
            None => {
                return Err(format!(
                    "manifest: \"diffuse\", the version of the schema, is missing; it should be {read}"
                ));
            }
        }
        let forms: serde_json::Value = json.read().map_err(|error| format!("manifest: {}", error.inner()))?;
        if let Some(field) = unfilled(&forms) {
            return Err(format!(
                "manifest: {field} is \"?\", the placeholder of `diffuse-cli inspect`. Set it to the value of the training, or let `diffuse-cli inspect MODEL --samples FOLDER` find it"
            ));
        }
        let read = json.read().map_err(|error| match error.path().to_string().as_str() {
            "." => format!("manifest: {}", error.inner()),
            path => format!("manifest: {path}: {}", error.inner()),
        });
        let mut manifest: Self = read?;
        if forms.is_array() {
            return Err("manifest: it is a list; expected an object".into());
        }
        check_forms(&forms).map_err(|reason| format!("manifest: {reason}"))?;
        manifest.defaults.renew().and_then(|()| manifest.check()).map_err(|reason| format!("manifest: {reason}"))?;
        Ok(manifest)
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::Kind;
    use super::super::schedule::{BetaRange, Schedule};
    use super::super::time::{Encoding, Time, Toward};
    use super::*;
    use crate::schedule::{NoiseLevel, Spacing, Tables};

    const LEAST: &str =
        r#"{"diffuse": 1, "sample": {"shape": [3, 8, 8]}, "schedule": {"kind": "linear"}, "prediction": "epsilon"}"#;

    #[test]
    fn what_was_suggested_and_not_filled_in_is_said() {
        for (from, to, field) in [
            ("\"linear\"", "\"?\"", "schedule.kind"),
            ("\"epsilon\"", "\"?\"", "prediction"),
            ("\"diffuse\": 1", "\"diffuse\": 1, \"classes\": {\"count\": \"?\"}", "classes.count"),
        ] {
            let error = Manifest::parse(&LEAST.replace(from, to)).unwrap_err();
            assert!(error.contains(&format!("{field} is \"?\"")) && error.contains("--samples"), "{error}");
        }
        assert!(Manifest::from_bytes(b" \n").unwrap_err().contains("is empty"));
    }

    #[test]
    fn the_least_manifest_has_the_documented_defaults() {
        let manifest = Manifest::parse(LEAST).unwrap();
        assert_eq!(manifest.sample.kind(), Kind::Image);
        assert_eq!(manifest.sample.range(), Some([-1.0, 1.0]));
        assert!(manifest.sample.clip());
        assert_eq!(manifest.schedule, Schedule::Linear(BetaRange::default()));
        assert_eq!(manifest.time(), Time::default());
        assert_eq!(manifest.grid("ddim"), Spacing::Trailing);
        assert_eq!(
            (manifest.solver(), manifest.grid("unipc"), manifest.steps("unipc")),
            ("unipc", Spacing::Exponential, 20)
        );
        assert_eq!(manifest.steps("ddim"), 50);
        // What is written is read back the same.
        assert_eq!(Manifest::parse(&serde_json::to_string(&manifest).unwrap()).unwrap(), manifest);
    }

    /// `onnx/test_manifest.py` checks the exporter's rules against the same cases.
    #[test]
    fn the_rules_are_those_of_the_exporter() {
        #[derive(Deserialize)]
        struct Case {
            why: String,
            holds: bool,
            names: Option<String>,
            #[serde(default)]
            manifest: serde_json::Value,
            /// The manifest as text, for what a value cannot express: a key that is there twice, or how a number is
            /// spelled.
            text: Option<String>,
        }
        let cases: Vec<Case> = serde_json::from_str(include_str!("../../../onnx/fixtures/manifests.json")).unwrap();
        assert!(cases.len() > 40);
        for Case { why, holds, names, manifest, text } in cases {
            match Manifest::parse(&text.unwrap_or_else(|| manifest.to_string())) {
                Ok(_) => assert!(holds, "{why}: is accepted"),
                Err(error) => assert!(!holds && error.contains(&names.unwrap()), "{why}: {error}"),
            }
        }
        assert!(Manifest::parse(&LEAST[1..]).unwrap_err().contains("as JSON"));
    }

    #[test]
    fn the_continuous_cosine_is_trailing_where_an_error_at_its_noisy_end_is_bounded() {
        for (prediction, clip, expected) in [
            ("v", false, Spacing::Trailing),
            ("epsilon", true, Spacing::Trailing),
            ("epsilon", false, Spacing::Exponential),
            ("score", false, Spacing::Exponential),
        ] {
            let json = format!(
                r#"{{"diffuse": 1, "sample": {{"shape": [3, 8, 8], "clip": {clip}}}, "schedule": {{"kind": "continuous_cosine"}},
                "prediction": "{prediction}"}}"#
            );
            let manifest = Manifest::parse(&json).unwrap();
            assert_eq!(manifest.grid("unipc"), expected, "{prediction}, {clip}");
            assert_eq!(manifest.grid("ddim"), Spacing::Trailing);
        }
    }

    #[test]
    fn times_are_encoded_as_documented() {
        let level = NoiseLevel { t: 249.0, alpha: 0.8, sigma: 0.6 };
        let schedule = Schedule::Linear(BetaRange::default()).build(Tables::Exact).unwrap();
        let encode =
            |encoding, direction, scale, offset| Time { encoding, scale, offset, direction }.encode(level, &*schedule);
        assert_eq!(encode(Encoding::Index, Toward::Noise, 1.0, 0.0), 249.0);
        assert_eq!(encode(Encoding::Index, Toward::Data, 1.0, 0.0), 750.0);
        assert_eq!(encode(Encoding::Unit, Toward::Noise, 1.0, 0.0), 0.25);
        assert_eq!(encode(Encoding::Unit, Toward::Data, 1000.0, 1.0), 751.0);
        assert!((encode(Encoding::Sigma, Toward::Noise, 1.0, 0.0) - 0.75).abs() < 1e-15);
        assert!((encode(Encoding::LogSigma, Toward::Noise, 0.25, 0.0) - 0.25 * 0.75f64.ln()).abs() < 1e-15);
    }
}
