//! How long to wait before the next attempt.

use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::process::temp_dir::random_hex;

/// The maximum number of attempts for one request.
pub const MAX_ATTEMPTS: u32 = 4;

/// The first pause, before jitter shortens or lengthens it by up to half. Each further pause is three times as long.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// The pause after `tries` attempts (counted from 1). `random` is from 0 to 1 and adds jitter, so that clients that
/// failed together do not retry together.
#[must_use]
pub fn pause(tries: u32, random: f64) -> Duration {
    let backoff = FIRST_PAUSE * 3_u32.pow(tries.clamp(1, MAX_ATTEMPTS) - 1);
    backoff.mul_f64(0.5 + random.clamp(0.0, 1.0))
}

/// A random number from 0 to 1.
///
/// # Errors
/// When the system gives no random bytes.
pub fn random() -> Result<f64> {
    let digits = u16::from_str_radix(&random_hex()?[..4], 16).context("reading random digits")?;
    Ok(f64::from(digits) / f64::from(u16::MAX))
}

#[cfg(test)]
mod tests {
    use super::{pause, random};
    use std::time::Duration;

    #[test]
    fn pauses_grow_and_spread() {
        let ms = Duration::from_millis;
        assert_eq!([pause(1, 0.0), pause(1, 0.5), pause(1, 1.0)], [ms(100), ms(200), ms(300)]);
        assert_eq!([pause(2, 0.5), pause(3, 0.5), pause(4, 0.5)], [ms(600), ms(1800), ms(5400)]);
        assert_eq!([pause(0, 0.5), pause(9, 0.5)], [ms(200), ms(5400)]);
        assert_eq!([pause(1, -7.0), pause(1, 7.0)], [ms(100), ms(300)]);
        assert!((0.0..=1.0).contains(&random().unwrap()));
    }
}
