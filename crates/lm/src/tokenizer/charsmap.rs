//! SentencePiece's precompiled replacements of characters.
//!
//! The blob is a length, a double-array trie (darts-clone's layout: a unit of 32 bits a node) and
//! the replacements, each ended by NUL. Files from outside may hold any bytes, so everything that
//! a search can reach is checked once, when it is read.

/// What texts are replaced by before they are cut into pieces.
#[derive(Debug)]
pub(super) struct Charsmap {
    units: Vec<u32>,
    replacements: String,
}

/// The bit that tells a value from a node.
const VALUE: u32 = 1 << 31;

fn has_leaf(unit: u32) -> bool {
    unit >> 8 & 1 == 1
}

fn offset(unit: u32) -> usize {
    ((unit >> 10) << ((unit & 1 << 9) >> 6)) as usize
}

impl Charsmap {
    /// Reads and checks a blob.
    pub fn new(blob: &[u8]) -> Result<Charsmap, String> {
        let bad = |what: &str| format!("the precompiled character map {what}");
        let (size, rest) = blob.split_first_chunk::<4>().ok_or_else(|| bad("is too short"))?;
        let size = u32::from_le_bytes(*size) as usize;
        if size > rest.len() || !size.is_multiple_of(4) || size == 0 {
            return Err(bad("has a trie of a size that cannot be"));
        }
        let (trie, replacements) = rest.split_at(size);
        let (units, _) = trie.as_chunks::<4>();
        let units = units.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect();
        let replacements = std::str::from_utf8(replacements);
        let replacements = replacements.map_err(|_| bad("replaces by what is not UTF-8"))?;
        let charsmap = Charsmap { units, replacements: replacements.to_string() };
        charsmap.check().map_err(bad)?;
        Ok(charsmap)
    }

    /// Walks all nodes that a search can reach: each replacement must be inside the texts and at a
    /// character.
    fn check(&self) -> Result<(), &'static str> {
        let mut seen = vec![false; self.units.len()];
        let mut open = vec![0_usize];
        seen[0] = true;
        while let Some(node) = open.pop() {
            let unit = self.units[node];
            let base = node ^ offset(unit);
            // A search looks at a child before it knows whether there is one, and not every
            // library that searches looks whether it lies inside.
            if (1..=255).any(|label| base ^ label >= self.units.len()) {
                return Err("points outside itself");
            }
            if node != 0 && has_leaf(unit) {
                let leaf = self.units.get(base).ok_or("points outside itself")?;
                let start = (leaf & !VALUE) as usize;
                if !self.replacements.is_char_boundary(start) {
                    return Err("replaces by what is not there");
                }
            }
            for label in 1..=255_usize {
                let child = base ^ label;
                if self.units[child] & (VALUE | 0xff) != label as u32 {
                    continue;
                }
                if !std::mem::replace(&mut seen[child], true) {
                    open.push(child);
                }
            }
        }
        Ok(())
    }

    /// The replacement of the longest known text that `text` begins with, and that text's length.
    pub fn longest(&self, text: &str) -> Option<(&str, usize)> {
        let mut node = offset(self.units[0]);
        let mut found = None;
        for (index, byte) in text.bytes().enumerate() {
            node ^= usize::from(byte);
            let Some(unit) = self.units.get(node).copied() else { break };
            if byte == 0 || unit & (VALUE | 0xff) != u32::from(byte) {
                break;
            }
            node ^= offset(unit);
            if has_leaf(unit) {
                found = Some((node, index + 1));
            }
        }
        let (leaf, length) = found?;
        let start = (self.units.get(leaf)? & !VALUE) as usize;
        let rest = self.replacements.get(start..)?;
        Some((rest.split('\0').next().unwrap_or_default(), length))
            .filter(|_| text.is_char_boundary(length))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A blob that replaces single ASCII characters.
    pub fn blob(pairs: &[(u8, &str)]) -> Vec<u8> {
        let mut units = vec![0_u32; 1024];
        // The root's children lie at 256 ^ byte, the leaf of each at 512 + 2 * its place.
        units[0] = 256 << 10;
        let mut texts = Vec::new();
        for (index, (byte, text)) in pairs.iter().enumerate() {
            let (child, leaf) = (256 ^ usize::from(*byte), 512 + index);
            units[child] = ((child ^ leaf) as u32) << 10 | 1 << 8 | u32::from(*byte);
            units[leaf] = VALUE | texts.len() as u32;
            texts.extend_from_slice(text.as_bytes());
            texts.push(0);
        }
        let mut blob = (units.len() as u32 * 4).to_le_bytes().to_vec();
        blob.extend(units.iter().flat_map(|unit| unit.to_le_bytes()));
        blob.extend(texts);
        blob
    }

    #[test]
    fn characters_are_replaced() {
        let map = Charsmap::new(&blob(&[(b'\t', " "), (b'A', "aé")])).unwrap();
        assert_eq!(map.longest("Ab"), Some(("aé", 1)));
        assert_eq!(map.longest("\t"), Some((" ", 1)));
        assert_eq!(map.longest("b"), None);
        assert_eq!(map.longest(""), None);
    }

    #[test]
    fn maps_that_lie_are_refused() {
        let good = blob(&[(b'A', "é")]);
        assert!(Charsmap::new(&good[..3]).is_err());
        assert!(Charsmap::new(&good[..2000]).is_err());
        assert!(Charsmap::new(&[0; 4]).is_err());
        let mut inside = good.clone();
        inside[4 + 4 * 512] = 1;
        assert!(Charsmap::new(&inside).unwrap_err().contains("not there"));
        let one_unit = [4, 0, 0, 0, 0, 0, 0, 0, b'a', 0];
        assert!(Charsmap::new(&one_unit).unwrap_err().contains("outside"));
        let mut far = good;
        let child = 4 + 4 * (256 ^ usize::from(b'A'));
        far[child..child + 4].copy_from_slice(&(1 << 30 | 1 << 8 | u32::from(b'A')).to_le_bytes());
        assert!(Charsmap::new(&far).unwrap_err().contains("outside"));
    }
}
