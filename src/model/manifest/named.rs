//! A model's classes by name.

use super::document::Manifest;
use crate::error::{Error, Result};

impl Manifest {
    /// The class with the given name or number. "none" is the null class.
    ///
    /// # Errors
    /// [`Error::Argument`] if there is no such class. The message lists the classes.
    pub fn class(&self, name: &str) -> Result<i64> {
        let Some(classes) = &self.classes else {
            return Err(Error::argument("class", format!("'{name}'; this model has no classes")));
        };
        let by_name = classes.names.iter().position(|known| known == name);
        let by_number =
            name.parse().ok().filter(|&index: &usize| index < classes.count() || classes.null == Some(index));
        let null = (name == "none").then_some(classes.null).flatten();
        match by_name.or(by_number).or(null) {
            Some(index) => Ok(index as i64),
            None => {
                let known = if classes.names.is_empty() {
                    format!("0 to {}", classes.count() - 1)
                } else {
                    classes.names.join(", ")
                };
                let null = if classes.null.is_some() { ", none" } else { "" };
                Err(Error::argument("class", format!("there is no class '{name}'; there are {known}{null}")))
            }
        }
    }
}
