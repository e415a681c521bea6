//! What is left out of a manifest that is written.

/// Whether a value is what it is where it is not given.
pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
