//! A limit on what is kept in memory of all layers of an image together. Anyone who can push chooses what is in the
//! layers, and they are read before any signature is verified.

use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Result, bail};

/// Enough for a million files with names of usual length, on all platforms together. An image of a service has a tenth.
const MAX_BYTES: usize = 128 << 20;

/// What an entry costs besides its name.
pub(super) const OF_ENTRY: usize = 64;

/// What may still be kept.
pub struct Budget {
    left: AtomicUsize,
}

impl Budget {
    /// The budget for one image.
    #[must_use]
    pub fn of_image() -> Self {
        Self::of(MAX_BYTES)
    }

    pub(super) fn of(bytes: usize) -> Self {
        Self { left: AtomicUsize::new(bytes) }
    }

    /// Takes what an entry needs that has `bytes` bytes of names or other facts.
    ///
    /// # Errors
    /// When that much is not left. Nothing more may be read then.
    pub(super) fn take(&self, bytes: usize) -> Result<()> {
        let less = |left: usize| left.checked_sub(bytes.saturating_add(OF_ENTRY));
        if self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_err() {
            bail!(
                "the names and packages in all layers of the image take more than {} MiB: expected less; has somebody else \
                 pushed it?",
                MAX_BYTES >> 20
            );
        }
        Ok(())
    }
}
