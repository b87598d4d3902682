//! Chance that can be repeated: ids, tokens and jitter of the pretended Evolution. Nothing secret is made of it.

use std::fmt::Write;

/// A small generator of numbers (splitmix64); the same seed gives the same numbers.
#[derive(Clone, Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to below 1.
    pub(super) fn part(&mut self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "53 bits are what a f64 holds")]
        let bits = (self.number() >> 11) as f64;
        bits / 9_007_199_254_740_992.0
    }

    /// So many characters out of `alphabet`.
    pub(super) fn text(&mut self, length: usize, alphabet: &[u8]) -> String {
        let size = alphabet.len() as u64;
        (0..length)
            .filter_map(|_| alphabet.get(usize::try_from(self.number() % size).unwrap_or(0)))
            .map(|byte| char::from(*byte))
            .collect()
    }

    /// A message's id as Evolution makes it (`3EB0…`), or as a phone does (`AC…`).
    pub(super) fn message_id(&mut self, is_own: bool) -> String {
        let hex = b"0123456789ABCDEF";
        if is_own { format!("3EB0{}", self.text(18, hex)) } else { format!("AC{}", self.text(30, hex)) }
    }

    pub(super) fn uuid(&mut self) -> String {
        let high = u128::from(self.number()) << 64;
        uuid::Builder::from_random_bytes((high | u128::from(self.number())).to_be_bytes()).into_uuid().to_string()
    }

    /// A row's id in Evolution's database.
    pub(super) fn row_id(&mut self) -> String {
        let mut id = String::from("cmwp");
        let _ = write!(id, "{}", self.text(21, b"0123456789abcdefghijklmnopqrstuvwxyz"));
        id
    }
}
