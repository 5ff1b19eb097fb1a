//! Points in time as RFC 3339 text in UTC (`2026-11-23T18:09:00Z`), the form of SLSA, CycloneDX and OCI annotations.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};

/// The last second whose year has four digits. A later time cannot be written in this form, and readers refuse it.
pub const LATEST: u64 = 253_402_300_799;

/// The current time, in seconds since 1970-01-01T00:00:00Z.
///
/// # Errors
/// When the machine's clock is set before 1970.
pub fn now() -> Result<u64> {
    Ok(SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .context("reading the clock: it stands before 1970")?
        .as_secs())
}

/// `seconds` since 1970-01-01T00:00:00Z as RFC 3339, to the second.
#[must_use]
pub fn rfc3339(seconds: u64) -> String {
    humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(seconds.min(LATEST))).to_string()
}

/// The seconds since 1970 of a time that [`rfc3339`] wrote.
///
/// # Errors
/// When it has another form.
pub fn parse_rfc3339(text: &str) -> Result<u64> {
    let malformed = || format!("`{text}` is not a time such as `2026-11-23T18:09:00Z`");
    let seconds = seconds(humantime::parse_rfc3339(text).with_context(malformed)?).with_context(malformed)?;
    // There is one canonical form: no fraction, no leap second.
    ensure!(rfc3339(seconds) == text, malformed());
    Ok(seconds)
}

/// The seconds of an HTTP `Date` (RFC 9110 §5.6.7), which servers write as `Mon, 23 Nov 2026 18:09:00 GMT`.
///
/// # Errors
/// When it has another form.
pub fn parse_http_date(text: &str) -> Result<u64> {
    let malformed = || format!("`{text}` is not an HTTP date");
    seconds(httpdate::parse_http_date(text).with_context(malformed)?).with_context(malformed)
}

fn seconds(time: SystemTime) -> Result<u64> {
    Ok(time.duration_since(UNIX_EPOCH).context("it is before 1970")?.as_secs())
}

/// The processor time that this thread has used, which other load on the machine hardly changes.
#[cfg(test)]
pub(crate) fn of_this_thread() -> Duration {
    use nix::sys::resource::{UsageWho, getrusage};
    let used = getrusage(UsageWho::RUSAGE_THREAD).expect("the kernel counts the time of each thread");
    let spent = [used.user_time(), used.system_time()];
    let part = |time: nix::sys::time::TimeVal| {
        Duration::from_micros(u64::try_from(time.tv_sec() * 1_000_000 + time.tv_usec()).unwrap_or_default())
    };
    spent.into_iter().map(part).sum()
}

#[cfg(test)]
mod tests {
    use super::{parse_http_date, parse_rfc3339, rfc3339};

    #[test]
    fn seconds_become_dates_also_around_leap_days() {
        // Expected values from `date --utc --date=@SECONDS +%FT%TZ`.
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_709_164_800, "2024-02-29T00:00:00Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (1_795_457_340, "2026-11-23T18:09:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(rfc3339(seconds), expected);
        }
    }

    #[test]
    fn an_http_date_is_parsed_and_malformed_ones_are_refused() {
        let seconds = parse_http_date("Mon, 23 Nov 2026 18:09:00 GMT").unwrap();
        assert_eq!(rfc3339(seconds), "2026-11-23T18:09:00Z");
        for bad in [
            "",
            "Mon, 23 Nov 2026",
            "Mon, 31 Feb 2026 00:00:00 GMT",
            "Mon, 23 Nov 1969 18:09:00 GMT",
            "Mon, 23 Nov 2026 5124095576030432:00:00 GMT",
            "Mon, 23 Nov 18446744073709551615 18:09:00 GMT",
            "Mon, 23 Nov 2026 24:00:00 GMT",
            "now",
        ] {
            assert!(parse_http_date(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_written_time_reads_back_and_malformed_ones_are_refused() {
        for seconds in [0, 951_868_800, 1_795_457_340, 4_107_542_400] {
            assert_eq!(parse_rfc3339(&rfc3339(seconds)).unwrap(), seconds);
        }
        let bad = [
            "",
            "2026-11-23",
            "2026-11-23T18:09:00",
            "2026-11-23T25:00:00Z",
            "2026-13-01T00:00:00Z",
            "99999-01-01T00:00:00Z",
        ];
        for bad in bad {
            assert!(parse_rfc3339(bad).is_err(), "{bad}");
        }
    }
}
