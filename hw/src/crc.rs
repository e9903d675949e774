//! CRC-16/MODBUS (Modbus over serial line v1.02, 6.2.2): polynomial 0x8005 reflected, start 0xFFFF.

pub(crate) fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xFFFF, |crc, &byte| (0..8).fold(crc ^ u16::from(byte), |crc, _| shift(crc)))
}

fn shift(crc: u16) -> u16 {
    if crc & 1 == 1 { (crc >> 1) ^ 0xA001 } else { crc >> 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_check_value() {
        assert_eq!(crc16(b"123456789"), 0x4B37);
    }

    #[test]
    fn the_example_of_the_standard() {
        // Modbus over serial line v1.02, 6.2.2: address 02, function 07 gives 41 12 on the wire.
        assert_eq!(crc16(&[0x02, 0x07]).to_le_bytes(), [0x41, 0x12]);
    }
}
