//! The key on paper: what lets a rack whose board has died open its own keys again.
//!
//! Written form: hexadecimal, nine groups of eight with hyphens between; the last group is the beginning of the SHA-256
//! of the others.

use super::kept::LENGTH;
use sha2::{Digest, Sha256};

/// Digits of the check.
const CHECK: usize = 8;

/// What was typed is no recovery key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRecovery {
    /// Not 72 hexadecimal digits.
    #[error("a recovery key has nine groups of eight digits, 0 to 9 and a to f")]
    Malformed,
    /// Some digit is another.
    #[error("a digit of the recovery key is wrong: compare it with the paper")]
    Mistyped,
}

/// As it is shown.
pub fn to_text(key: &[u8; LENGTH]) -> String {
    let digits = hex(key) + &check(key);
    let groups: Vec<_> = digits.as_bytes().chunks(8).map(String::from_utf8_lossy).collect();
    groups.join("-")
}

/// As it is typed: blanks, hyphens and large letters do not matter.
///
/// # Errors
/// [`BadRecovery`].
pub fn from_text(text: &str) -> Result<[u8; LENGTH], BadRecovery> {
    let meant = text.chars().filter(|c| !c.is_whitespace() && *c != '-');
    let digits: String = meant.map(|c| c.to_ascii_lowercase()).collect();
    if digits.len() != 2 * LENGTH + CHECK || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(BadRecovery::Malformed);
    }
    let mut key = [0; LENGTH];
    for (byte, pair) in key.iter_mut().zip((0..LENGTH).map(|at| &digits[2 * at..2 * at + 2])) {
        *byte = u8::from_str_radix(pair, 16).map_err(|_| BadRecovery::Malformed)?;
    }
    if check(&key) == digits[2 * LENGTH..] { Ok(key) } else { Err(BadRecovery::Mistyped) }
}

fn check(key: &[u8]) -> String {
    hex(&Sha256::digest(key)[..CHECK / 2])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_comes_back_from_paper_however_it_is_typed() {
        let key = std::array::from_fn(|at| u8::try_from(at).unwrap());
        let text = to_text(&key);
        assert_eq!(text.split('-').map(str::len).collect::<Vec<_>>(), [8; 9]);
        assert_eq!(from_text(&text), Ok(key));
        assert_eq!(from_text(&format!(" {}\n", text.to_uppercase().replace('-', " "))), Ok(key));
    }

    #[test]
    fn a_wrong_digit_is_noticed() {
        let text = to_text(&[7; LENGTH]);
        for at in (0..text.len()).filter(|at| text.as_bytes()[*at] != b'-') {
            let mut wrong = text.clone().into_bytes();
            wrong[at] = if wrong[at] == b'1' { b'2' } else { b'1' };
            assert_eq!(from_text(&String::from_utf8(wrong).unwrap()), Err(BadRecovery::Mistyped), "{at}");
        }
        for no in ["", "12", &text[1..], &format!("{text}0"), &text.replace('0', "g")] {
            assert_eq!(from_text(no), Err(BadRecovery::Malformed), "{no}");
        }
    }
}
