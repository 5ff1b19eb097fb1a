//! The parts that are kept of a file, which is read once from its beginning to its end: its beginning up to a limit,
//! and after that only what is needed. A native module of a hundred megabytes names its libraries near its end.

use std::ops::Range;

use anyhow::Result;

/// How much of the beginning is kept if something after it is needed. Linkers write the names of libraries there.
const KEPT: u64 = 64 << 20;

/// How much of a range after that is kept. Nothing that is needed is larger.
const MAX_SIZE: u64 = 1 << 20;

/// What was kept so far.
pub(super) struct Parts {
    /// The bytes from the beginning, then other parts, each with its offset.
    kept: Vec<(u64, Vec<u8>)>,
    /// How far the file was read.
    end: u64,
}

impl Parts {
    /// A file of which the first bytes, `begin`, were read.
    pub(super) fn of(begin: Vec<u8>) -> Self {
        Self { end: begin.len() as u64, kept: vec![(0, begin)] }
    }

    /// The bytes that are kept from `offset` on.
    pub(super) fn rest(&self, offset: u64) -> Option<&[u8]> {
        self.kept.iter().find_map(|(from, bytes)| {
            let at = usize::try_from(offset.checked_sub(*from)?).ok()?;
            bytes.get(at..).filter(|rest| !rest.is_empty())
        })
    }

    /// `size` bytes from `offset` on.
    pub(super) fn slice(&self, offset: u64, size: u64) -> Option<&[u8]> {
        self.rest(offset)?.get(..usize::try_from(size).ok()?)
    }

    /// The range of a file of `size` bytes to read next: for the first of the `needed` ranges that is not kept yet. A
    /// part that was passed over cannot be read any more.
    pub(super) fn next(&self, needed: &[Range<u64>], size: u64) -> Option<Range<u64>> {
        let is_kept_up_to_end =
            |at: u64| self.rest(at).is_some_and(|rest| at + rest.len() as u64 == self.end);
        let first = needed
            .iter()
            .map(|range| range.start..range.end.min(range.start.saturating_add(MAX_SIZE).max(KEPT)).min(size))
            .filter(|range| range.start < range.end && self.end < range.end)
            .filter(|range| self.end <= range.start || is_kept_up_to_end(range.start))
            .min_by_key(|range| range.start)?;
        Some(if self.end < KEPT {
            self.end..first.end.min(KEPT)
        } else {
            first.start.max(self.end)..first.end
        })
    }

    /// Reads the range `wanted`, which must not begin before the end of what was read.
    pub(super) fn add(
        &mut self,
        wanted: &Range<u64>,
        ahead: &mut impl FnMut(u64, u64, &mut Vec<u8>) -> Result<()>,
    ) -> Result<()> {
        if wanted.start > self.end {
            self.kept.push((wanted.start, Vec::new()));
        }
        let (pass, take) = (wanted.start - self.end, wanted.end - wanted.start);
        if let Some((_, bytes)) = self.kept.last_mut() {
            ahead(pass, take, bytes)?;
        }
        self.end = wanted.end;
        Ok(())
    }
}
