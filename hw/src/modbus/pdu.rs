//! Functions 01, 02, 05 and 0F as values and bytes (Modbus Application Protocol V1.1b3, chapter 6). Pure.

/// Most coils or inputs in one request here. The standard allows 2000; no board of this trade has more than 64.
pub const BITS_MAX: u16 = 64;

const READ_COILS: u8 = 0x01;
const READ_INPUTS: u8 = 0x02;
const WRITE_COIL: u8 = 0x05;
const WRITE_COILS: u8 = 0x0F;

/// Set in the function code of an exception reply.
const EXCEPTION: u8 = 0x80;

/// What a master asks. Addresses count from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "addresses, counts and levels are named as such")]
pub enum Request {
    /// Function 01: the present state of `count` coils.
    ReadCoils { first: u16, count: u16 },
    /// Function 02: the present state of `count` discrete inputs.
    ReadInputs { first: u16, count: u16 },
    /// Function 05: switch one coil.
    WriteCoil { coil: u16, on: bool },
    /// Function 0F: switch neighbouring coils.
    WriteCoils { first: u16, on: Vec<bool> },
}

/// What a unit answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// To either read, in the order of addresses.
    Bits(Vec<bool>),
    /// To either write.
    Written,
    /// The unit declines.
    Exception(Exception),
}

/// Why a unit declines (chapter 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exception(pub u8);

impl Exception {
    /// 01: the board does not know the function.
    pub const ILLEGAL_FUNCTION: Self = Self(1);
    /// 02: no such coil or input.
    pub const ILLEGAL_ADDRESS: Self = Self(2);
    /// 03: a count or value out of range.
    pub const ILLEGAL_VALUE: Self = Self(3);
}

impl std::fmt::Display for Exception {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = match self.0 {
            1 => "it does not know this function",
            2 => "it has no such coil or input",
            3 => "the value is out of its range",
            4 => "it failed while acting",
            6 => "it is busy",
            code => return write!(f, "exception {code}"),
        };
        write!(f, "{text} (exception {})", self.0)
    }
}

impl Request {
    /// Writes may be broadcast; reads have nobody to answer them.
    #[must_use]
    pub fn may_broadcast(&self) -> bool {
        matches!(self, Self::WriteCoil { .. } | Self::WriteCoils { .. })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        match self {
            Self::ReadCoils { first, count } => words(READ_COILS, *first, *count),
            Self::ReadInputs { first, count } => words(READ_INPUTS, *first, *count),
            Self::WriteCoil { coil, on } => words(WRITE_COIL, *coil, if *on { 0xFF00 } else { 0 }),
            Self::WriteCoils { first, on } => {
                let packed = pack(on);
                let mut pdu = words(WRITE_COILS, *first, on.len() as u16);
                pdu.push(packed.len() as u8);
                pdu.extend(packed);
                pdu
            }
        }
    }

    /// The exception a unit should answer when the bytes are no request it can take.
    pub(super) fn decode(pdu: &[u8]) -> Result<Self, Exception> {
        let &[function, a, b, c, d, ref rest @ ..] = pdu else { return Err(Exception::ILLEGAL_VALUE) };
        let (first, second) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        match (function, second) {
            (READ_COILS, 1..=BITS_MAX) => Ok(Self::ReadCoils { first, count: second }),
            (READ_INPUTS, 1..=BITS_MAX) => Ok(Self::ReadInputs { first, count: second }),
            (WRITE_COIL, 0xFF00) => Ok(Self::WriteCoil { coil: first, on: true }),
            (WRITE_COIL, 0) => Ok(Self::WriteCoil { coil: first, on: false }),
            (WRITE_COILS, 1..=BITS_MAX) if is_packed(rest, second) => {
                Ok(Self::WriteCoils { first, on: unpack(&rest[1..], second) })
            }
            (READ_COILS | READ_INPUTS | WRITE_COIL | WRITE_COILS, _) => Err(Exception::ILLEGAL_VALUE),
            _ => Err(Exception::ILLEGAL_FUNCTION),
        }
    }

    /// The length of the request that starts with these bytes, `None` while that can't be told.
    pub(super) fn expected_len(pdu: &[u8]) -> Option<usize> {
        match (pdu.first()?, pdu.get(5)) {
            (&WRITE_COILS, bytes) => bytes.map(|&bytes| 6 + usize::from(bytes)),
            _ => Some(5),
        }
    }

    /// The length of the reply to this request that starts with these bytes; `None` when it is no reply to it.
    pub(super) fn reply_len(&self, function: u8) -> Option<usize> {
        let own = self.function();
        match self {
            _ if function == own | EXCEPTION => Some(2),
            _ if function != own => None,
            Self::ReadCoils { count, .. } | Self::ReadInputs { count, .. } => Some(2 + bytes_for(*count)),
            Self::WriteCoil { .. } | Self::WriteCoils { .. } => Some(5),
        }
    }

    /// The reply in these bytes; `None` when they are no reply to this request.
    pub(super) fn decode_reply(&self, pdu: &[u8]) -> Option<Response> {
        let (&function, rest) = pdu.split_first()?;
        if function == self.function() | EXCEPTION {
            return rest.first().map(|&code| Response::Exception(Exception(code)));
        }
        match self {
            Self::ReadCoils { count, .. } | Self::ReadInputs { count, .. } => {
                is_packed(rest, *count).then(|| Response::Bits(unpack(&rest[1..], *count)))
            }
            // A write is answered by its own first five bytes.
            Self::WriteCoil { .. } | Self::WriteCoils { .. } => {
                (self.encode().get(..5) == Some(pdu)).then_some(Response::Written)
            }
        }
    }

    pub(super) fn encode_reply(&self, response: &Response) -> Vec<u8> {
        match response {
            Response::Exception(exception) => vec![self.function() | EXCEPTION, exception.0],
            Response::Written => self.encode()[..5].to_vec(),
            Response::Bits(bits) => {
                let packed = pack(bits);
                [vec![self.function(), packed.len() as u8], packed].concat()
            }
        }
    }

    fn function(&self) -> u8 {
        match self {
            Self::ReadCoils { .. } => READ_COILS,
            Self::ReadInputs { .. } => READ_INPUTS,
            Self::WriteCoil { .. } => WRITE_COIL,
            Self::WriteCoils { .. } => WRITE_COILS,
        }
    }
}

/// The exception reply to a request that could not even be decoded.
pub(super) fn refusal(function: u8, exception: Exception) -> Vec<u8> {
    vec![function | EXCEPTION, exception.0]
}

fn words(function: u8, first: u16, second: u16) -> Vec<u8> {
    [&[function][..], &first.to_be_bytes(), &second.to_be_bytes()].concat()
}

fn bytes_for(count: u16) -> usize {
    usize::from(count).div_ceil(8)
}

/// Whether this is a byte count and as many bytes as `count` bits need.
fn is_packed(bytes: &[u8], count: u16) -> bool {
    bytes.len() == 1 + bytes_for(count) && usize::from(bytes[0]) == bytes_for(count)
}

/// First address in the lowest bit of the first byte.
fn pack(bits: &[bool]) -> Vec<u8> {
    let byte = |chunk: &[bool]| chunk.iter().rev().fold(0, |byte, &bit| byte << 1 | u8::from(bit));
    bits.chunks(8).map(byte).collect()
}

fn unpack(bytes: &[u8], count: u16) -> Vec<bool> {
    (0..usize::from(count)).map(|n| bytes[n / 8] >> (n % 8) & 1 == 1).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_examples_of_the_standard() {
        // V1.1b3: 6.1 read coils 20-38, 6.5 write coil 173, 6.11 write ten coils from 20.
        let read = Request::ReadCoils { first: 0x13, count: 0x13 };
        assert_eq!(read.encode(), [0x01, 0x00, 0x13, 0x00, 0x13]);
        let Some(Response::Bits(bits)) = read.decode_reply(&[0x01, 0x03, 0xCD, 0x6B, 0x05]) else { panic!() };
        assert_eq!(bits[..8], [true, false, true, true, false, false, true, true]);
        assert_eq!(bits[16..], [true, false, true]);

        let write = Request::WriteCoil { coil: 0xAC, on: true };
        assert_eq!(write.encode(), [0x05, 0x00, 0xAC, 0xFF, 0x00]);

        let on = [1, 0, 1, 1, 0, 0, 1, 1, 1, 0].map(|bit| bit == 1).to_vec();
        let many = Request::WriteCoils { first: 0x13, on };
        assert_eq!(many.encode(), [0x0F, 0x00, 0x13, 0x00, 0x0A, 0x02, 0xCD, 0x01]);
        assert_eq!(many.decode_reply(&[0x0F, 0x00, 0x13, 0x00, 0x0A]), Some(Response::Written));
    }

    #[test]
    fn what_a_unit_must_decline() {
        let cases: &[(&[u8], Exception)] = &[
            (&[0x03, 0, 0, 0, 1], Exception::ILLEGAL_FUNCTION),
            (&[0x01, 0, 0, 0, 0], Exception::ILLEGAL_VALUE),
            (&[0x01, 0, 0, 0, 65], Exception::ILLEGAL_VALUE),
            (&[0x05, 0, 0, 0x12, 0x34], Exception::ILLEGAL_VALUE),
            (&[0x0F, 0, 0, 0, 9, 1, 0xFF], Exception::ILLEGAL_VALUE),
            (&[0x0F, 0, 0, 0, 9], Exception::ILLEGAL_VALUE),
            (&[0x01], Exception::ILLEGAL_VALUE),
        ];
        for (pdu, exception) in cases {
            assert_eq!(Request::decode(pdu), Err(*exception), "{pdu:02x?}");
        }
    }

    pub(super) fn any_request() -> impl Strategy<Value = Request> {
        let bits = proptest::collection::vec(any::<bool>(), 1..=usize::from(BITS_MAX));
        prop_oneof![
            (any::<u16>(), 1..=BITS_MAX).prop_map(|(first, count)| Request::ReadCoils { first, count }),
            (any::<u16>(), 1..=BITS_MAX).prop_map(|(first, count)| Request::ReadInputs { first, count }),
            (any::<u16>(), any::<bool>()).prop_map(|(coil, on)| Request::WriteCoil { coil, on }),
            (any::<u16>(), bits).prop_map(|(first, on)| Request::WriteCoils { first, on }),
        ]
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(request in any_request()) {
            let pdu = request.encode();
            prop_assert_eq!(Request::expected_len(&pdu), Some(pdu.len()));
            prop_assert_eq!(Request::decode(&pdu), Ok(request));
        }

        #[test]
        fn replies_come_back(request in any_request(), bits: [bool; 64], code in 1_u8..12) {
            let count = match &request {
                Request::ReadCoils { count, .. } | Request::ReadInputs { count, .. } => Some(*count),
                Request::WriteCoil { .. } | Request::WriteCoils { .. } => None,
            };
            let answer = count.map_or(Response::Written, |n| Response::Bits(bits[..usize::from(n)].to_vec()));
            for response in [answer, Response::Exception(Exception(code))] {
                let pdu = request.encode_reply(&response);
                prop_assert_eq!(request.reply_len(pdu[0]), Some(pdu.len()));
                prop_assert_eq!(request.decode_reply(&pdu), Some(response));
            }
        }

        #[test]
        fn any_bytes_are_survived(request in any_request(), pdu: Vec<u8>) {
            let _ = Request::decode(&pdu);
            let _ = request.decode_reply(&pdu);
            let _ = Request::expected_len(&pdu);
        }
    }
}
