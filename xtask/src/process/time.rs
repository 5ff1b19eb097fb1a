//! Points in time as RFC 3339 text in UTC (`2026-11-23T18:09:00Z`), the form of SLSA, CycloneDX and OCI annotations.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};

/// The present, in seconds since 1970-01-01T00:00:00Z.
///
/// # Errors
/// When the machine's clock stands before 1970.
pub fn now() -> Result<u64> {
    Ok(SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .context("reading the clock: it stands before 1970")?
        .as_secs())
}

/// `seconds` since 1970-01-01T00:00:00Z as RFC 3339, to the second.
#[must_use]
pub fn rfc3339(seconds: u64) -> String {
    let (year, month, day) = civil(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Year, month and day of a day counted from 1970-01-01, in the proleptic Gregorian calendar. Counts in years that
/// start in March, so that the leap day is a year's last.
fn civil(days: u64) -> (u64, u64, u64) {
    const DAYS_OF_400_YEARS: u64 = 146_097;
    const FROM_0000_03_01_TO_1970: u64 = 719_468;
    let shifted = days + FROM_0000_03_01_TO_1970;
    let (cycle, day_of_cycle) = (shifted / DAYS_OF_400_YEARS, shifted % DAYS_OF_400_YEARS);
    let leap_corrected = day_of_cycle - day_of_cycle / 1460 + day_of_cycle / 36_524 - day_of_cycle / 146_096;
    let year_of_cycle = leap_corrected / 365;
    let day_of_year = day_of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (cycle * 400 + year_of_cycle + u64::from(month <= 2), month, day)
}

/// The seconds of a time as [`rfc3339`] writes it.
///
/// # Errors
/// When it has another form.
pub fn parse_rfc3339(text: &str) -> Result<u64> {
    let malformed = || format!("`{text}` is not a time such as `2026-11-23T18:09:00Z`");
    let words: Vec<_> = text.strip_suffix('Z').with_context(malformed)?.split(['-', 'T', ':']).collect();
    let numbers =
        words.iter().map(|word| word.parse::<u64>().with_context(malformed)).collect::<Result<Vec<_>>>()?;
    let [year, month, day, hour, minute, second] = numbers[..] else { anyhow::bail!(malformed()) };
    let seconds = days_since_1970(year, month, day).with_context(malformed)? * 86_400
        + hour * 3600
        + minute * 60
        + second;
    // Writing it again must give the same text: that refuses 25 o'clock and missing zeros alike.
    anyhow::ensure!(rfc3339(seconds) == text, malformed());
    Ok(seconds)
}

/// The inverse of [`civil`], by search: dates are read once a release, and one algorithm is enough to trust.
fn days_since_1970(year: u64, month: u64, day: u64) -> Option<u64> {
    let about = year.checked_sub(1970).filter(|years| *years < 8000)? * 365;
    (about..about + 2400).find(|days| civil(*days) == (year, month, day))
}

/// The seconds of an HTTP `Date` (RFC 9110 §5.6.7), which servers write as `Mon, 23 Nov 2026 18:09:00 GMT`.
///
/// # Errors
/// When it has another form.
pub fn parse_http_date(text: &str) -> Result<u64> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let malformed = || format!("`{text}` is not an HTTP date");
    let words: Vec<_> = text.split([' ', ':']).collect();
    let [_, day, month, year, hour, minute, second, "GMT"] = words[..] else {
        anyhow::bail!(malformed());
    };
    let month = MONTHS.iter().zip(1..).find(|(name, _)| **name == month).with_context(malformed)?.1;
    let number = |word: &str| word.parse::<u64>().with_context(malformed);
    let (day, year) = (number(day)?, number(year)?);
    let (hour, minute, second) = (number(hour)?, number(minute)?, number(second)?);
    // 60 is a leap second.
    anyhow::ensure!(hour < 24 && minute < 60 && second <= 60, malformed());
    let days = days_since_1970(year, month, day).with_context(malformed)?;
    Ok(days * 86_400 + hour * 3600 + minute * 60 + second)
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
    fn an_http_date_is_the_same_point_in_time() {
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
    fn a_written_time_reads_back_and_others_are_refused() {
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
