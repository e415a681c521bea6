//! An execution provider that is requested, with its options.

use std::fmt;
use std::path::{Path, PathBuf};

use ort::session::builder::SessionBuilder;

use super::table::{CPU, NNAPI, PROVIDERS, ProviderEntry, option};
use crate::error::{Error, Result};
use crate::network::ort::library;
use crate::network::ort::native::compiled_in;
use crate::network::ort::overheard::{overheard, with_log};
use crate::network::ort::runtime::Runtime;
use crate::option::{Fallback, Kind, OptionEntry, Options};
use crate::process::Call;
use crate::sync::Mutex;

/// The only option of a plugin library that is not the library's own.
const DEVICE: OptionEntry = option(
    "device",
    Kind::Whole(0, 255),
    Fallback::Whole(0),
    "The place of the device among those that the library finds, counted from 0.",
);

/// An execution provider and its options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    pub(super) name: String,
    /// The plugin library that contains it, for a provider that is not known by name.
    pub(super) library: Option<PathBuf>,
    pub(super) options: Vec<(String, String)>,
}

impl Provider {
    /// The provider of [`PROVIDERS`] that is called `name`.
    ///
    /// # Errors
    /// [`Error::Argument`] if there is none of that name.
    pub fn new(name: &str) -> Result<Self> {
        if !PROVIDERS.iter().any(|entry| entry.name == name) {
            let names: Vec<_> = PROVIDERS.iter().map(|entry| entry.name).collect();
            let reason = format!(
                "there is no {name:?}; known are {}; a plugin library is added by its path and a name for it",
                names.join(", ")
            );
            return Err(Error::argument("provider", reason));
        }
        Ok(Self { name: name.to_owned(), library: None, options: Vec::new() })
    }

    /// A provider in a plugin library for ONNX Runtime, at `library`. `name` is its name from here on.
    ///
    /// Its options are passed on as they are, except `device`. That is the index of the device, from 0, among those
    /// that the library finds. The library is loaded when a model is first opened with it, and stays for as long as the
    /// process lives.
    ///
    /// # Errors
    /// [`Error::Argument`] if the name is empty, longer than 64 bytes, or that of one of [`PROVIDERS`]. Also if it has
    /// other characters than letters, digits, `_` and `-`, or if the path is empty.
    pub fn plugin(name: &str, library: impl Into<PathBuf>) -> Result<Self> {
        let library = library.into();
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
            let reason = format!("{name:?}; expected 1 to 64 letters, digits, _ or -");
            return Err(Error::argument("provider", reason));
        }
        if PROVIDERS.iter().any(|entry| entry.name == name) {
            let reason = format!("{name:?} is a provider of ONNX Runtime's own; give the plugin another name");
            return Err(Error::argument("provider", reason));
        }
        if library.as_os_str().is_empty() {
            return Err(Error::argument("path", "is empty; expected the plugin's library"));
        }
        Ok(Self { name: name.to_owned(), library: Some(library), options: Vec::new() })
    }

    /// The provider with the option `key` set to `value`, in place of an earlier value.
    ///
    /// # Errors
    /// [`Error::Argument`] if the provider has no such option, or the option no such value.
    pub fn with_option(mut self, key: &str, value: &str) -> Result<Self> {
        self.set_option(key, value)?;
        Ok(self)
    }

    /// Sets the option `key` to `value`, in place of an earlier value.
    ///
    /// # Errors
    /// As [`with_option`](Self::with_option). Nothing is changed then.
    pub fn set_option(&mut self, key: &str, value: &str) -> Result<()> {
        let name = &self.name;
        let known = match self.entry() {
            Some(entry) => *entry.options.iter().find(|option| option.key == key).ok_or_else(|| {
                let keys: Vec<_> = entry.options.iter().map(|option| option.key).collect();
                Error::argument("key", format!("{name} has no option {key:?}; it has {}", keys.join(", ")))
            })?,
            // ONNX Runtime puts the provider's name before it, and has room for 1024 bytes.
            None if key.is_empty() || key.len() > 256 || key.contains('\0') => {
                return Err(Error::argument("key", format!("{} bytes; expected 1 to 256", key.len())));
            }
            None if key == DEVICE.key => DEVICE,
            // The library checks its own options.
            None => option("", Kind::Text, Fallback::Nothing, ""),
        };
        let value = match known.parse(value) {
            Ok(value) => value.to_string(),
            Err(_) => {
                return Err(Error::argument("value", format!("{value:?} for {name}'s {key}; expected {}", known.kind)));
            }
        };
        self.options.retain(|(set, _)| set != key);
        self.options.push((key.to_owned(), value));
        Ok(())
    }

    /// The name by which it is requested.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    fn entry(&self) -> Option<&'static ProviderEntry> {
        PROVIDERS.iter().find(|entry| self.library.is_none() && entry.name == self.name)
    }

    /// Makes it the next choice of `builder`, or returns why it cannot be. With the builder it returns ONNX Runtime's
    /// name for it.
    pub(super) fn register(
        &self,
        runtime: &Runtime,
        builder: SessionBuilder,
    ) -> Result<(SessionBuilder, String), String> {
        match self.entry() {
            Some(entry) => self.register_known(entry, runtime, builder),
            None => self.register_plugin(runtime, builder),
        }
    }

    fn register_known(
        &self,
        entry: &ProviderEntry,
        runtime: &Runtime,
        mut builder: SessionBuilder,
    ) -> Result<(SessionBuilder, String), String> {
        let library = entry.library.map(|middle| {
            format!("{}onnxruntime_providers_{middle}{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX)
        });
        if !compiled_in().iter().any(|name| name == entry.registered_as) {
            let missing = library.as_ref().map_or(String::new(), |library| format!(" and has no {library}"));
            return Err(format!(
                "ONNX Runtime {} at {} was built without it{missing}; it needs {}",
                runtime.version(),
                runtime.path().display(),
                entry.needs
            ));
        }
        if runtime.is_of_host() && entry.name == NNAPI {
            return Err(
                "it is added by a function of ONNX Runtime's own library, which the host's runtime does not have"
                    .into(),
            );
        }
        if let Some(library) = library {
            let path = runtime.path().with_file_name(library);
            if path.exists() {
                library::check(&path)?;
            }
        }
        let (result, said) = overheard(|| (entry.dispatch)(&self.options).error_on_failure().register(&mut builder));
        result.map_err(|error| {
            let reason = with_log(error.message(), &said);
            // The loader names one missing library, and there may be more.
            let needs = if reason.contains("Failed to load library") {
                format!("; it needs {}", entry.needs)
            } else {
                String::new()
            };
            reason + &needs
        })?;
        if entry.name == CPU {
            // `ort`'s own version only switches the arena.
            builder = on_cpu(runtime, builder)?;
        }
        Ok((builder, entry.registered_as.to_owned()))
    }

    fn register_plugin(&self, runtime: &Runtime, builder: SessionBuilder) -> Result<(SessionBuilder, String), String> {
        let Some(library) = &self.library else { return Err("it has no library".into()) };
        let provider = load_plugin(runtime, &self.name, library)?;
        let devices: Vec<_> =
            runtime.environment().devices().filter(|device| device.ep().is_ok_and(|ep| ep == provider)).collect();
        let set = self.options.iter().find(|(key, _)| key == DEVICE.key);
        let index = set.and_then(|(_, value)| value.parse().ok()).unwrap_or_else(|| DEVICE.whole(&Options::default()));
        // Without a device ONNX Runtime would silently use the CPU.
        let found = devices.len();
        let device = devices.into_iter().nth(index).ok_or_else(|| {
            format!("{} found {found} devices that it can use, so that there is no device {index}", library.display())
        })?;
        let options: Vec<_> = self
            .options
            .iter()
            .filter(|(key, _)| key != DEVICE.key)
            .map(|(key, value)| (format!("{provider}.{key}"), value.clone()))
            .collect();
        let (result, said) =
            overheard(|| builder.with_devices([device], Some(&options)).map_err(|error| error.message().to_owned()));
        let builder = result.map_err(|message| with_log(&message, &said))?;
        Ok((builder, provider))
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl Runtime {
    /// The names of the [`PROVIDERS`] that this ONNX Runtime was built with. Whether they work is known when a model is
    /// opened, since they may lack libraries, a driver or a device. The list is empty where the process ends.
    #[must_use]
    pub fn providers(&self) -> Vec<&'static str> {
        let names = Call::begin().map_or_else(|_| Vec::new(), |_call| compiled_in());
        let known = PROVIDERS.iter().filter(|entry| names.iter().any(|name| name == entry.registered_as));
        known.map(|entry| entry.name).collect()
    }
}

/// Loads a plugin library, once in a process, and returns its devices' name for their provider.
fn load_plugin(runtime: &Runtime, name: &str, library: &Path) -> Result<String, String> {
    struct Loaded {
        name: String,
        library: PathBuf,
        provider: Result<String, String>,
    }
    static LOADED: Mutex<Vec<Loaded>> = Mutex::new(Vec::new());
    let path = library.display();
    let library = std::fs::canonicalize(library).map_err(|error| format!("{path}: {error}"))?;
    let mut loaded = LOADED.held();
    if let Some(known) = loaded.iter().find(|known| known.library == library) {
        return known.provider.clone();
    }
    if let Some(known) = loaded.iter().find(|known| known.name == name) {
        return Err(format!("{} is loaded under the name {name} already", known.library.display()));
    }
    library::check(&library)?;
    let providers = || -> Vec<String> {
        runtime.environment().devices().filter_map(|device| device.ep().ok().map(ToOwned::to_owned)).collect()
    };
    let before = providers();
    let (result, said) = overheard(|| runtime.environment().register_ep_library(name, &library));
    result.map_err(|error| format!("{path} cannot be loaded: {}", with_log(error.message(), &said)))?;
    // This cannot be undone, since a registered library cannot be registered again.
    let provider = match providers().into_iter().find(|provider| !before.contains(provider)) {
        // `ort` has room for this many bytes of a name.
        Some(provider) if provider.is_empty() || provider.len() > 120 => {
            Err(format!("{path} calls its provider {provider:?}; expected 1 to 120 bytes"))
        }
        Some(provider) => Ok(provider),
        None => {
            Err(format!("{path} found no device that it can use, or calls its provider as one that is loaded already"))
        }
    };
    loaded.push(Loaded { name: name.to_owned(), library, provider: provider.clone() });
    provider
}

/// Adds the CPU as a requested provider. Without it ONNX Runtime, as `ort` sets it up, would choose among the devices
/// of every plugin that was ever loaded into the process, and of CoreML on macOS.
pub(super) fn on_cpu(runtime: &Runtime, builder: SessionBuilder) -> Result<SessionBuilder, String> {
    let is_cpu = |device: &ort::device::Device<'_>| device.ep().is_ok_and(|ep| ep == "CPUExecutionProvider");
    // A minimal build has no list of devices, and no plugins either.
    let Some(device) = runtime.environment().devices().find(is_cpu) else { return Ok(builder) };
    builder.with_devices([device], None).map_err(|error| error.message().to_owned())
}
