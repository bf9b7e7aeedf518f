//! Numbers, times and texts as people read them.

use std::fmt::{Display, Formatter, Result, Write};

use time::OffsetDateTime;

/// A count, its thousands set apart by narrow spaces.
#[derive(Default)]
pub(crate) struct Count(pub(crate) u64);

impl Display for Count {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let digits = self.0.to_string();
        for (i, digit) in digits.chars().enumerate() {
            if i > 0 && (digits.len() - i).is_multiple_of(3) {
                f.write_char('\u{202f}')?;
            }
            f.write_char(digit)?;
        }
        Ok(())
    }
}

/// A count in six places or fewer.
pub(crate) struct ShortCount(pub(crate) u64);

impl Display for ShortCount {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        const UNITS: [&str; 6] = ["k", "M", "G", "T", "P", "E"];
        if self.0 < 100_000 {
            return Count(self.0).fmt(f);
        }
        let exponent = self.0.ilog10() / 3;
        let amount = self.0 as f64 / 1000_f64.powi(exponent as i32);
        three_digits(f, amount, UNITS[exponent as usize - 1])
    }
}

/// A number of bytes in the largest unit that fits.
pub(crate) struct Bytes(pub(crate) u64);

impl Display for Bytes {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
        if self.0 < 1024 {
            return write!(f, "{} B", self.0);
        }
        let exponent = self.0.ilog2() / 10;
        let amount = self.0 as f64 / (1_u64 << (10 * exponent)) as f64;
        let unit = UNITS[exponent as usize - 1];
        three_digits(f, amount, unit)
    }
}

fn three_digits(f: &mut Formatter<'_>, amount: f64, unit: &str) -> Result {
    let decimals = match amount {
        amount if amount < 10.0 => 2,
        amount if amount < 100.0 => 1,
        _ => 0,
    };
    write!(f, "{amount:.decimals$}\u{202f}{unit}")
}

/// Milliseconds, from a second on in seconds.
pub(crate) struct Millis(pub(crate) u64);

impl Display for Millis {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self.0 {
            millis @ ..1000 => write!(f, "{millis}\u{202f}ms"),
            millis => write!(f, "{}\u{202f}s", millis / 1000),
        }
    }
}

/// A rate, to three digits or so.
pub(crate) struct Rate(pub(crate) f64);

impl Display for Rate {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self.0 {
            0.0 => f.write_char('0'),
            rate if rate < 10.0 => write!(f, "{rate:.1}"),
            rate => Count(rate.round() as u64).fmt(f),
        }
    }
}

/// A length of time in seconds, in the units that matter.
#[derive(Default)]
pub(crate) struct Duration(pub(crate) u64);

impl Display for Duration {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let (minutes, hours, days) = (self.0 / 60, self.0 / 3600, self.0 / 86_400);
        match (days, hours, minutes) {
            (0, 0, 0) => write!(f, "{} s", self.0),
            (0, 0, _) => write!(f, "{minutes} min"),
            (0, ..) if minutes % 60 == 0 => write!(f, "{hours} h"),
            (0, ..) => write!(f, "{hours} h {} min", minutes % 60),
            (1, ..) => f.write_str("1 day"),
            _ => write!(f, "{days} days"),
        }
    }
}

/// How long ago a time was, both in seconds since the epoch.
pub(crate) fn ago(now: u64, then: u64) -> String {
    match now.saturating_sub(then) {
        0 => "just now".to_owned(),
        seconds => format!("{} ago", Duration(seconds)),
    }
}

/// Seconds since the epoch as a date and time, in UTC.
pub(crate) struct Utc(pub(crate) u64);

impl Display for Utc {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let seconds = i64::try_from(self.0).ok();
        let time = seconds.and_then(|at| OffsetDateTime::from_unix_timestamp(at).ok());
        let Some(time) = time else {
            return write!(f, "{} s", self.0);
        };
        let (year, month, day) = time.to_calendar_date();
        let (month, hour, minute) = (u8::from(month), time.hour(), time.minute());
        write!(f, "{year}-{month:02}-{day:02} {hour:02}:{minute:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all<T: Display>(of: impl Fn(u64) -> T, numbers: &[u64]) -> Vec<String> {
        let text = |number: &u64| of(*number).to_string().replace('\u{202f}', " ");
        numbers.iter().map(text).collect()
    }

    #[test]
    fn counts() {
        let numbers = [0, 7, 999, 1000, 12_345, 100_000, 1_234_567, u64::MAX];
        let texts = [
            "0",
            "7",
            "999",
            "1 000",
            "12 345",
            "100 000",
            "1 234 567",
            "18 446 744 073 709 551 615",
        ];
        assert_eq!(all(Count, &numbers), texts);
        let texts = [
            "0", "7", "999", "1 000", "12 345", "100 k", "1.23 M", "18.4 E",
        ];
        assert_eq!(all(ShortCount, &numbers), texts);
        assert_eq!(
            all(ShortCount, &[99_999, 10_000_000_000]),
            ["99 999", "10.0 G"]
        );
    }

    #[test]
    fn bytes() {
        let numbers = [
            0,
            1023,
            1024,
            10 << 10,
            1000 << 10,
            1 << 20,
            5 << 40,
            u64::MAX,
        ];
        let texts = [
            "0 B", "1023 B", "1.00 KiB", "10.0 KiB", "1000 KiB", "1.00 MiB", "5.00 TiB", "16.0 EiB",
        ];
        assert_eq!(all(Bytes, &numbers), texts);
    }

    #[test]
    fn milliseconds() {
        let texts = ["0 ms", "999 ms", "1 s", "30 s"];
        assert_eq!(all(Millis, &[0, 999, 1000, 30_000]), texts);
    }

    #[test]
    fn rates() {
        let tenths = |number: u64| Rate(number as f64 / 10.0);
        let texts = ["0", "0.1", "9.9", "10", "12", "1 235"];
        assert_eq!(all(tenths, &[0, 1, 99, 100, 123, 12_345]), texts);
    }

    #[test]
    fn durations() {
        let numbers = [
            0, 59, 60, 3599, 3600, 3660, 86_399, 86_400, 172_799, 172_800, 864_000,
        ];
        let texts = [
            "0 s",
            "59 s",
            "1 min",
            "59 min",
            "1 h",
            "1 h 1 min",
            "23 h 59 min",
            "1 day",
            "1 day",
            "2 days",
            "10 days",
        ];
        assert_eq!(all(Duration, &numbers), texts);
        assert_eq!(
            [ago(5, 5), ago(5, 9), ago(65, 5)],
            ["just now", "just now", "1 min ago"]
        );
    }

    #[test]
    fn times() {
        let numbers = [
            0,
            951_782_399,
            951_782_400,
            1_709_251_199,
            4_102_444_800,
            253_402_300_799,
        ];
        let texts = [
            "1970-01-01 00:00",
            "2000-02-28 23:59",
            "2000-02-29 00:00",
            "2024-02-29 23:59",
            "2100-01-01 00:00",
            "9999-12-31 23:59",
        ];
        assert_eq!(all(Utc, &numbers), texts);
        // What no clock says, but a broken memory may.
        assert_eq!(
            all(Utc, &[253_402_300_800, u64::MAX]),
            ["253402300800 s", "18446744073709551615 s"]
        );
    }
}
