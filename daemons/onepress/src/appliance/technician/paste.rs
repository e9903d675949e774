/// Longest paste: a signature of an Ed25519 key has under 400 bytes.
const PASTE_MAX: usize = 4096;
/// The last line of a signature.
const END: &str = "-----END SSH SIGNATURE-----";

/// Lines as they come over the serial line, until a signature is whole.
#[derive(Debug, Default)]
pub struct Paste(String);

/// What there is so far.
#[derive(Debug, PartialEq, Eq)]
pub enum Pasted {
    /// More lines are to come.
    More,
    /// All that was pasted, or more than a signature can be.
    Whole(String),
}

impl Paste {
    /// Takes a line. Blank ones before the first do not count.
    pub fn handle_line(&mut self, line: &str) -> Pasted {
        let line = line.trim();
        if self.0.is_empty() && line.is_empty() {
            return Pasted::More;
        }
        self.0.push_str(line);
        self.0.push('\n');
        if line == END || self.0.len() > PASTE_MAX {
            return Pasted::Whole(std::mem::take(&mut self.0));
        }
        Pasted::More
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paste_ends_with_its_last_line_or_when_it_is_too_long() {
        let mut paste = Paste::default();
        assert_eq!(paste.handle_line("\r"), Pasted::More);
        assert_eq!(paste.handle_line("-----BEGIN SSH SIGNATURE-----\r"), Pasted::More);
        assert_eq!(paste.handle_line("AAAA"), Pasted::More);
        let whole = "-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n";
        assert_eq!(paste.handle_line(" -----END SSH SIGNATURE----- "), Pasted::Whole(whole.into()));
        let long = (0..PASTE_MAX).find(|_| paste.handle_line("x") != Pasted::More);
        assert_eq!(long, Some(PASTE_MAX / 2));
    }
}
