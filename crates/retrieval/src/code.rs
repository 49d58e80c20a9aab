//! A vector as it is kept: a signed byte for each element and one scale.

use crate::encoder::{Encoder, Purpose};
use crate::error::{Error, Result};

/// The largest code; the least is its negative, so that the sign of a vector costs nothing.
const LARGEST: f32 = 127.0;

/// A vector of length 1, rounded to signed bytes.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Code {
    /// The value of one step; 0 for a vector that says nothing.
    pub(crate) scale: f32,
    /// The elements in steps.
    pub(crate) steps: Vec<i8>,
}

impl Code {
    /// Rounds a vector of any length but 0.
    pub(crate) fn of(vector: &[f32]) -> Code {
        let squares: f64 = vector.iter().map(|x| f64::from(*x) * f64::from(*x)).sum();
        let largest = vector.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
        if !squares.is_normal() || largest == 0.0 {
            return Code { scale: 0.0, steps: vec![0; vector.len()] };
        }
        let steps: Vec<i8> = vector
            .iter()
            .map(|x| (f64::from(*x) * f64::from(LARGEST) / f64::from(largest)).round() as i8)
            .collect();
        let whole: i64 = steps.iter().map(|step| i64::from(*step) * i64::from(*step)).sum();
        // The rounded vector has length 1 again, so that a product is a cosine.
        Code { scale: (1.0 / (whole as f64).sqrt()) as f32, steps }
    }
}

/// The codes of a passage.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Codes {
    /// Of its headings and its text.
    pub(crate) text: Code,
    /// Of the title of its document.
    pub(crate) title: Code,
}

/// The codes of passages, each of which is given by the title of its document and its text.
pub(crate) fn encode_passages(
    encoder: &dyn Encoder,
    passages: &[(&str, &str)],
) -> Result<Vec<Codes>> {
    let mut titles: Vec<&str> = passages.iter().map(|(title, _)| *title).collect();
    titles.sort_unstable();
    titles.dedup();
    let texts: Vec<&str> = titles.iter().copied().chain(passages.iter().map(|p| p.1)).collect();
    let mut codes = encode(encoder, Purpose::Passage, &texts)?;
    let of_texts = codes.split_off(titles.len());
    let nothing = Code { scale: 0.0, steps: vec![0; encoder.dimension()] };
    let with_title = |((title, _), text): (&(&str, &str), Code)| {
        let at = titles.binary_search(title).expect("every title was collected");
        // A document without a title has nothing in common with others that have none.
        let title = if title.trim().is_empty() { nothing.clone() } else { codes[at].clone() };
        Codes { text, title }
    };
    Ok(passages.iter().zip(of_texts).map(with_title).collect())
}

/// The codes of these texts.
pub(crate) fn encode(encoder: &dyn Encoder, purpose: Purpose, texts: &[&str]) -> Result<Vec<Code>> {
    let failed = |detail| Error::Encoder { encoder: encoder.identity().to_owned(), detail };
    let vectors = encoder.encode(purpose, texts).map_err(failed)?;
    let fits = |vector: &Vec<f32>| vector.len() == encoder.dimension();
    if vectors.len() != texts.len() || !vectors.iter().all(fits) {
        let (texts, elements) = (texts.len(), encoder.dimension());
        return Err(failed(format!("it did not give {texts} vectors of {elements} elements")));
    }
    Ok(vectors.iter().map(|vector| Code::of(vector)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cosine(a: &Code, b: &Code) -> f32 {
        let product: i32 =
            a.steps.iter().zip(&b.steps).map(|(a, b)| i32::from(*a) * i32::from(*b)).sum();
        product as f32 * a.scale * b.scale
    }

    #[test]
    fn a_product_of_codes_is_near_the_cosine() {
        let wave = |shift: f32| (0..200).map(|i| (i as f32 * 0.37 + shift).sin() * 3.0).collect();
        let (a, b): (Vec<f32>, Vec<f32>) = (wave(0.0), wave(1.0));
        let dot: f32 = a.iter().zip(&b).map(|(a, b)| a * b).sum();
        let length = |v: &[f32]| v.iter().map(|x| x * x).sum::<f32>().sqrt();
        let exact = dot / length(&a) / length(&b);
        assert!((cosine(&Code::of(&a), &Code::of(&b)) - exact).abs() < 0.005);
        assert!((cosine(&Code::of(&a), &Code::of(&a)) - 1.0).abs() < 1e-5);
    }

    #[test]
    fn a_vector_that_says_nothing_is_like_no_other() {
        for vector in [[0.0, 0.0], [f32::NAN, 1.0], [f32::INFINITY, 1.0]] {
            assert_eq!(cosine(&Code::of(&vector), &Code::of(&[1.0, 1.0])), 0.0, "{vector:?}");
        }
    }
}
