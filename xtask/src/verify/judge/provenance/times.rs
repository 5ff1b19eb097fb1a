//! The claim that the build took place at a possible time: after the commit was made, and not in the future.

use anyhow::{Result, anyhow, ensure};

use crate::evidence::claims;
use crate::evidence::provenance::Provenance;
use crate::process::time;

use crate::verify::claim::{Claim, Observed, Unavailable};

/// How far a builder's clock may be ahead of the verifier's, in seconds.
const CLOCK_SKEW: u64 = 600;

/// Judges the times of the build of a commit that was made at `committed`, in seconds since 1970.
pub(super) fn judge(committed: u64, provenance: Observed<&Provenance>, now: &Observed<u64>) -> Claim {
    let said = provenance.and_then(|provenance| {
        let metadata = &provenance.run_details.metadata;
        possible(committed, (&metadata.started_on, &metadata.finished_on), now)
    });
    Claim::judge(claims::PROVENANCE_TIME, &said, |said| said.clone().map_err(|wrong| anyhow!(wrong)))
}

/// Whether a build can have `started` and `finished` at these times. If the clock says that it is earlier than the
/// commit, it is wrong, and cannot show that something is in the future.
fn possible(
    committed: u64,
    (started, finished): (&str, &str),
    now: &Observed<u64>,
) -> Observed<Result<String, String>> {
    let ended = match in_order(committed, started, finished) {
        Ok(ended) => ended,
        Err(wrong) => return Ok(Err(format!("{wrong:#}"))),
    };
    let now = *now.as_ref().map_err(Clone::clone)?;
    if now + CLOCK_SKEW < committed {
        return Err(Unavailable::Failed(format!(
            "this machine's clock says {}, and the commit was made at {}; set the clock, then verify again",
            time::rfc3339(now),
            time::rfc3339(committed)
        )));
    }
    if ended > now + CLOCK_SKEW {
        return Ok(Err(format!("it finished in the future, at {finished}")));
    }
    Ok(Ok(format!("{started} to {finished}")))
}

/// Returns the end, if it is not before the start, and the start is not before the commit.
fn in_order(committed: u64, started: &str, finished: &str) -> Result<u64> {
    let (start, end) = (time::parse_rfc3339(started)?, time::parse_rfc3339(finished)?);
    ensure!(start <= end, "it finished at {finished}, before it started");
    ensure!(start + CLOCK_SKEW >= committed, "it started at {started}, before the commit was made");
    Ok(end)
}

#[cfg(test)]
mod tests {
    use super::{CLOCK_SKEW, possible};
    use crate::process::time::rfc3339;
    use crate::verify::claim::{Claim, Unavailable, Verdict};

    #[test]
    fn a_time_is_in_the_future_only_if_the_clock_can_be_right() {
        use Verdict::{False, Holds, Unchecked};
        const COMMIT: u64 = 1_700_000_000;
        for (start, end, now, verdict) in [
            (COMMIT, COMMIT + 60, COMMIT + 90, Holds),
            (COMMIT, COMMIT + 60, COMMIT - CLOCK_SKEW, False),
            (COMMIT, COMMIT + 60, COMMIT - CLOCK_SKEW - 1, Unchecked),
            (COMMIT, COMMIT + 60, 0, Unchecked),
            (COMMIT, COMMIT + 60 + CLOCK_SKEW, COMMIT + 60, Holds),
            (COMMIT, COMMIT + 61 + CLOCK_SKEW, COMMIT + 60, False),
            // False whatever the time is.
            (COMMIT + 60, COMMIT, 0, False),
            (COMMIT - CLOCK_SKEW - 1, COMMIT, 0, False),
        ] {
            let said = possible(COMMIT, (&rfc3339(start), &rfc3339(end)), &Ok(now));
            let claim = Claim::judge("time", &said, |said| said.clone().map_err(anyhow::Error::msg));
            assert_eq!(claim.verdict, verdict, "{start} {end} {now}: {}", claim.evidence);
        }
        let unread = Err(Unavailable::Failed("reading the clock".to_owned()));
        let said = possible(COMMIT, (&rfc3339(COMMIT), &rfc3339(COMMIT)), &unread);
        assert!(matches!(said, Err(Unavailable::Failed(_))));
    }
}
