//! Numbers, times and texts as people read them.

use std::fmt::{Display, Formatter, Result, Write};

/// Text in HTML.
pub(crate) struct Html<'a>(pub(crate) &'a str);

impl Display for Html<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;"),
                '<' => f.write_str("&lt;"),
                '>' => f.write_str("&gt;"),
                '"' => f.write_str("&quot;"),
                '\'' => f.write_str("&#39;"),
                c => f.write_char(c),
            }?;
        }
        Ok(())
    }
}

/// A count, its thousands set apart by narrow spaces.
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

/// Seconds since the epoch as a date and time, in UTC.
pub(crate) struct Utc(pub(crate) u64);

impl Display for Utc {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let (year, month, day) = civil(self.0 / 86_400);
        let (hours, minutes) = (self.0 / 3600 % 24, self.0 / 60 % 60);
        write!(f, "{year}-{month:02}-{day:02} {hours:02}:{minutes:02}")
    }
}

/// The Gregorian date of a day since the epoch: years begin in March, so that the leap day is last.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    (400 * era + year + next, month, day)
}
