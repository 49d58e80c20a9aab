//! Values as bytes, and back. Every bit of a number survives; what is no value gives none, and
//! takes no more memory than its bytes justify.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Something that goes through the pipes.
pub(crate) trait Wire: Sized {
    /// Writes it.
    fn put(&self, out: &mut Vec<u8>);
    /// Reads it, and leaves what comes after it; `None` if it is none.
    fn take(input: &mut &[u8]) -> Option<Self>;
}

/// The one value that these bytes are.
pub(crate) fn only<T: Wire>(mut bytes: &[u8]) -> Option<T> {
    let value = T::take(&mut bytes)?;
    bytes.is_empty().then_some(value)
}

macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl Wire for $number {
            fn put(&self, out: &mut Vec<u8>) {
                out.extend(self.to_le_bytes());
            }

            fn take(input: &mut &[u8]) -> Option<Self> {
                let (bytes, rest) = input.split_first_chunk()?;
                *input = rest;
                Some(Self::from_le_bytes(*bytes))
            }
        }
    )*};
}

numbers!(u8, u32, u64, f32, f64);

impl Wire for usize {
    fn put(&self, out: &mut Vec<u8>) {
        (*self as u64).put(out);
    }

    fn take(input: &mut &[u8]) -> Option<Self> {
        usize::try_from(u64::take(input)?).ok()
    }
}

impl Wire for bool {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }

    fn take(input: &mut &[u8]) -> Option<Self> {
        match u8::take(input)? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

/// A length, which what comes after it must have at least.
fn length(input: &mut &[u8]) -> Option<usize> {
    let length = u32::take(input)? as usize;
    (length <= input.len()).then_some(length)
}

fn put_length(length: usize, out: &mut Vec<u8>) {
    u32::try_from(length).expect("frames are shorter than what a length can say").put(out);
}

impl Wire for String {
    fn put(&self, out: &mut Vec<u8>) {
        put_length(self.len(), out);
        out.extend_from_slice(self.as_bytes());
    }

    fn take(input: &mut &[u8]) -> Option<Self> {
        let length = length(input)?;
        let (bytes, rest) = input.split_at(length);
        *input = rest;
        Some(std::str::from_utf8(bytes).ok()?.to_owned())
    }
}

impl Wire for Arc<str> {
    fn put(&self, out: &mut Vec<u8>) {
        self.to_string().put(out);
    }

    fn take(input: &mut &[u8]) -> Option<Self> {
        String::take(input).map(Arc::from)
    }
}

/// As JSON, whose nesting is bounded.
impl Wire for Value {
    fn put(&self, out: &mut Vec<u8>) {
        self.to_string().put(out);
    }

    fn take(input: &mut &[u8]) -> Option<Self> {
        serde_json::from_str(&String::take(input)?).ok()
    }
}

impl<T: Wire> Wire for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.is_some().put(out);
        if let Some(value) = self {
            value.put(out);
        }
    }

    fn take(input: &mut &[u8]) -> Option<Self> {
        match bool::take(input)? {
            true => Some(Some(T::take(input)?)),
            false => Some(None),
        }
    }
}

impl<T: Wire> Wire for Vec<T> {
    fn put(&self, out: &mut Vec<u8>) {
        put_length(self.len(), out);
        self.iter().for_each(|value| value.put(out));
    }

    fn take(input: &mut &[u8]) -> Option<Self> {
        // No value has less than a byte.
        (0..length(input)?).map(|_| T::take(input)).collect()
    }
}

/// Bytes that go through as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Blob(pub(crate) Vec<u8>);

impl Wire for Blob {
    fn put(&self, out: &mut Vec<u8>) {
        put_length(self.0.len(), out);
        out.extend_from_slice(&self.0);
    }

    fn take(input: &mut &[u8]) -> Option<Self> {
        let length = length(input)?;
        let (bytes, rest) = input.split_at(length);
        *input = rest;
        Some(Blob(bytes.to_vec()))
    }
}

impl<T: Wire + Ord> Wire for BTreeSet<T> {
    fn put(&self, out: &mut Vec<u8>) {
        put_length(self.len(), out);
        self.iter().for_each(|value| value.put(out));
    }

    fn take(input: &mut &[u8]) -> Option<Self> {
        (0..length(input)?).map(|_| T::take(input)).collect()
    }
}

impl<K: Wire + Ord, V: Wire> Wire for BTreeMap<K, V> {
    fn put(&self, out: &mut Vec<u8>) {
        put_length(self.len(), out);
        for (key, value) in self {
            key.put(out);
            value.put(out);
        }
    }

    fn take(input: &mut &[u8]) -> Option<Self> {
        (0..length(input)?).map(|_| Some((K::take(input)?, V::take(input)?))).collect()
    }
}

impl<A: Wire, B: Wire> Wire for (A, B) {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
        self.1.put(out);
    }

    fn take(input: &mut &[u8]) -> Option<Self> {
        Some((A::take(input)?, B::take(input)?))
    }
}

impl<T: Wire> Wire for Box<T> {
    fn put(&self, out: &mut Vec<u8>) {
        T::put(self, out);
    }

    fn take(input: &mut &[u8]) -> Option<Self> {
        T::take(input).map(Box::new)
    }
}

/// A structure, by its fields.
macro_rules! wire_struct {
    ($name:ty { $($field:ident),* $(,)? }) => {
        impl $crate::wire::Wire for $name {
            fn put(&self, out: &mut Vec<u8>) {
                $(self.$field.put(out);)*
            }

            fn take(input: &mut &[u8]) -> Option<Self> {
                Some(Self { $($field: $crate::wire::Wire::take(input)?),* })
            }
        }
    };
}

/// A choice, by a number for each variant and its fields.
macro_rules! wire_enum {
    ($name:ty { $($number:literal => $variant:ident
        $(($($part:ident),*))? $({ $($field:ident),* })?),* $(,)? }) => {
        impl $crate::wire::Wire for $name {
            fn put(&self, out: &mut Vec<u8>) {
                match self {
                    $(Self::$variant $(($($part),*))? $({ $($field),* })? => {
                        out.push($number);
                        $($($part.put(out);)*)?
                        $($($field.put(out);)*)?
                    })*
                }
            }

            fn take(input: &mut &[u8]) -> Option<Self> {
                match u8::take(input)? {
                    $($number => {
                        $($(let $part = $crate::wire::Wire::take(input)?;)*)?
                        $($(let $field = $crate::wire::Wire::take(input)?;)*)?
                        Some(Self::$variant $(($($part),*))? $({ $($field),* })?)
                    })*
                    _ => None,
                }
            }
        }
    };
}

pub(crate) use {wire_enum, wire_struct};

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes<T: Wire>(value: &T) -> Vec<u8> {
        let mut out = Vec::new();
        value.put(&mut out);
        out
    }

    #[test]
    fn values_survive_with_every_bit() {
        let value: Vec<(u32, f32)> = vec![(7, -0.0), (8, f32::from_bits(0x7fc0_1234))];
        let read: Vec<(u32, f32)> = only(&bytes(&value)).unwrap();
        let bits = |all: &[(u32, f32)]| all.iter().map(|one| one.1.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&read), bits(&value));
        let value = Some(BTreeMap::from([("é".to_string(), serde_json::json!({"a": [1, null]}))]));
        assert_eq!(only::<Option<BTreeMap<String, Value>>>(&bytes(&value)).unwrap(), value);
    }

    #[test]
    fn what_is_cut_too_long_or_no_text_is_none() {
        let whole = bytes(&vec!["ab".to_string(), "cd".to_string()]);
        for end in 0..whole.len() {
            assert_eq!(only::<Vec<String>>(&whole[..end]), None, "{end}");
        }
        assert_eq!(only::<Vec<String>>(&[&whole[..], &[0]].concat()), None);
        assert_eq!(only::<Vec<u32>>(&[0xff; 8]), None);
        let blob = Blob(vec![1, 2, 3]);
        assert_eq!(only::<Blob>(&bytes(&blob)), Some(blob.clone()));
        assert_eq!(only::<Blob>(&bytes(&blob)[..6]), None);
        assert_eq!(only::<String>(&[1, 0, 0, 0, 0xff]), None);
        assert_eq!(only::<bool>(&[2]), None);
        let deep = "[".repeat(100_000);
        assert_eq!(only::<Value>(&bytes(&deep)), None);
    }
}
