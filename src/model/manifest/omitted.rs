//! What is left out when a manifest is written.

/// Whether a value is its default.
pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
