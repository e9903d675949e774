//! ITU-T G.711: telephone sound, 8 bits a sample, to linear samples.

/// Which of the two laws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Law {
    /// North America, Japan; RTP payload type 0.
    Mu,
    /// Elsewhere; RTP payload type 8.
    A,
}

impl Law {
    /// One sample.
    pub(crate) fn linear(self, code: u8) -> i16 {
        match self {
            Self::Mu => mu(code),
            Self::A => a(code),
        }
    }
}

fn mu(code: u8) -> i16 {
    const BIAS: i16 = 0x84;
    let code = !code;
    let (exponent, mantissa) = ((code >> 4) & 7, i16::from(code & 0x0f));
    let magnitude = (((mantissa << 3) + BIAS) << exponent) - BIAS;
    if code & 0x80 == 0 { magnitude } else { -magnitude }
}

fn a(code: u8) -> i16 {
    let code = code ^ 0x55;
    let (exponent, mantissa) = ((code >> 4) & 7, i16::from(code & 0x0f) << 4);
    let magnitude = match exponent {
        0 => mantissa + 8,
        _ => (mantissa + 0x108) << (exponent - 1),
    };
    if code & 0x80 == 0 { -magnitude } else { magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of G.711 tables 1a and 2a, at 16 bits.
    #[test]
    fn the_ends_and_the_middle_of_both_laws() {
        let table = [
            (Law::Mu, 0xff, 0),
            (Law::Mu, 0x7f, 0),
            (Law::Mu, 0x80, 32_124),
            (Law::Mu, 0x00, -32_124),
            (Law::Mu, 0xef, 132),
            (Law::A, 0xd5, 8),
            (Law::A, 0x55, -8),
            (Law::A, 0xaa, 32_256),
            (Law::A, 0x2a, -32_256),
        ];
        for (law, code, linear) in table {
            assert_eq!(law.linear(code), linear, "{law:?} {code:#x}");
        }
    }

    #[test]
    fn both_laws_are_odd_and_rise() {
        for law in [Law::Mu, Law::A] {
            for code in 0..=127_u8 {
                assert_eq!(law.linear(code), -law.linear(code | 0x80));
            }
            let mut rising: Vec<i16> = (128..=255).map(|code| law.linear(code)).collect();
            rising.sort_unstable();
            rising.dedup();
            assert!(rising.len() >= 128, "{law:?}");
        }
    }
}
