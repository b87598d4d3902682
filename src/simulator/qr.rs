//! Codes to scan: a text of WhatsApp's kind, and its picture as Evolution sends it.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use qrcode::{Color, EcLevel, QrCode};

use super::dice::Dice;

/// Pixels of one module, and modules of the quiet zone around the code.
const SCALE: usize = 4;
const QUIET: usize = 4;

/// `2@…` with three keys behind it, as Baileys writes it.
pub(super) fn text(dice: &mut Dice) -> String {
    let plain = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let reference = dice.text(132, plain);
    let keys: Vec<String> = (0..3).map(|_| format!("{}=", dice.text(43, plain))).collect();
    format!("2@{reference},{}", keys.join(","))
}

/// The picture as a data URI of a PNG. A text that fits no code, which Baileys never makes, gives an empty picture.
pub(super) fn image(text: &str) -> String {
    let png = QrCode::with_error_correction_level(text, EcLevel::M).map(|code| {
        let (modules, size) = (code.to_colors(), code.width());
        picture(size, |x, y| modules.get(y * size + x) == Some(&Color::Dark))
    });
    format!("data:image/png;base64,{}", BASE64_STANDARD.encode(png.unwrap_or_default()))
}

/// A square of modules as a PNG in black and white, one bit a pixel, stored without compression.
fn picture(modules: usize, is_dark: impl Fn(usize, usize) -> bool) -> Vec<u8> {
    let side = (modules + 2 * QUIET) * SCALE;
    let mut rows = Vec::with_capacity(side * (side / 8 + 2));
    for y in 0..side {
        // Filter 0: the row as it is.
        rows.push(0);
        for first in (0..side).step_by(8) {
            let bits = (0..8).map(|bit| first + bit).map(|x| {
                let module = |at: usize| (at / SCALE).checked_sub(QUIET).filter(|at| *at < modules);
                let dark = x >= side || module(x).zip(module(y)).is_some_and(|(x, y)| is_dark(x, y));
                u8::from(!dark)
            });
            rows.push(bits.fold(0, |byte, bit| byte << 1 | bit));
        }
    }
    let pixels = u32::try_from(side).unwrap_or(0).to_be_bytes();
    let header = [&pixels[..], &pixels, &[1, 0, 0, 0, 0]].concat();
    let mut png = vec![0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a];
    for (kind, data) in [(b"IHDR", header), (b"IDAT", stored(&rows)), (b"IEND", Vec::new())] {
        let length = u32::try_from(data.len()).unwrap_or(0);
        png.extend(length.to_be_bytes());
        let body = [&kind[..], &data].concat();
        png.extend(&body);
        png.extend(checksum(&body).to_be_bytes());
    }
    png
}

/// A zlib stream of stored blocks.
fn stored(data: &[u8]) -> Vec<u8> {
    let mut stream = vec![0x78, 0x01];
    let mut blocks = data.chunks(usize::from(u16::MAX)).peekable();
    while let Some(block) = blocks.next() {
        let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
        stream.push(u8::from(blocks.peek().is_none()));
        stream.extend(length.to_le_bytes());
        stream.extend((!length).to_le_bytes());
        stream.extend(block);
    }
    let (low, high) = data.iter().fold((1_u32, 0_u32), |(low, high), byte| {
        let low = (low + u32::from(*byte)) % 65_521;
        (low, (high + low) % 65_521)
    });
    stream.extend((high << 16 | low).to_be_bytes());
    stream
}

/// CRC-32 as PNG has it.
fn checksum(data: &[u8]) -> u32 {
    !data.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_png() {
        assert_eq!(checksum(b"IEND"), 0xae42_6082);
    }

    #[test]
    fn two_codes_differ_in_text_and_picture() {
        let mut dice = Dice::new(7);
        let (one, other) = (text(&mut dice), text(&mut dice));

        assert_ne!(one, other);
        assert_ne!(image(&one), image(&other));
        assert!(image(&one).len() > 1000, "the text fits a code");
    }
}
