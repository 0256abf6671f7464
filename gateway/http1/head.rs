//! Where a head ends.

/// Finds the end of a head however its bytes arrive, looking at each byte once.
///
/// The lines inside are not judged here: an empty line ends the head, with or without its carriage return, and
/// who is strict about bare line feeds says so when parsing.
#[derive(Debug, Default)]
pub struct HeadScan {
    /// How many bytes have been looked at.
    scanned: usize,
    /// What has come since the last line feed.
    line: Line,
}

/// What is known of the line that is being read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Line {
    /// It has content, or it is the first one.
    #[default]
    Filled,
    /// Nothing came yet.
    Empty,
    /// Only a carriage return came.
    Return,
}

impl HeadScan {
    /// Looks at what is new in `bytes`, which hold the message from its start: the length of the head with its
    /// empty line, or `None` while that line has not come.
    pub fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        while let Some(&byte) = bytes.get(self.scanned) {
            self.scanned += 1;
            match (byte, self.line) {
                (b'\n', Line::Empty | Line::Return) => return Some(self.scanned),
                (b'\n', Line::Filled) => self.line = Line::Empty,
                (b'\r', Line::Empty) => self.line = Line::Return,
                _ => {
                    self.line = Line::Filled;
                    self.skip_line(bytes);
                }
            }
        }
        None
    }

    /// Goes on to the next line feed: what stands before it changes nothing.
    fn skip_line(&mut self, bytes: &[u8]) {
        let rest = bytes.get(self.scanned..).unwrap_or_default();
        self.scanned += memchr::memchr(b'\n', rest).unwrap_or(rest.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks the end of the head in `bytes`, found at once and found a byte at a time.
    #[track_caller]
    fn check(bytes: &[u8], end: Option<usize>) {
        assert_eq!(HeadScan::default().end(bytes), end);
        let mut scan = HeadScan::default();
        let found = (0..=bytes.len()).find_map(|length| scan.end(&bytes[..length]));
        assert_eq!(found, end, "a byte at a time");
    }

    #[test]
    fn ends() {
        check(b"", None);
        check(b"HTTP/1.1 204\r\n", None);
        check(b"HTTP/1.1 204\r\n\r", None);
        check(b"HTTP/1.1 204\r\n\r\n", Some(16));
        check(b"HTTP/1.1 204\r\n\r\nrest\r\n\r\n", Some(16));
        check(b"HTTP/1.1 204\r\na: b\r\n\r\nrest", Some(22));
        check(b"HTTP/1.1 204\n\nrest", Some(14));
        check(b"HTTP/1.1 204\na: b\n\r\nrest", Some(20));
        check(b"a\r\n\rb\r\n\r\n", Some(9));
        check(b"a\r\n\r\r\n\r\n", Some(8));
        check(b"\n\n", Some(2));
    }
}
