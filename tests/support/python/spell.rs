//! How Python and the languages of other callback services write one and the same value.

use super::{Text, Value};

/// Whose serialiser writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spelling {
    /// `json.dumps(value)`.
    Python,
    /// Flask's `jsonify`: sorted keys, no spaces.
    Flask,
    /// `JSON.stringify`: UTF-8, no spaces, every number a 64-bit float, `null` for what is not finite.
    Node,
}

/// Writes a value.
pub(super) fn spell(value: &Value, spelling: Spelling) -> String {
    let mut out = String::new();
    write(value, spelling, &mut out);
    out
}

fn write(value: &Value, spelling: Spelling, out: &mut String) {
    match value {
        Value::None => out.push_str("null"),
        Value::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
        Value::Int(digits) if spelling == Spelling::Node => {
            out.push_str(&number_of_node(digits.parse().expect("digits are a float")));
        }
        Value::Int(digits) => out.push_str(digits),
        Value::Float(float) if spelling == Spelling::Node => out.push_str(&number_of_node(*float)),
        Value::Float(float) => out.push_str(&repr(*float)),
        Value::Str(text) => write_text(text, spelling, out),
        Value::List(elements) => {
            let writers = elements
                .iter()
                .map(|e| |out: &mut String| write(e, spelling, out));
            write_all(writers, '[', ']', spelling, out);
        }
        Value::Dict(members) => write_dict(members, spelling, out),
    }
}

fn write_dict(members: &[(Text, Value)], spelling: Spelling, out: &mut String) {
    let mut ordered: Vec<_> = members.iter().collect();
    if spelling == Spelling::Flask {
        ordered.sort_by(|(a, _), (b, _)| a.cmp(b));
    }
    let writers = ordered.into_iter().map(|(key, value)| {
        move |out: &mut String| {
            write_text(key, spelling, out);
            out.push_str(if spelling == Spelling::Python { ": " } else { ":" });
            write(value, spelling, out);
        }
    });
    write_all(writers, '{', '}', spelling, out);
}

fn write_all<W: FnOnce(&mut String)>(
    writers: impl Iterator<Item = W>,
    open: char,
    close: char,
    spelling: Spelling,
    out: &mut String,
) {
    out.push(open);
    for (index, writer) in writers.enumerate() {
        if index > 0 {
            out.push_str(if spelling == Spelling::Python { ", " } else { "," });
        }
        writer(out);
    }
    out.push(close);
}

fn write_text(text: &Text, spelling: Spelling, out: &mut String) {
    out.push('"');
    match spelling {
        Spelling::Python | Spelling::Flask => text.0.iter().for_each(|unit| write_unit(*unit, out)),
        Spelling::Node => {
            for character in char::decode_utf16(text.0.iter().copied()) {
                match character {
                    Ok(character) if character > '~' => out.push(character),
                    Ok(character) => write_unit(character as u16, out),
                    Err(lone) => write_unit(lone.unpaired_surrogate(), out),
                }
            }
        }
    }
    out.push('"');
}

/// One UTF-16 unit in ASCII.
fn write_unit(unit: u16, out: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let short = match unit {
        0x22 => "\\\"",
        0x5c => "\\\\",
        0x0a => "\\n",
        0x0d => "\\r",
        0x09 => "\\t",
        0x08 => "\\b",
        0x0c => "\\f",
        0x20..=0x7e => return out.push(char::from(unit.to_be_bytes()[1])),
        _ => {
            out.push_str("\\u");
            for shift in [12, 8, 4, 0] {
                out.push(char::from(DIGITS[usize::from(unit >> shift & 15)]));
            }
            return;
        }
    };
    out.push_str(short);
}

/// Python's `repr(float)`, as `json.dumps` spells it.
fn repr(float: f64) -> String {
    if float.is_nan() {
        return "NaN".into();
    }
    if float.is_infinite() {
        return if float > 0.0 { "Infinity" } else { "-Infinity" }.into();
    }
    let (digits, exponent) = scientific(float);
    if !(-4..16).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{digits}e{sign}{:02}", exponent.abs());
    }
    let fixed = format!("{float}");
    if fixed.contains('.') { fixed } else { fixed + ".0" }
}

/// JavaScript's `Number::toString`, and `null` where JSON has no number.
fn number_of_node(float: f64) -> String {
    if !float.is_finite() {
        return "null".into();
    }
    if float == 0.0 {
        return "0".into();
    }
    let (digits, exponent) = scientific(float);
    if !(-6..21).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{digits}e{sign}{}", exponent.abs());
    }
    format!("{float}")
}

/// The shortest digits that read back as this float, with one before the point, and the exponent.
fn scientific(float: f64) -> (String, i32) {
    let text = format!("{float:e}");
    let (digits, exponent) = text.split_once('e').expect("written with an exponent");
    (digits.to_owned(), exponent.parse().expect("an exponent"))
}

#[cfg(test)]
mod tests {
    use super::super::json;
    use super::*;

    #[test]
    fn floats_are_spelled_as_python_and_node_do() {
        for (float, python, node) in [
            (1.0, "1.0", "1"),
            (-16.0, "-16.0", "-16"),
            (0.1, "0.1", "0.1"),
            (-0.0, "-0.0", "0"),
            (1e15, "1000000000000000.0", "1000000000000000"),
            (1e16, "1e+16", "10000000000000000"),
            (1.5e300, "1.5e+300", "1.5e+300"),
            (1e21, "1e+21", "1e+21"),
            (0.0001, "0.0001", "0.0001"),
            (0.00001, "1e-05", "0.00001"),
            (0.000_001, "1e-06", "0.000001"),
            (1.25e-7, "1.25e-07", "1.25e-7"),
            (89_123_456.123_456, "89123456.123456", "89123456.123456"),
            (f64::NAN, "NaN", "null"),
            (f64::NEG_INFINITY, "-Infinity", "null"),
        ] {
            assert_eq!(repr(float), python);
            assert_eq!(number_of_node(float), node);
        }
    }

    #[test]
    fn one_value_three_spellings() {
        let value = json(r#"{"b": [1.0, "节\ud83c\n"], "a": 9007199254740993, "节": {"z": null, "y": {}}}"#);
        for (spelling, text) in [
            (
                Spelling::Python,
                r#"{"b": [1.0, "\u8282\ud83c\n"], "a": 9007199254740993, "\u8282": {"z": null, "y": {}}}"#,
            ),
            (
                Spelling::Flask,
                r#"{"a":9007199254740993,"b":[1.0,"\u8282\ud83c\n"],"\u8282":{"y":{},"z":null}}"#,
            ),
            (
                Spelling::Node,
                r#"{"b":[1,"节\ud83c\n"],"a":9007199254740992,"节":{"z":null,"y":{}}}"#,
            ),
        ] {
            assert_eq!(value.spelled(spelling), text, "{spelling:?}");
        }
    }
}
