//! Times as S3 writes them; the clock is the caller's.

/// Seconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Reads a `Date` header (RFC 9110 section 5.6.7, with `+0000` for `GMT` too, as AWS's own
    /// examples have it) or `YYYYMMDDTHHMMSSZ`.
    pub(crate) fn parse(text: &[u8]) -> Option<Timestamp> {
        match AmzDate::parse(text) {
            Some(date) => Some(date.timestamp()),
            None => http_date(text),
        }
    }

    /// Reads `YYYY-MM-DDTHH:MM:SSZ`, with parts of a second or without, and `+00:00` for `Z` too (RFC 3339).
    pub fn parse_iso(text: &[u8]) -> Option<Timestamp> {
        let rest = text
            .strip_suffix(b"Z")
            .or_else(|| text.strip_suffix(b"+00:00"))?;
        let (time, fraction) = rest.split_at_checked(19)?;
        let is_fraction = match fraction.split_first() {
            None => true,
            Some((point, digits)) => {
                *point == b'.'
                    && (1..=9).contains(&digits.len())
                    && digits.iter().all(u8::is_ascii_digit)
            }
        };
        let &[
            y1,
            y2,
            y3,
            y4,
            b'-',
            m1,
            m2,
            b'-',
            d1,
            d2,
            b'T',
            h1,
            h2,
            b':',
            n1,
            n2,
            b':',
            s1,
            s2,
        ] = time
        else {
            return None;
        };
        let date = [
            y1, y2, y3, y4, m1, m2, d1, d2, b'T', h1, h2, n1, n2, s1, s2, b'Z',
        ];
        let time = AmzDate::parse(&date).map(|date| date.timestamp());
        time.filter(|_| is_fraction)
    }

    /// Writes `YYYY-MM-DDTHH:MM:SSZ`.
    pub fn to_iso(self) -> String {
        let [y1, y2, y3, y4, m1, m2, d1, d2, t, h1, h2, n1, n2, s1, s2, z] =
            AmzDate::from(self).text.map(char::from);
        format!("{y1}{y2}{y3}{y4}-{m1}{m2}-{d1}{d2}{t}{h1}{h2}:{n1}{n2}:{s1}{s2}{z}")
    }

    /// Counts the seconds between two times.
    pub(crate) fn distance(self, other: Timestamp) -> u64 {
        self.0.abs_diff(other.0)
    }
}

/// A point in time in the form `YYYYMMDDTHHMMSSZ`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AmzDate {
    text: [u8; 16],
    timestamp: Timestamp,
}

impl AmzDate {
    pub(crate) fn parse(text: &[u8]) -> Option<AmzDate> {
        let text: [u8; 16] = text.try_into().ok()?;
        let [
            y1,
            y2,
            y3,
            y4,
            m1,
            m2,
            d1,
            d2,
            b'T',
            h1,
            h2,
            n1,
            n2,
            s1,
            s2,
            b'Z',
        ] = text
        else {
            return None;
        };
        let timestamp = timestamp(
            number(&[y1, y2, y3, y4])?,
            number(&[m1, m2])?,
            number(&[d1, d2])?,
            number(&[h1, h2])?,
            number(&[n1, n2])?,
            number(&[s1, s2])?,
        )?;
        Some(AmzDate { text, timestamp })
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 16] {
        &self.text
    }

    pub(crate) fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    /// Returns `YYYYMMDD`.
    pub(crate) fn day(&self) -> Day {
        let [y1, y2, y3, y4, m1, m2, d1, d2, ..] = self.text;
        Day([y1, y2, y3, y4, m1, m2, d1, d2])
    }
}

/// Times before the year 0 and after 9999, which have no such form, become the nearest that has.
impl From<Timestamp> for AmzDate {
    fn from(time: Timestamp) -> AmzDate {
        let timestamp = Timestamp(time.0.clamp(-62_167_219_200, 253_402_300_799));
        let second = timestamp.0.rem_euclid(86_400);
        // Days to a civil date: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
        let days = timestamp.0.div_euclid(86_400) + 719_468;
        let era = days.div_euclid(146_097);
        let day_of_era = days.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = if shifted_month < 10 {
            shifted_month + 3
        } else {
            shifted_month - 9
        };
        let year = year_of_era + era * 400 + i64::from(month <= 2);

        let digit = |number: i64, unit: i64| b'0' + (number / unit % 10) as u8;
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        let text = [
            digit(year, 1_000),
            digit(year, 100),
            digit(year, 10),
            digit(year, 1),
            digit(month, 10),
            digit(month, 1),
            digit(day, 10),
            digit(day, 1),
            b'T',
            digit(hour, 10),
            digit(hour, 1),
            digit(minute, 10),
            digit(minute, 1),
            digit(second, 10),
            digit(second, 1),
            b'Z',
        ];
        AmzDate { text, timestamp }
    }
}

/// The date of a credential scope, `YYYYMMDD`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Day([u8; 8]);

impl Day {
    pub(crate) fn parse(text: &[u8]) -> Option<Day> {
        number(text)?;
        text.try_into().ok().map(Day)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Reads `Sun, 06 Nov 1994 08:49:37 GMT`; ignores the day of the week.
fn http_date(text: &[u8]) -> Option<Timestamp> {
    let mut words = text
        .split(|&byte| byte == b' ')
        .filter(|word| !word.is_empty());
    words
        .next()
        .filter(|weekday| weekday.len() == 4 && weekday.ends_with(b","))?;
    let day = words.next()?;
    let month = words.next()?;
    let year = words.next().filter(|year| year.len() == 4)?;
    let clock = words.next()?;
    let zone = words.next()?;
    if words.next().is_some() || !matches!(zone, b"GMT" | b"UTC" | b"+0000" | b"-0000") {
        return None;
    }
    let month = MONTHS
        .iter()
        .position(|name| name.eq_ignore_ascii_case(month))?;
    let &[h1, h2, b':', n1, n2, b':', s1, s2] = clock else {
        return None;
    };
    timestamp(
        number(year)?,
        i64::try_from(month).ok()? + 1,
        number(day).filter(|_| day.len() <= 2)?,
        number(&[h1, h2])?,
        number(&[n1, n2])?,
        number(&[s1, s2])?,
    )
}

const MONTHS: [&[u8]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

fn timestamp(
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
) -> Option<Timestamp> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last_day = match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 31,
    };
    let valid = (1..=12).contains(&month)
        && (1..=last_day).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    // The inverse of the conversion above, from the same source.
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted_month = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = era * 146_097 + day_of_era - 719_468;
    valid.then_some(Timestamp(
        days * 86_400 + hour * 3_600 + minute * 60 + second,
    ))
}

/// Reads a decimal number of at most 8 digits.
fn number(digits: &[u8]) -> Option<i64> {
    if !(1..=8).contains(&digits.len()) {
        return None;
    }
    digits.iter().try_fold(0_i64, |number, digit| {
        digit
            .is_ascii_digit()
            .then(|| number * 10 + i64::from(digit - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_rfc_3339() {
        let good = Some(Timestamp(1_780_000_496));
        for (text, time) in [
            ("2026-05-28T20:34:56Z", good),
            ("2026-05-28T20:34:56+00:00", good),
            ("2026-05-28T20:34:56.1Z", good),
            ("2026-05-28T20:34:56.123456789Z", good),
            ("2026-05-28T20:34:56.Z", None),
            ("2026-05-28T20:34:56.1234567890Z", None),
            ("2026-05-28T20:34:56.1x3Z", None),
            ("2026-05-28T20:34:56", None),
            ("2026-05-28T20:34:56+01:00", None),
            ("2026-05-28 20:34:56Z", None),
            ("2026-02-30T20:34:56Z", None),
            ("2026-05-28T24:34:56Z", None),
            ("+026-05-28T20:34:56Z", None),
            ("20260528T203456Z", None),
            ("", None),
            ("Z", None),
        ] {
            assert_eq!(Timestamp::parse_iso(text.as_bytes()), time, "{text}");
            if time.is_some() {
                assert_eq!(
                    good.map(Timestamp::to_iso).as_deref(),
                    Some("2026-05-28T20:34:56Z")
                );
            }
        }
    }
}
