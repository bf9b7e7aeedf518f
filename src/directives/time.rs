//! Times as nginx's own directives have them: <https://nginx.org/en/docs/syntax.html>.

/// A unit: its letter, its rank, and its length in seconds. Greater units come first, each at most once.
const UNITS: [(u8, u8, i64); 7] = [
    (b'y', 1, 60 * 60 * 24 * 365),
    (b'M', 2, 60 * 60 * 24 * 30),
    (b'w', 3, 60 * 60 * 24 * 7),
    (b'd', 4, 60 * 60 * 24),
    (b'h', 5, 60 * 60),
    (b'm', 6, 60),
    (b's', SECOND, 1),
];

const MONTH: u8 = 2;
const SECOND: u8 = 7;
const MILLISECOND: u8 = 8;
/// A number of seconds without its unit, and something after it.
const NO_UNIT: u8 = 9;

/// Parses a time in seconds.
pub fn seconds(text: &[u8]) -> Option<i64> {
    parse(text, 1, 0)
}

/// Parses a time in milliseconds, in which nginx knows neither years nor months.
pub fn milliseconds(text: &[u8]) -> Option<i64> {
    parse(text, 1000, MONTH)
}

/// `in_second` is how many of the result's unit a second has, `rank` the rank that units are below.
fn parse(text: &[u8], in_second: i64, mut rank: u8) -> Option<i64> {
    let (mut total, mut value) = (0_i64, 0_i64);
    let mut has_digit = false;
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if byte.is_ascii_digit() {
            value = value.checked_mul(10)?.checked_add(i64::from(byte - b'0'))?;
            has_digit = true;
            continue;
        }
        let scale = match (byte, rest) {
            (b'm', [b's', after @ ..]) => {
                rest = after;
                if in_second == 1 || rank >= MILLISECOND {
                    return None;
                }
                rank = MILLISECOND;
                1
            }
            (b' ', _) => {
                if rank >= SECOND {
                    return None;
                }
                rank = NO_UNIT;
                in_second
            }
            (letter, _) => {
                let (_, own, seconds) = UNITS.iter().find(|(unit, ..)| unit == letter)?;
                if rank >= *own {
                    return None;
                }
                rank = *own;
                seconds * in_second
            }
        };
        total = total.checked_add(value.checked_mul(scale)?)?;
        value = 0;
        while let Some(after) = rest.strip_prefix(b" ") {
            rest = after;
        }
    }
    if !has_digit {
        return None;
    }
    total.checked_add(value.checked_mul(in_second)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What nginx's `ngx_parse_time` returns for these: in seconds, and in milliseconds.
    const TIMES: &[(&str, Option<i64>, Option<i64>)] = &[
        ("", None, None),
        ("0", Some(0), Some(0)),
        ("1", Some(1), Some(1000)),
        ("15m", Some(900), Some(900000)),
        ("900", Some(900), Some(900000)),
        ("5s", Some(5), Some(5000)),
        ("5S", None, None),
        ("1h", Some(3600), Some(3600000)),
        ("1d", Some(86400), Some(86400000)),
        ("1w", Some(604800), Some(604800000)),
        ("1M", Some(2592000), None),
        ("1y", Some(31536000), None),
        ("1ms", None, Some(1)),
        ("100ms", None, Some(100)),
        ("1s500ms", None, Some(1500)),
        ("1m30s", Some(90), Some(90000)),
        ("1h30m", Some(5400), Some(5400000)),
        ("1y6M1w3d4h5m6s", Some(47966706), None),
        ("1d 12h", Some(129600), Some(129600000)),
        ("1d  12h", Some(129600), Some(129600000)),
        (" 5", Some(5), Some(5000)),
        ("5 ", Some(5), Some(5000)),
        ("5 5", Some(10), Some(10000)),
        ("5 5 5", None, None),
        ("5 5s", None, None),
        ("5 ms", None, None),
        ("5s ", Some(5), Some(5000)),
        ("1m5", Some(65), Some(65000)),
        ("1m 5", Some(65), Some(65000)),
        ("h", None, None),
        ("h5", Some(5), Some(5000)),
        ("m", None, None),
        ("ms", None, None),
        ("1hh", None, None),
        ("1m1h", None, None),
        ("1s1m", None, None),
        ("1s1s", None, None),
        ("30s1m", None, None),
        ("500ms1s", None, None),
        ("500ms1", None, Some(1500)),
        ("1m500ms", None, Some(60500)),
        ("1ms1ms", None, None),
        ("1w1y", None, None),
        ("-5", None, None),
        ("+5", None, None),
        ("1.5h", None, None),
        ("5,", None, None),
        ("5\t", None, None),
        ("5x", None, None),
        ("soon", None, None),
        ("1mss", None, None),
        ("1m s", Some(60), Some(60000)),
        ("00010", Some(10), Some(10000)),
        ("0x10", None, None),
        ("1h ", Some(3600), Some(3600000)),
        ("1 h", None, None),
        ("9223372036854775807", Some(9223372036854775807), None),
        ("9223372036854775808", None, None),
        (
            "9223372036854775",
            Some(9223372036854775),
            Some(9223372036854775000),
        ),
        ("9223372036854776", Some(9223372036854776), None),
        ("9223372036854775807s", Some(9223372036854775807), None),
        ("106751991167300d", Some(9223372036854720000), None),
        ("106751991167301d", None, None),
        ("292471208677y", Some(9223372036837872000), None),
        ("292471208678y", None, None),
        ("9223372036854775807ms", None, Some(9223372036854775807)),
        ("9223372036854775806 1", Some(9223372036854775807), None),
        ("9223372036854775807 1", None, None),
    ];

    #[test]
    fn as_nginx_reads_them() {
        for (text, in_seconds, in_milliseconds) in TIMES {
            assert_eq!(seconds(text.as_bytes()), *in_seconds, "{text:?}");
            assert_eq!(milliseconds(text.as_bytes()), *in_milliseconds, "{text:?}");
        }
    }
}
