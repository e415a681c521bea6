//! How pixels lie in a host's memory.

use crate::error::{Error, Result};
use crate::stage::pixels::Layout;

/// Pixel rows from the bottom up (Unity) instead of from the top down.
pub const DIFFUSE_BOTTOM_UP: u32 = 1;

/// Pixels as blue, green, red, alpha (Unreal) instead of red, green, blue, alpha.
pub const DIFFUSE_BGRA: u32 = 2;

/// The layout with rows this many bytes apart.
pub(super) fn layout(stride: usize, flags: u32) -> Result<Layout> {
    if flags & !(DIFFUSE_BOTTOM_UP | DIFFUSE_BGRA) != 0 {
        return Err(Error::argument(
            "flags",
            format!("{flags}; only DIFFUSE_BOTTOM_UP (1) and DIFFUSE_BGRA (2) are known"),
        ));
    }
    Ok(Layout { stride, bottom_up: flags & DIFFUSE_BOTTOM_UP != 0, bgra: flags & DIFFUSE_BGRA != 0 })
}
