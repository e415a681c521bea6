//! The layout of pixels in a host's memory.

use crate::error::{Error, Result};
use crate::stage::pixels::Layout;

/// Flag: the rows of pixels run from the bottom up (Unity), not from the top down.
pub const DIFFUSE_BOTTOM_UP: u32 = 1;

/// Flag: the bytes of a pixel are blue, green, red, alpha (Unreal), not red, green, blue, alpha.
pub const DIFFUSE_BGRA: u32 = 2;

/// Returns the layout whose rows are `stride` bytes apart.
pub(super) fn layout(stride: usize, flags: u32) -> Result<Layout> {
    if flags & !(DIFFUSE_BOTTOM_UP | DIFFUSE_BGRA) != 0 {
        return Err(Error::argument(
            "flags",
            format!("{flags}; only DIFFUSE_BOTTOM_UP (1) and DIFFUSE_BGRA (2) are known"),
        ));
    }
    Ok(Layout { stride, bottom_up: flags & DIFFUSE_BOTTOM_UP != 0, bgra: flags & DIFFUSE_BGRA != 0 })
}
