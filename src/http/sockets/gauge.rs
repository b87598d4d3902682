//! The size of a client's WebSocket frames, read from their headers (RFC 6455 §5.2) as the bytes come in. The codec
//! judges a frame only once it is whole, and would collect a declared gigabyte first.

/// Follows the frames in one client's bytes.
#[derive(Debug)]
pub(super) struct FrameGauge {
    max_payload: u64,
    /// The header so far: 2 bytes, then the extended length, then the mask.
    header: [u8; 14],
    have: usize,
    /// Payload bytes still to come.
    payload_left: u64,
}

/// A frame is larger than allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLarge;

impl FrameGauge {
    pub(super) fn new(max_payload: u64) -> Self {
        Self { max_payload, header: [0; 14], have: 0, payload_left: 0 }
    }

    /// # Errors
    /// [`TooLarge`] as soon as a header says so.
    pub(super) fn pass(&mut self, mut bytes: &[u8]) -> Result<(), TooLarge> {
        loop {
            let skipped = usize::try_from(self.payload_left).unwrap_or(usize::MAX).min(bytes.len());
            bytes = &bytes[skipped..];
            self.payload_left -= skipped as u64;
            let Some((first, rest)) = bytes.split_first() else { return Ok(()) };
            self.header[self.have] = *first;
            self.have += 1;
            bytes = rest;
            if self.have == self.header_len() {
                self.payload_left = self.payload_len();
                self.have = 0;
                if self.payload_left > self.max_payload {
                    return Err(TooLarge);
                }
            }
        }
    }

    /// How long this header is, as far as can be told: at least 2.
    fn header_len(&self) -> usize {
        if self.have < 2 {
            return 2;
        }
        let extended = match self.header[1] & 0x7F {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let mask = if self.header[1] & 0x80 == 0 { 0 } else { 4 };
        2 + extended + mask
    }

    fn payload_len(&self) -> u64 {
        let big_endian = |bytes: &[u8]| bytes.iter().fold(0, |len, byte| len << 8 | u64::from(*byte));
        match self.header[1] & 0x7F {
            126 => big_endian(&self.header[2..4]),
            127 => big_endian(&self.header[2..10]),
            short => u64::from(short),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A masked frame of `len` payload bytes.
    fn frame(len: usize) -> Vec<u8> {
        let mut bytes = vec![0x81];
        match len {
            0..126 => bytes.push(0x80 | u8::try_from(len).unwrap()),
            126..65536 => {
                bytes.push(0xFE);
                bytes.extend(u16::try_from(len).unwrap().to_be_bytes());
            }
            _ => {
                bytes.push(0xFF);
                bytes.extend((len as u64).to_be_bytes());
            }
        }
        bytes.extend([1, 2, 3, 4]);
        bytes.resize(bytes.len() + len, 0xFF);
        bytes
    }

    #[test]
    fn a_declared_gigabyte_is_refused_at_its_header() {
        let header = [0x81, 0xFF, 0, 0, 0, 0, 0x40, 0, 0, 0, 1, 2, 3, 4];

        assert_eq!(FrameGauge::new(4096).pass(&header), Err(TooLarge));
    }

    proptest! {
        #[test]
        fn only_a_frame_over_the_limit_is_refused_however_the_bytes_are_cut(
            sizes in prop::collection::vec(prop_oneof![0usize..300, 4090usize..4102, 65530usize..65540], 1..6),
            cut in 1usize..5000,
        ) {
            let bytes: Vec<u8> = sizes.iter().flat_map(|len| frame(*len)).collect();
            let mut gauge = FrameGauge::new(4096);

            let passed = bytes.chunks(cut).try_for_each(|chunk| gauge.pass(chunk));

            prop_assert_eq!(passed.is_err(), sizes.iter().any(|len| *len > 4096));
        }
    }
}
